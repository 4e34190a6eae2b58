//! A turn of the loop, step by step.

use super::{EventBase, Fired};
use crate::backend::{EventOp, Modified, Sink, Token};
use crate::columns::Rare;
use crate::event::{Missed, Ready};
use crate::events::State;
use crate::fds::Change;
use crate::storage::{Index, Storage};
use crate::time::{Instant, Wait};
use crate::timers::Expired;
use crate::watchers::Phase;

impl<B: EventOp, S: Storage, T> EventBase<B, S, T> {
    // Up to the hand-outs.

    /// What the turn before left: an event that was handed out for the only time, and its count.
    pub(super) fn end_turn(&mut self) {
        self.settle();
        let handed_out = self.columns.quota.end();
        self.columns.stats.handed_out = self.columns.stats.handed_out.wrapping_add(handed_out.into());
        self.remove_spent();
        self.columns.running = Index::NIL;
        self.columns.rare.remove(Rare::CONTINUE.union(Rare::INTERVAL));
    }

    /// In a base with prepare watchers: begins a turn of these, unless that turn has just been.
    pub(super) fn begin_prepare(&mut self) -> bool {
        if self.columns.rare.contains(Rare::PREPARING) {
            self.columns.rare.remove(Rare::PREPARING);
            return false;
        }
        let any = self.queue_watchers(Phase::Prepare);
        self.columns.rare.set(Rare::PREPARING, any);
        if any {
            self.columns.quota.begin(&self.columns.limits);
            self.columns.note_active(0);
        }
        any
    }

    /// Queues the watchers of a phase. Says whether there are any.
    fn queue_watchers(&mut self, phase: Phase) -> bool {
        let mut any = false;
        for index in self.columns.watchers.of(phase) {
            self.columns.active.activate_front(index, Ready::empty());
            any = true;
        }
        // Also those of a turn that was broken off.
        self.columns.rare.set(Rare::FRONT, self.columns.active.has_front());
        any
    }

    /// Tells the backend of each fd whose events want something else than it watches for.
    pub(super) fn apply_changes(&mut self) {
        while let Some(change) = self.columns.fds.next_change() {
            self.columns.stats.changes = self.columns.stats.changes.saturating_add(1);
            self.apply(&change);
        }
    }

    fn apply(&mut self, change: &Change<B::Fd>) {
        let Change { fd, token, told, want, verify } = *change;
        let fds = &mut self.columns.fds;
        let outcome = if want.is_empty() {
            self.backend.del(fd, token, told, fds);
            Ok(Modified::Kept)
        } else if told.is_empty() {
            self.backend.add(fd, token, want, fds).map(|()| Modified::Kept)
        } else {
            self.backend.modify(fd, token, told, want, fds)
        };
        match outcome {
            Ok(Modified::Kept) => fds.told(change),
            Ok(Modified::Replaced) => {
                self.columns.expel_old(token, false);
                self.columns.fds.told(change);
                self.columns.fds.renew(token);
            }
            // What it was told before stands, and it is asked again when something else changes.
            Err(_) => {
                self.columns.stats.refused = self.columns.stats.refused.saturating_add(1);
                if told.is_empty() {
                    // Nothing is registered, so nobody waits for it.
                    self.columns.expel_old(token, true);
                } else {
                    self.columns.tell_error(token, told, verify);
                }
            }
        }
    }

    /// How long the backend may sleep: not at all when something is active, else until the first timer.
    pub(super) fn bounded(&mut self, wait: Wait) -> Wait {
        if self.columns.active.len() > 0 || wait == Wait::Poll {
            return Wait::Poll;
        }
        let mut first = match wait {
            Wait::Until(point) => point,
            _ => Instant::MAX,
        };
        // A timer that has been pushed back since may wake the loop once too early: cheaper than to look for the true first.
        if let Some(deadline) = self.columns.timers.next() {
            first = first.min(deadline.saturating_add(self.slack));
        }
        if let Some(exit) = self.exit_at {
            first = first.min(exit);
        }
        if first == Instant::MAX { Wait::Forever } else { Wait::Until(first) }
    }

    pub(super) fn dispatch(&mut self, wait: Wait) -> Result<(), B::Error> {
        self.clock.is_current = false;
        let stats = &mut self.columns.stats;
        stats.waits = stats.waits.wrapping_add(1);
        self.columns.quota.is_direct = true;
        self.backend.dispatch(wait, &mut self.columns)
    }

    /// Starts the backend anew, if it has asked for it, or if it goes on to report what has ended.
    pub(super) fn rebuild_if_asked(&mut self) -> Result<(), B::Error> {
        if !self.columns.rebuild {
            return Ok(());
        }
        self.reinit()?;
        self.columns.stats.rebuilds = self.columns.stats.rebuilds.saturating_add(1);
        (self.columns.rebuild, self.columns.stale) = (false, 0);
        Ok(())
    }

