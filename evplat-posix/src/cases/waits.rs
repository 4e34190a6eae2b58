//! How long a wait lasts, and what ends it.

use std::thread;

use super::*;

pub(crate) fn waits_are_precise_and_never_early<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        for micros in [0, 1, 150, 999, 1_000, 10_500] {
            let deadline = rig.backend.now().saturating_add(Duration::from_micros(micros));
            assert!(rig.wait(Sleep::Until(deadline)).is_empty());
            assert!(rig.backend.now() >= deadline, "{micros} µs: early");
        }
        let start = rig.backend.now();
        for wait in [Sleep::None, Sleep::Until(Instant::ZERO), Sleep::Until(start)] {
            assert!(rig.wait(wait).is_empty());
        }
        assert!(rig.backend.now().saturating_since(start) < Duration::from_secs(5));
        let (reader, _writer) = full_pipe();
        rig.add(&reader, 1, Interest::READ);
        for wait in
            [Instant::MAX, Instant::from_nanos(u64::MAX - 1), start.saturating_add(Duration::from_secs(1 << 32))]
        {
            assert_eq!(rig.wait(Sleep::Until(wait)), [(1, Ready::READ)]);
        }
    });
}

/// After 100 ms without a report, numbers are verified in the middle of the wait.
pub(crate) fn a_long_wait_is_one_wait<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let (reader, _writer) = pipe();
        rig.add(&reader, 1, Interest::READ);
        let (time, found) = rig.sleep(250);
        assert!(found.is_empty() && time >= Duration::from_millis(250), "{time:?}");
    });
}

/// The program closed the doorbell, or put a descriptor that cannot be read under its number.
pub(crate) fn a_broken_doorbell_is_an_error_and_loses_no_wake<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let waker = rig.backend.waker().unwrap();
        let doorbell = waker.state().doorbell();
        for is_closed in [true, false] {
            if is_closed {
                crate::sys::tests::close(doorbell.as_fd().as_raw_fd());
            } else {
                let (_, writer) = pipe();
                doorbell.replace(&Doorbell::of(writer.into()).unwrap()).unwrap();
            }
            waker.wake();
            assert!(rig.backend.dispatch(Sleep::Forever, &mut rig.core).is_err());
            if is_closed {
                // Keep the number in use, so that the next doorbell does not happen to get it.
                core::mem::forget(File::open("/dev/null").unwrap());
            }
            doorbell.replace(&Doorbell::pipe().unwrap()).unwrap();
            assert!(rig.wait(Sleep::Forever).is_empty());
            assert!(rig.is_idle());
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
        assert!(rig.wait(Sleep::Forever).is_empty());
        assert!(rig.is_idle(), "one wake, two waits");
        for _ in 0..3 {
            let waker = waker.clone();
            let thread = thread::spawn(move || {
                thread::sleep(Duration::from_millis(20));
                waker.wake();
            });
            assert!(rig.wait(Sleep::Forever).is_empty());
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
                found = rig.wait(Sleep::Forever);
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
        rig.wait(Sleep::Forever);
        assert_eq!(core::mem::take(&mut rig.core.signals), [(SIGUSR1, 100_000), (SIGTERM, 1)]);
        assert!(rig.is_idle());
        // The thread is waiting now. Interrupting the wait is not an error.
        let this = crate::sys::tests::this_thread();
        let thread = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            crate::sys::tests::raise_in(this, SIGUSR1);
        });
        while rig.core.signals.is_empty() {
            rig.wait(Sleep::Forever);
        }
        thread.join().unwrap();
        assert_eq!(core::mem::take(&mut rig.core.signals), [(SIGUSR1, 1)]);
        assert!(rig.is_idle());
        rig.backend.signals().unwrap().del(SIGUSR1);
    });
}
