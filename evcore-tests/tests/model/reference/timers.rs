//! Deadlines.

use super::Model;
use crate::call::{Kind, Uid};

/// The slots of events whose timeouts restart at the end of the hand-outs, or have restarted, each once and in order;
/// the turn after which they are forgotten; and whether any is still to restart.
#[derive(Clone, Debug, Default)]
pub(super) struct Restarts {
    slots: Vec<usize>,
    full_at: u64,
    is_open: bool,
}

/// The timer queue: each slot's entry, by its deadline and the order of arming. A deadline that moves later, or a
/// cancelled timer, does not change the entry until that reaches the top or is visited by a sweep; the next timer
/// armed in the slot takes over the entry.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries {
    by_slot: Vec<Option<Entry>>,
    /// Contains each slot whose timer was cancelled, and possibly others: a slot stays listed when it is armed again.
    cancelled: Vec<usize>,
    /// The next slot to sweep, and the position in the list.
    swept: usize,
    /// If there are few slots, all are searched: then entries are always correct, and a bound on the first deadline
    /// says when to search.
    bound: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: Key,
    is_cancelled: bool,
}

/// A deadline, and the order in which it was armed.
type Key = (u64, u64);

impl Entries {
    fn keys(&self, is_wanted: impl Fn(&Entry) -> bool) -> impl Iterator<Item = (Key, usize)> {
        let entries = self.by_slot.iter().enumerate();
        entries.filter_map(move |(slot, entry)| entry.filter(&is_wanted).map(|entry| (entry.key, slot)))
    }

    fn first(&self) -> Option<(Key, usize)> {
        self.keys(|_| true).min()
    }

    /// The first entry that was not cancelled.
    fn first_armed(&self) -> Option<u64> {
        self.keys(|entry| !entry.is_cancelled).min().map(|((deadline, _), _)| deadline)
    }

    pub(super) fn of(capacity: Option<usize>) -> Self {
        Self { bound: capacity.filter(|capacity| *capacity <= 16).map(|_| u64::MAX), ..Self::default() }
    }

    pub(super) fn make_room(&mut self, slot: usize) {
        self.by_slot.resize(self.by_slot.len().max(slot + 1), None);
    }

    fn arm(&mut self, slot: usize, key: Key) {
        self.make_room(slot);
        if let Some(bound) = &mut self.bound {
            *bound = key.0.min(*bound);
            self.by_slot[slot] = Some(Entry { key, is_cancelled: false });
            return;
        }
        let before = self.by_slot[slot];
        let key = before.map(|entry| entry.key).filter(|before| before.0 <= key.0).unwrap_or(key);
        self.by_slot[slot] = Some(Entry { key, is_cancelled: false });
        if before.is_some_and(|before| before.is_cancelled) {
            self.forget_if_none_is_cancelled();
            if self.cancelled.last() == Some(&slot) {
                self.cancelled.pop();
            }
        }
    }

    fn is_armed(&self, slot: usize) -> bool {
        self.by_slot.get(slot).copied().flatten().is_some_and(|entry| !entry.is_cancelled)
    }

    /// Restarts the timer; if entries are lazy, its entry does not change.
    fn restart(&mut self, slot: usize, key: Key) {
        if let (Some(_), Some(entry)) = (self.bound, self.by_slot.get_mut(slot).and_then(Option::as_mut)) {
            entry.key = key;
        }
    }

    fn cancel(&mut self, slot: usize) {
        if self.bound.is_some() {
            return if let Some(entry) = self.by_slot.get_mut(slot) {
                *entry = None
            };
        }
        if let Some(entry) = self.by_slot.get_mut(slot).and_then(Option::as_mut).filter(|entry| !entry.is_cancelled) {
            entry.is_cancelled = true;
            self.cancelled.push(slot);
            self.bound_cancelled();
        }
    }

    /// Keeps the list at most half as long as the entries. A slot that leaves it loses its entry if that is
    /// cancelled; the last of the list moves to its position.
    fn bound_cancelled(&mut self) {
        while 2 * self.cancelled.len() > self.keys(|_| true).count() {
            let others = self.cancelled.len() - 1;
            let place = others.checked_ilog2().map_or(0, |log| self.swept % (1 << log));
            let slot = self.cancelled.swap_remove(place);
            self.swept = (self.swept + 1) % self.by_slot.len();
            if self.by_slot[slot].is_some_and(|entry| entry.is_cancelled) {
                self.drop_cancelled(slot);
            }
        }
    }

