//! What `Poll` and `Select` must both do, on either storage. Each case runs in a process of its own, where it may close
//! descriptors behind the backend's back without meeting another test's.

use core::time::Duration;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread;

use evcore::{Fd, FdInfos, Features, Instant, Interest, Modified, Ready, Sink, Token, Wait, Wake};
use libc::{SIGTERM, SIGUSR1};

use crate::error::Error;
use crate::sys::tests::{in_child, raise, send_urgent, wait_readable};
use crate::table::Place;

/// What the core would be.
#[derive(Default)]
pub(crate) struct Core {
    places: HashMap<u64, Place>,
    ready: Vec<(u64, Ready)>,
    failed: Vec<u64>,
    signals: Vec<(i32, u32)>,
}

impl FdInfos<Place> for Core {
    fn info(&mut self, token: Token) -> Option<&mut Place> {
        Some(self.places.entry(token.to_bits()).or_default())
    }
}

impl Sink<Fd> for Core {
    fn ready(&mut self, token: Token, ready: Ready) -> bool {
        self.ready.push((token.to_bits(), ready));
        self.places.contains_key(&token.to_bits())
    }

    fn ready_fd(&mut self, _: Fd, _: Ready) -> bool {
        unreachable!("these backends keep tokens")
    }

    fn failed(&mut self, token: Token) {
        self.failed.push(token.to_bits());
    }

    fn signal(&mut self, signum: i32, count: u32) {
        self.signals.push((signum, count));
    }

    fn rebuild(&mut self) {
        unreachable!("these backends have nothing that could get out of step")
    }
}

/// A backend and its core. A registration is named by a number.
pub(crate) struct Rig<B> {
    pub(crate) backend: B,
    pub(crate) core: Core,
}

pub(crate) trait Backend: Wake<Fd = Fd, FdInfo = Place, Error = Error, Waker = crate::Waker> {}
impl<B: Wake<Fd = Fd, FdInfo = Place, Error = Error, Waker = crate::Waker>> Backend for B {}

impl<B: Backend> Rig<B> {
    pub(crate) fn new(backend: Result<B, Error>) -> Self {
        Self { backend: backend.unwrap(), core: Core::default() }
    }

    pub(crate) fn try_add(&mut self, fd: Fd, name: u64, interest: Interest) -> Result<(), Error> {
        self.backend.add(fd, Token::from_bits(name), interest, &mut self.core)
    }

    pub(crate) fn add(&mut self, fd: &impl AsFd, name: u64, interest: Interest) {
        self.try_add(Fd::of(fd), name, interest).unwrap();
    }

    fn modify(&mut self, fd: Fd, name: u64, old: Interest, new: Interest) -> Result<Modified, Error> {
        self.backend.modify(fd, Token::from_bits(name), old, new, &mut self.core)
    }

    pub(crate) fn del(&mut self, fd: Fd, name: u64, old: Interest) {
        self.backend.del(fd, Token::from_bits(name), old, &mut self.core);
        self.core.places.remove(&name);
    }

    /// What one wait reports, in the order it does.
    pub(crate) fn wait(&mut self, wait: Wait) -> Vec<(u64, Ready)> {
        self.backend.dispatch(wait, &mut self.core).unwrap();
        core::mem::take(&mut self.core.ready)
    }

    pub(crate) fn look(&mut self) -> Vec<(u64, Ready)> {
        self.wait(Wait::Poll)
    }

    /// Waits for so long; the time that it took, and what was found.
    fn sleep(&mut self, milliseconds: u64) -> (Duration, Vec<(u64, Ready)>) {
        let start = self.backend.now();
        let found = self.wait(Wait::Until(start.saturating_add(Duration::from_millis(milliseconds))));
        (self.backend.now().saturating_since(start), found)
    }

    /// Whether a wait finds nothing, and takes its time for that.
    pub(crate) fn is_idle(&mut self) -> bool {
        let (time, found) = self.sleep(30);
        found.is_empty() && time >= Duration::from_millis(30)
    }

    fn has(&self, feature: Features) -> bool {
        self.backend.features().contains(feature)
    }
}