    /// Moves the timers that are due to their queues, in the order of their deadlines.
    #[inline]
    pub(super) fn expire_timers(&mut self) {
        if let Some(first) = self.next_deadline() {
            let now = self.now();
            if first <= now {
                self.expire_due(now);
            }
        }
    }

    // Out of line, so that a turn in which nothing is due does not pay for it.
    #[inline(never)]
    fn expire_due(&mut self, now: Instant) {
        // Readiness comes before time, in the same queues.
        self.settle();
        if self.exit_at.is_some_and(|exit| exit <= now) {
            self.exit_at = None;
            self.columns.rare.insert(Rare::EXIT);
        }
        let (mut left, mut corrections) = (self.columns.limits.timers(), self.columns.limits.timers());
        while left > 0 {
            let Expired::Due(index, due) = self.columns.timers.expire(now, &mut corrections) else { return };
            left = left.wrapping_sub(1);
            if self.columns.events.state(index).contains(State::PAUSED) {
                self.resume(index);
            } else {
                self.columns.note_lateness(now, due);
                self.columns.active.activate(index, Ready::TIMEOUT);
            }
        }
    }

    #[inline]
    pub(super) fn begin_turn(&mut self) {
        let columns = &mut self.columns;
        columns.stats.turns = columns.stats.turns.wrapping_add(1);
        columns.quota.begin(&columns.limits);
        if let Some(interval) = columns.limits.interval {
            columns.rare.insert(Rare::INTERVAL);
            let until = self.fresh_now().as_nanos().saturating_add(interval.get());
            self.turn_until = Instant::from_nanos(until);
        }
        self.queue_watchers(Phase::Check);
        let columns = &mut self.columns;
        if columns.quota.is_direct {
            columns.quota.begin_direct();
            let is_plain = columns.active.levels() == 1 && columns.rare.is_empty() && columns.limits.from_priority == 0;
            if is_plain && columns.active.len() == 0 {
                return;
            }
            self.settle();
        }
        self.columns.note_active(0);
        self.columns.next_level();
    }

    // The hand-out.

    /// The next event to hand out, straight from the backend's buffer: nothing is queued, and there is one priority. `None`
    /// when the queues have to be looked at.
    #[inline]
    pub(super) fn take_direct(&mut self) -> Option<(S::Index, Ready)> {
        let (left, is_over) = self.columns.quota.direct.overflowing_sub(1);
        self.columns.quota.direct = left;
        if is_over {
            return None;
        }
        let (token, ready) = self.backend.take_ready()?;
        let found = self.columns.fds.usual(token, ready);
        if found.is_none() {
            self.queue(token, ready);
        }
        Some((found?, ready))
    }

    /// Queues a report that cannot be handed out straight: it is not for one event alone, or not only what that waits for.
    #[cold]
    #[inline(never)]
    fn queue(&mut self, token: Token, ready: Ready) {
        self.columns.ready(token, ready);
    }

    /// Puts into the queues what the wait found and has not been handed out yet. Whatever looks at the queues, or changes
    /// them or what is waited for, does this first: so it makes no difference that reports are not queued at once.
    #[inline]
    pub(crate) fn settle(&mut self) {
        if self.columns.quota.is_direct {
            self.settle_reports();
        }
    }

    #[cold]
    fn settle_reports(&mut self) {
        let handed_out = self.columns.quota.end_direct();
        while let Some((token, ready)) = self.backend.take_ready() {
            self.queue(token, ready);
        }
        self.columns.note_active(handed_out);
    }

