//! Forks: the child gets its own backend, and the parent keeps its own.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use evcore::{Event, Fd, Interest, Ready, Wait};
use evplat_linux::Epoll;
use evplat_posix::{Error, Waker};
use libc::{SIGUSR1, SIGUSR2};

use crate::backend::{Backend, Base, Make, Rest, base, readable, turn, wait};
use crate::sys::{self, Ending};

on_each_backend! {
    a_child_works_on_its_own_after_reinit
    a_child_that_drops_the_base_takes_nothing_away
    a_child_of_a_child_works_too
    nested_bases_are_reinitialised_in_either_order
    a_child_is_well_whatever_other_threads_were_doing
    a_handler_of_the_programs_may_fork_in_the_middle_of_a_change
    sigchld_is_counted
}

/// The child does everything to its base that could affect the parent's.
fn a_child_works_on_its_own_after_reinit<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    let (mut near, mut far) = readable();
    let (silent, mut silent_far) = UnixStream::pair().unwrap();
    let event = base.start(Event::io(Fd::of(&near), Interest::READ).persist(), 1).unwrap();
    let silent_event = base.start(Event::io(Fd::of(&silent), Interest::READ).persist(), 2).unwrap();
    base.insert_signal(SIGUSR2, 3).unwrap();
    let waker = base.waker().unwrap();
    assert_eq!(turn(&mut base, Wait::None), [(1, Ready::READ)]);

    let ending = sys::in_child(|| {
        assert_eq!(base.poll(Wait::None), Err(Error::Forked));
        assert!(base.insert(Fd::of(&far), Interest::READ, 9).is_err());
        base.reinit().unwrap();
        assert_eq!(turn(&mut base, Wait::Forever), [(1, Ready::READ)]);
        // Both processes share the data, but not the registrations.
        base.modify(silent_event, Interest::WRITE).unwrap();
        assert_eq!(turn(&mut base, Wait::Forever), [(1, Ready::READ), (2, Ready::WRITE)]);
        assert_eq!(base.remove(event), Some(1));
        assert_eq!(base.remove(silent_event), Some(2));
        sys::raise(SIGUSR2);
        assert_eq!(turn(&mut base, Wait::Forever), [(3, Ready::SIGNAL)]);
        waker.wake();
        assert_eq!(turn(&mut base, Wait::Until(evcore::Instant::MAX)), []);
        assert_woken_while_asleep(&mut base, &waker);
        base.insert_timer(Duration::from_millis(1), 4).unwrap();
        assert_eq!(wait(&mut base), [(4, Ready::TIMEOUT)]);
        Rest::of(&mut base, Duration::from_millis(100)).assert_idle("the child");
        assert!(base.check());
    });
    assert_eq!(ending, Ending::Exit(0), "the child");

    assert_eq!(turn(&mut base, Wait::None), [(1, Ready::READ)]);
    assert_eq!(near.read(&mut [0; 8]).unwrap(), 1);
    // Nothing of the child's has reached the parent: no signal, no wake, no change of interest.
    Rest::of(&mut base, Duration::from_millis(50)).assert_idle("the parent");
    far.write_all(b"y").unwrap();
    silent_far.write_all(b"z").unwrap();
    sys::raise(SIGUSR2);
    assert_eq!(turn(&mut base, Wait::Forever), [(1, Ready::READ), (2, Ready::READ), (3, Ready::SIGNAL)]);
    assert_eq!(near.read(&mut [0; 8]).unwrap(), 1);
    assert_eq!((&silent).read(&mut [0; 8]).unwrap(), 1);
    assert_woken_while_asleep(&mut base, &waker);
    assert!(base.check());
}

/// Asserts that the base's doorbell is this process's own.
fn assert_woken_while_asleep<B: Backend>(base: &mut Base<B>, waker: &Waker) {
    let waker = waker.clone();
    let start = Instant::now();
    let thread = thread::spawn(move || {
        thread::sleep(Duration::from_millis(30));
        waker.wake();
    });
    let end = base.update_now().saturating_add(Duration::from_secs(5));
    while start.elapsed() < Duration::from_millis(30) {
        assert_eq!(turn(base, Wait::Until(end)), []);
    }
    assert!(start.elapsed() < Duration::from_secs(5), "the bell does not ring");
    thread.join().unwrap();
}

