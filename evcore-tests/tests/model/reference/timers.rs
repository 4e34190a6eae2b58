//! Deadlines.

use super::Model;
use crate::call::{Kind, Uid};

impl Model {
    /// The first in the queue of timers: by what each stands there for, and in the order of arming.
    pub(super) fn first_entry(&self) -> Option<(u64, Uid)> {
        let armed = self.events.iter().enumerate().filter_map(|(uid, event)| Some((event.entry?, uid)));
        armed.min().map(|((key, _), uid)| (key, uid))
    }

    pub(super) fn is_armed(&self, uid: Uid) -> bool {
        self.events[uid].entry.is_some()
    }

    pub(super) fn arm(&mut self, uid: Uid, deadline: u64) {
        self.armings += 1;
        let event = &mut self.events[uid];
        (event.deadline, event.armed) = (deadline, self.armings);
        if event.entry.is_none_or(|(key, _)| key > deadline) {
            event.entry = Some((deadline, self.armings));
        }
    }

    /// Its timeout counts from the end of the hand-outs. The place in the order is the slot's: if this turn has handed out
    /// another event of it before, that one's.
    pub(super) fn restart_later(&mut self, uid: Uid) {
        self.events[uid].restarting = true;
        let slot = self.slots.iter().position(|owner| *owner == uid).expect("it exists");
        if !self.restarts.contains(&slot) {
            self.restarts.push(slot);
        }
    }

    pub(super) fn restart_timeouts(&mut self) {
        let now = self.fresh_now();
        for slot in std::mem::take(&mut self.restarts) {
            self.armings += 1;
            let (armings, event) = (self.armings, &mut self.events[self.slots[slot]]);
            if std::mem::take(&mut event.restarting) {
                event.deadline = event.deadline.max(now.saturating_add(event.interval));
                event.armed = armings;
            }
        }
    }

    pub(super) fn disarm_timer(&mut self, uid: Uid) {
        self.events[uid].entry = None;
    }

    /// Puts an armed timer's entry right. `false`: it was.
    fn correct(&mut self, uid: Uid) -> bool {
        let event = &mut self.events[uid];
        let right = Some((event.deadline, event.armed));
        std::mem::replace(&mut event.entry, right) != right
    }

    /// Puts those of the next sixteen slots right.
    fn sweep(&mut self, corrections: &mut u32) {
        for _ in 0..self.slots.len().min(16) {
            let Some(left) = corrections.checked_sub(1) else { return };
            let uid = self.slots[self.swept];
            if self.is_armed(uid) && self.correct(uid) {
                *corrections = left;
            }
            self.swept = (self.swept + 1) % self.slots.len();
        }
    }

    fn timer_bound(&self) -> u32 {
        self.limits.timers.map_or(1_024, std::num::NonZeroU32::get)
    }

    /// Takes the first timer that is due. `None`: there is none, or it cannot be known yet.
    fn take_due(&mut self, now: u64, corrections: &mut u32) -> Option<(Uid, u64)> {
        loop {
            let (key, uid) = self.first_entry()?;
            if key > now || key == u64::MAX {
                return None;
            }
            if !self.correct(uid) {
                self.disarm_timer(uid);
                return Some((uid, key));
            }
            *corrections = corrections.checked_sub(1)?;
            self.sweep(corrections);
        }
    }

    pub(super) fn expire(&mut self) {
        if self.first_entry().is_none() && self.exit_at.is_none() {
            return;
        }
        let now = self.update_now();
        if self.exit_at.is_some_and(|at| at <= now) {
            self.exit_at = None;
            self.exit = true;
        }
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

    /// A persistent event whose timeout was handed out is timed again, in phase. Says for how many periods.
    pub(super) fn next_period(&mut self, uid: Uid) -> u32 {
        let now = self.now();
        let (due, interval) = (self.events[uid].deadline, self.events[uid].interval);
        let next = due.saturating_add(interval);
        match self.events[uid].spec.missed {
            // No period: it came once.
            _ if interval == 0 => self.events[uid].timed = false,
            evcore::Missed::Delay => {
                self.arm(uid, now.saturating_add(interval));
                self.restart_later(uid);
            }
            evcore::Missed::Burst => self.arm(uid, next),
            evcore::Missed::Skip => {
                // The first in phase that is still to come.
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
