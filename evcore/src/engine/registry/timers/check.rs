//! Whether the heap is one, and agrees with the timers.

use super::{ARITY_SHIFT, Timers};
use crate::storage::{Index, Storage, Table};

impl<S: Storage> Timers<S> {
    /// Whether each cancelled timer with an entry is in the list, and nobody twice.
    fn cancelled_agree(&self, dead: usize) -> bool {
        let timers = || self.cancelled.as_slice().iter().map(|index| self.timers.at(*index));
        let listed = self.timers.as_slice().iter().filter(|timer| timer.interval.is_listed()).count();
        let cancelled = timers().filter(|timer| timer.is_some_and(|timer| timer.interval.is_cancelled())).count();
        timers().all(|timer| timer.is_some_and(|timer| timer.interval.is_listed()))
            && listed == self.cancelled.len()
            && cancelled == dead
    }

    /// Walks the heap. `true` when it is one, and agrees with the timers.
    pub(in crate::engine::registry) fn check(&self) -> bool {
        let heap = self.heap.as_slice();
        let ordered =
            heap.iter().enumerate().skip(1).all(|(at, entry)| {
                heap.get(at.wrapping_sub(1) >> ARITY_SHIFT).is_some_and(|parent| !entry.before(parent))
            });
        let placed = heap.iter().enumerate().all(|(at, entry)| {
            self.timers.at(entry.event).is_some_and(|timer| timer.at.get() == at && timer.deadline >= entry.key)
        });
        let entries = || self.timers.as_slice().iter().filter(|timer| !timer.at.is_nil());
        let cancelled = entries().filter(|timer| timer.interval.is_cancelled()).count();
        ordered
            && placed
            && entries().count() == heap.len()
            && self.cancelled_agree(cancelled)
            && usize::try_from(self.dead) == Ok(cancelled)
            && cancelled <= heap.len() >> 1
    }
}
