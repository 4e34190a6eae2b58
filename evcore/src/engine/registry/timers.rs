//! The timer heap.

use crate::storage::{Full, Index, Storage, Table};
use crate::time::Instant;

use interval::Interval;

/// A lazy 4-ary heap with inline keys, first in first out among equal deadlines. Frequent operations are a store beside
/// the event: a deadline that moves later, a timer that is cancelled. The entry is corrected when it reaches the top or
/// a sweep passes it.
///
/// ```text
///   heap      [ (key, seq, event) … ]                key ≤ the event's deadline; equal when the entry is right
///   timers    [ deadline, interval, seq, place ]     one for each event, as far as any has had a timer
///   cancelled [ event … ]                            whose timers were cancelled and have an entry still
/// ```
///
/// An event has at most one entry; re-arming takes over the one of its slot. At most half of the entries are of
/// cancelled timers.
pub(super) struct Timers<S: Storage> {
    heap: S::Heap<Entry<S::Index>>,
    timers: S::Table<Timer<S>>,
    cancelled: S::Heap<S::Index>,
    seq: u32,
    swept: usize,
    /// With scanned timers: a lower bound of the earliest deadline, inverted.
    first: u64,
}

#[derive(Clone, Copy)]
struct Entry<I> {
    key: u64,
    seq: u32,
    event: I,
}

impl<I> Entry<I> {
    /// Whether it comes first. Equal keys are rare, so the branch is predicted.
    #[inline]
    fn before(&self, other: &Self) -> bool {
        #[cfg(test)]
        crate::steps::count(|steps| &steps.comparisons);
        if self.key == other.key { self.was_armed_before(other) } else { self.key < other.key }
    }

    /// Sequence numbers wrap, so they are compared by distance. Only those of equal deadlines matter, armed within 2^31
    /// of each other.
    #[cold]
    fn was_armed_before(&self, other: &Self) -> bool {
        self.seq.wrapping_sub(other.seq) > u32::MAX >> 1
    }
}

struct Timer<S: Storage> {
    deadline: u64,
    interval: Interval,
    /// Its number in the order of arming; if cancelled, its index in `cancelled`.
    seq: u32,
    /// The index of its entry, or NIL.
    at: S::Index,
}

impl<S: Storage> Timer<S> {
    const NEW: Self = Self { deadline: 0, interval: Interval::ZERO, seq: 0, at: S::Index::NIL };

    #[inline]
    fn is_armed(&self) -> bool {
        !self.at.is_nil() && (S::IS_SCANNED || !self.interval.is_cancelled())
    }

    /// Scanned timers are never marked as cancelled.
    #[inline]
    fn interval(&self) -> u64 {
        if S::IS_SCANNED { self.interval.unmarked() } else { self.interval.nanos() }
    }

    /// The deadline of a timer that restarts at `now`.
    #[inline]
    fn restarted(&self, now: u64) -> u64 {
        now.checked_add(self.interval()).unwrap_or_else(Self::never)
    }

    // A branch that is not taken is cheaper than a choice.
    #[cold]
    const fn never() -> u64 {
        u64::MAX
    }

    #[inline]
    fn entry(&self, event: S::Index) -> Entry<S::Index> {
        Entry { key: self.deadline, seq: self.seq, event }
    }
}

const ARITY_SHIFT: u32 = 2;
const ARITY: usize = 1 << ARITY_SHIFT;

/// Entries swept after a stale one.
const SWEEP: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::engine) enum Expired<I> {
    /// The event and its deadline; it is disarmed.
    Due(I, Instant),
    /// Nothing is due, and the first entry is correct.
    None,
    /// The limit of corrections was reached: call again.
    Unfinished,
}

impl<S: Storage> Timers<S> {
    pub(super) const fn new() -> Self {
        Self { heap: S::Heap::EMPTY, timers: S::Table::EMPTY, cancelled: S::Heap::EMPTY, seq: 0, swept: 0, first: 0 }
    }

    pub(super) fn reserve(&mut self, events: usize) -> Result<(), Full> {
        self.timers.reserve(events.saturating_sub(self.timers.len()))?;
        if S::IS_SCANNED {
            return Ok(());
        }
        self.cancelled.reserve(events.saturating_sub(self.cancelled.len()))?;
        self.heap.reserve(events.saturating_sub(self.heap.len()))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.timers.as_slice().iter().filter(|timer| timer.is_armed()).count()
    }

    #[inline]
    pub(super) fn is_armed(&self, index: S::Index) -> bool {
        self.timers.at(index).is_some_and(Timer::is_armed)
    }

    /// The current or last deadline.
    #[inline]
    pub(super) fn deadline(&self, index: S::Index) -> Instant {
        Instant::from_nanos(self.timers.at(index).map_or(0, |timer| timer.deadline))
    }

