//! The fd table, with descriptors that were closed or whose numbers were reused.

use super::*;

pub(crate) fn a_closed_descriptor_fails_alone_and_once<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let (good, _writer) = full_pipe();
        let (gone, _other_writer) = pipe();
        let number = Fd::of(&gone);
        rig.add(&gone, 1, Interest::READ);
        rig.add(&good, 2, Interest::READ);
        drop(gone);
        rig.look();
        assert_eq!(core::mem::take(&mut rig.core.failed), [1]);
        for _ in 0..3 {
            assert_eq!(rig.wait(Sleep::Forever), [(2, Ready::READ)]);
        }
        assert!(rig.core.failed.is_empty());
        rig.del(Fd::of(&good), 2, Interest::READ);
        assert!(rig.is_idle(), "it spins on what is closed");

        assert_eq!(rig.modify(number, 1, Interest::READ, Interest::READ).unwrap_err().errno(), Some(libc::EBADF));
        let (again, _again_writer) = full_pipe();
        assert_eq!(again.as_raw_fd(), number.as_raw_fd());
        assert_eq!(rig.modify(number, 1, Interest::READ, Interest::READ), Ok(Modified::Replaced));
        assert_eq!(rig.wait(Sleep::Forever), [(1, Ready::READ)]);
    });
}

/// `select` fails as a whole for a closed descriptor. Once, the backend then reported nothing for the others in that
/// turn.
pub(crate) fn a_closed_descriptor_hides_no_ready_one<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let waker = rig.backend.waker().unwrap();
        let (good, _writer) = full_pipe();
        let (silent, _silent_writer) = pipe();
        let (gone, _gone_writer) = pipe();
        rig.add(&gone, 1, Interest::READ);
        rig.add(&good, 2, Interest::READ);
        rig.add(&silent, 3, Interest::READ);
        drop(gone);
        waker.wake();
        assert_eq!(rig.wait(Sleep::Forever), [(2, Ready::READ)]);
        assert_eq!(core::mem::take(&mut rig.core.failed), [1]);
        rig.del(Fd::of(&good), 2, Interest::READ);
        assert!(rig.is_idle(), "the wake comes again");
    });
}

pub(crate) fn a_number_that_is_another_files_now_is_noticed<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let (old, _old_writer) = pipe();
        // The old pipe stays open under another number.
        let _copy = old.try_clone().unwrap();
        let number = Fd::of(&old);
        rig.add(&old, 1, Interest::READ);
        assert_eq!(rig.modify(number, 1, Interest::READ, Interest::READ), Ok(Modified::Kept));
        drop(old);
        let (new, _new_writer) = full_pipe();
        assert_eq!(new.as_raw_fd(), number.as_raw_fd());
        assert_eq!(rig.modify(number, 1, Interest::READ, Interest::READ), Ok(Modified::Replaced));
        // The core then registers it again.
        let place = rig.core.places.remove(&1).unwrap();
        rig.core.places.insert(1 << 32, place);
        assert_eq!(rig.modify(number, 1 << 32, Interest::READ, Interest::READ), Ok(Modified::Kept));
        assert_eq!(rig.wait(Sleep::Forever), [(1 << 32, Ready::READ)]);
        rig.del(number, 1 << 32, Interest::READ);
        assert!(rig.is_idle());
    });
}

/// One silent file replaces another, so no report reveals it; or an always-ready one does, whose reports must end.
pub(crate) fn another_file_under_a_number_is_reported_once<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        for is_ready in [false, true] {
            let mut rig = Rig::new(make());
            let (old, _old_writer) = pipe();
            let (new, _new_writer) = if is_ready { full_pipe() } else { pipe() };
            let old = OwnedFd::from(old);
            rig.add(&old, 1, Interest::READ);
            crate::sys::dup_onto(&new.into(), &old).unwrap();
            if is_ready {
                let reports = (0..).take_while(|_| !rig.wait(Sleep::Forever).is_empty()).count();
                assert!(reports <= 251, "{reports}");
            } else {
                assert!(rig.wait(Sleep::Forever).is_empty());
            }
            assert_eq!(core::mem::take(&mut rig.core.failed), [1]);
            assert!(rig.is_idle(), "it spins on what has failed");
            let (time, found) = rig.sleep(250);
            assert!(found.is_empty() && time >= Duration::from_millis(250));
            assert!(rig.core.failed.is_empty(), "it fails again");
        }
    });
}

/// In a loop that always finds something ready and has already verified all its numbers once.
pub(crate) fn another_silent_file_is_reported_beside_a_busy_one<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let (busy, _busy_writer) = full_pipe();
        let (old, _old_writer) = pipe();
        let (new, _new_writer) = pipe();
        let old = OwnedFd::from(old);
        rig.add(&busy, 1, Interest::READ);
        rig.add(&old, 2, Interest::READ);
        let looks = |rig: &mut Rig<B>| (0..300).all(|_| rig.look() == [(1, Ready::READ)]);
        assert!(looks(&mut rig) && rig.core.failed.is_empty());
        crate::sys::dup_onto(&new.into(), &old).unwrap();
        assert!(looks(&mut rig));
        assert_eq!(rig.core.failed, [2]);
    });
}

