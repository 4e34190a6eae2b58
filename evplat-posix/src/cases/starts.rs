//! `reinit`, forks, and dropping a backend.

use std::{fs, thread};

use super::*;

pub(crate) fn reinit_forgets_everything<B: Backend>(make: fn() -> Result<B, Error>) {
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
        // Wakers and watched signals do not belong to an fd, so they stay.
        waker.wake();
        assert!(rig.wait(Sleep::Forever).is_empty());
        raise(SIGUSR1);
        rig.wait(Sleep::Forever);
        assert_eq!(rig.core.signals, [(SIGUSR1, 1)]);
    });
}

pub(crate) fn child_has_its_own_base_after_reinit<B: Backend>(make: fn() -> Result<B, Error>) {
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
            assert_eq!(rig.backend.dispatch(Sleep::None, &mut rig.core), forked);
            assert_eq!(rig.try_add(fd, 2, Interest::READ), forked);
            assert_eq!(rig.modify(fd, 1, Interest::READ, Interest::WRITE).map(drop), forked);
            assert_eq!(rig.backend.waker().map(drop), forked);
            assert_eq!(rig.backend.signals().unwrap().add(SIGTERM), forked);
            rig.backend.reinit().unwrap();
            assert!(rig.wait(Sleep::Forever).is_empty(), "the wake before reinit was lost");
            assert!(rig.is_idle());
            rig.add(&reader, 3, Interest::READ);
            let other = waker.clone();
            let thread = thread::spawn(move || {
                thread::sleep(Duration::from_millis(20));
                other.wake();
            });
            assert!(rig.wait(Sleep::Forever).is_empty());
            thread.join().unwrap();
            raise(SIGUSR1);
            rig.wait(Sleep::Forever);
            assert_eq!(rig.core.signals, [(SIGUSR1, 1)]);
            true
        });
        assert_eq!(status, 0, "the child");
        assert!(rig.is_idle(), "the child's wakes came to the parent");
        assert!(rig.core.signals.is_empty());
        writer.write_all(b"x").unwrap();
        assert_eq!(rig.wait(Sleep::Forever), [(1, Ready::READ)]);
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