    /// The current or last deadline, and the interval in nanoseconds.
    #[inline]
    pub(super) fn period(&self, index: S::Index) -> (Instant, u64) {
        let timer = self.timers.at(index).map(|timer| (timer.deadline, timer.interval())).unwrap_or_default();
        (Instant::from_nanos(timer.0), timer.1)
    }

    #[inline]
    pub(super) fn interval(&self, index: S::Index) -> u64 {
        self.timers.at(index).map_or(0, Timer::interval)
    }

    // Arming.

    /// Arms or moves the event's timer. O(1) when the deadline moves later, else O(log n).
    pub(super) fn set(&mut self, index: S::Index, deadline: Instant, interval: u64) {
        if S::IS_SCANNED {
            self.keep(index, interval);
            return self.arm_scanned(index, deadline.as_nanos());
        }
        let seq = self.take_seqs(1);
        self.fill(index);
        let Some(timer) = self.timers.at_mut(index) else { return };
        // The entry's key is not later than the old deadline.
        let is_later = timer.deadline <= deadline.as_nanos();
        let place = core::mem::replace(&mut timer.seq, seq);
        timer.deadline = deadline.as_nanos();
        let was_cancelled = timer.interval.set(interval);
        let (at, entry) = (timer.at, timer.entry(index));
        if at.is_nil() {
            self.heap.push(entry);
            return self.sift_up(self.heap.len().wrapping_sub(1), entry);
        }
        if was_cancelled {
            self.unlist(place);
        }
        if !is_later && self.heap.at(at).is_some_and(|entry_before| entry_before.key > entry.key) {
            self.sift_up(at.get(), entry);
        }
    }

    /// Stores a created event's timeout. Its slot may still have an entry, of an earlier event.
    pub(super) fn keep(&mut self, index: S::Index, interval: u64) {
        if S::IS_SCANNED {
            self.fill_scanned(index);
        } else {
            self.fill(index);
        }
        if let Some(timer) = self.timers.at_mut(index) {
            if S::IS_SCANNED {
                timer.interval = Interval::of(interval);
            } else {
                timer.interval.replace(interval);
            }
        }
    }

    /// As [`Timers::set`], with the current interval.
    pub(super) fn arm(&mut self, index: S::Index, deadline: Instant) {
        if S::IS_SCANNED {
            return self.arm_scanned(index, deadline.as_nanos());
        }
        self.set(index, deadline, self.interval(index));
    }

    /// Arms the event's timer one interval after `now`.
    pub(super) fn arm_after(&mut self, index: S::Index, now: Instant) {
        self.arm(index, now.saturating_add_nanos(self.interval(index)));
    }

    /// Fills `timers` up to this event, into reserved room.
    #[inline]
    fn fill(&mut self, index: S::Index) {
        while self.timers.len() <= index.get() {
            self.timers.push(Timer::NEW);
        }
    }

    /// Disarms the event's timer. O(1) while less than half of the entries are of cancelled timers, else O(log n).
    #[inline]
    pub(super) fn cancel(&mut self, index: S::Index) {
        if S::IS_SCANNED {
            return self.cancel_scanned(index);
        }
        let Some(timer) = self.timers.at_mut(index).filter(|timer| timer.is_armed()) else { return };
        timer.interval.cancel();
        timer.seq = u32::try_from(self.cancelled.len()).unwrap_or(u32::MAX);
        self.cancelled.push(index);
        self.bound_cancelled();
    }

    /// Removes entries of cancelled timers until they are at most half.
    #[inline]
    fn bound_cancelled(&mut self) {
        while self.cancelled.len() > self.heap.len() >> 1 {
            self.drop_last();
        }
    }

    #[inline(never)]
    fn drop_last(&mut self) {
        if let Some(last) = self.cancelled.as_slice().last() {
            self.drop_entry(*last);
        }
    }

    fn drop_entry(&mut self, index: S::Index) {
        let Some(timer) = self.timers.at_mut(index) else { return };
        let (at, place) = (core::mem::replace(&mut timer.at, Index::NIL), timer.seq);
        timer.interval.unmark();
        self.unlist(place);
        self.take_out(at.get());
    }

    /// Takes a timer off `cancelled`; the last one takes its index.
    fn unlist(&mut self, place: u32) {
        let Some(last) = self.cancelled.pop() else { return };
        let at = usize::try_from(place).ok().and_then(|place| self.cancelled.as_mut_slice().get_mut(place));
        if let (Some(at), Some(timer)) = (at, self.timers.at_mut(last)) {
            *at = last;
            timer.seq = place;
        }
    }

    /// Reserves `count` numbers in the order of arming, and returns the first.
    pub(super) fn take_seqs(&mut self, count: u32) -> u32 {
        let first = self.seq;
        self.seq = first.wrapping_add(count);
        first
    }

