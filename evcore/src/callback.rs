//! Callbacks as data: libevent's shape, on top of the pull loop.

use core::fmt;

use crate::backend::EventOp;
use crate::base::{End, EventBase, Fired, Mode};
use crate::error::Error;
use crate::storage::Storage;

/// A function pointer and a number, as the data of an event: libevent's callback and argument.
///
/// [`run_callbacks`](EventBase::run_callbacks) lends one context `C`, C's `void *`, to all callbacks. Needs no
/// allocator.
///
/// ```
/// use core::time::Duration;
/// use evcore::{EventBase, Fired, Fixed, Mode, backend::Manual, callback::Callback};
///
/// type Base = EventBase<Manual, Fixed<4>, Callback<Manual, Fixed<4>, Vec<usize>>>;
///
/// fn tick(base: &mut Base, log: &mut Vec<usize>, event: Fired, arg: usize) {
///     log.push(arg);
///     if log.len() == 2 {
///         base.remove(event.id);
///     }
/// }
///
/// let mut base = Base::new(Manual::new());
/// base.insert_interval(Duration::from_secs(1), Callback::new(tick, 7)).unwrap();
/// let mut log = Vec::new();
/// base.run_callbacks(Mode::empty(), &mut log).unwrap();
/// assert_eq!(log, [7, 7]);
/// ```
pub struct Callback<B: EventOp, S: Storage, C> {
    function: CallbackFn<B, S, C>,
    arg: usize,
}

/// What a [`Callback`] calls.
#[doc(alias = "event_callback_fn")]
pub type CallbackFn<B, S, C> = fn(&mut EventBase<B, S, Callback<B, S, C>>, &mut C, Fired, usize);

impl<B: EventOp, S: Storage, C> Callback<B, S, C> {
    /// Calls `function` with `arg`: see [`Callback`].
    #[must_use]
    pub const fn new(function: CallbackFn<B, S, C>, arg: usize) -> Self {
        Self { function, arg }
    }

    /// The argument.
    #[must_use]
    pub const fn arg(&self) -> usize {
        self.arg
    }
}

impl<B: EventOp, S: Storage, C> Clone for Callback<B, S, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: EventOp, S: Storage, C> Copy for Callback<B, S, C> {}

impl<B: EventOp, S: Storage, C> fmt::Debug for Callback<B, S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback").field("arg", &self.arg).finish_non_exhaustive()
    }
}

impl<B: EventOp, S: Storage, C> EventBase<B, S, Callback<B, S, C>> {
    /// [Runs](EventBase::run) the loop and calls each event's callback (`event_base_loop`, `event_base_dispatch`).
    ///
    /// # Errors
    ///
    /// As [`run`](EventBase::run).
    #[doc(alias = "event_base_loop")]
    #[doc(alias = "event_base_dispatch")]
    pub fn run_callbacks(&mut self, mode: Mode, context: &mut C) -> Result<End, Error<B::Error>> {
        let call = |base: &mut Self, Fired { id, ready, count, data }: Fired, callback: Callback<B, S, C>| {
            // Built here: only what is passed by address is written to memory.
            (callback.function)(base, context, Fired { id, ready, count, data }, callback.arg);
        };
        self.run_taking(mode, |callback| *callback, call)
    }
}

#[cfg(feature = "alloc")]
mod boxed {
    use alloc::boxed::Box;
    use alloc::rc::Rc;
    use core::cell::RefCell;
    use core::fmt;

    use super::{End, Error, EventBase, EventOp, Fired, Mode, Storage};

    /// A closure, as the data of an event.
    ///
    /// While it runs it may remove its own event, or replace itself by another closure, which is called next. After a
    /// panic it stays, and is called again.
    ///
    /// ```
    /// use core::time::Duration;
    /// use evcore::{EventBase, Growable, Mode, backend::Manual, callback::Closure};
    ///
    /// let mut base: EventBase<Manual, Growable, Closure<Manual, Growable, u32>> = EventBase::new(Manual::new());
    /// let step = 5;
    /// base.insert_timer(Duration::from_secs(1), Closure::new(move |_base, sum, _event| *sum += step)).unwrap();
    /// let mut sum = 0;
    /// base.run_closures(Mode::empty(), &mut sum).unwrap();
    /// assert_eq!(sum, 5);
    /// ```
    pub struct Closure<B: EventOp, S: Storage, C> {
        /// Shared with the current call, so that the closure may use the base, and neither the call nor a panic needs
        /// clean-up. (Boxed: each call would compute where a value begins in a `RefCell` of unknown size.)
        function: Shared<B, S, C>,
    }