/// Runs a case in a process of its own.
pub(crate) fn alone(case: impl FnOnce()) {
    let status = in_child(|| {
        case();
        true
    });
    assert_eq!(status, 0, "the case failed in its process: run it with --nocapture to see why");
}

/// The two ends of a pipe: where to read, and where to write.
pub(crate) fn pipe() -> (File, File) {
    let (reader, writer) = crate::sys::pipe().unwrap();
    (reader.into(), writer.into())
}

fn full_pipe() -> (File, File) {
    let (reader, mut writer) = pipe();
    writer.write_all(b"x").unwrap();
    (reader, writer)
}

pub(crate) fn files_are_always_ready<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let path = std::env::temp_dir().join(format!("evplat-posix-{}", std::process::id()));
        let file = File::create_new(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let files = [file, File::open("/dev/null").unwrap(), File::open("/dev/urandom").unwrap()];
        for (name, file) in (0..).zip(&files) {
            rig.add(file, name, Interest::READ);
        }
        for _ in 0..2 {
            let mut found = rig.wait(Wait::Forever);
            found.sort_by_key(|(name, _)| *name);
            assert_eq!(found, [(0, Ready::READ), (1, Ready::READ), (2, Ready::READ)]);
        }
    });
}

pub(crate) fn the_end_of_a_pipe_wakes_both_sides<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let (reader, writer) = pipe();
        rig.add(&reader, 1, Interest::READ);
        assert!(rig.is_idle());
        drop(writer);
        // The core adds READ to what comes with HANGUP.
        let expected = if rig.has(Features::ERRORS) { Ready::HANGUP } else { Ready::READ };
        assert_eq!(rig.wait(Wait::Forever), [(1, expected)]);
        rig.del(Fd::of(&reader), 1, Interest::READ);
        assert!(rig.is_idle(), "a hang-up that nobody asks for");

        let (reader, writer) = pipe();
        rig.add(&writer, 2, Interest::WRITE);
        drop(reader);
        let error = if rig.has(Features::ERRORS) { Ready::ERROR } else { Ready::empty() };
        assert_eq!(rig.wait(Wait::Forever), [(2, Ready::WRITE | error)]);
    });
}

pub(crate) fn a_half_close_is_told_apart_where_it_can_be<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let (near, far) = UnixStream::pair().unwrap();
        rig.add(&near, 1, Interest::READ | Interest::CLOSED);
        far.shutdown(Shutdown::Write).unwrap();
        let closed = if rig.has(Features::CLOSED) { Ready::CLOSED } else { Ready::empty() };
        assert_eq!(rig.wait(Wait::Forever), [(1, Ready::READ | closed)]);
        rig.del(Fd::of(&near), 1, Interest::READ);

        let alone = rig.try_add(Fd::of(&near), 2, Interest::CLOSED);
        if rig.has(Features::CLOSED) {
            assert_eq!(rig.wait(Wait::Forever), [(2, Ready::CLOSED)]);
        } else {
            assert_eq!(alone, Err(Error::Unsupported));
            assert!(rig.is_idle(), "what was refused was registered");
        }
    });
}

pub(crate) fn urgent_data_is_priority_and_not_read<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (near, _) = listener.accept().unwrap();
        rig.add(&near, 1, Interest::READ | Interest::PRIORITY);
        send_urgent(&far);
        assert_eq!(rig.wait(Wait::Forever), [(1, Ready::PRIORITY)]);
        assert_eq!(
            rig.modify(Fd::of(&near), 1, Interest::READ | Interest::PRIORITY, Interest::READ),
            Ok(Modified::Kept)
        );
        assert!(rig.is_idle());
    });
}

