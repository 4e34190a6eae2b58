//! Timeouts of events.

use super::{Expired, Registry, State, Timing};
use crate::backend::Descriptor;
use crate::ready::Ready;
use crate::storage::{Endings, Storage};
use crate::time::Instant;

impl<F: Descriptor, D: Default, T, S: Storage> Registry<F, D, T, S> {
    /// When an event with a timeout is due. One that restarts is shown as if it did at `now`.
    pub(in crate::engine) fn deadline(&self, index: S::Index, now: Instant) -> Instant {
        match self.state(index).timing() {
            Timing::Restarting => self.restarted_deadline(index, now),
            _ => self.timers.deadline(index),
        }
    }

    /// The deadline of a timeout that restarts, as if at `now`, or that has restarted.
    fn restarted_deadline(&self, index: S::Index, now: Instant) -> Instant {
        let interval = self.timers.interval(index);
        match self.restarts.ended_at(self.slots.turn(index), self.queue.turn()) {
            Some(end) => self.timers.deadline(index).max(end.saturating_add_nanos(interval)),
            None => now.saturating_add_nanos(interval),
        }
    }

    pub(in crate::engine) fn period(&self, index: S::Index) -> (Instant, u64) {
        self.timers.period(index)
    }

    /// A time not later than the earliest deadline; `None` if there is none.
    #[inline]
    pub(in crate::engine) fn first_deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// As [`Registry::first_deadline`], for a wait, which should not end for a cancelled timer.
    pub(in crate::engine) fn first_deadline_to_wait_for(&mut self, most: u32) -> Option<Instant> {
        self.timers.next_to_wait_for(most, |index| self.slots.has_timer(index))
    }

    /// As [`Registry::first_deadline`], without cancelled timers.
    pub(in crate::engine) fn first_armed_deadline(&self) -> Option<Instant> {
        self.timers.next_armed(|index| self.slots.has_timer(index))
    }

    /// Replaces an event's timeout, also one that has expired and is queued.
    pub(in crate::engine) fn set_timeout(&mut self, index: S::Index, deadline: Instant, interval: u64) {
        let Some((old, is_expired)) = self.slots.give_timeout(index) else { return };
        if is_expired {
            self.retract(index, Ready::TIMEOUT);
        }
        if !old.is_pending() {
            self.count_pending(old);
        }
        self.timers.set(index, deadline, interval, old.has_timer());
    }

    /// As [`Registry::set_timeout`] for a timer that is not active, with one look at its slot: fewer instructions that wait
    /// for a cache line let the processor go on to the next call. `false`: it does not apply, and nothing has changed.
    #[inline]
    pub(in crate::engine) fn start_timer(&mut self, index: S::Index, deadline: Instant, interval: u64) -> bool {
        let Some(old) = self.slots.start_timer(index) else { return false };
        if !old.is_timed() {
            self.count_pending(old);
        }
        self.timers.set(index, deadline, interval, old.is_timed());
        true
    }

    /// Stops such a timer, in the same way.
    #[inline]
    pub(in crate::engine) fn stop_timer(&mut self, index: S::Index) -> bool {
        let Some(state) = self.slots.stop_timer(index) else { return false };
        self.count_idle(state);
        self.timers.cancel(index, |index| self.slots.has_timer(index));
        true
    }

    /// Drops an event's timeout, also one that has expired and is queued; a pause goes on.
    pub(in crate::engine) fn remove_timeout(&mut self, index: S::Index) {
        let state = self.state(index);
        self.set_state(index, state.untimed());
        if state.is_timed() {
            self.cancel_timer(index);
        }
        self.retract(index, Ready::TIMEOUT);
    }

    /// An expired timeout is over. One that the event was made with starts with the next `add`.
    pub(in crate::engine) fn end_timeout(&mut self, index: S::Index) {
        self.set_state(index, self.state(index).without_timeout());
    }

    /// Starts the event's stopped timeout at `now`.
    pub(in crate::engine) fn start_timeout(&mut self, index: S::Index, now: Instant) {
        let state = self.state(index);
        self.timers.arm_after(index, now, state.has_timer());
        self.set_state(index, state.with_timing(Timing::Armed));
    }

    pub(in crate::engine) fn rearm(&mut self, index: S::Index, deadline: Instant) {
        self.timers.arm(index, deadline, true);
    }

    pub(in crate::engine) fn is_armed(&self, index: S::Index) -> bool {
        self.timers.has_entry(index) && (S::IS_SCANNED || self.slots.has_timer(index))
    }

    /// Restarts the event's timeout at the end of this turn's hand-outs.
    pub(in crate::engine) fn restart_later(&mut self, index: S::Index) {
        let is_to_be_listed = self.slots.state_mut(index).is_some_and(State::restart);
        self.restarts.note(index, is_to_be_listed);
    }

    #[inline]
    pub(in crate::engine) fn has_restarts(&self) -> bool {
        self.restarts.open() > 0
    }

    pub(in crate::engine) fn restart_timeouts(&mut self, now: Instant) {
        let turn = self.queue.turn();
        if S::Endings::TURNS == 0 {
            let (slots, timers) = (&mut self.slots, &mut self.timers);
            let is_restarting = |index| slots.end_restart(index).is_some();
            return self.restarts.end_at_once(is_restarting, |index| {
                let seq = timers.take_seqs(1);
                timers.restart(index, now, seq);
            });
        }
        let seq = self.timers.take_seqs(self.restarts.open());
        self.restarts.end(turn, now, seq);
        // What is handed out of this turn from now on restarts at another time: the next end may be this turn's too.
        if self.is_active() {
            self.settle_restarts(turn);
        }
    }

    /// Writes the restarted deadlines to the timers. The next turn that ends is `next`.
    #[inline(never)]
    pub(super) fn settle_restarts(&mut self, next: u32) {
        let (slots, timers) = (&mut self.slots, &mut self.timers);
        let turn_of = |index| slots.end_restart(index);
        self.restarts.settle(next, turn_of, |index, now, seq| timers.restart(index, now, seq));
    }

    /// Before an activation: outside of hand-outs the turn may go on after its end.
    pub(super) fn settle_before_hand_outs(&mut self) {
        if self.restarts.has_ended() && !self.is_handing_out() {
            self.settle_restarts(self.queue.turn());
        }
    }

    /// Called before timers are taken out of the heap.
    pub(in crate::engine) fn begin_to_expire(&mut self) {
        if self.restarts.has_ended() {
            self.settle_restarts(self.queue.turn());
        }
    }

    pub(in crate::engine) fn expire(&mut self, now: Instant, corrections: &mut u32) -> Expired<S::Index> {
        self.timers.expire(now, corrections, |index| self.slots.has_timer(index))
    }

    /// Queues an event whose timer expired `lateness` nanoseconds ago.
    pub(in crate::engine) fn queue_expired(&mut self, index: S::Index, lateness: u64) {
        self.count(|stats| {
            stats.expired = stats.expired.saturating_add(1);
            stats.lateness = lateness;
            stats.lateness_max = stats.lateness_max.max(lateness);
        });
        // A second copy of it is worth its code where reports of fds do not need the first, or where it is not the smallest.
        if S::IS_SMALL && (S::HAS_LEVELS || !S::HAS_FDS) {
            return self.queue.push_reported(&mut self.slots, index, Ready::TIMEOUT);
        }
        self.queue.push(&mut self.slots, index, Ready::TIMEOUT);
    }
}
