//! Wakers and signals.

use super::*;

#[test]
fn a_wake_from_another_thread_ends_the_wait_and_only_that() {
    let mut epoll = Epoll::new().unwrap();
    let waker = epoll.waker().unwrap();
    let thread = thread::spawn(move || {
        thread::sleep(Duration::from_millis(5));
        (0..100).for_each(|_| waker.wake());
    });
    assert_eq!(Found::of(&mut epoll, Sleep::Forever).ready, []);
    thread.join().unwrap();
    // Takes what may still be pending: one wake after the loop was awake, and the ring of an earlier one.
    Found::of(&mut epoll, Sleep::None);
    Found::of(&mut epoll, Sleep::None);
    assert!(sleeps(&mut epoll), "the wake was not over");
}

#[test]
fn a_wake_before_the_wait_is_not_lost_and_costs_no_system_call() {
    let mut epoll = Epoll::new().unwrap();
    let waker = epoll.waker().unwrap();
    waker.wake();
    assert!(!is_readable(epoll.bell.interrupts.doorbell().unwrap(), 0));
    assert_eq!(Found::of(&mut epoll, Sleep::Forever).ready, []);
}

#[test]
fn a_waker_outlives_its_base() {
    let waker = Epoll::new().unwrap().waker().unwrap();
    waker.wake();
}

#[test]
fn each_signal_is_counted_and_none_is_lost() {
    let status = in_child(|| {
        let mut epoll = Epoll::new().unwrap();
        watch(&mut epoll, libc::SIGUSR1).unwrap();
        watch(&mut epoll, libc::SIGTERM).unwrap();
        (0..100_000).for_each(|_| raise(libc::SIGUSR1));
        raise(libc::SIGTERM);
        let first = Found::of(&mut epoll, Sleep::Forever).signals;
        unwatch(&mut epoll, libc::SIGTERM);
        raise(libc::SIGUSR1);
        let second = Found::of(&mut epoll, Sleep::Forever).signals;
        first == [(libc::SIGUSR1, 100_000), (libc::SIGTERM, 1)] && second == [(libc::SIGUSR1, 1)]
    });
    assert_eq!(status, 0);
}

#[test]
fn what_is_no_signal_is_refused_and_leaves_nothing() {
    let mut epoll = Epoll::new().unwrap();
    for signum in [0, -1, 65, i32::MAX, libc::SIGKILL, libc::SIGSTOP] {
        assert_eq!(errno(watch(&mut epoll, signum)), Some(libc::EINVAL), "signal {signum}");
    }
    assert!(epoll.bell.interrupts.doorbell().is_none());
}
