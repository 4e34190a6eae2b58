//! How many events a turn hands out, and how priorities share it.

use core::marker::PhantomData;

use crate::limits::{Bounds, Fairness, UNLIMITED};
use crate::storage::{Part, Storage};

/// What is left of this turn.
///
/// The served level has a grant: hand-outs without any check. Whatever affects the order of hand-outs (a break, a more
/// urgent event) revokes the grant, and the next hand-out chooses a level again.
pub(super) struct Budget<S> {
    /// Hand-outs left of the grant.
    grant: u32,
    /// Hand-outs granted in this turn, the present grant included.
    granted: u32,
    /// Hand-outs that the limits still allow, besides the grant.
    left: u32,
    /// The present share ends when this many are left, for less urgent levels.
    kept: u32,
    /// The initial `left`.
    bound: u32,
    level: u8,
    /// One more than the least urgent level of the present share; 0 before the first. More urgent events activated
    /// meanwhile use it too.
    share: u8,
    /// Levels more urgent than this have had their share.
    closed: u8,
    /// Levels more urgent than this have no limit.
    exempt: u8,
    /// The clock is checked before each hand-out.
    is_timed: bool,
    is_exempt: bool,
    fairness: Fairness,
    storage: PhantomData<fn() -> S>,
}

pub(super) trait Levels {
    /// The most urgent level from `from` on with an active event, and whether none after it has one.
    fn first_busy(&self, from: u8) -> Option<(u8, bool)>;
    /// The number of levels after `level` with an active event.
    fn busy_after(&self, level: u8) -> u32;
}