    type Shared<B, S, C> = Rc<RefCell<Box<ClosureFn<B, S, C>>>>;

    /// What a [`Closure`] calls.
    pub type ClosureFn<B, S, C> = dyn FnMut(&mut EventBase<B, S, Closure<B, S, C>>, &mut C, Fired);

    impl<B: EventOp, S: Storage, C> Closure<B, S, C> {
        /// Calls `function`: see [`Closure`].
        #[must_use]
        pub fn new(function: impl FnMut(&mut EventBase<B, S, Self>, &mut C, Fired) + 'static) -> Self {
            Self { function: Rc::new(RefCell::new(Box::new(function))) }
        }
    }

    impl<B: EventOp, S: Storage, C> fmt::Debug for Closure<B, S, C> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("Closure").finish_non_exhaustive()
        }
    }

    impl<B: EventOp, S: Storage, C> EventBase<B, S, Closure<B, S, C>> {
        /// [Runs](EventBase::run) the loop and calls each event's closure.
        ///
        /// # Errors
        ///
        /// As [`run`](EventBase::run).
        pub fn run_closures(&mut self, mode: Mode, context: &mut C) -> Result<End, Error<B::Error>> {
            let call = |base: &mut Self, Fired { id, ready, count, data }: Fired, function: Shared<B, S, C>| {
                // Already borrowed: a loop inside the closure has reached its event, and skips it.
                if let Ok(mut function) = function.try_borrow_mut() {
                    (*function)(base, context, Fired { id, ready, count, data });
                }
            };
            self.run_taking(mode, |closure| Rc::clone(&closure.function), call)
        }
    }
}