fn a_child_that_drops_the_base_takes_nothing_away<B: Backend>(make: Make<B>) {
    for reinit in [true, false] {
        let mut held = Some(base(make));
        let (near, _far) = readable();
        let own = held.as_mut().unwrap();
        own.start(Event::io(Fd::of(&near), Interest::READ).persist(), 1).unwrap();
        own.insert_signal(SIGUSR2, 2).unwrap();
        let waker = own.waker().unwrap();
        assert_eq!(turn(own, Wait::None), [(1, Ready::READ)]);
        let ending = sys::in_child(|| {
            let mut base = held.take().unwrap();
            if reinit {
                base.reinit().unwrap();
            }
            drop(base);
            waker.wake();
        });
        assert_eq!(ending, Ending::Exit(0), "the child");
        let own = held.as_mut().unwrap();
        sys::raise(SIGUSR2);
        assert_eq!(turn(own, Wait::None), [(1, Ready::READ), (2, Ready::SIGNAL)]);
        waker.wake();
        assert!(own.poll(Wait::Until(evcore::Instant::MAX)).unwrap().is_running());
    }
}

fn a_child_of_a_child_works_too<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    let (near, _far) = readable();
    base.start(Event::io(Fd::of(&near), Interest::READ).persist(), 1).unwrap();
    let _waker = base.waker().unwrap();
    let ending = sys::in_child(|| {
        base.reinit().unwrap();
        let ending = sys::in_child(|| {
            assert_eq!(base.poll(Wait::None), Err(Error::Forked));
            base.reinit().unwrap();
            assert_eq!(turn(&mut base, Wait::Forever), [(1, Ready::READ)]);
        });
        assert_eq!(ending, Ending::Exit(0), "the grandchild");
        assert_eq!(turn(&mut base, Wait::Forever), [(1, Ready::READ)]);
    });
    assert_eq!(ending, Ending::Exit(0), "the child");
    assert_eq!(turn(&mut base, Wait::Forever), [(1, Ready::READ)]);
}

/// A base on epoll nested in this one. The child reinitialises them in either order.
fn nested_bases_are_reinitialised_in_either_order<B: Backend>(make: Make<B>) {
    for inner_first in [true, false] {
        let mut inner: Base<Epoll> = base(Epoll::new);
        let mut outer = base(make);
        let (near, mut far) = UnixStream::pair().unwrap();
        inner.insert(Fd::of(&near), Interest::READ, 1).unwrap();
        inner.insert_signal(SIGUSR2, 2).unwrap();
        let waker = inner.waker().unwrap();
        let nest = Fd::of(&inner.backend_mut().nest().unwrap());
        outer.insert(nest, Interest::READ, 3).unwrap();
        let ending = sys::in_child(|| {
            if inner_first {
                inner.reinit().unwrap();
                outer.reinit().unwrap();
            } else {
                outer.reinit().unwrap();
                inner.reinit().unwrap();
            }
            assert_eq!(turn(&mut outer, Wait::None), []);
            waker.wake();
            assert_eq!(turn(&mut outer, Wait::Forever), [(3, Ready::READ)], "deaf to a wake");
            assert_eq!(turn(&mut inner, Wait::None), []);
            sys::raise(SIGUSR2);
            assert_eq!(turn(&mut outer, Wait::Forever), [(3, Ready::READ)], "deaf to a signal");
            assert_eq!(turn(&mut inner, Wait::None), [(2, Ready::SIGNAL)]);
            far.write_all(b"x").unwrap();
            assert_eq!(turn(&mut outer, Wait::Forever), [(3, Ready::READ)]);
            assert_eq!(turn(&mut inner, Wait::None), [(1, Ready::READ)]);
            assert_eq!((&near).read(&mut [0; 8]).unwrap(), 1);
            assert_eq!(turn(&mut outer, Wait::None), []);
        });
        assert_eq!(ending, Ending::Exit(0), "the child");
        assert_eq!(turn(&mut outer, Wait::None), []);
        waker.wake();
        assert_eq!(turn(&mut outer, Wait::Forever), [(3, Ready::READ)], "the parent's nest is deaf");
    }
}