    fn drop_cancelled(&mut self, slot: usize) {
        self.by_slot[slot] = None;
        self.forget_if_none_is_cancelled();
    }

    fn forget_if_none_is_cancelled(&mut self) {
        if self.keys(|entry| entry.is_cancelled).next().is_none() {
            self.cancelled.clear();
        }
    }

    /// Drops up to `most` cancelled entries before the first armed one.
    fn drop_cancelled_first(&mut self, most: u32) {
        for _ in 0..most {
            match self.first() {
                Some((_, slot)) if !self.is_armed(slot) => {
                    self.drop_cancelled(slot);
                    self.bound_cancelled();
                }
                _ => return,
            }
        }
    }
}

impl Model {
    pub(super) fn slot(&self, uid: Uid) -> usize {
        self.slots.iter().position(|owner| *owner == uid).expect("it exists")
    }

    /// The deadline by which a wait must end for a timer.
    pub(super) fn deadline_to_wait_for(&mut self) -> Option<u64> {
        if self.entries.bound.is_some() {
            let first = self.entries.first_armed();
            self.entries.bound = Some(first.unwrap_or(u64::MAX));
            return first;
        }
        let most = self.timer_bound();
        self.entries.drop_cancelled_first(most);
        self.entries.first_armed()
    }

    pub(super) fn next_deadline(&self) -> Option<u64> {
        self.entries.first_armed()
    }

    pub(super) fn has_timers(&self) -> bool {
        self.entries.bound.map_or(self.entries.first().is_some(), |bound| bound < u64::MAX)
    }

    pub(super) fn is_armed(&self, uid: Uid) -> bool {
        self.slots.iter().position(|owner| *owner == uid).is_some_and(|slot| self.entries.is_armed(slot))
    }

    pub(super) fn arm(&mut self, uid: Uid, deadline: u64) {
        self.armings += 1;
        let event = &mut self.events[uid];
        (event.deadline, event.armed) = (deadline, self.armings);
        let slot = self.slot(uid);
        self.entries.arm(slot, (deadline, self.armings));
    }

    /// Its timeout restarts at the end of the hand-outs. A slot that is already listed keeps its position.
    pub(super) fn restart_later(&mut self, uid: Uid) {
        self.events[uid].restarting = true;
        self.restarts.is_open = true;
        let slot = self.slot(uid);
        if !self.restarts.slots.contains(&slot) {
            self.restarts.slots.push(slot);
        }
    }

    pub(super) fn restart_timeouts(&mut self) {
        if !std::mem::take(&mut self.restarts.is_open) {
            return;
        }
        let now = self.fresh_now();
        self.clock = now;
        for slot in &self.restarts.slots {
            self.armings += 1;
            let event = &mut self.events[self.slots[*slot]];
            if std::mem::take(&mut event.restarting) {
                event.deadline = event.deadline.max(now.saturating_add(event.interval));
                event.armed = self.armings;
                self.entries.restart(*slot, (event.deadline, event.armed));
            }
        }
        if self.active() > 0 || self.capacity.is_some() {
            self.settle_restarts(self.turn.number);
        }
    }

    pub(super) fn settle_when_full(&mut self) {
        if self.turn.number == self.restarts.full_at {
            self.forget_restarts(self.turn.number + 1);
        }
    }

    /// Clears the list. The next turn to end is this one.
    fn settle_restarts(&mut self, next: u64) {
        if !self.restarts.slots.is_empty() {
            self.forget_restarts(next);
        }
    }

    fn forget_restarts(&mut self, next: u64) {
        self.restarts = Restarts { full_at: next + 63, ..Restarts::default() };
    }

    pub(super) fn settle_before_hand_outs(&mut self) {
        if self.running.is_none() {
            self.settle_restarts(self.turn.number);
        }
    }

    pub(super) fn disarm_timer(&mut self, uid: Uid) {
        let slot = self.slot(uid);
        self.entries.cancel(slot);
    }

    /// Corrects an armed timer's entry. Returns `false` if it was correct.
    fn correct(&mut self, slot: usize) -> bool {
        let event = &self.events[self.slots[slot]];
        let right = Entry { key: (event.deadline, event.armed), is_cancelled: false };
        self.entries.by_slot[slot].replace(right).is_some_and(|entry| entry.key != right.key)
    }

