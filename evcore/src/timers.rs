//! The timer column: deadlines, in a 4-ary heap.

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
pub(crate) struct Timers<S: Storage> {
    heap: S::Table<Entry<S::Index>>,
    timers: S::Table<Timer<S::Index>>,
    seq: u32,
    /// The event whose entry is looked at next in passing.
    swept: usize,
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
}

const ARITY_SHIFT: u32 = 2;
const ARITY: usize = 1 << ARITY_SHIFT;

/// So many further entries are looked at when one was out of date.
const SWEEP: usize = 16;

/// What [`Timers::expire`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Expired<I> {
    /// This event was due then; it is not armed any more.
    Due(I, Instant),
    /// Nothing is due.
    None,
    /// The bound on corrections was reached, look again.
    Unfinished,
}

impl<S: Storage> Timers<S> {
    pub(crate) const fn new() -> Self {
        Self { heap: S::Table::EMPTY, timers: S::Table::EMPTY, seq: 0, swept: 0 }
    }

    pub(crate) fn reserve(&mut self) -> Result<(), Full> {
        let wanted = self.timers.len().saturating_add(1);
        self.timers.reserve(1)?;
        self.heap.reserve(wanted.saturating_sub(self.heap.len()))
    }

    /// The event begins to exist. The place of one that was there before is disarmed, and as good as new.
    pub(crate) fn create(&mut self, index: S::Index) {
        if self.timers.at(index).is_none() {
            self.timers.push(Timer { deadline: 0, interval: 0, seq: 0, at: Index::NIL });
        }
    }

