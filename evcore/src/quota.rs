//! What a turn of the loop may do: how much, and how the priorities share it.

use core::num::{NonZeroU32, NonZeroU64};
use core::time::Duration;

use crate::time::nanos;

/// How much one turn of the loop may do, before timers and readiness are looked at again
/// (`event_config_set_max_dispatch_interval`).
///
/// ```
/// use core::num::NonZeroU32;
/// use evcore::Limits;
///
/// let limits = Limits { hand_outs: NonZeroU32::new(16), ..Limits::DEFAULT };
/// # let _ = limits;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limits {
    /// How many events are handed out in a turn, at most; 1,024 when `None`.
    pub hand_outs: Option<NonZeroU32>,
    /// How many timers are moved to the active queues in a turn, at most; 1,024 when `None`. As many entries of timers
    /// that have been pushed back are put right in a turn, and one more at most.
    pub timers: Option<NonZeroU32>,
    /// For how long events are handed out in a turn, a nanosecond at least. Looked at after each hand-out, which costs a
    /// read of the clock.
    pub interval: Option<Duration>,
    /// More urgent levels than this one are exempt from `hand_outs` and `interval`.
    pub from_priority: u8,
}

impl Limits {
    /// What a base begins with: 1,024 hand-outs, 1,024 timers, no limit in time, no level exempt.
    pub const DEFAULT: Self = Self { hand_outs: None, timers: None, interval: None, from_priority: 0 };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// `Limits` as a base keeps them: all zeros for the defaults, which the `Duration` in an `Option` is not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    hand_outs: Option<NonZeroU32>,
    timers: Option<NonZeroU32>,
    /// In nanoseconds.
    pub(crate) interval: Option<NonZeroU64>,
    pub(crate) from_priority: u8,
}

impl Bounds {
    pub(crate) const DEFAULT: Self = Self { hand_outs: None, timers: None, interval: None, from_priority: 0 };

    pub(crate) fn hand_outs(&self) -> u32 {
        self.hand_outs.map_or(1_024, NonZeroU32::get)
    }

    pub(crate) fn timers(&self) -> u32 {
        self.timers.map_or(1_024, NonZeroU32::get)
    }
}

impl From<Limits> for Bounds {
    fn from(limits: Limits) -> Self {
        let interval = limits.interval.map(|interval| NonZeroU64::new(nanos(interval)).unwrap_or(NonZeroU64::MIN));
        Self { hand_outs: limits.hand_outs, timers: limits.timers, interval, from_priority: limits.from_priority }
    }
}

/// How levels share a turn.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Fairness {
    /// All levels are served in each turn, the most urgent first. Where a level has more than its share of the turn's
    /// hand-outs, a quarter is kept for less urgent ones, and every level at which an event waits gets one at least.
    #[default]
    Fair,
    /// One level a turn, as in libevent: less urgent events wait until nothing more urgent was found.
    Strict,
}

/// What is left of the present turn.
#[derive(Debug)]
pub(crate) struct Quota {
    /// Counts turns; an event remembers the one it was handed out in.
    pub(crate) number: u32,
    /// Hand-outs left in this turn.
    pub(crate) left: u32,
    /// Hand-outs left that come straight from the backend's buffer; then `left` is of no account.
    pub(crate) direct: u32,
    /// The backend's buffer may hold reports.
    pub(crate) is_direct: bool,
    /// The present share ends when only so many are left.
    stop: u32,
    /// The level that is served.
    pub(crate) level: u8,
    /// The least urgent level that the present share is for. More urgent events that are activated meanwhile use it too.
    share: Option<u8>,
    /// Levels before this one have had their share.
    closed: u8,
    /// Levels before this one have no limit in this turn.
    exempt: u8,
    /// While a level without limit is served: what `left` and `stop` are afterwards.
    after_exempt: Option<(u32, u32)>,
    /// What `left` was in the beginning; 0 when there is no turn.
    given: u32,
    /// What was handed out without limit.
    unlimited: u32,
}

/// What the levels look like, to the turn that chooses one.
pub(crate) trait Levels {
    /// The most urgent level, from `from` on, at which an event waits.
    fn first(&self, from: u8) -> Option<u8>;
    /// At how many levels after `level` an event waits.
    fn busy_after(&self, level: u8) -> u32;
}

impl Quota {
    pub(crate) const fn new() -> Self {
        Self {
            number: 0,
            left: 0,
            direct: 0,
            is_direct: false,
            stop: 0,
            level: 0,
            share: None,
            closed: 0,
            exempt: 0,
            after_exempt: None,
            given: 0,
            unlimited: 0,
        }
    }

    /// A new turn begins.
    pub(crate) fn begin(&mut self, limits: &Bounds) {
        self.left = limits.hand_outs();
        self.given = self.left;
        self.exempt = limits.from_priority;
        // No level is served before one has been chosen.
        (self.stop, self.level) = (u32::MAX, u8::MAX);
        (self.closed, self.share, self.after_exempt, self.unlimited) = (0, None, None, 0);
    }

    /// The turn is over. Says how many events it has handed out.
    pub(crate) fn end(&mut self) -> u32 {
        let handed_out = self.handed_out();
        (self.left, self.stop, self.given, self.unlimited, self.after_exempt) = (0, 0, 0, 0, None);
        handed_out
    }

    /// Whether there is a turn.
    pub(crate) fn is_open(&self) -> bool {
        self.given > 0
    }

    /// No limited hand-out is left.
    pub(crate) fn exhaust(&mut self) {
        let left = self.after_exempt.as_mut().map_or(&mut self.left, |(left, _)| left);
        // `given` less `left` is what was handed out, and stays so; but the turn stays open.
        self.unlimited = self.unlimited.wrapping_sub(*left);
        *left = 0;
    }