/// With enough other descriptors that its own reports cause the check before rotation does.
pub(crate) fn another_ready_file_is_found_after_251_reports<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let pipes: Vec<_> = (0..10).map(|_| full_pipe()).collect();
        for (name, (busy, _)) in (0..).zip(&pipes) {
            rig.add(busy, name, Interest::READ);
        }
        let ((old, _old_writer), (new, _new_writer)) = (full_pipe(), full_pipe());
        let old = OwnedFd::from(old);
        rig.add(&old, 10, Interest::READ);
        crate::sys::dup_onto(&new.into(), &old).unwrap();
        let reports = (0..300).filter(|_| rig.look().iter().any(|(name, _)| *name == 10)).count();
        assert_eq!((rig.core.failed.as_slice(), reports), ([10].as_slice(), 250));
    });
}

pub(crate) fn a_registration_that_ended_does_not_end_the_next_of_its_number<B: Backend>(
    make: fn() -> Result<B, Error>,
) {
    alone(|| {
        let mut rig = Rig::new(make());
        let (reader, _writer) = full_pipe();
        rig.add(&reader, 1, Interest::READ);
        let end = |rig: &mut Rig<B>| {
            rig.backend.del(Fd::of(&reader), Token::from_bits(1), Interest::READ, &mut rig.core);
        };
        end(&mut rig);
        assert_eq!(rig.core.places[&1], Place::default());
        rig.add(&reader, 2, Interest::READ);
        assert_eq!(rig.look(), [(2, Ready::READ)]);
    });
}

/// The program means a descriptor that it has since closed.
pub(crate) fn the_doorbells_number_is_refused<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let (gone, _writer) = pipe();
        let number = Fd::of(&gone);
        rig.add(&gone, 1, Interest::READ);
        drop(gone);
        let waker = rig.backend.waker().unwrap();
        assert_eq!(waker.state().doorbell().as_fd().as_raw_fd(), number.as_raw_fd());
        assert_eq!(rig.modify(number, 1, Interest::READ, Interest::READ).unwrap_err().errno(), Some(libc::EBADF));
        assert_eq!(rig.try_add(number, 2, Interest::READ).unwrap_err().errno(), Some(libc::EBADF));
    });
}

pub(crate) fn what_is_refused_leaves_nothing<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let (reader, _writer) = full_pipe();
        let fd = Fd::of(&reader);
        assert_eq!(rig.try_add(fd, 1, Interest::READ | Interest::EDGE), Err(Error::Unsupported));
        drop(reader);
        assert_eq!(rig.try_add(fd, 1, Interest::READ).unwrap_err().errno(), Some(libc::EBADF));
        let (_again, _again_writer) = full_pipe();
        assert!(rig.is_idle());
        assert!(rig.core.failed.is_empty());
        // Deregistering an event that was never registered must not end another registration.
        rig.del(fd, 1, Interest::READ);
        rig.try_add(fd, 1, Interest::READ).unwrap();
        rig.del(fd, 1, Interest::READ);
        rig.del(fd, 1, Interest::READ);
        assert!(rig.is_idle());
    });
}

/// Compares random adds, changes and deletions with a plain list: each report must belong to its own event even
/// though entries move within the table.
pub(crate) fn the_table_stays_in_order<B: Backend>(make: fn() -> Result<B, Error>) {
    const PIPES: usize = 12;
    alone(|| {
        let mut rig = Rig::new(make());
        let pipes: Vec<_> = (0..PIPES).map(|n| if n % 3 == 0 { pipe() } else { full_pipe() }).collect();
        let mut names = [None; PIPES];
        let mut random = 1u64;
        for round in 1..3_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let pipe = random as usize % PIPES;
            let fd = Fd::of(&pipes[pipe].0);
            match names[pipe] {
                None => {
                    rig.try_add(fd, round, Interest::READ).unwrap();
                    names[pipe] = Some(round);
                }
                Some(name) if random >> 40 & 1 == 0 => {
                    rig.del(fd, name, Interest::READ);
                    names[pipe] = None;
                }
                Some(name) => {
                    assert_eq!(rig.modify(fd, name, Interest::READ, Interest::READ), Ok(Modified::Kept));
                }
            }
            let mut found: Vec<_> = rig.look().into_iter().map(|(name, _)| name).collect();
            found.sort_unstable();
            let mut expected: Vec<_> = (0..PIPES).filter(|n| n % 3 != 0).filter_map(|n| names[n]).collect();
            expected.sort_unstable();
            assert_eq!(found, expected);
        }
    });
}

/// For fixed tables of 16 entries: the seventeenth is refused, and the doorbell needs no entry.
pub(crate) fn a_full_table_refuses_and_works_on<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let waker = rig.backend.waker().unwrap();
        let pipes: Vec<_> = (0..17).map(|_| full_pipe()).collect();
        for (name, (reader, _)) in (0..16).zip(&pipes) {
            rig.add(reader, name, Interest::READ);
        }
        let last = Fd::of(&pipes[16].0);
        assert_eq!(rig.try_add(last, 16, Interest::READ), Err(Error::Full));
        assert_eq!(rig.look().len(), 16);
        waker.wake();
        assert_eq!(rig.look().len(), 16);
        rig.del(Fd::of(&pipes[3].0), 3, Interest::READ);
        rig.try_add(last, 16, Interest::READ).unwrap();
        let mut found: Vec<_> = rig.look().into_iter().map(|(name, _)| name).collect();
        found.sort_unstable();
        assert_eq!(found, [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    });
}