    /// Restarts an armed timer at `now`, which does not make it earlier.
    #[inline]
    pub(super) fn restart(&mut self, index: S::Index, now: Instant, seq: u32) {
        let Some(timer) = self.timers.at_mut(index) else { return };
        timer.deadline = timer.deadline.max(timer.restarted(now.as_nanos()));
        timer.seq = seq;
    }

    // What is due.

    /// The first key: not later than the earliest deadline.
    #[inline]
    pub(super) fn next(&self) -> Option<Instant> {
        if S::IS_SCANNED {
            return self.next_scanned();
        }
        self.heap.as_slice().first().map(|entry| Instant::from_nanos(entry.key))
    }

    /// As [`Timers::next`], without cancelled timers.
    pub(super) fn next_armed(&self) -> Option<Instant> {
        if S::IS_SCANNED {
            return self.next_armed_scanned();
        }
        let heap = self.heap.as_slice();
        let (mut at, mut first) = (0usize, None);
        loop {
            let entry = heap.get(at).filter(|entry| first.is_none_or(|first| entry.key < first));
            match entry {
                Some(entry) if self.is_armed(entry.event) => first = Some(entry.key),
                Some(_) => {
                    at = (at << ARITY_SHIFT).wrapping_add(1);
                    continue;
                }
                None => {}
            }
            // Nothing below is earlier: go to the next sibling, or past the parent.
            while at > 0 && at % ARITY == 0 {
                at = at.wrapping_sub(1) >> ARITY_SHIFT;
            }
            if at == 0 {
                return first.map(Instant::from_nanos);
            }
            at = at.wrapping_add(1);
        }
    }

    /// As [`Timers::next`], after removing at most `most` cancelled timers from the top.
    #[inline]
    pub(super) fn next_to_wait_for(&mut self, most: u32) -> Option<Instant> {
        if S::IS_SCANNED {
            return self.settle_scanned();
        }
        let mut left = if self.cancelled.len() > 0 { most } else { 0 };
        while let (Some(rest), Some(first)) = (left.checked_sub(1), self.heap.as_slice().first()) {
            let event = first.event;
            if self.is_armed(event) {
                break;
            }
            self.drop_entry(event);
            left = rest;
        }
        self.next_armed()
    }

    /// Takes the earliest timer if it is due at `now`. Corrects the first entries on the way, at most `corrections` and
    /// one more, so that no wait ends for a stale one.
    pub(super) fn expire(&mut self, now: Instant, corrections: &mut u32) -> Expired<S::Index> {
        if S::IS_SCANNED {
            return self.expire_scanned(now);
        }
        loop {
            let Some(&first) = self.heap.as_slice().first() else { return Expired::None };
            let was_cancelled = !self.is_armed(first.event);
            if was_cancelled {
                self.drop_entry(first.event);
            } else if !self.correct(0, first) {
                if first.key > now.as_nanos() || first.key == u64::MAX {
                    return Expired::None;
                }
                return self.take_due(first);
            }
            match corrections.checked_sub(1) {
                Some(left) => *corrections = left,
                None => return Expired::Unfinished,
            }
            if !was_cancelled {
                self.sweep(corrections);
            }
        }
    }

    fn take_due(&mut self, first: Entry<S::Index>) -> Expired<S::Index> {
        if let Some(timer) = self.timers.at_mut(first.event) {
            timer.at = Index::NIL;
        }
        self.take_out(0);
        self.bound_cancelled();
        Expired::Due(first.event, Instant::from_nanos(first.key))
    }

    /// Corrects the entries of the next events, round-robin: most are deep in the heap, where this is a store; at the
    /// top they would sink through all of it.
    fn sweep(&mut self, corrections: &mut u32) {
        for _ in 0..SWEEP.min(self.timers.len()) {
            let Some(left) = corrections.checked_sub(1) else { return };
            let timer = self.timers.as_slice().get(self.swept).filter(|timer| timer.is_armed());
            let place = timer.map_or(Index::NIL, |timer| timer.at);
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

    /// Corrects an entry whose event's deadline has moved. `false`: it was correct.
    fn correct(&mut self, at: usize, entry: Entry<S::Index>) -> bool {
        let Some(timer) = self.timers.at(entry.event) else { return false };
        // Re-armed for the same time, it may come later among its equals.
        if timer.deadline == entry.key && timer.seq == entry.seq {
            return false;
        }
        let right = timer.entry(entry.event);
        self.replace(at, right);
        true
    }
}

#[cfg(test)]
mod bounds;
#[cfg(any(test, feature = "check"))]
mod check;
mod heap;
mod interval;
mod scan;
#[cfg(test)]
mod tests;