    /// Corrects those of the next sixteen slots.
    fn sweep(&mut self, corrections: &mut u32) {
        let slots = self.entries.by_slot.len();
        for _ in 0..slots.min(16) {
            let Some(left) = corrections.checked_sub(1) else { return };
            let slot = self.entries.swept;
            if self.entries.is_armed(slot) && self.correct(slot) {
                *corrections = left;
            }
            self.entries.swept = (slot + 1) % slots;
        }
    }

    fn timer_bound(&self) -> u32 {
        self.limits.timers.map_or(u32::MAX, std::num::NonZeroU32::get)
    }

    /// Takes the first due timer. `None` if there is none, or if that cannot be decided yet.
    fn take_due(&mut self, now: u64, corrections: &mut u32) -> Option<(Uid, u64)> {
        if let Some(bound) = self.entries.bound {
            return if bound > now { None } else { self.take_first(now) };
        }
        loop {
            let ((deadline, _), slot) = self.entries.first()?;
            let was_cancelled = !self.entries.is_armed(slot);
            if was_cancelled {
                self.entries.drop_cancelled(slot);
                self.entries.bound_cancelled();
            } else if !self.correct(slot) {
                if deadline > now || deadline == u64::MAX {
                    return None;
                }
                self.entries.by_slot[slot] = None;
                self.entries.bound_cancelled();
                return Some((self.slots[slot], deadline));
            }
            *corrections = corrections.checked_sub(1)?;
            if !was_cancelled {
                self.sweep(corrections);
            }
        }
    }

    /// Takes the first timer if it is due, and updates the bound.
    fn take_first(&mut self, now: u64) -> Option<(Uid, u64)> {
        let first = self.entries.first().filter(|((deadline, _), _)| *deadline <= now && *deadline < u64::MAX);
        if let Some((_, slot)) = first {
            self.entries.by_slot[slot] = None;
        }
        self.entries.bound = Some(self.entries.first_armed().unwrap_or(u64::MAX));
        first.map(|((deadline, _), slot)| (self.slots[slot], deadline))
    }

    pub(super) fn expire(&mut self) {
        let now = self.update_now();
        if self.exit_at.is_some_and(|at| at <= now) {
            self.exit_at = None;
            self.exit = true;
        }
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            self.retry();
        }
        let first = self.entries.bound.or(self.entries.first().map(|((deadline, _), _)| deadline));
        if first.is_none_or(|first| first > now) {
            return;
        }
        self.settle_restarts(self.turn.number);
        let mut corrections = self.timer_bound();
        for _ in 0..self.timer_bound() {
            let Some((uid, due)) = self.take_due(now, &mut corrections) else { return };
            if self.events[uid].paused {
                self.resume(uid, now);
                continue;
            }
            self.tally.expired += 1;
            self.tally.lateness = now - due;
            self.tally.lateness_max = self.tally.lateness_max.max(now - due);
            self.queue(uid, evcore::Ready::TIMEOUT);
        }
    }

    /// Re-arms a persistent event after its timeout was handed out, in phase. Returns the number of periods.
    pub(super) fn next_period(&mut self, uid: Uid) -> u32 {
        let now = self.now();
        let (due, interval) = (self.events[uid].deadline, self.events[uid].interval);
        let next = due.saturating_add(interval);
        match self.events[uid].spec.missed {
            // No period: it is one-shot.
            _ if interval == 0 => self.events[uid].timed = false,
            evcore::options::Missed::Delay => {
                self.arm(uid, now.saturating_add(interval));
                self.restart_later(uid);
            }
            evcore::options::Missed::Burst => self.arm(uid, next),
            evcore::options::Missed::Skip => {
                // The first deadline in phase that is still to come.
                let periods = u128::from((now - due) / interval) + 1;
                let next = u128::from(due) + periods * u128::from(interval);
                self.arm(uid, u64::try_from(next).unwrap_or(u64::MAX));
                return u32::try_from(periods).unwrap_or(u32::MAX);
            }
        }
        1
    }

    pub(super) fn watches_signal(&self, signum: i32) -> bool {
        self.events.iter().any(|event| event.exists && event.registered && event.spec.kind == Kind::Signal(signum))
    }
}
