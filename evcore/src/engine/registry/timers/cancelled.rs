//! The list of cancelled timers, and where it is kept.

use super::Timer;
use crate::storage::{Index, Table};

/// An interval in nanoseconds; in a cancelled timer, which has none, the neighbours in the list of these.
///
/// ```text
///   0 … 2^63-1, 2^64-1     an interval; one of 292 years or more is one for ever
///   10pp…p nn…n            cancelled: the one before, the one after, in 31 bits each
/// ```
#[derive(Clone, Copy)]
pub(super) struct Interval(u64);

const CANCELLED: u64 = 2;
const CANCELLED_SHIFT: u32 = 62;
const LINK_SHIFT: u32 = 31;
/// As a link: nobody.
const LINK_MASK: u64 = (1 << LINK_SHIFT) - 1;

impl Interval {
    #[inline]
    pub(super) const fn of(nanos: u64) -> Self {
        Self(if nanos >> CANCELLED_SHIFT >= CANCELLED { u64::MAX } else { nanos })
    }

    /// The interval; that of a cancelled timer is as good as any.
    #[inline]
    pub(super) const fn nanos(self) -> u64 {
        self.0
    }

    #[inline]
    pub(super) const fn is_cancelled(self) -> bool {
        self.0 >> CANCELLED_SHIFT == CANCELLED
    }

    #[expect(clippy::as_conversions, reason = "usize has no more bits than u64")]
    fn between<I: Index>(before: I, after: I) -> Self {
        let link = |index: I| index.get() as u64 & LINK_MASK;
        Self(CANCELLED << CANCELLED_SHIFT | link(before) << LINK_SHIFT | link(after))
    }

    /// The neighbours; beyond the end of every table, where there is none.
    #[expect(clippy::as_conversions, reason = "31 bits, and what was an index")]
    fn neighbours<I: Index>(self) -> (I, I) {
        let index = |link: u64| I::new((link & LINK_MASK) as usize);
        (index(self.0 >> LINK_SHIFT), index(self.0))
    }
}

/// The timers that were cancelled and have an entry in the heap still, by when that was.
pub(super) struct Cancelled<I> {
    len: u32,
    /// Of no meaning in an empty list: all zeros, for a base in a `static`.
    oldest: I,
    newest: I,
}

impl<I: Index> Cancelled<I> {
    pub(super) const NONE: Self = Self { len: 0, oldest: I::FIRST, newest: I::FIRST };

    #[inline]
    pub(super) fn len(&self) -> usize {
        usize::try_from(self.len).unwrap_or(usize::MAX)
    }

    #[inline]
    pub(super) fn oldest(&self) -> I {
        self.oldest
    }

    /// Marks an armed timer, and puts it at the end of the list.
    #[inline]
    pub(super) fn append(&mut self, timers: &mut impl Table<Timer<I>>, index: I) {
        let last = if self.len == 0 { I::NIL } else { self.newest };
        match timers.at_mut(last) {
            Some(timer) => timer.interval = Interval::between(timer.interval.neighbours::<I>().0, index),
            None => self.oldest = index,
        }
        if let Some(timer) = timers.at_mut(index) {
            timer.interval = Interval::between(last, I::NIL);
        }
        self.newest = index;
        self.len = self.len.wrapping_add(1);
    }

    /// Takes a timer off the list, whose links these were.
    #[inline(never)]
    pub(super) fn unlink(&mut self, timers: &mut impl Table<Timer<I>>, links: Interval) {
        let (before, after) = links.neighbours::<I>();
        match timers.at_mut(before) {
            Some(timer) => timer.interval = Interval::between(timer.interval.neighbours().0, after),
            None => self.oldest = after,
        }
        match timers.at_mut(after) {
            Some(timer) => timer.interval = Interval::between(before, timer.interval.neighbours().1),
            None => self.newest = before,
        }
        self.len = self.len.wrapping_sub(1);
    }

    /// Walks the list. `true` when all links agree and each of its timers is cancelled and has an entry.
    #[cfg(any(test, feature = "check"))]
    pub(super) fn check(&self, timers: &impl Table<Timer<I>>) -> bool {
        let (mut at, mut before) = (self.oldest, None);
        for _ in 0..self.len {
            let Some(timer) = timers.at(at) else { return false };
            let (previous, next) = timer.interval.neighbours::<I>();
            let is_linked = timers.at(previous).is_some() == before.is_some() && before.is_none_or(|it| it == previous);
            if !timer.interval.is_cancelled() || timer.at.is_nil() || !is_linked {
                return false;
            }
            (before, at) = (Some(at), next);
        }
        before.is_none_or(|last| last == self.newest && timers.at(at).is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_itself_or_for_ever() {
        for nanos in [0, 1, 1 << 62, (1 << 63) - 1, u64::MAX] {
            assert_eq!((Interval::of(nanos).nanos(), Interval::of(nanos).is_cancelled()), (nanos, false));
        }
        for nanos in [1 << 63, u64::MAX - 1] {
            assert_eq!(Interval::of(nanos).nanos(), u64::MAX);
        }
    }

    #[test]
    fn links_are_no_interval_and_come_back() {
        for (before, after) in [(0, 0), (1, 2), (0x7fff_fffe, 0x7fff_fffe)] {
            let links = Interval::between::<u32>(before, after);
            assert!(links.is_cancelled());
            assert_eq!(links.neighbours::<u32>(), (before, after));
        }
        let links = Interval::between(u16::NIL, 7);
        assert_eq!((links.is_cancelled(), links.neighbours::<u16>()), (true, (u16::NIL, 7)));
        let links = Interval::between(u32::NIL, u32::NIL);
        assert_eq!((links.is_cancelled(), links.neighbours::<u32>()), (true, (0x7fff_ffff, 0x7fff_ffff)));
    }
}
