//! B15: several bases of one process watch one signal.

use std::sync::atomic::Ordering;
use std::time::Duration;

use evcore::{Ready, Wait};
use evplat_linux::Epoll;
use evplat_posix::{Poll, Select};
use libc::{SIGTERM, SIGUSR1, SIGUSR2};

use crate::backend::{Backend, Base, Make, Rest, base, chosen_epoll, chosen_poll, chosen_select, turn};
use crate::sys::{self, Ending};

/// Expands to one test per pair of backends, in the order in which their bases are made.
macro_rules! pairs {
    ($($name:ident: $first:expr, $second:expr;)*) => { $(
        #[test]
        fn $name() {
            sys::alone(|| b15_both_get_every_burst($first, $second));
        }
    )* };
}

pairs! {
    b15_epoll_then_poll: Epoll::new, Poll::new;
    b15_epoll_then_select: Epoll::new, Select::new;
    b15_poll_then_epoll: Poll::new, Epoll::new;
    b15_poll_then_select: Poll::new, Select::new;
    b15_select_then_epoll: Select::new, Epoll::new;
    b15_select_then_poll: Select::new, Poll::new;
    b15_chosen_epoll_then_chosen_select: chosen_epoll, chosen_select;
    b15_chosen_poll_then_chosen_epoll: chosen_poll, chosen_epoll;
}

/// Raises a burst, and returns the base's total count, over all hand-outs.
fn count<B: Backend>(base: &mut Base<B>) -> u32 {
    assert!(base.poll(Wait::None).unwrap().is_running());
    let mut count = 0;
    while let Some(fired) = base.next_active() {
        assert_eq!(fired.ready, Ready::SIGNAL);
        count += fired.count;
    }
    count
}

fn burst(size: u32) {
    (0..size).for_each(|_| sys::raise(SIGUSR1));
}

/// In each order of dropping the bases and removing their events.
fn b15_both_get_every_burst<A: Backend, B: Backend>(first: Make<A>, second: Make<B>) {
    sys::handle_by_counting(SIGUSR1);
    let before = sys::disposition(SIGUSR1);
    let mut handled = 0;
    for first_ends_first in [true, false] {
        for by_event in [true, false] {
            let (mut a, mut b) = (base(first), base(second));
            let a_event = a.insert_signal(SIGUSR1, 1).unwrap();
            let b_event = b.insert_signal(SIGUSR1, 2).unwrap();
            assert_ne!(sys::disposition(SIGUSR1), before);
            for size in [1, 2, 100] {
                burst(size);
                assert_eq!((count(&mut a), count(&mut b)), (size, size));
            }
            // Also with a wait: a signal that has arrived ends it.
            burst(3);
            assert_eq!(turn(&mut b, Wait::Forever), [(2, Ready::SIGNAL)]);
            assert_eq!(turn(&mut a, Wait::Forever), [(1, Ready::SIGNAL)]);
            Rest::of(&mut a, Duration::from_millis(30)).assert_idle("the first, after a burst");
            Rest::of(&mut b, Duration::from_millis(30)).assert_idle("the second, after a burst");

            match (first_ends_first, by_event) {
                (true, true) => assert_eq!(a.remove(a_event), Some(1)),
                (false, true) => assert_eq!(b.remove(b_event), Some(2)),
                _ => {}
            }
            let (mut a, mut b) = (Some(a), Some(b));
            if !by_event {
                if first_ends_first { a = None } else { b = None }
            }
            burst(5);
            let counts = (a.as_mut().map_or(0, count), b.as_mut().map_or(0, count));
            assert_eq!(counts, if first_ends_first { (0, 5) } else { (5, 0) });
            if first_ends_first {
                drop(b);
                drop(a);
            } else {
                drop(a);
                drop(b);
            }
            assert_eq!(sys::disposition(SIGUSR1), before, "the disposition from before is not back");
            assert_eq!(sys::HANDLED.load(Ordering::Relaxed), handled, "the handler from before has run meanwhile");
            sys::raise(SIGUSR1);
            handled += 1;
            assert_eq!(sys::HANDLED.load(Ordering::Relaxed), handled);
        }
    }
}

