//! How many events a turn hands out, and how the priorities share it.

use core::marker::PhantomData;

use crate::limits::{Bounds, Fairness, UNLIMITED};
use crate::storage::{Part, Storage};

/// What is left of the present turn.
///
/// The level that is served has a grant: a number of hand-outs that need no look at anything else. Whatever concerns the order
/// of the hand-outs (a break, a more urgent event) takes the grant back, and the next hand-out chooses a level again.
pub(super) struct Budget<S> {
    /// Hand-outs left of the grant.
    grant: u32,
    /// Hand-outs granted in this turn so far, what is left of the present grant included.
    granted: u32,
    /// Hand-outs that the limits still allow, besides the grant.
    left: u32,
    /// The present share ends when only this many are left: these are kept for less urgent levels.
    kept: u32,
    /// What `left` was in the beginning.
    bound: u32,
    /// The level that is served.
    level: u8,
    /// One more than the least urgent level that the present share is for; 0 before the first share. More urgent events
    /// that are activated meanwhile use it too.
    share: u8,
    /// More urgent levels than this one have had their share.
    closed: u8,
    /// More urgent levels than this one have no limit in this turn.
    exempt: u8,
    /// Each hand-out is to be preceded by a look at the clock.
    is_timed: bool,
    /// The grant is one without limit.
    is_exempt: bool,
    storage: PhantomData<fn() -> S>,
}

/// What the levels look like, to the turn that chooses one.
pub(super) trait Levels {
    /// The most urgent level, from `from` on, at which an event waits.
    fn first_busy(&self, from: u8) -> Option<u8>;
    /// At how many levels after `level` an event waits.
    fn busy_after(&self, level: u8) -> u32;
}

impl<S: Storage> Budget<S> {
    /// Whether there is one level, and no limit but the number of hand-outs: then a turn is one grant.
    const IS_SIMPLE: bool = !S::HAS_LEVELS && !S::Limits::IS_KEPT;

    pub(super) const fn new() -> Self {
        Self {
            grant: 0,
            granted: 0,
            left: 0,
            kept: 0,
            bound: 0,
            level: 0,
            share: 0,
            closed: 0,
            exempt: 0,
            is_timed: false,
            is_exempt: false,
            storage: PhantomData,
        }
    }

    /// A turn begins; no level is served before one has been chosen.
    pub(super) fn open(&mut self, bounds: &Bounds) {
        *self = Self {
            left: bounds.hand_outs(),
            bound: bounds.hand_outs(),
            level: u8::MAX,
            exempt: bounds.from_priority,
            is_timed: bounds.interval.is_some(),
            ..Self::new()
        };
    }

    /// As [`Budget::open`], where there is one level and no limit but the number of hand-outs: all of them are granted.
    pub(super) fn open_only_level(&mut self, bounds: &Bounds) {
        let bound = bounds.hand_outs();
        *self = Self { grant: bound, granted: bound, bound, share: 1, ..Self::new() };
    }

    /// There are other levels now. A share that nothing was handed out of was nobody's.
    pub(super) fn change_levels(&mut self) {
        self.reclaim();
        if self.granted == 0 {
            self.share = 0;
        }
    }

    /// The turn is over. Answers how many events it has handed out.
    pub(super) fn close(&mut self) -> u32 {
        let handed_out = self.handed_out();
        (self.grant, self.granted) = (0, 0);
        handed_out
    }

    /// How many events this turn has handed out.
    pub(super) fn handed_out(&self) -> u32 {
        self.granted.wrapping_sub(self.grant)
    }

    /// Whether a hand-out that the limits apply to has been made.
    pub(super) fn has_begun(&self) -> bool {
        let grant = if self.is_exempt() { 0 } else { self.grant };
        self.bound > self.left.saturating_add(grant)
    }

    /// Whether this turn is limited in time.
    pub(super) fn is_timed(&self) -> bool {
        S::Limits::IS_KEPT && self.is_timed
    }

    fn is_exempt(&self) -> bool {
        S::Limits::IS_KEPT && self.is_exempt
    }

    /// Takes the grant back.
    pub(super) fn reclaim(&mut self) {
        if !self.is_exempt() {
            self.left = self.left.saturating_add(self.grant);
        }
        self.granted = self.handed_out();
        (self.grant, self.is_exempt) = (0, false);
    }

    /// No limited hand-out is left.
    pub(super) fn exhaust(&mut self) {
        self.left = 0;
    }

    /// Counts a hand-out that needs no grant.
    pub(super) fn count_unlimited(&mut self) {
        self.granted = self.granted.wrapping_add(1);
    }