    /// How many timers are armed.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(crate) fn is_armed(&self, index: S::Index) -> bool {
        self.timers.at(index).is_some_and(|timer| !timer.at.is_nil())
    }

    /// When the event is due, or was due last.
    #[inline]
    pub(crate) fn deadline(&self, index: S::Index) -> Instant {
        Instant::from_nanos(self.timers.at(index).map_or(0, |timer| timer.deadline))
    }

    /// The timeout that the event was given, in nanoseconds.
    #[inline]
    pub(crate) fn interval(&self, index: S::Index) -> u64 {
        self.timers.at(index).map_or(0, |timer| timer.interval)
    }

    /// Arms the event's timer with a timeout, or moves it. O(1) when the deadline moves later, O(log n) otherwise.
    pub(crate) fn set(&mut self, index: S::Index, deadline: Instant, interval: u64) {
        if let Some(timer) = self.timers.at_mut(index) {
            timer.interval = interval;
        }
        self.arm(index, deadline);
    }

    /// As [`Timers::set`], with the interval that the event has.
    pub(crate) fn arm(&mut self, index: S::Index, deadline: Instant) {
        let seq = self.seq;
        self.seq = seq.wrapping_add(1);
        let Some(timer) = self.timers.at_mut(index) else { return };
        timer.deadline = deadline.as_nanos();
        timer.seq = seq;
        let (at, entry) = (timer.at, Entry { key: timer.deadline, seq, event: index });
        match self.heap.at(at) {
            Some(before) if before.key <= entry.key => {}
            Some(_) => self.sift_up(at.get(), entry),
            None => {
                self.heap.push(entry);
                self.sift_up(self.heap.len().wrapping_sub(1), entry);
            }
        }
    }

    /// Starts an armed timer again, with its own interval from `now`: what each activity of a connection does.
    // Part of each hand-out; what moves the heap is out of line, so that this stays a few stores.
    #[inline(always)]
    pub(crate) fn restart(&mut self, index: S::Index, now: Instant) {
        let Some(timer) = self.timers.at_mut(index) else { return };
        match now.as_nanos().checked_add(timer.interval) {
            Some(deadline) if deadline >= timer.deadline => timer.deadline = deadline,
            _ => return self.bring_forward(index, now),
        }
        timer.seq = self.seq;
        self.seq = self.seq.wrapping_add(1);
    }

    #[cold]
    #[inline(never)]
    fn bring_forward(&mut self, index: S::Index, now: Instant) {
        self.arm_after(index, now);
    }

    /// Arms the event's timer, armed or not, with its own interval from `now`.
    pub(crate) fn arm_after(&mut self, index: S::Index, now: Instant) {
        self.arm(index, Instant::from_nanos(now.as_nanos().saturating_add(self.interval(index))));
    }

    /// Disarms the event's timer. O(log n).
    #[inline]
    pub(crate) fn cancel(&mut self, index: S::Index) {
        let Some(timer) = self.timers.at_mut(index) else { return };
        let at = timer.at;
        if at.is_nil() {
            return;
        }
        timer.at = Index::NIL;
        self.take_out(at.get());
    }

    /// The earliest deadline: exact when its entry is right, else a lower bound.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.as_slice().first().map(|entry| Instant::from_nanos(entry.key))
    }

    /// Takes the earliest timer out if it is due at `now`; on the way `corrections` entries are put right, and one more at most.
    pub(crate) fn expire(&mut self, now: Instant, corrections: &mut u32) -> Expired<S::Index> {
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
    pub(crate) fn check(&self) -> bool {
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
mod tests {
    use super::*;
    use crate::storage::Fixed;
    use std::vec::Vec;

    fn timers(events: u16) -> Timers<Fixed<256>> {
        let mut timers = Timers::new();
        for index in 0..events {
            timers.reserve().unwrap();
            timers.create(index);
        }
        timers
    }

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    fn drain(timers: &mut Timers<Fixed<256>>, now: u64) -> Vec<u16> {
        let mut due = Vec::new();
        while let Expired::Due(index, _) = timers.expire(at(now), &mut 1_000_000) {
            due.push(index);
        }
        due
    }

    #[test]
    fn equal_deadlines_come_in_the_order_they_were_armed() {
        let mut timers = timers(100);
        for index in (0..100).rev() {
            timers.arm(index, at(7));
        }
        assert_eq!(drain(&mut timers, 7), (0..100).rev().collect::<Vec<_>>());
    }

    #[test]
    fn equal_deadlines_keep_their_order_over_the_wrap_of_the_sequence() {
        let mut timers = timers(10);
        timers.seq = u32::MAX - 4;
        for index in 0..10 {
            timers.arm(index, at(7));
        }
        assert!(timers.check());
        assert_eq!(drain(&mut timers, 7), (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn equal_deadlines_keep_their_order_while_less_than_half_of_the_sequence_lies_between() {
        for between in [1, 1_000, i32::MAX as u32] {
            let mut timers = timers(2);
            timers.arm(1, at(7));
            timers.seq = between;
            timers.arm(0, at(7));
            assert_eq!(drain(&mut timers, 7), [1, 0], "{between}");
        }
    }

    #[test]
    fn a_deadline_moved_later_leaves_the_heap_alone_until_it_surfaces() {
        let mut timers = timers(3);
        for index in 0..3 {
            timers.arm(index, at(10 + u64::from(index)));
        }
        timers.arm(0, at(100));
        timers.arm(0, at(11));
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.expire(at(10), &mut 9), Expired::None);
        assert_eq!(timers.next(), Some(at(11)));
        assert!(timers.check());
        // Armed again for 11 after the event 1 was, so it comes after it.
        assert_eq!(drain(&mut timers, 50), [1, 0, 2]);
    }

    #[test]
    fn a_timer_that_starts_again_for_an_earlier_point_comes_then() {
        let mut timers = timers(2);
        timers.set(0, at(100), 10);
        timers.set(1, at(50), 10);
        timers.restart(0, at(5));
        assert_eq!(timers.next(), Some(at(15)));
        assert_eq!(drain(&mut timers, 15), [0]);
    }

    #[test]
    fn corrections_are_bounded() {
        let mut timers = timers(10);
        for index in 0..10 {
            timers.arm(index, at(1));
            timers.arm(index, at(1_000));
        }
        assert_eq!(timers.expire(at(5), &mut 3), Expired::Unfinished);
        assert_eq!(timers.expire(at(5), &mut 100), Expired::None);
        assert_eq!(timers.next(), Some(at(1_000)));
    }

    #[test]
    fn looking_at_what_is_right_or_has_no_timer_costs_no_correction() {
        let mut timers = timers(200);
        for index in 180..200 {
            timers.arm(index, at(1));
            timers.arm(index, at(1_000));
        }
        timers.arm(0, at(2));
        assert_eq!(timers.expire(at(5), &mut 20), Expired::Due(0, at(2)));
        assert!(timers.check());
    }

    #[test]
    fn never_is_never() {
        let mut timers = timers(1);
        timers.arm(0, Instant::MAX);
        assert_eq!(timers.expire(Instant::MAX, &mut 9), Expired::None);
        assert!(timers.is_armed(0));
        timers.cancel(0);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn a_long_random_life_is_a_sorted_one() {
        let mut timers = timers(200);
        let mut deadlines = std::collections::BTreeMap::new();
        let mut random = 1u64;
        for step in 0..200_000u64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (index, delay) = (u16::try_from((random >> 40) % 200).unwrap(), (random >> 20) % 50);
            match random >> 60 {
                0..=9 => {
                    timers.arm(index, at(step / 8 + delay));
                    deadlines.retain(|_, event| *event != index);
                    deadlines.insert((step / 8 + delay, step), index);
                }
                10..=12 => {
                    timers.cancel(index);
                    deadlines.retain(|_, event| *event != index);
                }
                _ => {
                    let later = deadlines.split_off(&(step / 8 + 1, 0));
                    let due: Vec<u16> = core::mem::replace(&mut deadlines, later).into_values().collect();
                    assert_eq!(drain(&mut timers, step / 8), due);
                }
            }
            if step % 64 == 0 {
                assert!(timers.check());
            }
            assert_eq!(timers.len(), deadlines.len());
        }
    }
}
