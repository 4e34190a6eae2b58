//! The timer heap: deadlines, in a 4-ary heap.

use crate::storage::{Full, Index, Storage, Table};
use crate::time::Instant;

/// A 4-ary heap with its keys inline, first in first out among equal deadlines, and lazy towards the future: a deadline
/// that moves later is written down beside the event and the heap is left alone, until the entry comes to the top, or is
/// looked at in passing, and is put right. So the timeout that each read of a busy connection pushes back costs a store.
///
/// ```text
///   heap     [ (key, seq, event) … ]     key ≤ the event's deadline; equal when the entry is right
///   timers   [ deadline, interval, seq, place in the heap ]      one for each event
/// ```
pub(super) struct Timers<S: Storage> {
    heap: S::Table<Entry<S::Index>>,
    timers: S::Table<Timer<S::Index>>,
    seq: u32,
    /// The event whose entry is looked at next in passing.
    swept: usize,
    /// The last event whose timeout restarts when the turn ends; the others follow.
    listed: S::Index,
}

#[derive(Clone, Copy)]
struct Entry<I> {
    key: u64,
    seq: u32,
    event: I,
}

impl<I> Entry<I> {
    /// Whether it comes first. Sequence numbers wrap, so they are compared by distance; only those of equal deadlines
    /// matter, and these were armed within two thousand million of each other.
    #[inline]
    fn before(&self, other: &Self) -> bool {
        #[cfg(test)]
        crate::steps::count(|steps| &steps.comparisons);
        let is_earlier = self.seq.wrapping_sub(other.seq) > u32::MAX >> 1;
        (self.key < other.key) | ((self.key == other.key) & is_earlier)
    }
}

struct Timer<I> {
    deadline: u64,
    interval: u64,
    seq: u32,
    /// Where its entry is; NIL when it is not armed.
    at: I,
    /// The next event of those whose timeout restarts: itself in the first one, NIL where it is not among them.
    next_listed: I,
}

const ARITY_SHIFT: u32 = 2;
const ARITY: usize = 1 << ARITY_SHIFT;

/// So many further entries are looked at when one was out of date.
const SWEEP: usize = 16;

/// What [`Timers::expire`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::engine) enum Expired<I> {
    /// This event was due then; it is not armed any more.
    Due(I, Instant),
    /// Nothing is due.
    None,
    /// The bound on corrections was reached, look again.
    Unfinished,
}

impl<S: Storage> Timers<S> {
    pub(super) const fn new() -> Self {
        Self { heap: S::Table::EMPTY, timers: S::Table::EMPTY, seq: 0, swept: 0, listed: Index::FIRST }
    }

    pub(super) fn reserve(&mut self) -> Result<(), Full> {
        let wanted = self.timers.len().saturating_add(1);
        self.timers.reserve(1)?;
        self.heap.reserve(wanted.saturating_sub(self.heap.len()))
    }

    /// The event begins to exist. The place of one that was there before is disarmed, and as good as new.
    pub(super) fn create(&mut self, index: S::Index) {
        if self.timers.at(index).is_none() {
            self.timers.push(Timer { deadline: 0, interval: 0, seq: 0, at: Index::NIL, next_listed: Index::NIL });
        }
    }