impl<S: Storage> Budget<S> {
    /// With one level and no other limit, a turn is one grant.
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
            fairness: Fairness::Fair,
            storage: PhantomData,
        }
    }

    /// Begins a turn; a level is still to be chosen.
    pub(super) fn open(&mut self, bounds: &Bounds) {
        *self = Self {
            left: bounds.hand_outs(),
            bound: bounds.hand_outs(),
            level: u8::MAX,
            exempt: bounds.from_priority,
            is_timed: bounds.interval.is_some(),
            fairness: self.fairness,
            ..Self::new()
        };
    }

    /// As [`Budget::open`], with one level and no limit but the number of hand-outs: grants as many as are `waiting`. For
    /// what handlers activate meanwhile, a level is chosen.
    pub(super) fn open_only_level(&mut self, bounds: &Bounds, waiting: u32) {
        let bound = bounds.hand_outs();
        let grant = bound.min(waiting);
        let left = bound.wrapping_sub(grant);
        *self = Self { grant, granted: grant, left, bound, share: 1, fairness: self.fairness, ..Self::new() };
    }

    pub(super) fn set_fairness(&mut self, fairness: Fairness) {
        self.fairness = fairness;
    }

    /// The levels have changed. A share without a hand-out is void.
    pub(super) fn change_levels(&mut self) {
        self.reclaim();
        if self.granted == 0 {
            self.share = 0;
        }
    }

    pub(super) fn close(&mut self) -> u32 {
        let handed_out = self.handed_out();
        (self.grant, self.granted) = (0, 0);
        handed_out
    }

    pub(super) fn handed_out(&self) -> u32 {
        self.granted.wrapping_sub(self.grant)
    }

    /// Whether a limited hand-out was made.
    pub(super) fn has_begun(&self) -> bool {
        let grant = if self.is_exempt() { 0 } else { self.grant };
        self.bound > self.left.saturating_add(grant)
    }

    pub(super) fn is_timed(&self) -> bool {
        S::Limits::IS_KEPT && self.is_timed
    }

    fn is_exempt(&self) -> bool {
        S::Limits::IS_KEPT && self.is_exempt
    }

    pub(super) fn reclaim(&mut self) {
        if self.is_exempt() {
            self.is_exempt = false;
        } else {
            self.left = self.left.wrapping_add(self.grant);
        }
        self.granted = self.handed_out();
        self.grant = 0;
    }

    /// Leaves no limited hand-out.
    pub(super) fn exhaust(&mut self) {
        self.left = 0;
    }

    /// Counts a hand-out that needs no grant.
    pub(super) fn count_unlimited(&mut self) {
        self.granted = self.granted.wrapping_add(1);
    }

    /// The served level; none more urgent may still be served in this turn.
    pub(super) fn level(&self) -> u8 {
        self.level
    }

    /// The served level, while the grant lasts.
    #[inline]
    pub(super) fn served(&self) -> Option<u8> {
        if self.grant == 0 { None } else { Some(if S::HAS_LEVELS { self.level } else { 0 }) }
    }

    #[inline]
    pub(super) fn count(&mut self) {
        self.grant = self.grant.wrapping_sub(1);
    }

    /// Chooses the next level and its grant; no grant if the turn is over for now. At most `waiting` events are active.
    pub(super) fn choose(&mut self, levels: &impl Levels, waiting: impl Fn() -> u32) {
        self.reclaim();
        if Self::IS_SIMPLE {
            let left = core::mem::take(&mut self.left);
            return self.grant(left);
        }
        if S::Limits::IS_KEPT && self.exempt > 0 {
            if let Some((level, _)) = levels.first_busy(0).filter(|(level, _)| *level < self.exempt) {
                self.level = level;
                self.is_exempt = true;
                return self.grant(UNLIMITED);
            }
        }
        if self.left <= self.kept {
            self.closed = self.share;
        }
        let Some((level, is_last)) = levels.first_busy(self.closed) else { return };
        if level >= self.share {
            let is_strict = self.fairness == Fairness::Strict;
            if is_strict && self.share > 0 {
                return;
            }
            self.share = level.wrapping_add(1);
            let takes_all = is_last || is_strict;
            self.kept = if takes_all { 0 } else { self.left >> 2 };
            // Else at least one for each level, of which there are no more than events.
            if !takes_all && self.kept < waiting() {
                return self.serve_few(levels, level);
            }
        }
        self.serve(level);
    }

    /// As [`Budget::serve`], if the hand-outs may not do for all levels.
    #[inline(never)]
    fn serve_few(&mut self, levels: &impl Levels, level: u8) {
        self.kept = levels.busy_after(level).max(self.kept).min(self.left.saturating_sub(1));
        self.serve(level);
    }

    /// Grants the level what the others may not keep.
    #[inline]
    fn serve(&mut self, level: u8) {
        self.level = level;
        let share = self.left.wrapping_sub(self.kept);
        let grant = if self.is_timed() { share.min(1) } else { share };
        self.left = self.left.wrapping_sub(grant);
        self.grant(grant);
    }

    #[inline]
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

    struct Waiting([u32; 4]);

    impl Levels for Waiting {
        fn first_busy(&self, from: u8) -> Option<(u8, bool)> {
            let level = (from..4).find(|level| self.0[usize::from(*level)] > 0)?;
            Some((level, self.busy_after(level) == 0))
        }
        fn busy_after(&self, level: u8) -> u32 {
            self.0.iter().skip(usize::from(level) + 1).filter(|n| **n > 0).count().try_into().unwrap()
        }
    }

    fn serve(mut waiting: Waiting, fairness: Fairness, limits: &Limits) -> [u32; 4] {
        let (mut budget, mut served) = (Budget::<Fixed<4>>::new(), [0; 4]);
        budget.set_fairness(fairness);
        budget.open(&(*limits).into());
        loop {
            budget.choose(&waiting, || waiting.0.iter().sum());
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
        budget.choose(&waiting, || 18);
        budget.count();
        assert_eq!((budget.served(), budget.has_begun(), budget.handed_out()), (None, true, 1));
        budget.exhaust();
        budget.choose(&waiting, || 18);
        assert_eq!(budget.served(), None);
        assert_eq!((budget.handed_out(), budget.close(), budget.handed_out()), (1, 1, 0));
    }
}