#[cfg(feature = "alloc")]
pub use boxed::{Closure, ClosureFn};

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::vec::Vec;

    use super::*;
    #[cfg(feature = "alloc")]
    use crate::Event;
    use crate::backend::Manual;
    use crate::{Fixed, Ready};

    type Base = EventBase<Manual, Fixed<4>, Callback<Manual, Fixed<4>, Vec<usize>>>;

    #[test]
    fn each_callback_gets_its_own_argument_and_may_remove_its_event() {
        let mut base = Base::new(Manual::new());
        let callback = Callback::new(|_, seen: &mut Vec<usize>, _, arg| seen.push(arg), 2);
        assert_eq!(callback.arg(), 2);
        base.insert_timer(Duration::from_millis(2), callback).unwrap();
        let callback = Callback::new(
            |base: &mut Base, seen: &mut Vec<usize>, event, arg| {
                assert_eq!(event.ready, Ready::TIMEOUT);
                seen.push(arg);
                assert!(base.remove(event.id).is_some());
            },
            1,
        );
        let interval = base.insert_interval(Duration::from_millis(1), callback).unwrap();
        assert_eq!((base.get(interval).unwrap().arg(), callback.clone().arg()), (1, 1));
        assert_eq!(std::format!("{callback:?}"), "Callback { arg: 1, .. }");
        let mut seen = Vec::new();
        assert_eq!(base.run_callbacks(Mode::empty(), &mut seen), Ok(End::Empty));
        assert_eq!(seen, [1, 2]);
    }

    #[cfg(feature = "alloc")]
    mod closures {
        use super::*;

        type Base = EventBase<Manual, Fixed<4>, Closure<Manual, Fixed<4>, Vec<u32>>>;

        #[test]
        fn a_closure_keeps_its_state_and_is_dropped_with_its_event() {
            let owned = std::rc::Rc::new(());
            let witness = owned.clone();
            let mut base = Base::new(Manual::new());
            let mut calls = 0;
            let closure = Closure::new(move |base: &mut Base, seen: &mut Vec<u32>, event| {
                let _ = &witness;
                calls += 1;
                seen.push(calls);
                if calls == 3 {
                    assert!(base.remove(event.id).is_some());
                }
            });
            assert_eq!(std::format!("{closure:?}"), "Closure { .. }");
            base.insert_interval(Duration::from_millis(1), closure).unwrap();
            let mut seen = Vec::new();
            assert_eq!(base.run_closures(Mode::empty(), &mut seen), Ok(End::Empty));
            assert_eq!(seen, [1, 2, 3]);
            assert_eq!(std::rc::Rc::strong_count(&owned), 1);
        }

        #[test]
        fn a_closure_is_not_entered_again_from_inside_of_itself() {
            let mut base = Base::new(Manual::new());
            let closure = Closure::new(|base: &mut Base, seen: &mut Vec<u32>, event| {
                seen.push(event.count);
                assert!(base.activate(event.id, Ready::READ).is_ok());
                assert_eq!(base.run_closures(Mode::NONBLOCK, seen), Err(Error::Reentered));
                base.loop_exit();
            });
            base.start(Event::timer().timeout(Duration::ZERO), closure).unwrap();
            let mut seen = Vec::new();
            assert_eq!(base.run_closures(Mode::empty(), &mut seen), Ok(End::Exit));
            assert_eq!(seen, [1]);
        }

        #[test]
        fn a_closure_that_puts_another_in_its_place_is_not_put_back_over_it() {
            let mut base = Base::new(Manual::new());
            let closure = Closure::new(|base: &mut Base, seen: &mut Vec<u32>, event| {
                seen.push(1);
                let next = Closure::new(|base: &mut Base, seen: &mut Vec<u32>, _| {
                    seen.push(2);
                    base.loop_exit();
                });
                *base.get_mut(event.id).unwrap() = next;
                seen.push(3);
            });
            base.insert_interval(Duration::from_millis(1), closure).unwrap();
            base.loop_exit_after(Duration::from_millis(5));
            let mut seen = Vec::new();
            assert_eq!(base.run_closures(Mode::empty(), &mut seen), Ok(End::Exit));
            assert_eq!(seen, [1, 3, 2]);
        }

        /// Exchanged with another event's, removed and given to a new event.
        #[test]
        fn a_closure_that_moves_to_another_event_while_it_runs_is_called_there() {
            let mut base = Base::new(Manual::new());
            let idle = base.create(Event::timer(), Closure::new(|_, seen: &mut Vec<u32>, _| seen.push(2))).unwrap();
            let closure = Closure::new(move |base: &mut Base, seen: &mut Vec<u32>, event| {
                seen.push(1);
                if event.id != idle {
                    let other = base.remove(idle).unwrap();
                    let own = core::mem::replace(base.get_mut(event.id).unwrap(), other);
                    base.insert_timer(Duration::from_millis(5), own).unwrap();
                    base.loop_exit_after(Duration::from_millis(6));
                }
            });
            let first = base.start(Event::timer().timeout(Duration::from_millis(1)), closure).unwrap();
            let mut seen = Vec::new();
            assert_eq!(base.run_closures(Mode::ONCE, &mut seen), Ok(End::Once));
            base.add(first, Some(Duration::from_millis(1))).unwrap();
            // It would move on, as its event is not `idle`.
            let _ = base.run_closures(Mode::ONCE, &mut seen);
            assert_eq!(seen, [1, 2]);
        }

        /// Each kind of event that calls it more than once; it panics every second time.
        #[test]
        fn a_closure_that_panics_is_called_again_by_the_next_run() {
            for event in [Event::timer().persist(), Event::user().persist()] {
                let mut base = Base::new(Manual::new());
                let mut calls = 0;
                let closure = Closure::new(move |_: &mut Base, seen: &mut Vec<u32>, _| {
                    calls += 1;
                    seen.push(calls);
                    assert!(calls % 2 == 0, "on purpose");
                });
                let id = base.start(event.timeout(Duration::from_millis(1)), closure).unwrap();
                let mut seen = Vec::new();
                for round in 1..=4u32 {
                    base.activate(id, Ready::READ).unwrap();
                    let run = std::panic::AssertUnwindSafe(|| base.run_closures(Mode::ONCE, &mut seen));
                    assert_eq!(std::panic::catch_unwind(run).is_err(), round % 2 == 1);
                }
                assert_eq!(seen, [1, 2, 3, 4], "a hand-out to nobody");
            }
        }

        #[test]
        fn a_once_event_whose_closure_panics_is_gone() {
            let owned = std::rc::Rc::new(());
            let witness = owned.clone();
            let mut base = Base::new(Manual::new());
            let closure = Closure::new(move |_: &mut Base, _: &mut Vec<u32>, _| {
                assert!(std::rc::Rc::strong_count(&witness) == 0, "on purpose");
            });
            base.start(Event::timer().once().timeout(Duration::ZERO), closure).unwrap();
            let mut seen = Vec::new();
            let run = std::panic::AssertUnwindSafe(|| base.run_closures(Mode::empty(), &mut seen));
            assert!(std::panic::catch_unwind(run).is_err());
            assert_eq!(base.run_closures(Mode::NONBLOCK | Mode::NO_EXIT_ON_EMPTY, &mut seen), Ok(End::NotReady));
            assert_eq!((base.counts().events, std::rc::Rc::strong_count(&owned)), (0, 1));
        }
    }
}