    /// How many timers are armed.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(super) fn is_armed(&self, index: S::Index) -> bool {
        self.timers.at(index).is_some_and(|timer| !timer.at.is_nil())
    }

    /// When the event is due, or was due last.
    #[inline]
    pub(super) fn deadline(&self, index: S::Index) -> Instant {
        Instant::from_nanos(self.timers.at(index).map_or(0, |timer| timer.deadline))
    }

    /// The timeout that the event was given, in nanoseconds.
    #[inline]
    pub(super) fn interval(&self, index: S::Index) -> u64 {
        self.timers.at(index).map_or(0, |timer| timer.interval)
    }

    /// Arms the event's timer with a timeout, or moves it. O(1) when the deadline moves later, O(log n) otherwise.
    pub(super) fn set(&mut self, index: S::Index, deadline: Instant, interval: u64) {
        if let Some(timer) = self.timers.at_mut(index) {
            timer.interval = interval;
        }
        self.arm(index, deadline);
    }

    /// As [`Timers::set`], with the interval that the event has.
    pub(super) fn arm(&mut self, index: S::Index, deadline: Instant) {
        let seq = self.take_seqs(1).wrapping_sub(1);
        self.move_to(index, deadline.as_nanos(), seq);
    }

    /// Arms the event's timer with its own interval from `now`.
    pub(super) fn arm_after(&mut self, index: S::Index, now: Instant) {
        self.arm(index, now.saturating_add_nanos(self.interval(index)));
    }

    /// The first event is created. (Before that all is zeros, for a base in a `static`.)
    pub(super) fn begin(&mut self) {
        self.listed = Index::NIL;
    }

    /// Puts the event into the list of those whose timeout restarts when the turn ends; where its slot is listed already, it
    /// keeps that place.
    #[inline]
    pub(super) fn list(&mut self, index: S::Index) {
        let Some(timer) = self.timers.at_mut(index) else { return };
        if timer.next_listed.is_nil() {
            timer.next_listed = if self.listed.is_nil() { index } else { self.listed };
            self.listed = index;
        }
    }

    #[inline]
    pub(super) fn has_listed(&self) -> bool {
        !self.listed.is_nil()
    }

    /// Takes the last event off that list.
    #[inline]
    pub(super) fn take_listed(&mut self) -> Option<S::Index> {
        let index = self.listed;
        let timer = self.timers.at_mut(index)?;
        let next = core::mem::replace(&mut timer.next_listed, Index::NIL);
        self.listed = if next == index { Index::NIL } else { next };
        Some(index)
    }

    #[cfg(any(test, feature = "check"))]
    pub(super) fn is_listed(&self, index: S::Index) -> bool {
        self.timers.at(index).is_some_and(|timer| !timer.next_listed.is_nil())
    }

    /// Takes `count` places in the order of armings. Answers the one after the last of them.
    pub(super) fn take_seqs(&mut self, count: u32) -> u32 {
        self.seq = self.seq.wrapping_add(count);
        self.seq
    }

    /// Restarts an armed timer at `now`, with a place in the order of armings; it never comes earlier by that.
    #[inline]
    pub(super) fn restart(&mut self, index: S::Index, now: Instant, seq: u32) {
        let Some(timer) = self.timers.at_mut(index) else { return };
        timer.deadline = timer.deadline.max(now.as_nanos().saturating_add(timer.interval));
        timer.seq = seq;
    }

    #[inline(never)]
    fn move_to(&mut self, index: S::Index, deadline: u64, seq: u32) {
        let Some(timer) = self.timers.at_mut(index) else { return };
        (timer.deadline, timer.seq) = (deadline, seq);
        let (at, entry) = (timer.at, Entry { key: deadline, seq, event: index });
        match self.heap.at(at) {
            Some(before) if before.key <= entry.key => {}
            Some(_) => self.sift_up(at.get(), entry),
            None => {
                self.heap.push(entry);
                self.sift_up(self.heap.len().wrapping_sub(1), entry);
            }
        }
    }

    /// Disarms the event's timer. O(log n).
    #[inline]
    pub(super) fn cancel(&mut self, index: S::Index) {
        let Some(timer) = self.timers.at_mut(index) else { return };
        let at = timer.at;
        if at.is_nil() {
            return;
        }
        timer.at = Index::NIL;
        self.take_out(at.get());
    }

    /// The earliest deadline: exact when its entry is right, else a lower bound.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.as_slice().first().map(|entry| Instant::from_nanos(entry.key))
    }

    /// Takes the earliest timer out if it is due at `now`; on the way `corrections` entries are put right, and one more at most.
    pub(super) fn expire(&mut self, now: Instant, corrections: &mut u32) -> Expired<S::Index> {
        loop {
            let Some(&top) = self.heap.as_slice().first() else { return Expired::None };
            if top.key > now.as_nanos() || top.key == u64::MAX {
                return Expired::None;
            }
            if !self.correct(0, top) {
                if let Some(timer) = self.timers.at_mut(top.event) {
                    timer.at = Index::NIL;
                }
                self.take_out(0);
                return Expired::Due(top.event, Instant::from_nanos(top.key));
            }
            match corrections.checked_sub(1) {
                Some(left) => *corrections = left,
                None => return Expired::Unfinished,
            }
            self.sweep(corrections);
        }
    }

    /// Looks at some more entries, those of the next events, all of them in turn, and puts them right: most are far down in the
    /// heap, where it is a store. At the top it would be the way down through the whole heap.
    fn sweep(&mut self, corrections: &mut u32) {
        for _ in 0..SWEEP.min(self.timers.len()) {
            let Some(left) = corrections.checked_sub(1) else { return };
            let place = self.timers.as_slice().get(self.swept).map_or(Index::NIL, |timer| timer.at);
            let is_corrected = self.heap.at(place).copied().is_some_and(|entry| self.correct(place.get(), entry));
            if is_corrected {
                *corrections = left;
            }
            self.swept = self.swept.wrapping_add(1);
            if self.swept >= self.timers.len() {
                self.swept = 0;
            }
        }
    }

    /// Puts an entry right if its event's deadline has moved on since. `false`: it was right.
    fn correct(&mut self, at: usize, entry: Entry<S::Index>) -> bool {
        let Some(timer) = self.timers.at(entry.event) else { return false };
        // Re-armed for the same point: its place among its equals may be a later one.
        if timer.deadline == entry.key && timer.seq == entry.seq {
            return false;
        }
        let right = Entry { key: timer.deadline, seq: timer.seq, event: entry.event };
        self.sift_down(at, right);
        true
    }

    /// Closes the gap that an entry leaves.
    #[inline(never)]
    fn take_out(&mut self, at: usize) {
        let Some(last) = self.heap.pop() else { return };
        let Some(gone) = self.heap.as_slice().get(at) else { return };
        if last.before(gone) { self.sift_up(at, last) } else { self.sift_down(at, last) }
    }

    /// Puts `entry` at `at` or above it.
    #[inline(never)]
    fn sift_up(&mut self, mut at: usize, entry: Entry<S::Index>) {
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

    /// Puts `entry` at `at` or below it.
    fn sift_down(&mut self, mut at: usize, entry: Entry<S::Index>) {
        let (heap, timers) = (self.heap.as_mut_slice(), self.timers.as_mut_slice());
        while let Some((child, least)) = Self::least(heap, (at << ARITY_SHIFT).wrapping_add(1)) {
            if !least.before(&entry) {
                break;
            }
            Self::put(heap, timers, at, least);
            at = child;
        }
        Self::put(heap, timers, at, entry);
    }

    /// The first to come of the children that begin at `first`.
    #[inline]
    fn least(heap: &[Entry<S::Index>], first: usize) -> Option<(usize, Entry<S::Index>)> {
        let children = heap.get(first..)?;
        if let Some(four) = children.first_chunk::<ARITY>() {
            // Places are computed and not branched to: which child is the least cannot be foreseen.
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
    fn put(heap: &mut [Entry<S::Index>], timers: &mut [Timer<S::Index>], at: usize, entry: Entry<S::Index>) {
        #[cfg(test)]
        crate::steps::count(|steps| &steps.levels);
        if let Some(place) = heap.get_mut(at) {
            *place = entry;
        }
        if let Some(timer) = timers.get_mut(entry.event.get()) {
            timer.at = Index::new(at);
        }
    }

    /// Walks the heap. `true` when it is one, and agrees with the timers.
    #[cfg(any(test, feature = "check"))]
    pub(super) fn check(&self) -> bool {
        let heap = self.heap.as_slice();
        let ordered =
            heap.iter().enumerate().skip(1).all(|(at, entry)| {
                heap.get(at.wrapping_sub(1) >> ARITY_SHIFT).is_some_and(|parent| !entry.before(parent))
            });
        let placed = heap.iter().enumerate().all(|(at, entry)| {
            self.timers.at(entry.event).is_some_and(|timer| timer.at.get() == at && timer.deadline >= entry.key)
        });
        let armed = self.timers.as_slice().iter().filter(|timer| !timer.at.is_nil()).count();
        ordered && placed && armed == heap.len()
    }
}

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod tests;
