//! The active queues, and the turn.

use evcore::backend::{ManualError, Sleep};
use evcore::options::Fairness;
use evcore::{End, Instant, Ready, Turn, Wait};

use super::Model;
use crate::call;
use crate::call::{Handed, Kind, Outcome, Uid};

/// What a turn may still hand out, and how the priorities share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quota {
    pub(super) number: u64,
    /// A turn is in progress: active events are handed out.
    is_open: bool,
    /// The hand-outs left; and how many of these are reserved for priorities less urgent than the present share's.
    left: u32,
    kept: u32,
    /// The least urgent priority that the present share is for.
    share: Option<u8>,
    /// Priorities more urgent than this one have used their share.
    closed: u8,
    /// Priorities more urgent than this one have no limit.
    bounded_from: u8,
    until: Option<u64>,
    /// Something that the limits apply to has been handed out.
    any: bool,
}

impl Model {
    pub(super) fn active(&self) -> usize {
        self.levels.iter().map(Vec::len).sum::<usize>() + self.front.len() + self.later.len()
    }

    pub(super) fn is_active(&self, uid: Uid) -> bool {
        self.levels.iter().chain([&self.front, &self.later]).any(|queue| queue.contains(&uid))
    }

    /// Adds the bits to an active event's. Returns `false` if it is not active; these are its bits then.
    fn add_bits(&mut self, uid: Uid, ready: Ready) -> bool {
        let is_active = self.is_active(uid);
        let event = &mut self.events[uid];
        if !is_active {
            event.ready = Ready::empty();
        }
        event.ready |= ready;
        self.max_counts[2] = self.max_counts[2].max(self.active() as u32 + u32::from(!is_active));
        is_active
    }

    pub(super) fn queue(&mut self, uid: Uid, ready: Ready) {
        if !self.add_bits(uid, ready) {
            self.levels[usize::from(self.events[uid].level)].push(uid);
        }
    }

    pub(super) fn queue_for_later(&mut self, uid: Uid, ready: Ready) {
        if !self.add_bits(uid, ready) {
            self.later.push(uid);
        }
    }

    pub(super) fn unqueue(&mut self, uid: Uid) {
        for queue in self.levels.iter_mut().chain([&mut self.front, &mut self.later]) {
            queue.retain(|other| *other != uid);
        }
    }

    /// Withdraws some bits of an active event; if it has none left, it is no longer active.
    pub(super) fn retract(&mut self, uid: Uid, bits: Ready) {
        if self.is_active(uid) && self.events[uid].ready.intersects(bits) {
            self.events[uid].ready -= bits;
            if self.events[uid].ready.is_empty() {
                self.unqueue(uid);
            }
        }
    }

    // The turn.

    pub(super) fn poll(&mut self, wait: Wait) -> Result<Turn, ManualError> {
        let wait = self.absolute(wait);
        self.end_turn();
        if let Some(end) = self.take_end() {
            self.preparing = false;
            return Ok(Turn::Ended(end));
        }
        if wait == Wait::Forever && self.is_empty() {
            self.preparing = false;
            return Ok(Turn::Ended(End::Empty));
        }
        let prepared = std::mem::take(&mut self.preparing);
        if !prepared && self.queue_watchers(Kind::Prepare) {
            (self.preparing, self.turn.is_open) = (true, true);
            return Ok(Turn::Prepare);
        }
        for uid in std::mem::take(&mut self.later) {
            self.levels[usize::from(self.events[uid].level)].push(uid);
        }
        if self.rebuild {
            if self.reinit().is_ok() {
                self.tally.rebuilds += 1;
            } else {
                self.tally.refused += 1;
                (self.rebuild, self.rebuild_is_postponed) = (false, true);
                self.retry_later();
            }
        }
        self.apply_changes();
        let sleep = self.bounded(wait);
        if let Err(error) = self.dispatch(sleep) {
            // Prepare events that were left over are still handed out.
            (self.preparing, self.turn.is_open) = (prepared, prepared);
            return Err(error);
        }
        if self.has_timers() || self.exit_at.is_some() || self.retry_at.is_some() {
            self.expire();
        }
        self.begin_turn();
        Ok(Turn::Running)
    }

    pub(super) fn end_turn(&mut self) {
        self.turn.is_open = false;
        self.remove_spent();
        self.end_hand_outs();
        self.settle_when_full();
        self.turn.number += 1;
        self.continued = false;
        self.woken = false;
        self.clock_is_current = false;
    }