on_each_backend! {
    a_handler_that_is_put_back_does_what_was_done_before
    blocked_signal_is_unblocked_and_reported
    a_child_that_never_touches_its_base_gets_its_signals
    a_child_that_drops_its_base_gets_its_signals
    a_thread_with_a_small_stack_is_interrupted
}

/// Another library installs its handler over ours, and reinstalls ours when no base is left.
fn a_handler_that_is_put_back_does_what_was_done_before<B: Backend>(make: Make<B>) {
    sys::handle_by_counting(SIGUSR1);
    let mut own = base(make);
    own.insert_signal(SIGUSR1, 1).unwrap();
    sys::raise(SIGUSR1);
    assert_eq!((count(&mut own), sys::HANDLED.load(Ordering::Relaxed)), (1, 0), "not called while a base watches");
    let ours = sys::exchange_disposition(SIGUSR1, &sys::ignoring());
    drop(own);
    sys::exchange_disposition(SIGUSR1, &ours);
    sys::raise(SIGUSR1);
    assert_eq!(sys::HANDLED.load(Ordering::Relaxed), 1, "swallowed");
    let mut next = base(make);
    next.insert_signal(SIGUSR1, 1).unwrap();
    sys::raise(SIGUSR1);
    assert_eq!((count(&mut next), sys::HANDLED.load(Ordering::Relaxed)), (1, 1));
    drop(next);
    sys::raise(SIGUSR1);
    assert_eq!(sys::HANDLED.load(Ordering::Relaxed), 2);
}

/// A program inherits its parent's signal mask.
fn blocked_signal_is_unblocked_and_reported<B: Backend>(make: Make<B>) {
    sys::block(SIGUSR1);
    sys::raise(SIGUSR1);
    let mut base = base(make);
    base.insert_signal(SIGUSR1, 1).unwrap();
    assert_eq!(count(&mut base), 1, "one that waited behind the mask");
    sys::raise(SIGUSR1);
    assert_eq!(count(&mut base), 1);
}

/// Like a worker that does not use its parent's loop. (One that does calls `reinit`.)
fn a_child_that_never_touches_its_base_gets_its_signals<B: Backend>(make: Make<B>) {
    sys::handle_by_counting(SIGUSR1);
    let mut base = base(make);
    for (signum, number) in [(SIGTERM, 1), (SIGUSR1, 2)] {
        base.insert_signal(signum, number).unwrap();
    }
    let ending = sys::in_child(|| {
        sys::raise(SIGUSR1);
        assert_eq!(sys::HANDLED.load(Ordering::Relaxed), 1, "counted to nobody");
        sys::raise(SIGTERM);
    });
    assert_eq!(ending, Ending::Signal(SIGTERM), "it lives on");
    assert_eq!(turn(&mut base, Wait::None), [], "the parent gets the child's signals");
}

fn a_child_that_drops_its_base_gets_its_signals<B: Backend>(make: Make<B>) {
    let mut held = Some(base(make));
    held.as_mut().unwrap().insert_signal(SIGTERM, 1).unwrap();
    let mut other = base(make);
    other.insert_signal(SIGUSR2, 2).unwrap();
    let ending = sys::in_child(|| {
        drop(held.take());
        other.reinit().unwrap();
        sys::raise(SIGUSR2);
        assert_eq!(turn(&mut other, Wait::None), [(2, Ready::SIGNAL)]);
        sys::raise(SIGTERM);
    });
    assert_eq!(ending, Ending::Signal(SIGTERM));
}

fn a_thread_with_a_small_stack_is_interrupted<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    base.insert_signal(SIGUSR1, 1).unwrap();
    sys::raise_on_a_small_stack();
    assert_eq!(count(&mut base), 1);
}
