//! How entries move in the heap.

use super::{ARITY, ARITY_SHIFT, Entry, Timer, Timers};
use crate::storage::{Index, Storage, Table};

impl<S: Storage> Timers<S> {
    /// Closes the gap of a removed entry.
    #[inline(never)]
    pub(super) fn take_out(&mut self, at: usize) {
        let Some(last) = self.heap.pop() else { return };
        if at < self.heap.len() {
            self.replace(at, last);
        }
    }

    /// Puts `entry` at `at`, below, or above. The gap moves down to a leaf and the entry up from there: it almost
    /// always belongs deep down, so comparing it at each level would be wasted.
    #[inline(never)]
    pub(super) fn replace(&mut self, mut at: usize, entry: Entry<S::Index>) {
        let (heap, timers) = (self.heap.as_mut_slice(), self.timers.as_mut_slice());
        while let Some((child, least)) = Self::least(heap, (at << ARITY_SHIFT).wrapping_add(1)) {
            Self::put(heap, timers, at, least);
            at = child;
        }
        self.sift_up(at, entry);
    }

    /// Puts the entry of `at`, which is not later than before, there or above.
    #[inline]
    pub(super) fn put_earlier(&mut self, at: usize, entry: Entry<S::Index>) {
        if let Some(place) = self.heap.as_mut_slice().get_mut(at) {
            *place = entry;
        }
        self.rise(at, entry);
    }

    /// Moves the entry of `at` up if it belongs there. Mostly it does not.
    #[inline]
    pub(super) fn rise(&mut self, at: usize, entry: Entry<S::Index>) {
        // The top has no parent: this is beyond the end.
        let parent = at.wrapping_sub(1) >> ARITY_SHIFT;
        if self.heap.as_slice().get(parent).is_some_and(|above| entry.before(above)) {
            self.sift_up(at, entry);
        }
    }

    /// Puts `entry` at `at` or above.
    #[inline(never)]
    pub(super) fn sift_up(&mut self, mut at: usize, entry: Entry<S::Index>) {
        let (heap, timers) = (self.heap.as_mut_slice(), self.timers.as_mut_slice());
        while at > 0 {
            let parent = at.wrapping_sub(1) >> ARITY_SHIFT;
            let Some(&above) = heap.get(parent) else { break };
            if !entry.before(&above) {
                break;
            }
            Self::put(heap, timers, at, above);
            at = parent;
        }
        Self::put(heap, timers, at, entry);
    }

    /// The earliest of the children from `first` on.
    #[inline]
    fn least(heap: &[Entry<S::Index>], first: usize) -> Option<(usize, Entry<S::Index>)> {
        let children = heap.get(first..)?;
        if let Some(four) = children.first_chunk::<ARITY>() {
            // Computed without branches: which child is earliest cannot be predicted.
            let [a, b, c, d] = four;
            let left = usize::from(b.before(a));
            let right = usize::from(d.before(c)) | 2;
            let (x, y) = (four.get(left)?, four.get(right)?);
            let place = if y.before(x) { right } else { left };
            return Some((first.wrapping_add(place), *four.get(place)?));
        }
        let (least, others) = children.split_first()?;
        let (mut at, mut least, mut place) = (first, *least, first);
        for child in others {
            place = place.wrapping_add(1);
            if child.before(&least) {
                (at, least) = (place, *child);
            }
        }
        Some((at, least))
    }

    #[inline]
    fn put(heap: &mut [Entry<S::Index>], timers: &mut [Timer<S>], at: usize, entry: Entry<S::Index>) {
        #[cfg(test)]
        crate::steps::count(|steps| &steps.levels);
        // Field by field: small parts would call a copy routine.
        if let Some(place) = heap.get_mut(at) {
            (place.key, place.rest) = (entry.key, entry.rest);
        }
        if let Some(timer) = timers.get_mut(entry.event().get()) {
            timer.at = Index::new(at);
        }
    }
}
