//! The loop with a handler.

use bitflags::bitflags;

use super::{End, EventBase, Fired, Turn};
use crate::backend::EventOp;
use crate::error::Error;
use crate::storage::Storage;
use crate::time::{Instant, Sleep};

bitflags! {
    /// How [`EventBase::run`] runs (`EVLOOP_*`).
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct Mode: u8 {
        /// Waits until events are ready or a waker is used, hands out what is ready, and ends (`EVLOOP_ONCE`).
        #[doc(alias = "EVLOOP_ONCE")]
        const ONCE = 1;
        /// One turn without waiting (`EVLOOP_NONBLOCK`). Prepare and check events do not count as ready.
        #[doc(alias = "EVLOOP_NONBLOCK")]
        const NONBLOCK = 2;
        /// Continues when nothing is pending: a waker may end the wait (`EVLOOP_NO_EXIT_ON_EMPTY`).
        #[doc(alias = "EVLOOP_NO_EXIT_ON_EMPTY")]
        const NO_EXIT_ON_EMPTY = 4;
    }
}

impl<B: EventOp, S: Storage, T> EventBase<B, S, T> {
    /// Runs the loop with a handler (`event_base_loop`) until it ends, and returns the reason. The handler gets the
    /// base; the event's data is at [`get_mut`](EventBase::get_mut).
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] when the backend cannot wait; [`Error::Reentered`] in a handler of `run`.
    ///
    /// If a handler moves the base away (`mem::replace`), the run continues with the base that replaced it, and the
    /// moved one may be run at its new place. Moved back to the old place after the first run has ended, it gets
    /// `Reentered` there until it has run elsewhere.
    ///
    /// ```
    /// use core::time::Duration;
    /// use evcore::backend::Manual;
    /// use evcore::{End, EventBase, Fixed, Mode};
    ///
    /// let mut base: EventBase<Manual, Fixed<8>, u32> = EventBase::new(Manual::new());
    /// base.insert_interval(Duration::from_secs(1), 0).unwrap();
    /// let end = base.run(Mode::empty(), |base, event| {
    ///     let ticks = base.get_mut(event.id).unwrap();
    ///     *ticks += 1;
    ///     if *ticks == 3 {
    ///         base.loop_exit();
    ///     }
    /// });
    /// assert_eq!(end, Ok(End::Exit));
    /// ```
    #[doc(alias = "event_base_loop")]
    #[doc(alias = "event_base_dispatch")]
    pub fn run(&mut self, mode: Mode, mut handler: impl FnMut(&mut Self, Fired)) -> Result<End, Error<B::Error>> {
        self.run_taking(mode, |_| (), |base, event, ()| handler(base, event))
    }

    /// As [`run`](EventBase::run); the handler also gets what `take` has taken of the event's data.
    pub(crate) fn run_taking<X>(
        &mut self,
        mode: Mode,
        take: impl Fn(&mut T) -> X,
        mut handler: impl FnMut(&mut Self, Fired, X),
    ) -> Result<End, Error<B::Error>> {
        if self.run_at == self.place() {
            return Err(Error::Reentered);
        }
        RunGuard(self).0.run_turns(mode, &take, &mut handler).map_err(Error::Backend)
    }

    /// The base's address, which is never zero.
    fn place(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    fn run_turns<X>(
        &mut self,
        mode: Mode,
        take: &impl Fn(&mut T) -> X,
        handler: &mut impl FnMut(&mut Self, Fired, X),
    ) -> Result<End, B::Error> {
        let go_on_empty = mode.contains(Mode::NO_EXIT_ON_EMPTY);
        let sleep = match mode.contains(Mode::NONBLOCK) {
            true => Sleep::None,
            false if go_on_empty => Sleep::Until(Instant::MAX),
            false => Sleep::Forever,
        };
        loop {
            // In each turn: a handler may have replaced the base.
            self.run_at = self.place();
            if !go_on_empty && self.engine.end_if_empty() {
                return Ok(End::Empty);
            }
            if let Turn::Ended(end) = self.engine.poll(sleep)? {
                return Ok(end);
            }
            let is_prepare = self.engine.is_prepare();
            let is_woken = self.engine.is_woken();
            let any = self.run_turn(take, handler);
            match any || is_woken && !mode.contains(Mode::NONBLOCK) {
                _ if is_prepare || self.engine.is_end_requested() => {}
                true if mode.intersects(Mode::ONCE.union(Mode::NONBLOCK)) => return Ok(End::Once),
                false if mode.contains(Mode::NONBLOCK) => return Ok(End::NotReady),
                _ => {}
            }
        }
    }

    /// The hand-outs of a turn. Returns whether any was not a watcher's.
    fn run_turn<X>(&mut self, take: &impl Fn(&mut T) -> X, handler: &mut impl FnMut(&mut Self, Fired, X)) -> bool {
        let mut any = false;
        while let Some((Fired { id, ready, count, data }, is_watcher)) = self.next() {
            any |= !is_watcher;
            let taken = take(data);
            handler(self, Fired { id, ready, count, data: () }, taken);
        }
        any
    }
}

/// A base inside `run`, until it returns or a handler's panic passes through.
struct RunGuard<'a, B: EventOp, S: Storage, T>(&'a mut EventBase<B, S, T>);

impl<B: EventOp, S: Storage, T> Drop for RunGuard<'_, B, S, T> {
    fn drop(&mut self) {
        self.0.run_at = 0;
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::backend::Manual;
    use crate::storage::Fixed;

    type Base = EventBase<Manual, Fixed<4>, u32>;

    fn base_with_timer(name: u32) -> Base {
        let mut base = Base::new(Manual::new());
        base.insert_interval(Duration::from_millis(1), name).unwrap();
        base
    }

    /// It returned `Reentered` for ever.
    #[test]
    fn run_works_on_a_base_that_a_handler_moved_out_of_its_run() {
        let mut base = base_with_timer(1);
        let (mut moved, mut seen) = (None, 0);
        let end = base.run(Mode::empty(), |base, event| {
            let name = *base.get_mut(event.id).unwrap();
            seen = seen * 10 + name;
            match name {
                1 => {
                    let mut old = core::mem::replace(base, base_with_timer(2));
                    // Even while the run that it left goes on.
                    assert_eq!(old.run(Mode::ONCE, |_, _| {}), Ok(End::Once));
                    moved = Some(old);
                }
                _ => {
                    assert_eq!(base.run(Mode::ONCE, |_, _| {}), Err(Error::Reentered), "this one is in the run now");
                    base.loop_exit();
                }
            }
        });
        assert_eq!((end, seen), (Ok(End::Exit), 12));
        assert_eq!(base.run(Mode::ONCE, |_, _| {}), Ok(End::Once));
        assert_eq!(moved.unwrap().run(Mode::ONCE, |_, _| {}), Ok(End::Once));
    }

    #[test]
    fn run_is_refused_on_a_base_that_was_moved_and_is_back_in_its_run() {
        let mut base = base_with_timer(1);
        let end = base.run(Mode::ONCE, |base, _| {
            let old = core::mem::replace(base, base_with_timer(2));
            *base = old;
            assert_eq!(base.run(Mode::ONCE, |_, _| {}), Err(Error::Reentered));
        });
        assert_eq!(end, Ok(End::Once));
    }
}