pub(crate) fn a_reset_wakes_every_interest<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (near, _) = listener.accept().unwrap();
        rig.add(&far, 1, Interest::READ);
        // Unread data at the close makes it a reset.
        far.write_all(b"x").unwrap();
        assert!(wait_readable(&near, 5_000));
        drop(near);
        let found = rig.wait(Wait::Forever);
        let error = Ready::ERROR | Ready::HANGUP;
        assert!(matches!(found[..], [(1, ready)] if ready.contains(Ready::READ)
            && (ready.contains(error) || !rig.has(Features::ERRORS))));
    });
}

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
            assert_eq!(rig.wait(Wait::Forever), [(2, Ready::READ)]);
        }
        assert!(rig.core.failed.is_empty());
        rig.del(Fd::of(&good), 2, Interest::READ);
        assert!(rig.is_idle(), "it spins on what is closed");

        assert_eq!(rig.modify(number, 1, Interest::READ, Interest::READ).unwrap_err().errno(), Some(libc::EBADF));
        let (again, _again_writer) = full_pipe();
        assert_eq!(again.as_raw_fd(), number.as_raw_fd());
        assert_eq!(rig.modify(number, 1, Interest::READ, Interest::READ), Ok(Modified::Replaced));
        assert_eq!(rig.wait(Wait::Forever), [(1, Ready::READ)]);
    });
}

/// `select` fails as a whole for a closed descriptor, and once told nothing of the others in that turn.
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
        assert_eq!(rig.wait(Wait::Forever), [(2, Ready::READ)]);
        assert_eq!(core::mem::take(&mut rig.core.failed), [1]);
        rig.del(Fd::of(&good), 2, Interest::READ);
        assert!(rig.is_idle(), "the wake comes again");
    });
}

pub(crate) fn a_number_that_is_another_files_now_is_noticed<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let (old, _old_writer) = pipe();
        // The old pipe lives on under another number.
        let _copy = old.try_clone().unwrap();
        let number = Fd::of(&old);
        rig.add(&old, 1, Interest::READ);
        assert_eq!(rig.modify(number, 1, Interest::READ, Interest::READ), Ok(Modified::Kept));
        drop(old);
        let (new, _new_writer) = full_pipe();
        assert_eq!(new.as_raw_fd(), number.as_raw_fd());
        assert_eq!(rig.modify(number, 1, Interest::READ, Interest::READ), Ok(Modified::Replaced));
        // Then the core names it anew.
        let place = rig.core.places.remove(&1).unwrap();
        rig.core.places.insert(1 << 32, place);
        assert_eq!(rig.modify(number, 1 << 32, Interest::READ, Interest::READ), Ok(Modified::Kept));
        assert_eq!(rig.wait(Wait::Forever), [(1 << 32, Ready::READ)]);
        rig.del(number, 1 << 32, Interest::READ);
        assert!(rig.is_idle());
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
        // Ending what never was is no one else's end.
        rig.del(fd, 1, Interest::READ);
        rig.try_add(fd, 1, Interest::READ).unwrap();
        rig.del(fd, 1, Interest::READ);
        rig.del(fd, 1, Interest::READ);
        assert!(rig.is_idle());
    });
}

pub(crate) fn interest_can_change<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let fd = Fd::of(&near);
        let (read, write) = (Interest::READ, Interest::WRITE);
        rig.add(&near, 1, read);
        assert!(rig.is_idle());
        assert_eq!(rig.modify(fd, 1, read, write), Ok(Modified::Kept));
        assert_eq!(rig.look(), [(1, Ready::WRITE)]);
        far.write_all(b"x").unwrap();
        assert_eq!(rig.modify(fd, 1, write, read | write), Ok(Modified::Kept));
        // Level: as long as it is so.
        assert_eq!(rig.look(), [(1, Ready::READ | Ready::WRITE)]);
        assert_eq!(rig.look(), [(1, Ready::READ | Ready::WRITE)]);
        assert_eq!(near.read(&mut [0; 8]).unwrap(), 1);
        assert_eq!(rig.modify(fd, 1, read | write, read), Ok(Modified::Kept));
        assert!(rig.is_idle());
        // A second `add`, as after a change that the core believes lost, takes the registration over.
        rig.add(&near, 1, write);
        assert_eq!(rig.look(), [(1, Ready::WRITE)]);
        rig.del(fd, 1, write);
        assert!(rig.is_idle());
    });
}

/// Random additions, changes and ends against a plain list: whatever moves in the table, each report is its own event's.
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

pub(crate) fn each_ready_one_comes_to_be_the_first<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let pipes: Vec<_> = (0..8).map(|_| full_pipe()).collect();
        for (name, (reader, _)) in (0..).zip(&pipes) {
            rig.add(reader, name, Interest::READ);
        }
        for turn in 0..16 {
            let found: Vec<_> = rig.look().into_iter().map(|(name, _)| name).collect();
            let expected: Vec<_> = (0..8).map(|n| (turn + n) % 8).collect();
            assert_eq!(found, expected);
        }
    });
}