    /// Counts a hand-out that no limit applies to.
    pub(crate) fn count_unlimited(&mut self) {
        self.unlimited = self.unlimited.wrapping_add(1);
    }

    /// How many events this turn has handed out.
    pub(crate) fn handed_out(&self) -> u32 {
        let (left, unlimited) = match self.after_exempt {
            Some((left, _)) => (left, u32::MAX.wrapping_sub(self.left)),
            None if self.is_direct => (self.direct, 0),
            None => (self.left, 0),
        };
        self.given.wrapping_sub(left).wrapping_add(self.unlimited).wrapping_add(unlimited)
    }

    /// Whether a hand-out that the limits apply to has been made.
    pub(crate) fn has_begun(&self) -> bool {
        let left = self.after_exempt.map_or(self.left, |(left, _)| left);
        self.given > left
    }

    /// From here on events are handed out straight from the backend's buffer.
    pub(crate) fn begin_direct(&mut self) {
        self.direct = self.left;
    }

    /// From here on they come from the queues. Says how many have been handed out.
    pub(crate) fn end_direct(&mut self) -> u32 {
        self.left = self.direct;
        (self.direct, self.is_direct) = (0, false);
        self.given.wrapping_sub(self.left)
    }

    /// Whether the level that is served may go on.
    #[inline]
    pub(crate) fn goes_on(&self) -> bool {
        self.left > self.stop
    }

    /// The level that is served has no more events, or the share is used up: moves on to the next. `false`: the turn is
    /// over, for the time being.
    pub(crate) fn next_level(&mut self, levels: &impl Levels, fairness: Fairness) -> bool {
        self.end_exemption();
        if !self.is_open() {
            return false;
        }
        if let Some(level) = levels.first(0).filter(|level| *level < self.exempt) {
            return self.serve_exempt(level);
        }
        if let (true, Some(share)) = (self.left <= self.stop, self.share) {
            self.closed = share.saturating_add(1);
        }
        let Some(level) = levels.first(self.closed) else { return false };
        if self.left == 0 || (fairness == Fairness::Strict && self.share.is_some_and(|share| level > share)) {
            return false;
        }
        self.level = level;
        if self.share.is_none_or(|share| level > share) {
            self.share = Some(level);
            let behind = if fairness == Fairness::Fair { levels.busy_after(level) } else { 0 };
            let kept = behind.max(self.left >> 2).min(self.left.wrapping_sub(1));
            self.stop = if behind == 0 { 0 } else { kept };
        }
        true
    }

    /// An event has been activated at this level by a handler: a more urgent one comes next.
    pub(crate) fn raise(&mut self, level: u8) {
        if !self.is_open() || level >= self.level {
            return;
        }
        if level < self.exempt {
            self.serve_exempt(level);
        } else if level >= self.closed && self.after_exempt.is_none() {
            self.level = level;
        }
    }

    fn serve_exempt(&mut self, level: u8) -> bool {
        if self.after_exempt.is_none() {
            self.after_exempt = Some((self.left, self.stop));
            (self.left, self.stop) = (u32::MAX, 0);
        }
        self.level = level;
        true
    }

    fn end_exemption(&mut self) {
        if let Some((left, stop)) = self.after_exempt.take() {
            self.unlimited = self.unlimited.wrapping_add(u32::MAX.wrapping_sub(self.left));
            (self.left, self.stop) = (left, stop);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many events wait at each level.
    struct Waiting([u32; 4]);

    impl Levels for Waiting {
        fn first(&self, from: u8) -> Option<u8> {
            (from..4).find(|level| self.0[usize::from(*level)] > 0)
        }
        fn busy_after(&self, level: u8) -> u32 {
            self.0.iter().skip(usize::from(level) + 1).filter(|n| **n > 0).count().try_into().unwrap()
        }
    }

    /// How many of each level a turn hands out.
    fn serve(mut waiting: Waiting, fairness: Fairness, limits: &Limits) -> [u32; 4] {
        let (mut quota, mut served) = (Quota::new(), [0; 4]);
        quota.begin(&(*limits).into());
        while quota.next_level(&waiting, fairness) {
            let level = usize::from(quota.level);
            while quota.goes_on() && waiting.0[level] > 0 {
                waiting.0[level] -= 1;
                quota.left -= 1;
                served[level] += 1;
            }
        }
        served
    }

    fn limits(hand_outs: u32) -> Limits {
        Limits { hand_outs: NonZeroU32::new(hand_outs), ..Limits::DEFAULT }
    }

    #[test]
    fn a_fair_turn_keeps_something_for_every_level() {
        let flood = Waiting([10_000; 4]);
        assert_eq!(serve(flood, Fairness::Fair, &limits(1_024)), [768, 192, 48, 16]);
        assert_eq!(serve(Waiting([10_000; 4]), Fairness::Fair, &limits(4)), [1, 1, 1, 1]);
        assert_eq!(serve(Waiting([10_000, 0, 0, 3]), Fairness::Fair, &limits(16)), [12, 0, 0, 3]);
    }

    #[test]
    fn a_turn_of_one_hand_out_is_one_hand_out() {
        assert_eq!(serve(Waiting([5, 5, 0, 0]), Fairness::Fair, &limits(1)), [1, 0, 0, 0]);
    }

    #[test]
    fn a_strict_turn_serves_one_level() {
        assert_eq!(serve(Waiting([0, 3, 9, 9]), Fairness::Strict, &limits(1_024)), [0, 3, 0, 0]);
    }

    #[test]
    fn exempt_levels_do_not_count() {
        let limits = Limits { from_priority: 1, ..limits(2) };
        assert_eq!(serve(Waiting([100, 9, 9, 0]), Fairness::Fair, &limits), [100, 1, 1, 0]);
    }
}