    fn take_end(&mut self) -> Option<End> {
        match (std::mem::take(&mut self.broken), std::mem::take(&mut self.exit)) {
            (true, _) => Some(End::Break),
            (false, true) => Some(End::Exit),
            (false, false) => None,
        }
    }

    /// Returns whether there are any.
    fn queue_watchers(&mut self, kind: Kind) -> bool {
        let mut watchers = self.existing();
        watchers.retain(|uid| self.events[*uid].registered && self.events[*uid].spec.kind == kind);
        for uid in &watchers {
            if !self.add_bits(*uid, Ready::empty()) {
                self.front.push(*uid);
            }
        }
        !watchers.is_empty()
    }

    fn bounded(&mut self, wait: Wait) -> Sleep {
        if self.active() > 0 || wait == Wait::None {
            return Sleep::None;
        }
        let timer = self.deadline_to_wait_for().map(|deadline| deadline.saturating_add(self.slack));
        let asked = if let Wait::Until(point) = wait { Some(point.as_nanos()) } else { None };
        match [timer, self.exit_at, self.retry_at, asked].into_iter().flatten().min() {
            None | Some(u64::MAX) => Sleep::Forever,
            Some(first) => Sleep::Until(Instant::from_nanos(first)),
        }
    }

    fn dispatch(&mut self, sleep: Sleep) -> Result<(), ManualError> {
        self.tally.waits += 1;
        if super::world::counted_down(&mut self.world.fail_waits) {
            return Err(ManualError::Refused);
        }
        let plans = std::mem::take(&mut self.world.plans);
        self.woken = std::mem::take(&mut self.world.woken);
        let mut found = self.woken || !plans.is_empty();
        for at in 0..self.world.signals.len() {
            let (signum, arrivals) = self.world.signals[at];
            if arrivals > 0 {
                found = true;
                self.world.signals[at].1 = 0;
                for uid in self.signalled(signum, arrivals) {
                    self.queue(uid, Ready::SIGNAL);
                }
            }
        }
        let mut reports = self.world.reports();
        found |= !reports.is_empty();
        if let (Sleep::Until(point), false) = (sleep, found) {
            self.world.now = self.world.now.max(point.as_nanos());
        }
        for plan in &plans {
            self.world.report_more(*plan, &mut reports);
        }
        for (registration, ready) in reports {
            self.report(registration, ready);
        }
        for plan in plans {
            match plan {
                call::World::Fail(fd) => self.fail(fd),
                call::World::ReportFd(fd, ready) => self.report_fd(fd, ready),
                call::World::Rebuild => self.rebuild = !self.rebuild_is_postponed,
                _ => {}
            }
        }
        Ok(())
    }

    /// Counts a stale report. If they continue, the backend is rebuilt.
    pub(super) fn count_stale(&mut self) {
        self.tally.stale += 1;
        self.stale += 1;
        self.rebuild |= self.stale >= 16 && !self.rebuild_is_postponed;
    }

    fn begin_turn(&mut self) {
        self.tally.turns += 1;
        self.queue_watchers(Kind::Check);
        if self.woken {
            self.queue_watchers(Kind::Wake);
        }
        self.turn = Quota {
            number: self.turn.number,
            is_open: true,
            left: self.hand_out_bound(),
            bounded_from: self.limits.from_priority,
            until: self.limits.interval.map(|interval| self.fresh_now().saturating_add(nanos(interval).max(1))),
            ..Quota::default()
        };
    }

    fn hand_out_bound(&self) -> u32 {
        self.limits.hand_outs.map_or(u32::MAX, std::num::NonZeroU32::get)
    }

    fn busy_levels(&self) -> Vec<u8> {
        (0u8..).zip(&self.levels).filter(|(_, queue)| !queue.is_empty()).map(|(level, _)| level).collect()
    }