pub(crate) fn a_new_start_forgets_everything<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let (reader, _writer) = full_pipe();
        rig.add(&reader, 1, Interest::READ);
        rig.backend.signals().unwrap().add(SIGUSR1).unwrap();
        let waker = rig.backend.waker().unwrap();
        rig.core.places.clear();
        rig.backend.reinit().unwrap();
        assert!(rig.is_idle());
        rig.add(&reader, 2, Interest::READ);
        assert_eq!(rig.look(), [(2, Ready::READ)]);
        rig.del(Fd::of(&reader), 2, Interest::READ);
        // But who wakes, and what signals are watched, is no fd's.
        waker.wake();
        assert!(rig.wait(Wait::Forever).is_empty());
        raise(SIGUSR1);
        rig.wait(Wait::Forever);
        assert_eq!(rig.core.signals, [(SIGUSR1, 1)]);
    });
}

pub(crate) fn waits_are_precise_and_never_early<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        for micros in [0, 1, 150, 999, 1_000, 10_500] {
            let deadline = rig.backend.now().saturating_add(Duration::from_micros(micros));
            assert!(rig.wait(Wait::Until(deadline)).is_empty());
            assert!(rig.backend.now() >= deadline, "{micros} µs: early");
        }
        let start = rig.backend.now();
        for wait in [Wait::Poll, Wait::Until(Instant::ZERO), Wait::Until(start)] {
            assert!(rig.wait(wait).is_empty());
        }
        assert!(rig.backend.now().saturating_since(start) < Duration::from_secs(5));
        let (reader, _writer) = full_pipe();
        rig.add(&reader, 1, Interest::READ);
        for wait in
            [Instant::MAX, Instant::from_nanos(u64::MAX - 1), start.saturating_add(Duration::from_secs(1 << 32))]
        {
            assert_eq!(rig.wait(Wait::Until(wait)), [(1, Ready::READ)]);
        }
    });
}

pub(crate) fn a_wake_ends_one_wait_and_leaves_the_loop_idle<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let waker = rig.backend.waker().unwrap();
        for _ in 0..1_000 {
            waker.wake();
        }
        assert!(rig.wait(Wait::Forever).is_empty());
        assert!(rig.is_idle(), "one wake, two waits");
        for _ in 0..3 {
            let waker = waker.clone();
            let thread = thread::spawn(move || {
                thread::sleep(Duration::from_millis(20));
                waker.wake();
            });
            assert!(rig.wait(Wait::Forever).is_empty());
            thread.join().unwrap();
            assert!(rig.is_idle(), "the bell rings on");
        }
        drop(rig);
        waker.wake();
    });
}

pub(crate) fn a_wake_and_a_ready_descriptor_are_both_seen<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let (reader, mut writer) = pipe();
        rig.add(&reader, 1, Interest::READ);
        let waker = rig.backend.waker().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(20));
                waker.wake();
                writer.write_all(b"x").unwrap();
            });
            let mut found = Vec::new();
            while found.is_empty() {
                found = rig.wait(Wait::Forever);
            }
            assert_eq!(found, [(1, Ready::READ)]);
        });
        rig.del(Fd::of(&reader), 1, Interest::READ);
        assert!(rig.is_idle());
    });
}

pub(crate) fn signals_end_a_wait_and_are_counted<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let signals = rig.backend.signals().unwrap();
        assert_eq!(signals.add(0).unwrap_err().errno(), Some(libc::EINVAL));
        signals.add(SIGUSR1).unwrap();
        signals.add(SIGTERM).unwrap();
        for _ in 0..100_000 {
            raise(SIGUSR1);
        }
        raise(SIGTERM);
        rig.wait(Wait::Forever);
        assert_eq!(core::mem::take(&mut rig.core.signals), [(SIGUSR1, 100_000), (SIGTERM, 1)]);
        assert!(rig.is_idle());
        // Now in the wait: it is interrupted, which is no error.
        let this = crate::sys::tests::this_thread();
        let thread = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            crate::sys::tests::raise_in(this, SIGUSR1);
        });
        while rig.core.signals.is_empty() {
            rig.wait(Wait::Forever);
        }
        thread.join().unwrap();
        assert_eq!(core::mem::take(&mut rig.core.signals), [(SIGUSR1, 1)]);
        assert!(rig.is_idle());
        rig.backend.signals().unwrap().del(SIGUSR1);
    });
}

