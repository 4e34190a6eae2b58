//! The timer heap.

use core::marker::PhantomData;

use crate::storage::{Full, Index, Interval, Storage, Table};
use crate::time::Instant;

/// A lazy 4-ary heap with inline keys, first in first out among equal deadlines. Frequent operations are a store beside
/// the event: a deadline that moves later, a timer that is cancelled. The entry is corrected when it reaches the top or
/// a sweep passes it.
///
/// ```text
///   heap      [ (key, seq, event) … ]                key ≤ the event's deadline; equal when the entry is right
///   timers    [ deadline, seq, place ]               one for each event, as far as any has had a timer
///   intervals [ nanoseconds ]                        one for each event, as far as any has had one; in `timers` with Fixed
///   cancelled [ event … ]                            has each event whose timer was cancelled and has an entry still
/// ```
///
/// An event has at most one entry; re-arming reuses the one of its slot. The event's state says whether its timer is
/// armed, so cancelling only appends to a list; methods that must know take `is_live`. An event stays in the list when its
/// timer is armed again, and may be in it twice. The list is at most half as long as the heap, so at most half of the
/// entries are of cancelled timers.
pub(super) struct Timers<S: Storage> {
    heap: S::Heap<Entry<S::Index>>,
    timers: S::Table<Timer<S>>,
    intervals: S::Intervals,
    cancelled: S::Heap<S::Index>,
    seq: u32,
    /// Entries of cancelled timers.
    dead: u32,
    /// With scanned timers: a lower bound of the earliest deadline, inverted. With a heap: where the next sweep begins.
    first: u64,
}

/// A pair of words, which is passed in registers.
#[derive(Clone, Copy)]
struct Entry<I> {
    key: u64,
    /// The sequence number, and the event below it.
    rest: u64,
    of: PhantomData<I>,
}

impl<I: Index> Entry<I> {
    #[inline]
    fn new(key: u64, seq: u32, event: I) -> Self {
        Self { key, rest: u64::from(seq) << 32 | u64::from(event.bits()), of: PhantomData }
    }

    #[inline]
    fn event(&self) -> I {
        let [low, _] = halves(self.rest);
        I::of_bits(low)
    }

    #[inline]
    fn seq(&self) -> u32 {
        let [_, high] = halves(self.rest);
        high
    }

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
        self.seq().wrapping_sub(other.seq()) > u32::MAX >> 1
    }
}

#[inline]
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "the halves of a word")]
const fn halves(word: u64) -> [u32; 2] {
    [word as u32, (word >> 32) as u32]
}

struct Timer<S: Storage> {
    deadline: u64,
    interval: S::Interval,
    /// Its number in the order of arming.
    seq: u32,
    /// The index of its entry, or NIL.
    at: S::Index,
}

impl<S: Storage> Timer<S> {
    const NEW: Self = Self { deadline: 0, interval: S::Interval::ZERO, seq: 0, at: S::Index::NIL };

    #[inline]
    fn has_entry(&self) -> bool {
        !self.at.is_nil()
    }

    /// The deadline of a timer that restarts at `now`.
    #[inline]
    fn restarted(now: u64, interval: u64) -> u64 {
        now.checked_add(interval).unwrap_or_else(Self::never)
    }

    // A branch that is not taken is cheaper than a choice.
    #[cold]
    const fn never() -> u64 {
        u64::MAX
    }

    #[inline]
    fn entry(&self, event: S::Index) -> Entry<S::Index> {
        Entry::new(self.deadline, self.seq, event)
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
        Self {
            heap: S::Heap::EMPTY,
            timers: S::Table::EMPTY,
            intervals: S::Intervals::EMPTY,
            cancelled: S::Heap::EMPTY,
            seq: 0,
            dead: 0,
            first: 0,
        }
    }

    pub(super) fn reserve(&mut self, events: usize) -> Result<(), Full> {
        self.timers.reserve_all(events)?;
        if S::IS_SCANNED {
            return Ok(());
        }
        if S::Intervals::CAPACITY > 0 {
            self.intervals.reserve_all(events)?;
        }
        // Half of the heap, and the event that makes the list too long.
        self.cancelled.reserve_all((events >> 1).saturating_add(1))?;
        self.heap.reserve_all(events)
    }

    /// Whether the event has an entry, which may be a cancelled timer's.
    #[inline]
    pub(super) fn has_entry(&self, index: S::Index) -> bool {
        self.timers.at(index).is_some_and(Timer::has_entry)
    }