    /// The priority to hand out: the most urgent one that has no limit, or has not used its share.
    fn choose_level(&mut self) -> Option<u8> {
        let busy = self.busy_levels();
        let turn = &mut self.turn;
        if let Some(first) = busy.iter().find(|level| **level < turn.bounded_from) {
            return Some(*first);
        }
        if let (Some(share), true) = (turn.share, turn.left <= turn.kept) {
            turn.closed = share + 1;
        }
        let level = busy.iter().copied().find(|level| *level >= turn.closed)?;
        if turn.left == 0 {
            return None;
        }
        if turn.share.is_none_or(|share| level > share) {
            if turn.share.is_some() && self.fairness == Fairness::Strict {
                return None;
            }
            let behind = busy.iter().filter(|other| **other > level).count() as u32;
            turn.share = Some(level);
            turn.kept = match self.fairness {
                Fairness::Fair if behind > 0 => behind.max(turn.left / 4).min(turn.left - 1),
                _ => 0,
            };
        }
        Some(level)
    }

    fn take_next(&mut self) -> Option<Uid> {
        if self.turn.any && self.turn.until.is_some_and(|until| self.fresh_now() >= until) {
            self.turn.left = 0;
        }
        let level = self.choose_level()?;
        if level >= self.turn.bounded_from {
            self.turn.left -= 1;
            self.turn.any = true;
        }
        Some(self.levels[usize::from(level)].remove(0))
    }

    fn remove_spent(&mut self) {
        if std::mem::take(&mut self.spent) {
            if let Some(uid) = self.running.filter(|uid| self.events[*uid].exists) {
                self.remove(uid);
            }
        }
    }

    pub(super) fn next(&mut self) -> Option<Handed> {
        self.remove_spent();
        let next = self.take();
        if next.is_none() {
            self.end_hand_outs();
        }
        let uid = next?;
        self.tally.handed_out += 1;
        self.events[uid].handed_out_in = self.turn.number;
        let ready = self.events[uid].ready;
        let (ready, count) = self.hand_out(uid, ready);
        self.running = Some(uid);
        Some(Handed { uid, ready, count })
    }

    /// `None` if it would take more than `turns` turns.
    pub(crate) fn next_event(&mut self, wait: Wait, turns: u32) -> Option<Outcome> {
        if let Some(handed) = self.next() {
            return Some(Outcome::Event(Some(handed), None));
        }
        let wait = self.absolute(wait);
        for _ in 0..turns {
            let turn = match self.poll(wait) {
                Ok(Turn::Ended(end)) => return Some(Outcome::Event(None, Some(end))),
                Ok(turn) => turn,
                Err(error) => return Some(Outcome::Failed(error)),
            };
            if let Some(handed) = self.next() {
                return Some(Outcome::Event(Some(handed), None));
            }
            let is_over = match wait {
                Wait::None => true,
                Wait::Until(point) => point.as_nanos() <= self.fresh_now(),
                Wait::For(_) | Wait::Forever => false,
            };
            if is_over && turn == Turn::Running && !self.end_is_asked_for() {
                return Some(Outcome::Event(None, None));
            }
        }
        None
    }

    /// Converts to a point in time, starting now.
    fn absolute(&self, wait: Wait) -> Wait {
        match wait {
            Wait::For(time) => Wait::Until(Instant::from_nanos(self.fresh_now().saturating_add(nanos(time)))),
            wait => wait,
        }
    }

    fn take(&mut self) -> Option<Uid> {
        if self.broken || self.continued {
            return None;
        }
        match () {
            () if !self.turn.is_open => None,
            () if !self.front.is_empty() => Some(self.front.remove(0)),
            () if self.preparing => None,
            () => self.take_next(),
        }
    }

    /// Ends the hand-outs; the timeouts of the events handed out start now.
    fn end_hand_outs(&mut self) {
        self.running = None;
        self.restart_timeouts();
    }

    /// Updates an event to the state that its handler sees. Returns how many occurrences the hand-out covers.
    fn hand_out(&mut self, uid: Uid, mut ready: Ready) -> (Ready, u32) {
        let arrivals = std::mem::take(&mut self.events[uid].arrivals);
        let mut count = arrivals.max(1);
        self.spent = self.events[uid].spec.once;
        if !self.events[uid].spec.persist {
            let late = self.disarm(uid);
            if late > 0 {
                ready |= Ready::SIGNAL;
                count = arrivals + late;
            }
        } else if self.events[uid].timed {
            if ready.contains(Ready::TIMEOUT) && !self.is_armed(uid) {
                let periods = self.next_period(uid);
                if !ready.contains(Ready::SIGNAL) {
                    count = periods;
                }
            } else {
                self.restart_later(uid);
            }
        }
        (ready, count)
    }
}

fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