    /// The level that is served; none that is more urgent may still be served in this turn.
    pub(super) fn level(&self) -> u8 {
        self.level
    }

    /// The level that is served, if the grant goes on.
    #[inline]
    pub(super) fn served(&self) -> Option<u8> {
        if self.grant == 0 { None } else { Some(if S::HAS_LEVELS { self.level } else { 0 }) }
    }

    /// Counts a hand-out.
    #[inline]
    pub(super) fn count(&mut self) {
        self.grant = self.grant.wrapping_sub(1);
    }

    /// Chooses the level whose turn it is, and grants it what it may hand out: nothing, when the turn is over for the time
    /// being. So many events are `waiting`, or fewer.
    pub(super) fn choose(&mut self, levels: &impl Levels, waiting: u32, fairness: Fairness) {
        self.reclaim();
        if Self::IS_SIMPLE {
            let left = core::mem::take(&mut self.left);
            return self.grant(left);
        }
        if S::Limits::IS_KEPT && self.exempt > 0 {
            if let Some(level) = levels.first_busy(0).filter(|level| *level < self.exempt) {
                self.level = level;
                self.is_exempt = true;
                return self.grant(UNLIMITED);
            }
        }
        if self.share > 0 && self.left <= self.kept {
            self.closed = self.share;
        }
        let Some(level) = levels.first_busy(self.closed) else { return };
        if level >= self.share {
            if fairness == Fairness::Strict && self.share > 0 {
                return;
            }
            self.share = level.saturating_add(1);
            self.kept = self.kept_for(levels, level, waiting, fairness);
        }
        self.level = level;
        let share = self.left.saturating_sub(self.kept);
        let grant = if self.is_timed() { share.min(1) } else { share };
        self.left = self.left.saturating_sub(grant);
        self.grant(grant);
    }

    /// How many hand-outs the share of a level leaves to less urgent ones.
    fn kept_for(&self, levels: &impl Levels, level: u8, waiting: u32, fairness: Fairness) -> u32 {
        let is_last = level.checked_add(1).and_then(|next| levels.first_busy(next)).is_none();
        if is_last || fairness == Fairness::Strict {
            return 0;
        }
        let quarter = self.left >> 2;
        if quarter >= waiting {
            // One at least for each level, of which there are no more than events.
            return quarter;
        }
        levels.busy_after(level).max(quarter).min(self.left.saturating_sub(1))
    }

    fn grant(&mut self, hand_outs: u32) {
        self.grant = hand_outs;
        self.granted = self.granted.wrapping_add(hand_outs);
    }
}

#[cfg(test)]
mod tests {
    use core::num::NonZeroU32;

    use super::*;
    use crate::limits::Limits;
    use crate::storage::Fixed;

    /// How many events wait at each level.
    struct Waiting([u32; 4]);

    impl Levels for Waiting {
        fn first_busy(&self, from: u8) -> Option<u8> {
            (from..4).find(|level| self.0[usize::from(*level)] > 0)
        }
        fn busy_after(&self, level: u8) -> u32 {
            self.0.iter().skip(usize::from(level) + 1).filter(|n| **n > 0).count().try_into().unwrap()
        }
    }

    /// How many of each level a turn hands out.
    fn serve(mut waiting: Waiting, fairness: Fairness, limits: &Limits) -> [u32; 4] {
        let (mut budget, mut served) = (Budget::<Fixed<4>>::new(), [0; 4]);
        budget.open(&(*limits).into());
        loop {
            budget.choose(&waiting, waiting.0.iter().sum(), fairness);
            let Some(level) = budget.served().map(usize::from) else { break };
            while budget.served().is_some() && waiting.0[level] > 0 {
                waiting.0[level] -= 1;
                budget.count();
                served[level] += 1;
            }
        }
        assert_eq!(budget.handed_out(), served.iter().sum::<u32>());
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

    #[test]
    fn a_timed_turn_grants_one_at_a_time() {
        let limits = Limits { interval: Some(core::time::Duration::from_secs(1)), ..limits(8) };
        let mut budget = Budget::<Fixed<4>>::new();
        budget.open(&limits.into());
        let waiting = Waiting([9, 9, 0, 0]);
        assert!(!budget.has_begun());
        budget.choose(&waiting, 18, Fairness::Fair);
        budget.count();
        assert_eq!((budget.served(), budget.has_begun(), budget.handed_out()), (None, true, 1));
        budget.exhaust();
        budget.choose(&waiting, 18, Fairness::Fair);
        assert_eq!(budget.served(), None);
        assert_eq!((budget.handed_out(), budget.close(), budget.handed_out()), (1, 1, 0));
    }
}
