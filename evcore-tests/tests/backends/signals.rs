//! B15: several bases of one process watch one signal.

use std::sync::atomic::Ordering;
use std::time::Duration;

use evcore::{Ready, Wait};
use evplat_linux::Epoll;
use evplat_posix::{Poll, Select};
use libc::SIGUSR1;

use crate::backend::{Backend, Base, Make, Rest, base, chosen_epoll, chosen_poll, chosen_select, turn};
use crate::sys;

/// Makes a pair of backends a test: the first base is made first.
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

/// Raises a burst and gives what a base says of it, in however many hand-outs.
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

/// In each order of the ends: of the bases, and of their events.
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
            // Asleep, too: a signal that has come ends a wait for good.
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