    /// The current or last deadline.
    #[inline]
    pub(super) fn deadline(&self, index: S::Index) -> Instant {
        Instant::from_nanos(self.timers.at(index).map_or(0, |timer| timer.deadline))
    }

    /// The current or last deadline, and the interval in nanoseconds.
    #[inline]
    pub(super) fn period(&self, index: S::Index) -> (Instant, u64) {
        (self.deadline(index), self.interval(index))
    }

    // Arming.

    /// As [`Timers::arm`], with another interval.
    pub(super) fn set(&mut self, index: S::Index, deadline: Instant, interval: u64, was_live: bool) {
        self.keep(index, interval);
        self.arm(index, deadline, was_live);
    }

    /// Arms or moves the event's timer, which is live if its event's state says so. O(1) when the deadline moves later,
    /// else O(log n).
    pub(super) fn arm(&mut self, index: S::Index, deadline: Instant, was_live: bool) {
        if S::IS_SCANNED {
            return self.arm_scanned(index, deadline.as_nanos());
        }
        let seq = self.take_seqs(1);
        self.fill(index);
        let Some(timer) = self.timers.at_mut(index) else { return };
        // The entry's key is not later than the old deadline.
        let is_later = timer.deadline <= deadline.as_nanos();
        (timer.deadline, timer.seq) = (deadline.as_nanos(), seq);
        let (at, entry) = (timer.at, timer.entry(index));
        if at.is_nil() {
            let last = self.heap.len();
            timer.at = Index::new(last);
            self.heap.push(entry);
            return self.rise(last, entry);
        }
        if !was_live {
            self.revive(index);
        }
        if !is_later && self.heap.at(at).is_some_and(|entry_before| entry_before.key > entry.key) {
            self.put_earlier(at.get(), entry);
        }
    }

    /// The event's entry was a cancelled timer's and is live again.
    #[inline]
    fn revive(&mut self, index: S::Index) {
        self.dead = self.dead.wrapping_sub(1);
        if self.dead == 0 {
            self.cancelled.clear();
        } else if self.cancelled.as_slice().last() == Some(&index) {
            self.cancelled.pop();
        }
    }

    /// Arms the event's timer one interval after `now`.
    pub(super) fn arm_after(&mut self, index: S::Index, now: Instant, was_live: bool) {
        self.arm(index, now.saturating_add_nanos(self.interval(index)), was_live);
    }

    /// Fills `timers` up to this event, into reserved room.
    #[inline]
    fn fill(&mut self, index: S::Index) {
        while self.timers.len() <= index.get() {
            self.timers.push(Timer::NEW);
        }
    }

    /// Disarms the event's timer, which has an entry. O(1) while the list has room, else O(log n).
    #[inline]
    pub(super) fn cancel(&mut self, index: S::Index, is_live: impl Fn(S::Index) -> bool) {
        if S::IS_SCANNED {
            return self.cancel_scanned(index);
        }
        self.dead = self.dead.wrapping_add(1);
        self.cancelled.push(index);
        self.bound_cancelled(is_live);
    }

    /// Shortens the list of cancelled timers to half of the heap's length.
    #[inline]
    fn bound_cancelled(&mut self, is_live: impl Fn(S::Index) -> bool) {
        while self.cancelled.len() > self.heap.len() >> 1 {
            self.shorten_cancelled(&is_live);
        }
    }

    /// Takes an event off the list, and removes its entry if its timer is still cancelled.
    #[inline(never)]
    fn shorten_cancelled(&mut self, is_live: &impl Fn(S::Index) -> bool) {
        let Some(last) = self.cancelled.pop() else { return };
        let swept = self.swept();
        // Not always the last one, or events that are armed again would fill the list.
        let list = self.cancelled.as_mut_slice();
        let mask = list.len().checked_ilog2().map_or(0, |log| (1usize << log).wrapping_sub(1));
        let index = list.get_mut(swept & mask).map_or(last, |place| core::mem::replace(place, last));
        self.pass();
        if !is_live(index) {
            self.drop_dead(index);
        }
    }