pub(crate) fn a_child_starts_anew_and_the_parent_goes_on<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let (reader, mut writer) = pipe();
        rig.add(&reader, 1, Interest::READ);
        let waker = rig.backend.waker().unwrap();
        rig.backend.signals().unwrap().add(SIGUSR1).unwrap();
        let status = in_child(|| {
            waker.wake();
            let fd = Fd::of(&reader);
            let forked = Err(Error::Forked);
            assert_eq!(rig.backend.dispatch(Wait::Poll, &mut rig.core), forked);
            assert_eq!(rig.try_add(fd, 2, Interest::READ), forked);
            assert_eq!(rig.modify(fd, 1, Interest::READ, Interest::WRITE).map(drop), forked);
            assert_eq!(rig.backend.waker().map(drop), forked);
            assert_eq!(rig.backend.signals().unwrap().add(SIGTERM), forked);
            rig.backend.reinit().unwrap();
            assert!(rig.wait(Wait::Forever).is_empty(), "the wake before reinit was lost");
            assert!(rig.is_idle());
            rig.add(&reader, 3, Interest::READ);
            let other = waker.clone();
            let thread = thread::spawn(move || {
                thread::sleep(Duration::from_millis(20));
                other.wake();
            });
            assert!(rig.wait(Wait::Forever).is_empty());
            thread.join().unwrap();
            raise(SIGUSR1);
            rig.wait(Wait::Forever);
            assert_eq!(rig.core.signals, [(SIGUSR1, 1)]);
            true
        });
        assert_eq!(status, 0, "the child");
        assert!(rig.is_idle(), "the child's wakes came to the parent");
        assert!(rig.core.signals.is_empty());
        writer.write_all(b"x").unwrap();
        assert_eq!(rig.wait(Wait::Forever), [(1, Ready::READ)]);
    });
}

pub(crate) fn nothing_is_left_after_a_thousand<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let open = || fs::read_dir("/dev/fd").unwrap().count();
        let before = open();
        for _ in 0..1_000 {
            let mut rig = Rig::new(make());
            let waker = rig.backend.waker().unwrap();
            rig.backend.signals().unwrap().add(SIGUSR1).unwrap();
            raise(SIGUSR1);
            drop(rig);
            waker.wake();
        }
        assert_eq!(open(), before);
    });
}

/// For fixed tables of 16: the seventeenth is refused, and the doorbell needs no place.
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

/// A descriptor under a number of at least `least`.
pub(crate) fn high(fd: &impl AsFd, least: i32) -> OwnedFd {
    crate::sys::tests::duplicate(fd, least)
}

/// Makes each case a test of one backend.
macro_rules! cases {
    ($make:expr; $($case:ident)*) => { $(
        #[test]
        fn $case() {
            $crate::cases::$case($make);
        }
    )* };
    ($make:expr) => {
        $crate::cases::cases! { $make;
            files_are_always_ready
            the_end_of_a_pipe_wakes_both_sides
            a_half_close_is_told_apart_where_it_can_be
            urgent_data_is_priority_and_not_read
            a_reset_wakes_every_interest
            a_closed_descriptor_fails_alone_and_once
            a_closed_descriptor_hides_no_ready_one
            a_number_that_is_another_files_now_is_noticed
            what_is_refused_leaves_nothing
            interest_can_change
            the_table_stays_in_order
            each_ready_one_comes_to_be_the_first
            a_new_start_forgets_everything
            waits_are_precise_and_never_early
            a_wake_ends_one_wait_and_leaves_the_loop_idle
            a_wake_and_a_ready_descriptor_are_both_seen
            signals_end_a_wait_and_are_counted
            a_child_starts_anew_and_the_parent_goes_on
            nothing_is_left_after_a_thousand
        }
    };
}
pub(crate) use cases;
