//! The timer heap: deadlines, in a 4-ary heap.

use crate::storage::{Full, Index, Storage, Table};
use crate::time::Instant;

use interval::Interval;

/// A 4-ary heap with its keys inline, first in first out among equal deadlines. It is lazy, so that what happens often costs
/// a store: a deadline that moves later is written down beside the event, a timer that is cancelled is marked there, and
/// the heap is left alone until the entry comes to the top, or is looked at in passing, and is corrected.
///
/// ```text
///   heap      [ (key, seq, event) … ]                key ≤ the event's deadline; equal when the entry is right
///   timers    [ deadline, interval, seq, place ]     one for each event, as far as any has had a timer
///   cancelled [ event … ]                            whose timers were cancelled and have an entry still
/// ```
///
/// An event has one entry at most: a timer that is armed again takes over the one that its slot still has. At most half of
/// the entries are of cancelled timers; beyond that the last of them goes.
pub(super) struct Timers<S: Storage> {
    heap: S::Heap<Entry<S::Index>>,
    timers: S::Table<Timer<S>>,
    cancelled: S::Heap<S::Index>,
    seq: u32,
    /// The event whose entry is looked at next in passing.
    swept: usize,
    /// Where timers are scanned: a bound of the earliest deadline, inverted.
    first: u64,
}

#[derive(Clone, Copy)]
struct Entry<I> {
    key: u64,
    seq: u32,
    event: I,
}

impl<I> Entry<I> {
    /// Whether it comes first. Equal keys are rare, and the branch that tells them apart is foreseen.
    #[inline]
    fn before(&self, other: &Self) -> bool {
        #[cfg(test)]
        crate::steps::count(|steps| &steps.comparisons);
        if self.key == other.key { self.was_armed_before(other) } else { self.key < other.key }
    }

    /// Sequence numbers wrap, so they are compared by distance; only those of equal deadlines matter, and these were armed
    /// within two thousand million of each other.
    #[cold]
    fn was_armed_before(&self, other: &Self) -> bool {
        self.seq.wrapping_sub(other.seq) > u32::MAX >> 1
    }
}

struct Timer<S: Storage> {
    deadline: u64,
    interval: Interval,
    /// Its place in the order of armings; when it is cancelled, its place in the list of those.
    seq: u32,
    /// Where its entry is; NIL when there is none.
    at: S::Index,
}

impl<S: Storage> Timer<S> {
    const NEW: Self = Self { deadline: 0, interval: Interval::ZERO, seq: 0, at: S::Index::NIL };

    #[inline]
    fn is_armed(&self) -> bool {
        !self.at.is_nil() && (S::IS_SCANNED || !self.interval.is_cancelled())
    }

    /// Where timers are scanned, none is marked.
    #[inline]
    fn interval(&self) -> u64 {
        if S::IS_SCANNED { self.interval.unmarked() } else { self.interval.nanos() }
    }

    #[inline]
    fn entry(&self, event: S::Index) -> Entry<S::Index> {
        Entry { key: self.deadline, seq: self.seq, event }
    }
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
    /// Nothing is due, and the first entry is right.
    None,
    /// The bound on corrections was reached, look again.
    Unfinished,
}

impl<S: Storage> Timers<S> {
    pub(super) const fn new() -> Self {
        Self { heap: S::Heap::EMPTY, timers: S::Table::EMPTY, cancelled: S::Heap::EMPTY, seq: 0, swept: 0, first: 0 }
    }

    /// Makes room for the timers of `events` events.
    pub(super) fn reserve(&mut self, events: usize) -> Result<(), Full> {
        self.timers.reserve(events.saturating_sub(self.timers.len()))?;
        if S::IS_SCANNED {
            return Ok(());
        }
        self.cancelled.reserve(events.saturating_sub(self.cancelled.len()))?;
        self.heap.reserve(events.saturating_sub(self.heap.len()))
    }