    /// Removes the entry of a cancelled timer, if it has one still.
    fn drop_dead(&mut self, index: S::Index) {
        let Some(timer) = self.timers.at_mut(index) else { return };
        let at = core::mem::replace(&mut timer.at, Index::NIL);
        if !at.is_nil() {
            self.dead = self.dead.wrapping_sub(1);
            if self.dead == 0 {
                self.cancelled.clear();
            }
            self.take_out(at.get());
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
        let interval = self.interval(index);
        let Some(timer) = self.timers.at_mut(index) else { return };
        timer.deadline = timer.deadline.max(Timer::<S>::restarted(now.as_nanos(), interval));
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
    pub(super) fn next_armed(&self, is_live: impl Fn(S::Index) -> bool) -> Option<Instant> {
        if S::IS_SCANNED {
            return self.next_armed_scanned();
        }
        let heap = self.heap.as_slice();
        let (mut at, mut first) = (0usize, None);
        loop {
            let entry = heap.get(at).filter(|entry| first.is_none_or(|first| entry.key < first));
            match entry {
                Some(entry) if is_live(entry.event()) => first = Some(entry.key),
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
    pub(super) fn next_to_wait_for(&mut self, most: u32, is_live: impl Fn(S::Index) -> bool) -> Option<Instant> {
        if S::IS_SCANNED {
            return self.settle_scanned();
        }
        for _ in 0..most {
            if !self.drop_cancelled_top(&is_live) {
                break;
            }
        }
        self.next_armed(is_live)
    }

    /// Removes the first entry if its timer was cancelled. Returns whether it was.
    #[inline]
    fn drop_cancelled_top(&mut self, is_live: &impl Fn(S::Index) -> bool) -> bool {
        let first = self.heap.as_slice().first().filter(|_| self.dead > 0);
        let Some(event) = first.map(|first| first.event()).filter(|event| !is_live(*event)) else { return false };
        self.drop_dead(event);
        self.bound_cancelled(is_live);
        true
    }

    /// Takes the earliest timer if it is due at `now`. Corrects the first entries on the way, at most `corrections` and
    /// one more, so that no wait ends for a stale one.
    pub(super) fn expire(
        &mut self,
        now: Instant,
        corrections: &mut u32,
        is_live: impl Fn(S::Index) -> bool,
    ) -> Expired<S::Index> {
        if S::IS_SCANNED {
            return self.expire_scanned(now);
        }
        loop {
            let was_cancelled = self.drop_cancelled_top(&is_live);
            if !was_cancelled {
                let Some(&first) = self.heap.as_slice().first() else { return Expired::None };
                if !self.correct(0, first) {
                    if first.key > now.as_nanos() || first.key == u64::MAX {
                        return Expired::None;
                    }
                    self.take_due(first);
                    self.bound_cancelled(is_live);
                    return Expired::Due(first.event(), Instant::from_nanos(first.key));
                }
            }
            match corrections.checked_sub(1) {
                Some(left) => *corrections = left,
                None => return Expired::Unfinished,
            }
            if !was_cancelled {
                self.sweep(corrections, &is_live);
            }
        }
    }

    fn take_due(&mut self, first: Entry<S::Index>) {
        if let Some(timer) = self.timers.at_mut(first.event()) {
            timer.at = Index::NIL;
        }
        self.take_out(0);
    }

    /// Corrects the entries of the next events, round-robin: most are deep in the heap, where this is a store; at the
    /// top they would sink through all of it.
    fn sweep(&mut self, corrections: &mut u32, is_live: &impl Fn(S::Index) -> bool) {
        for _ in 0..SWEEP.min(self.timers.len()) {
            let Some(left) = corrections.checked_sub(1) else { return };
            let place = self.timers.as_slice().get(self.swept()).map_or(Index::NIL, |timer| timer.at);
            let entry = self.heap.at(place).filter(|entry| self.dead == 0 || is_live(entry.event())).copied();
            if entry.is_some_and(|entry| self.correct(place.get(), entry)) {
                *corrections = left;
            }
            self.pass();
        }
    }

    fn swept(&self) -> usize {
        usize::try_from(self.first).unwrap_or(0)
    }

    fn pass(&mut self) {
        let is_last = self.swept().saturating_add(1) >= self.timers.len();
        self.first = if is_last { 0 } else { self.first.wrapping_add(1) };
    }

    /// Corrects an entry whose event's deadline has moved. `false`: it was correct.
    fn correct(&mut self, at: usize, entry: Entry<S::Index>) -> bool {
        let Some(timer) = self.timers.at(entry.event()) else { return false };
        // Re-armed for the same time, it may come later among its equals.
        if timer.deadline == entry.key && timer.seq == entry.seq() {
            return false;
        }
        let right = timer.entry(entry.event());
        self.replace(at, right);
        true
    }
}

#[cfg(test)]
mod bounds;
#[cfg(any(test, feature = "check"))]
mod check;
mod heap;
mod intervals;
mod scan;
#[cfg(test)]
mod tests;
