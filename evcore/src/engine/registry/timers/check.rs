//! Verifies the heap.

use super::{ARITY_SHIFT, Timers};
use crate::storage::{Index, Storage, Table};
use crate::time::Instant;

impl<S: Storage> Timers<S> {
    /// Walks the heap; returns whether it is one and agrees with the timers.
    pub(in crate::engine::registry) fn check(&self) -> bool {
        if S::IS_SCANNED {
            let first = self.next_armed().unwrap_or(Instant::MAX);
            return self.heap.len() == 0 && self.next().unwrap_or(Instant::MAX) <= first;
        }
        let heap = self.heap.as_slice();
        let ordered =
            heap.iter().enumerate().skip(1).all(|(at, entry)| {
                heap.get(at.wrapping_sub(1) >> ARITY_SHIFT).is_some_and(|parent| !entry.before(parent))
            });
        let placed = heap.iter().enumerate().all(|(at, entry)| {
            self.timers.at(entry.event).is_some_and(|timer| timer.at.get() == at && timer.deadline >= entry.key)
        });
        let entries = self.timers.as_slice().iter().filter(|timer| !timer.at.is_nil()).count();
        ordered && placed && entries == heap.len() && self.cancelled_agree()
    }

    /// Each cancelled timer has an entry and its index in the list; at most half of the entries are theirs.
    fn cancelled_agree(&self) -> bool {
        let listed = self.cancelled.as_slice();
        let placed = (0u32..).zip(listed).all(|(place, index)| {
            let timer = self.timers.at(*index);
            timer.is_some_and(|timer| timer.interval.is_cancelled() && !timer.at.is_nil() && timer.seq == place)
        });
        let cancelled = self.timers.as_slice().iter().filter(|timer| timer.interval.is_cancelled()).count();
        placed && cancelled == listed.len() && cancelled <= self.heap.len() >> 1
    }
}