    /// Hands out an event that needs nothing, or whose idle timeout starts anew: a store, as a rule.
    #[inline]
    pub(super) fn lend_direct(&mut self, index: S::Index, ready: Ready, is_timed: bool) -> Option<Fired<'_, T>> {
        self.columns.running = index;
        let (id, data) = self.columns.events.hand_out(index, self.columns.quota.number)?;
        if is_timed {
            // The clock was read after the wait, because a timer was armed then: this one, for nothing has been added since.
            self.columns.timers.restart(index, self.clock.now);
        }
        Some(Fired { id, ready, count: 1, data })
    }

    /// The next event to hand out, brought to the state that its handler shall find it in: `index`, or when that is NIL
    /// the first of the queues. Nothing comes straight from the backend's buffer any more then.
    #[inline(never)]
    pub(super) fn take_prepared(&mut self, index: S::Index, ready: Ready) -> Option<(S::Index, Ready, u32)> {
        let direct = Some((index, ready)).filter(|_| !index.is_nil());
        let Some((index, ready)) = direct.or_else(|| self.take_queued()) else {
            self.columns.running = Index::NIL;
            return None;
        };
        let is_special = self.columns.events.state(index).intersects(State::SPECIAL);
        let count = if is_special { self.prepare(index, ready) } else { 1 };
        Some((index, ready, count))
    }

    fn take_queued(&mut self) -> Option<(S::Index, Ready)> {
        // `take_direct` has counted one hand-out too many.
        self.columns.quota.direct = self.columns.quota.direct.wrapping_add(1);
        self.settle();
        if self.columns.rare.is_empty() { self.columns.take_next() } else { self.take_rare() }
    }

    /// The next event to hand out, when there is something rare to look at first.
    #[cold]
    fn take_rare(&mut self) -> Option<(S::Index, Ready)> {
        self.remove_spent();
        if !self.columns.quota.is_open() || self.columns.rare.intersects(Rare::BREAK.union(Rare::CONTINUE)) {
            return None;
        }
        if self.columns.rare.contains(Rare::FRONT) {
            if let Some(taken) = self.columns.active.pop_front() {
                self.columns.quota.count_unlimited();
                return Some(taken);
            }
            self.columns.rare.remove(Rare::FRONT);
        }
        if self.columns.rare.contains(Rare::PREPARING) {
            return None;
        }
        let is_limited = self.columns.rare.contains(Rare::INTERVAL) && self.columns.quota.has_begun();
        if is_limited && self.fresh_now() >= self.turn_until {
            self.columns.quota.exhaust();
        }
        self.columns.take_next()
    }

    /// Brings an event to the state that its handler shall find it in. Says how many occurrences the hand-out stands for.
    fn prepare(&mut self, index: S::Index, ready: Ready) -> u32 {
        let state = self.columns.events.state(index);
        let mut count = 1;
        let signals = if state.contains(State::SIGNAL) { self.columns.signals.take_count(index).max(1) } else { 1 };
        if state.contains(State::ONCE) {
            // It goes at the next hand-out, which therefore has to be an unusual one.
            self.settle();
            self.columns.rare.insert(Rare::SPENT);
        }
        if state.contains(State::ONE_SHOT) {
            self.disarm(index);
        } else if state.contains(State::TIMED) {
            if ready.contains(Ready::TIMEOUT) && !self.columns.timers.is_armed(index) {
                count = self.next_period(index, state.missed());
            } else {
                let now = self.now();
                self.columns.timers.restart(index, now);
            }
        }
        if ready.contains(Ready::SIGNAL) {
            count = signals;
        }
        count
    }

    /// Re-arms a persistent timer that was due, in phase. Says how many periods have passed.
    fn next_period(&mut self, index: S::Index, missed: Missed) -> u32 {
        let now = self.now();
        let (due, interval) = (self.columns.timers.deadline(index), self.columns.timers.interval(index));
        let next = due.as_nanos().saturating_add(interval);
        if missed == Missed::Delay || interval == 0 {
            self.columns.timers.arm_after(index, now);
            return 1;
        }
        if missed == Missed::Burst || next > now.as_nanos() {
            self.columns.timers.arm(index, Instant::from_nanos(next));
            return 1;
        }
        let (periods, rest) = div_rem(now.as_nanos().saturating_sub(due.as_nanos()), interval);
        let next = now.as_nanos().saturating_add(interval.saturating_sub(rest));
        self.columns.timers.arm(index, Instant::from_nanos(next));
        u32::try_from(periods.saturating_add(1)).unwrap_or(u32::MAX)
    }
}

/// Quotient and remainder, by shifting and subtracting: small parts have no 64-bit division, and a timer rarely misses
/// more than one period. `divisor` is not zero.
const fn div_rem(dividend: u64, divisor: u64) -> (u64, u64) {
    let (mut part, mut bit) = (divisor, 1u64);
    while part <= dividend >> 1 {
        part <<= 1;
        bit <<= 1;
    }
    let (mut quotient, mut rest) = (0u64, dividend);
    while bit != 0 {
        if part <= rest {
            rest = rest.wrapping_sub(part);
            quotient |= bit;
        }
        part >>= 1;
        bit >>= 1;
    }
    (quotient, rest)
}

#[cfg(test)]
mod tests {
    use super::div_rem;

    #[test]
    fn division_by_hand_is_division() {
        for dividend in [0, 1, 2, 3, 999, 1 << 40, u64::MAX - 1, u64::MAX] {
            for divisor in [1, 2, 3, 7, 1_000, 1 << 33, u64::MAX - 1, u64::MAX] {
                assert_eq!(
                    div_rem(dividend, divisor),
                    (dividend / divisor, dividend % divisor),
                    "{dividend}/{divisor}"
                );
            }
        }
    }
}
