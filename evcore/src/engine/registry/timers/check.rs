//! Verifies the heap.

use super::{ARITY_SHIFT, Timers};
use crate::storage::{Index, Storage, Table};
use crate::time::Instant;

impl<S: Storage> Timers<S> {
    /// How many events there is room for.
    pub(in crate::engine::registry) fn room(&self) -> usize {
        let timers = self.timers.room();
        if S::IS_SCANNED {
            return timers;
        }
        let intervals = if S::Intervals::CAPACITY > 0 { self.intervals.room() } else { timers };
        let cancelled = self.cancelled.room().saturating_mul(2).saturating_sub(1);
        timers.min(intervals).min(cancelled).min(self.heap.room())
    }

    /// Walks the heap; returns whether it is one and agrees with the timers.
    pub(in crate::engine::registry) fn check(&self, is_live: impl Fn(S::Index) -> bool) -> bool {
        if S::IS_SCANNED {
            let first = self.next_armed_scanned().unwrap_or(Instant::MAX);
            return self.heap.len() == 0 && self.next().unwrap_or(Instant::MAX) <= first;
        }
        let heap = self.heap.as_slice();
        let ordered =
            heap.iter().enumerate().skip(1).all(|(at, entry)| {
                heap.get(at.wrapping_sub(1) >> ARITY_SHIFT).is_some_and(|parent| !entry.before(parent))
            });
        let placed = heap.iter().enumerate().all(|(at, entry)| {
            self.timers.at(entry.event()).is_some_and(|timer| timer.at.get() == at && timer.deadline >= entry.key)
        });
        let entries = self.timers.as_slice().iter().filter(|timer| !timer.at.is_nil()).count();
        ordered && placed && entries == heap.len() && self.cancelled_agree(is_live)
    }

    /// Each entry of a cancelled timer is listed, and at most half are.
    fn cancelled_agree(&self, is_live: impl Fn(S::Index) -> bool) -> bool {
        let (heap, listed) = (self.heap.as_slice(), self.cancelled.as_slice());
        let mut dead = heap.iter().map(|entry| entry.event()).filter(|event| !is_live(*event));
        let count = dead.clone().count();
        dead.all(|event| listed.contains(&event))
            && usize::try_from(self.dead) == Ok(count)
            && listed.len() <= heap.len() >> 1
            && (count > 0 || listed.is_empty())
    }
}
