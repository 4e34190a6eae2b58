//! Under a filter that refuses system calls, like a sandbox or an old kernel.

use std::thread;
use std::time::Duration;

use evcore::{Event, EventBase, Fd, Interest, Ready, Wait};
use libc::{ENOSYS, EPERM, SIGUSR1, SYS_epoll_pwait2, SYS_eventfd2, SYS_signalfd4, SYS_timerfd_create, c_long};

use crate::{Backend, Base, Make, sys, turn};

on_each_backend! {
    without_epoll_pwait2_by_enosys
    without_epoll_pwait2_by_eperm
    without_eventfd_by_enosys
    without_eventfd_by_eperm
    without_either_by_enosys
    without_either_by_eperm
    refused_after_it_was_used
    forked_after_it_was_refused
}

fn without_epoll_pwait2_by_enosys<B: Backend>(make: Make<B>) {
    all_works_without(&[SYS_epoll_pwait2], ENOSYS, make);
}

fn without_epoll_pwait2_by_eperm<B: Backend>(make: Make<B>) {
    all_works_without(&[SYS_epoll_pwait2], EPERM, make);
}

fn without_eventfd_by_enosys<B: Backend>(make: Make<B>) {
    all_works_without(&[SYS_eventfd2], ENOSYS, make);
}

fn without_eventfd_by_eperm<B: Backend>(make: Make<B>) {
    all_works_without(&[SYS_eventfd2], EPERM, make);
}

fn without_either_by_enosys<B: Backend>(make: Make<B>) {
    all_works_without(&[SYS_epoll_pwait2, SYS_eventfd2, SYS_signalfd4, SYS_timerfd_create], ENOSYS, make);
}

fn without_either_by_eperm<B: Backend>(make: Make<B>) {
    all_works_without(&[SYS_epoll_pwait2, SYS_eventfd2, SYS_signalfd4, SYS_timerfd_create], EPERM, make);
}

/// Installs the filter. Returns `false`, and prints a line, if the kernel has no such filters.
fn is_refused(calls: &[c_long], errno: i32) -> bool {
    match sys::refuse(calls, errno) {
        Err(error) => {
            println!("not run: the kernel takes no filter ({error})");
            false
        }
        Ok(()) => {
            let is_told = sys::eventfd().err().and_then(|error| error.raw_os_error());
            assert_eq!(is_told, calls.contains(&SYS_eventfd2).then_some(errno), "the filter does nothing");
            true
        }
    }
}

fn all_works_without<B: Backend>(calls: &[c_long], errno: i32, make: Make<B>) {
    if is_refused(calls, errno) {
        all_works(&mut EventBase::new(make().unwrap()));
    }
}

/// A program enters its sandbox when everything is set up: calls that worked before are refused from then on.
fn refused_after_it_was_used<B: Backend>(make: Make<B>) {
    let mut base: Base<B> = EventBase::new(make().unwrap());
    all_works(&mut base);
    if is_refused(&[SYS_epoll_pwait2, SYS_eventfd2], EPERM) {
        all_works(&mut base);
        base.reinit().unwrap();
        all_works(&mut base);
    }
}

/// A forked child needs a doorbell of its own, and cannot have one of its parent's kind.
fn forked_after_it_was_refused<B: Backend>(make: Make<B>) {
    let mut base: Base<B> = EventBase::new(make().unwrap());
    all_works(&mut base);
    if is_refused(&[SYS_epoll_pwait2, SYS_eventfd2], EPERM) {
        sys::alone(|| {
            base.reinit().unwrap();
            all_works(&mut base);
            sys::alone(|| {
                base.reinit().unwrap();
                all_works(&mut base);
            });
            all_works(&mut base);
        });
        all_works(&mut base);
    }
}

/// Readiness, timers that are not early, wakes and signals that end a wait, and sleep.
fn all_works<B: Backend>(base: &mut Base<B>) {
    let (near, _far) = crate::readable();
    let reader = base.insert(Fd::of(&near), Interest::READ, 1).unwrap();
    assert_eq!(turn(base, Wait::Forever).unwrap(), [(1, Ready::READ)]);
    base.remove(reader).unwrap();

    for micros in [1, 300, 1_500] {
        let due = base.update_now().saturating_add(Duration::from_micros(micros));
        let timer = base.start(Event::timer().timeout(Duration::from_micros(micros)), 2).unwrap();
        let (mut found, mut turns) = (Vec::new(), 0);
        while found.is_empty() {
            found = turn(base, Wait::Forever).unwrap();
            turns += 1;
        }
        assert_eq!(found, [(2, Ready::TIMEOUT)]);
        assert!(base.update_now() >= due && turns <= 3, "{micros} µs in {turns} turns");
        base.remove(timer).unwrap();
    }

    let waker = base.waker().unwrap();
    let signal = base.insert_signal(SIGUSR1, 3).unwrap();
    for _ in 0..20 {
        thread::scope(|scope| {
            // Only this ends the wait; the child is killed if it does not end.
            scope.spawn(|| {
                thread::sleep(Duration::from_micros(200));
                waker.wake();
            });
            assert_eq!(turn(base, Wait::Forever).unwrap(), []);
        });
        sys::raise(SIGUSR1);
        assert_eq!(turn(base, Wait::Forever).unwrap(), [(3, Ready::SIGNAL)]);
    }
    sleeps(base);
    base.remove(signal).unwrap();
    assert!(base.check());
}

/// Nothing keeps the base awake: no ring, and no refused call that is repeated.
fn sleeps<B: Backend>(base: &mut Base<B>) {
    let (turns, cpu) = (base.stats().turns, sys::cpu_time());
    let end = base.update_now().saturating_add(Duration::from_millis(100));
    while base.update_now() < end {
        assert_eq!(turn(base, Wait::Until(end)).unwrap(), []);
    }
    let (turns, cpu) = (base.stats().turns - turns, sys::cpu_time() - cpu);
    assert!(turns <= 4 && cpu < Duration::from_millis(20), "{turns} turns, {cpu:?} of a processor");
}