    /// How many timers are armed.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.timers.as_slice().iter().filter(|timer| timer.is_armed()).count()
    }

    #[inline]
    pub(super) fn is_armed(&self, index: S::Index) -> bool {
        self.timers.at(index).is_some_and(Timer::is_armed)
    }

    /// When the event is due, or was due last.
    #[inline]
    pub(super) fn deadline(&self, index: S::Index) -> Instant {
        Instant::from_nanos(self.timers.at(index).map_or(0, |timer| timer.deadline))
    }

    /// When the event is due, or was due last, and after how many nanoseconds again.
    #[inline]
    pub(super) fn period(&self, index: S::Index) -> (Instant, u64) {
        let timer = self.timers.at(index).map(|timer| (timer.deadline, timer.interval())).unwrap_or_default();
        (Instant::from_nanos(timer.0), timer.1)
    }

    /// The timeout that the event was given, in nanoseconds.
    #[inline]
    pub(super) fn interval(&self, index: S::Index) -> u64 {
        self.timers.at(index).map_or(0, Timer::interval)
    }

    // Arming.

    /// Arms the event's timer with a timeout, or moves it. O(1) when the deadline moves later, O(log n) otherwise.
    pub(super) fn set(&mut self, index: S::Index, deadline: Instant, interval: u64) {
        if S::IS_SCANNED {
            self.keep(index, interval);
            return self.arm_scanned(index, deadline.as_nanos());
        }
        let seq = self.take_seqs(1);
        self.fill(index);
        let Some(timer) = self.timers.at_mut(index) else { return };
        // The key of its entry is not later than its deadline was.
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

    /// Notes the timeout of an event that has been created. Its slot may still have an entry in the heap, of an event before.
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

    /// As [`Timers::set`], with the interval that the event has.
    pub(super) fn arm(&mut self, index: S::Index, deadline: Instant) {
        if S::IS_SCANNED {
            return self.arm_scanned(index, deadline.as_nanos());
        }
        self.set(index, deadline, self.interval(index));
    }

    /// Arms the event's timer with its own interval from `now`.
    pub(super) fn arm_after(&mut self, index: S::Index, now: Instant) {
        self.arm(index, now.saturating_add_nanos(self.interval(index)));
    }

    /// The event has its place from here on, for which there is room.
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

    /// Takes entries of cancelled timers out until they are half of all at most.
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

    /// Takes out the entry of a cancelled timer.
    fn drop_entry(&mut self, index: S::Index) {
        let Some(timer) = self.timers.at_mut(index) else { return };
        let (at, place) = (core::mem::replace(&mut timer.at, Index::NIL), timer.seq);
        timer.interval.unmark();
        self.unlist(place);
        self.take_out(at.get());
    }

    /// Takes a timer off the list of those that were cancelled; the last one gets its place there.
    fn unlist(&mut self, place: u32) {
        let Some(last) = self.cancelled.pop() else { return };
        let at = usize::try_from(place).ok().and_then(|place| self.cancelled.as_mut_slice().get_mut(place));
        if let (Some(at), Some(timer)) = (at, self.timers.at_mut(last)) {
            *at = last;
            timer.seq = place;
        }
    }

    /// Takes `count` places in the order of armings. Answers the first of them.
    pub(super) fn take_seqs(&mut self, count: u32) -> u32 {
        let first = self.seq;
        self.seq = first.wrapping_add(count);
        first
    }

    /// Restarts an armed timer at `now`, with a place in the order of armings. It does not come earlier by that.
    #[inline]
    pub(super) fn restart(&mut self, index: S::Index, now: Instant, seq: u32) {
        let Some(timer) = self.timers.at_mut(index) else { return };
        timer.deadline = timer.deadline.max(now.as_nanos().saturating_add(timer.interval()));
        timer.seq = seq;
    }

    // What is due.

    /// The key of the first entry: not later than the earliest deadline.
    #[inline]
    pub(super) fn next(&self) -> Option<Instant> {
        if S::IS_SCANNED {
            return self.next_scanned();
        }
        self.heap.as_slice().first().map(|entry| Instant::from_nanos(entry.key))
    }

    /// The same of the armed timers alone: looks past the entries of cancelled ones that come before.
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
            // Nothing below comes earlier: on to the next one, or to the one after the parent.
            while at > 0 && at % ARITY == 0 {
                at = at.wrapping_sub(1) >> ARITY_SHIFT;
            }
            if at == 0 {
                return first.map(Instant::from_nanos);
            }
            at = at.wrapping_add(1);
        }
    }

    /// The same, to wait for it. Takes out entries of cancelled timers that come before all others, `most` at most.
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

    /// Takes the earliest timer out if it is due at `now`. On the way the first entries are corrected, so that nobody waits
    /// for one that is not: `corrections` of them, and one more at most.
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

    /// Looks at some more entries, those of the next events, all of them in turn, and puts them right: most are far down in the
    /// heap, where it is a store. At the top it would be the way down through the whole heap.
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

    /// Puts an entry right if its event's deadline has moved on since. `false`: it was right.
    fn correct(&mut self, at: usize, entry: Entry<S::Index>) -> bool {
        let Some(timer) = self.timers.at(entry.event) else { return false };
        // Re-armed for the same point: its place among its equals may be a later one.
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