/// While this thread forks, others start and end watches, run handlers, and wake. None of them exists in the child,
/// and their unfinished work must not matter there.
fn a_child_is_well_whatever_other_threads_were_doing<B: Backend>(make: Make<B>) {
    let stop = AtomicBool::new(false);
    let mut own = base(make);
    own.insert_signal(SIGUSR2, 1).unwrap();
    let waker = own.waker().unwrap();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let mut base = base(make);
                    base.insert_signal(SIGUSR1, 2).unwrap();
                    sys::raise(SIGUSR1);
                    let _ = base.poll(Wait::None);
                    waker.wake();
                }
            });
        }
        for _ in 0..40 {
            let ending = sys::in_child(|| {
                own.reinit().unwrap();
                sys::raise(SIGUSR2);
                assert_eq!(turn(&mut own, Wait::Forever), [(1, Ready::SIGNAL)]);
                let mut fresh = base(make);
                fresh.insert_signal(SIGUSR1, 3).unwrap();
                sys::raise(SIGUSR1);
                assert_eq!(turn(&mut fresh, Wait::Forever), [(3, Ready::SIGNAL)]);
                drop(fresh);
            });
            if ending != Ending::Exit(0) {
                stop.store(true, Ordering::Relaxed);
            }
            assert_eq!(ending, Ending::Exit(0));
        }
        stop.store(true, Ordering::Relaxed);
    });
    sys::raise(SIGUSR2);
    assert_eq!(turn(&mut own, Wait::Forever), [(1, Ready::SIGNAL)]);
}

/// A handler that the program installed forks whenever it is called, including in the middle of `insert_signal` and
/// `remove`; the child returns from it and finishes them.
fn a_handler_of_the_programs_may_fork_in_the_middle_of_a_change<B: Backend>(make: Make<B>) {
    let parent = std::process::id();
    let mut own = base(make);
    sys::fork_by_alarm(Duration::from_micros(300), 60);
    while !sys::is_done_forking() && std::process::id() == parent {
        let event = own.insert_signal(SIGUSR2, 1);
        if let Ok(event) = event {
            assert_eq!(own.remove(event), Some(1));
        }
    }
    if std::process::id() != parent {
        // Wherever the fork happened.
        own.reinit().unwrap();
        let mut fresh = base(make);
        fresh.insert_signal(SIGUSR1, 2).unwrap();
        sys::raise(SIGUSR1);
        assert_eq!(turn(&mut fresh, Wait::Forever), [(2, Ready::SIGNAL)]);
        sys::end(0);
    }
    assert_eq!(sys::reap_all(), 0, "children that did not end well");
}

/// `SIGCHLD`, which is ignored by default: counted while a base watches it, and harmless in the child.
fn sigchld_is_counted<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    base.insert_signal(libc::SIGCHLD, 1).unwrap();
    for round in 0..3 {
        let ending = sys::in_child(|| {
            // No base watches for the end of the child's own child.
            assert_eq!(sys::in_child(|| ()), Ending::Exit(0));
            if round == 2 {
                base.reinit().unwrap();
                assert_eq!(sys::in_child(|| ()), Ending::Exit(0));
                assert_eq!(turn(&mut base, Wait::Forever), [(1, Ready::SIGNAL)]);
            }
        });
        assert_eq!(ending, Ending::Exit(0));
        assert_eq!(turn(&mut base, Wait::Forever), [(1, Ready::SIGNAL)]);
        assert_eq!(turn(&mut base, Wait::None), []);
    }
}
