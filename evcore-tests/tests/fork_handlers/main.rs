//! A program's own handlers of `pthread_atfork`, registered before its first base: they run after ours in the parent
//! before the fork, and before ours in both processes after it. They may use bases freely, even from another thread.
//!
//! In a process of its own, because the order of registration is global.

#![cfg(target_os = "linux")]

mod sys;

use std::cell::{Cell, RefCell};
use std::thread;
use std::time::Duration;

use evcore::backend::Wake;
use evcore::{EventBase, Fd, Growable, Interest, Ready, Wait};
use evplat_linux::Epoll;
use evplat_posix::{Error, Poll, Select, Waker};
use libc::{SIGUSR1, SIGUSR2};

/// When a handler runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Moment {
    Prepare,
    Parent,
    Child,
}

type Handler = Box<dyn FnMut(Moment)>;

thread_local! {
    static HANDLER: RefCell<Option<Handler>> = const { RefCell::new(None) };
    static FAILED: Cell<Option<Moment>> = const { Cell::new(None) };
}

pub(crate) fn handle(moment: Moment) {
    let handled = std::panic::catch_unwind(|| {
        HANDLER.with_borrow_mut(|handler| {
            if let Some(handler) = handler {
                handler(moment);
            }
        });
    });
    if handled.is_err() {
        FAILED.set(Some(moment));
    }
}

type Base<B> = EventBase<B, Growable, u32>;

fn turn<B: Wake<Fd = Fd, Error = Error, Waker = Waker>>(base: &mut Base<B>) -> Vec<(u32, Ready)> {
    assert!(base.poll(Wait::None).unwrap().is_running());
    let mut found = Vec::new();
    while let Some(fired) = base.next_active() {
        found.push((*fired.data, fired.ready));
    }
    found
}

/// What a handler may do in the forking process: start and end a watch, itself and in another thread that it waits
/// for.
fn touch<B: Wake<Fd = Fd, Error = Error, Waker = Waker> + Send + 'static>(base: &mut Base<B>, make: fn() -> B) {
    let event = base.insert_signal(SIGUSR1, 9).unwrap();
    base.remove(event);
    let other = thread::spawn(move || {
        let mut other: Base<B> = EventBase::new(make());
        other.insert_signal(SIGUSR1, 8).unwrap();
        sys::blocked_signals()
    });
    assert_eq!(other.join().unwrap(), 0, "a thread of the handler's inherits a mask");
}

fn handlers_may_touch_bases<B: Wake<Fd = Fd, Error = Error, Waker = Waker> + Send + 'static>(make: fn() -> B) {
    let mut held: Base<B> = EventBase::new(make());
    held.insert_signal(SIGUSR2, 2).unwrap();
    let base = std::rc::Rc::new(RefCell::new(held));
    let shared = std::rc::Rc::clone(&base);
    let handler = move |moment| {
        let mut base = shared.borrow_mut();
        match moment {
            Moment::Prepare | Moment::Parent => touch(&mut base, make),
            Moment::Child => {
                assert_eq!(base.poll(Wait::None), Err(Error::Forked), "the fork is not noticed");
                base.reinit().unwrap();
            }
        }
    };
    HANDLER.set(Some(Box::new(handler)));
    let ended_well = sys::in_child(|| {
        assert_eq!(FAILED.get(), None);
        let mut base = base.borrow_mut();
        sys::raise(SIGUSR2);
        assert_eq!(turn(&mut base), [(2, Ready::SIGNAL)], "the base is the parent's still");
        base.insert_timer(Duration::ZERO, 3).unwrap();
        assert_eq!(turn(&mut base), [(3, Ready::TIMEOUT)]);
        assert_eq!(sys::blocked_signals(), 0);
    });
    HANDLER.set(None);
    assert!(ended_well, "the child");
    assert_eq!(FAILED.get(), None);
    let mut base = base.borrow_mut();
    sys::raise(SIGUSR2);
    assert_eq!(turn(&mut base), [(2, Ready::SIGNAL)]);
}

/// The nest of a base belongs to the parent until the child has made its own.
fn a_child_that_is_early_leaves_the_nest_alone() {
    let mut inner: Base<Epoll> = EventBase::new(Epoll::new().unwrap());
    let waker = inner.waker().unwrap();
    let nest = Fd::of(&inner.backend_mut().nest().unwrap());
    let mut outer: Base<Poll> = EventBase::new(Poll::new().unwrap());
    outer.insert(nest, Interest::READ, 1).unwrap();
    let inner = std::rc::Rc::new(RefCell::new(inner));
    let shared = std::rc::Rc::clone(&inner);
    let handler = move |moment| {
        if moment == Moment::Child {
            shared.borrow_mut().reinit().unwrap();
        }
    };
    HANDLER.set(Some(Box::new(handler)));
    assert!(sys::in_child(|| assert_eq!(FAILED.get(), None)), "the child");
    HANDLER.set(None);
    assert_eq!(turn(&mut inner.borrow_mut()), []);
    waker.wake();
    assert_eq!(turn(&mut outer), [(1, Ready::READ)], "the parent's nest is deaf");
}

#[test]
fn handlers_of_a_fork_may_touch_bases() {
    // Once, this deadlocked.
    sys::within_a_minute();
    sys::register();
    handlers_may_touch_bases(|| Epoll::new().unwrap());
    handlers_may_touch_bases(|| Poll::new().unwrap());
    handlers_may_touch_bases(|| Select::new().unwrap());
    a_child_that_is_early_leaves_the_nest_alone();
}
