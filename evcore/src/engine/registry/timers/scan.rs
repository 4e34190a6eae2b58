//! Few timers: scanned, without a heap.

use super::{Expired, Timer, Timers};
use crate::storage::{Index, Storage, Table};
use crate::time::Instant;

impl<S: Storage> Timer<S> {
    #[inline]
    fn is_before(&self, other: &Self) -> bool {
        self.entry(Index::NIL).before(&other.entry(Index::NIL))
    }
}

/// Here `at` only says whether a timer is armed, and `first` is a lower bound of the earliest deadline, so that finding
/// nothing due takes no scan.
impl<S: Storage> Timers<S> {
    /// A time not later than the earliest deadline; the maximum if no timer is armed.
    #[inline]
    fn bound(&self) -> u64 {
        !self.first
    }

    fn set_bound(&mut self, bound: u64) {
        self.first = !bound;
    }

    /// Arms a timer that has got a deadline.
    pub(super) fn arm_scanned(&mut self, index: S::Index, deadline: u64) {
        let seq = self.take_seqs(1);
        if self.timers.len() <= index.get() {
            self.fill_scanned(index);
        }
        let Some(timer) = self.timers.at_mut(index) else { return };
        (timer.deadline, timer.seq, timer.at) = (deadline, seq, Index::FIRST);
        self.set_bound(self.bound().min(deadline));
    }

    /// Out of line: a repeating timer has its place.
    #[inline(never)]
    pub(super) fn fill_scanned(&mut self, index: S::Index) {
        self.fill(index);
    }

    #[inline]
    pub(super) fn cancel_scanned(&mut self, index: S::Index) {
        if let Some(timer) = self.timers.at_mut(index) {
            timer.at = Index::NIL;
        }
    }

    /// `None` even with timers, if no deadline expires.
    #[inline]
    pub(super) fn next_scanned(&self) -> Option<Instant> {
        Some(Instant::from_nanos(self.bound())).filter(|bound| *bound < Instant::MAX)
    }

    pub(super) fn next_armed_scanned(&self) -> Option<Instant> {
        let (first, _) = self.earliest();
        Some(Instant::from_nanos(self.timers.as_slice().get(first)?.deadline))
    }

    /// The index of the earliest timer, beyond the table if there is none, and a bound of the others. Of equal
    /// deadlines, the one armed first.
    // No iterator adapters: some divide to count what is left of a slice, and small parts have no division.
    #[inline(never)]
    fn earliest(&self) -> (usize, u64) {
        let (mut at, mut first, mut second) = (usize::MAX, None::<&Timer<S>>, u64::MAX);
        let mut place = 0usize;
        for timer in self.timers.as_slice() {
            if timer.has_entry() {
                let is_first = first.is_none_or(|before| timer.is_before(before));
                let later = if is_first { first.replace(timer) } else { Some(timer) };
                second = later.map_or(second, |later| second.min(later.deadline));
                if is_first {
                    at = place;
                }
            }
            place = place.wrapping_add(1);
        }
        (at, second)
    }

    /// For a wait: makes the bound exact.
    pub(super) fn settle_scanned(&mut self) -> Option<Instant> {
        let first = self.next_armed_scanned();
        self.set_bound(first.unwrap_or(Instant::MAX).as_nanos());
        first
    }

    /// Disarms the earliest timer if it is due at `now`.
    pub(super) fn expire_scanned(&mut self, now: Instant) -> Expired<S::Index> {
        if self.bound() > now.as_nanos() {
            return Expired::None;
        }
        let (place, second) = self.earliest();
        let Some(timer) = self.timers.as_mut_slice().get_mut(place) else {
            self.first = 0;
            return Expired::None;
        };
        let deadline = timer.deadline;
        if deadline > now.as_nanos() || deadline == u64::MAX {
            self.first = !deadline;
            return Expired::None;
        }
        timer.at = Index::NIL;
        self.first = !second;
        Expired::Due(Index::new(place), Instant::from_nanos(deadline))
    }
}
