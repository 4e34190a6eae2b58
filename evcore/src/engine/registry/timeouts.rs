//! When events are due.

use super::{Expired, Registry, State, Timing};
use crate::backend::Descriptor;
use crate::ready::Ready;
use crate::storage::{Endings, Storage};
use crate::time::Instant;

impl<F: Descriptor, D: Default, T, S: Storage> Registry<F, D, T, S> {
    /// When an event is due as it looks at `now`, which matters where its timeout restarts. It has one.
    pub(in crate::engine) fn deadline(&self, index: S::Index, now: Instant) -> Instant {
        match self.state(index).timing() {
            Timing::Restarting => self.restarted_deadline(index, now),
            _ => self.timers.deadline(index),
        }
    }

    /// The deadline of a timeout that restarts, as if it did so at `now`, or that has restarted.
    fn restarted_deadline(&self, index: S::Index, now: Instant) -> Instant {
        let interval = self.timers.interval(index);
        match self.restarts.ended_at(self.slots.turn(index), self.queue.turn()) {
            Some(end) => self.timers.deadline(index).max(end.saturating_add_nanos(interval)),
            None => now.saturating_add_nanos(interval),
        }
    }

    /// When the event is due, or was due last, and after how long again.
    pub(in crate::engine) fn period(&self, index: S::Index) -> (Instant, u64) {
        self.timers.period(index)
    }

    /// A point that is not later than the earliest deadline; `None` only where there is none.
    #[inline]
    pub(in crate::engine) fn first_deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The same, for a wait, which shall not end for a timer that was cancelled.
    pub(in crate::engine) fn first_deadline_to_wait_for(&mut self, most: u32) -> Option<Instant> {
        self.timers.next_to_wait_for(most)
    }

    /// The same, of what is armed and not of what was cancelled.
    pub(in crate::engine) fn first_armed_deadline(&self) -> Option<Instant> {
        self.timers.next_armed()
    }

    /// Gives an event a timeout, in place of one that it has; an expired one that is queued is taken back.
    pub(in crate::engine) fn set_timeout(&mut self, index: S::Index, deadline: Instant, interval: u64) {
        let (state, is_expired) = self.slots.timing(index);
        if is_expired {
            self.retract(index, Ready::TIMEOUT);
        }
        self.timers.set(index, deadline, interval);
        if state.timing() != Timing::Armed {
            self.set_state(index, state.given_timeout());
        }
    }

    /// Drops an event's timeout, an expired one that is queued included; a pause goes on.
    pub(in crate::engine) fn remove_timeout(&mut self, index: S::Index) {
        if self.state(index).is_timed() {
            self.timers.cancel(index);
        }
        self.retract(index, Ready::TIMEOUT);
        self.set_state(index, self.state(index).untimed());
    }

    /// An event's timeout, which has expired, is over. One that the event was made with starts when it is added again.
    pub(in crate::engine) fn end_timeout(&mut self, index: S::Index) {
        self.set_state(index, self.state(index).without_timeout());
    }

    /// Starts, at `now`, the timeout that the event has and that does not run.
    pub(in crate::engine) fn start_timeout(&mut self, index: S::Index, now: Instant) {
        self.timers.arm_after(index, now);
        self.set_state(index, self.state(index).with_timing(Timing::Armed));
    }

    /// Arms the timer of an event that was due for its next period.
    pub(in crate::engine) fn rearm(&mut self, index: S::Index, deadline: Instant) {
        self.timers.arm(index, deadline);
    }

    /// Whether the event's timer is in the heap: it has one, and that has not expired.
    pub(in crate::engine) fn is_armed(&self, index: S::Index) -> bool {
        self.timers.is_armed(index)
    }

    /// Restarts the event's timeout when the hand-outs of this turn end.
    pub(in crate::engine) fn restart_later(&mut self, index: S::Index) {
        let is_to_be_listed = self.slots.state_mut(index).is_some_and(State::restart);
        self.restarts.note(index, is_to_be_listed);
    }

    /// Whether a timeout restarts when the hand-outs of this turn end.
    #[inline]
    pub(in crate::engine) fn has_restarts(&self) -> bool {
        self.restarts.open() > 0
    }

    /// Restarts the timeouts of this turn's hand-outs.
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
        // What is handed out of this turn from now on restarts at another time.
        if self.restarts.is_full(turn) || self.is_active() {
            self.settle_restarts(turn.wrapping_add(1));
        }
    }

    /// Writes down beside the timers what has restarted. The next turn that ends is `next`.
    #[inline(never)]
    pub(super) fn settle_restarts(&mut self, next: u32) {
        let (slots, timers) = (&mut self.slots, &mut self.timers);
        let turn_of = |index| slots.end_restart(index);
        self.restarts.settle(next, turn_of, |index, now, seq| timers.restart(index, now, seq));
    }

    /// An event is activated. Between two hand-outs that is nothing; outside of them, the turn may go on after its end.
    pub(super) fn settle_before_hand_outs(&mut self) {
        if self.restarts.has_ended() && !self.is_handing_out() {
            self.settle_restarts(self.queue.turn());
        }
    }

    /// Timers are taken out of the heap from here on.
    pub(in crate::engine) fn begin_to_expire(&mut self) {
        if self.restarts.has_ended() {
            self.settle_restarts(self.queue.turn());
        }
    }

    /// Takes the earliest timer out if it is due.
    pub(in crate::engine) fn expire(&mut self, now: Instant, corrections: &mut u32) -> Expired<S::Index> {
        self.timers.expire(now, corrections)
    }

    /// Queues an event whose timer has expired, `lateness` nanoseconds ago.
    pub(in crate::engine) fn queue_expired(&mut self, index: S::Index, lateness: u64) {
        self.count(|stats| {
            stats.expired = stats.expired.saturating_add(1);
            stats.lateness = lateness;
            stats.lateness_max = stats.lateness_max.max(lateness);
        });
        if S::IS_SMALL {
            return self.queue.push_reported(&mut self.slots, index, Ready::TIMEOUT);
        }
        self.queue.push(&mut self.slots, index, Ready::TIMEOUT);
    }
}
