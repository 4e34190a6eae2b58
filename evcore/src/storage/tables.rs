//! The elements of a storage: indices, tables, and what is kept beside them.

use core::fmt::Debug;
use core::ops::Not;

use super::Full;

/// A place in a table. [`Index::NIL`] is beyond the end of every table: a lookup finds nothing.
#[allow(unreachable_pub, reason = "Rust 1.85 does not see that `Storage` names it")]
pub trait Index: Copy + Eq + Debug + Not<Output = Self> + 'static {
    const NIL: Self;
    const FIRST: Self;
    fn new(place: usize) -> Self;
    fn get(self) -> usize;
    fn bits(self) -> u32;
    /// The index of these [`bits`](Index::bits).
    fn of_bits(bits: u32) -> Self;
    fn is_nil(self) -> bool {
        self == Self::NIL
    }
}

impl Index for u16 {
    const NIL: Self = u16::MAX;
    const FIRST: Self = 0;
    #[inline]
    fn new(place: usize) -> Self {
        Self::try_from(place).unwrap_or(Self::NIL)
    }
    #[inline]
    fn get(self) -> usize {
        #[cfg(test)]
        crate::steps::count(|steps| &steps.links);
        self.into()
    }
    #[inline]
    fn bits(self) -> u32 {
        self.into()
    }
    #[inline]
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "it was an index")]
    fn of_bits(bits: u32) -> Self {
        bits as u16
    }
}

impl Index for u32 {
    const NIL: Self = u32::MAX;
    const FIRST: Self = 0;
    #[inline]
    fn new(place: usize) -> Self {
        Self::try_from(place).unwrap_or(Self::NIL)
    }
    #[inline]
    #[expect(clippy::as_conversions, reason = "u32 fits usize wherever there is memory for that many events")]
    fn get(self) -> usize {
        #[cfg(test)]
        crate::steps::count(|steps| &steps.links);
        self as usize
    }
    #[inline]
    fn bits(self) -> u32 {
        self
    }
    #[inline]
    fn of_bits(bits: u32) -> Self {
        bits
    }
}

/// Up to this many rows, a scan costs no more than avoiding it.
pub(crate) const FEW: usize = 64;

/// A place or none, with all bits inverted: none is zero, which costs a `static` no flash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Link<I>(I);

impl<I: Index> Link<I> {
    pub(crate) const NONE: Self = Self(I::FIRST);

    #[inline]
    pub(crate) fn to(place: I) -> Self {
        Self(!place)
    }

    /// The place, or NIL.
    #[inline]
    pub(crate) fn place(self) -> I {
        !self.0
    }

    #[inline]
    pub(crate) fn is_none(self) -> bool {
        self == Self::NONE
    }
}

/// One table: a list that can be borrowed as a slice.
#[allow(unreachable_pub, reason = "as above")]
pub trait Table<E> {
    const EMPTY: Self;
    /// The maximum number of elements.
    const CAPACITY: usize;
    fn as_slice(&self) -> &[E];
    fn as_mut_slice(&mut self) -> &mut [E];
    /// Whether one more element may not fit. If not, it fits in each table for as many as [`next_room`](Table::next_room)
    /// said last.
    fn may_be_full(&self) -> bool {
        self.len() == 0 || self.len() >= Self::CAPACITY
    }
    #[cfg(any(test, feature = "check"))]
    fn room(&self) -> usize {
        Self::CAPACITY
    }
    /// How many elements to make room for so that one more fits.
    fn next_room(&self) -> usize {
        self.len().saturating_add(1)
    }
    /// Makes room for `more` elements.
    fn reserve(&mut self, more: usize) -> Result<(), Full>;
    /// Makes room for `elements` in all.
    fn reserve_all(&mut self, elements: usize) -> Result<(), Full> {
        self.reserve(elements.saturating_sub(self.len()))
    }
    /// Appends, into reserved room.
    fn push(&mut self, element: E);
    fn pop(&mut self) -> Option<E>;
    fn clear(&mut self);

    /// Removes an element; those after it move up one by one, the shortest code for a small part.
    fn remove(&mut self, place: usize) {
        let mut rest = self.as_mut_slice().get_mut(place..).unwrap_or_default();
        while let [gone, tail @ ..] = rest {
            #[cfg(test)]
            crate::steps::count(|steps| &steps.moves);
            if let Some(next) = tail.first_mut() {
                core::mem::swap(gone, next);
            }
            rest = tail;
        }
        self.pop();
    }

    #[inline]
    fn len(&self) -> usize {
        self.as_slice().len()
    }
    #[inline]
    fn at<I: Index>(&self, place: I) -> Option<&E> {
        self.as_slice().get(place.get())
    }
    #[inline]
    fn at_mut<I: Index>(&mut self, place: I) -> Option<&mut E> {
        self.as_mut_slice().get_mut(place.get())
    }
}

/// A table without places, or an absent value.
#[allow(unreachable_pub, reason = "as above")]
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl<E> Table<E> for Nothing {
    const EMPTY: Self = Self;
    const CAPACITY: usize = 0;

    #[inline]
    fn as_slice(&self) -> &[E] {
        &[]
    }

    #[inline]
    fn as_mut_slice(&mut self) -> &mut [E] {
        &mut []
    }

    #[inline]
    fn reserve(&mut self, more: usize) -> Result<(), Full> {
        if more == 0 { Ok(()) } else { Err(Full) }
    }

    #[inline]
    fn push(&mut self, _: E) {}

    #[inline]
    fn pop(&mut self) -> Option<E> {
        None
    }

    #[inline]
    fn clear(&mut self) {}
}

/// The event of a place, in a table that has fewer places than there are events.
#[allow(unreachable_pub, reason = "as above")]
pub trait Owner<I>: Copy {
    const NONE: Self;
    fn of(event: I) -> Self;
    fn is(self, event: I) -> bool;
}

impl<I: Index> Owner<I> for I {
    const NONE: Self = I::NIL;
    #[inline]
    fn of(event: I) -> Self {
        event
    }
    #[inline]
    fn is(self, event: I) -> bool {
        self == event
    }
}

/// A storage with a place for each event needs none.
impl<I: Index> Owner<I> for () {
    const NONE: Self = ();
    #[inline]
    fn of(_: I) {}
    #[inline]
    fn is(self, _: I) -> bool {
        false
    }
}

/// A byte for each eight levels, or for more.
#[allow(unreachable_pub, reason = "as above")]
pub trait Groups: AsRef<[u8]> + AsMut<[u8]> {
    const EMPTY: Self;
}

impl<const N: usize> Groups for [u8; N] {
    const EMPTY: Self = [0; N];
}

/// The interval of a timer in its record, in nanoseconds, or none there.
#[allow(unreachable_pub, reason = "as above")]
pub trait Interval: Copy {
    const ZERO: Self;
    fn nanos(self) -> u64;
    fn of(nanos: u64) -> Self;
}

impl Interval for u64 {
    const ZERO: Self = 0;
    #[inline]
    fn nanos(self) -> u64 {
        self
    }
    #[inline]
    fn of(nanos: u64) -> Self {
        nanos
    }
}

impl Interval for () {
    const ZERO: Self = ();
    #[inline]
    fn nanos(self) -> u64 {
        0
    }
    #[inline]
    fn of(_: u64) {}
}

/// When the hand-outs of a turn ended, and the next number in the order of arming among timeouts that restarted then.
#[allow(unreachable_pub, reason = "as above")]
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    pub at: u64,
    pub seq: u32,
}

/// The ends of the last turns, or nothing.
#[allow(unreachable_pub, reason = "as above")]
pub trait Endings {
    const EMPTY: Self;
    const TURNS: u32;
    fn of_turn(&mut self, turn: u32) -> Option<&mut Ending>;
    fn at_end_of(&self, turn: u32) -> u64;
    /// The turn whose end would take the place of the first one that may be needed.
    fn full_at(&self) -> u32;
    fn set_full_at(&mut self, turn: u32);
}

/// The ends of the last 128 turns.
#[cfg(feature = "alloc")]
#[derive(Debug)]
pub struct LastTurns {
    ends: [Ending; 1 << 7],
    full_at: u32,
}

#[cfg(feature = "alloc")]
impl LastTurns {
    fn place(turn: u32) -> Option<usize> {
        usize::try_from(turn & Self::TURNS.wrapping_sub(1)).ok()
    }
}

#[cfg(feature = "alloc")]
impl Endings for LastTurns {
    const EMPTY: Self = Self { ends: [Ending { at: 0, seq: 0 }; 1 << 7], full_at: 0 };
    const TURNS: u32 = 1 << 7;

    #[inline]
    fn of_turn(&mut self, turn: u32) -> Option<&mut Ending> {
        self.ends.get_mut(Self::place(turn)?)
    }

    #[inline]
    fn at_end_of(&self, turn: u32) -> u64 {
        Self::place(turn).and_then(|place| self.ends.get(place)).map_or(0, |ending| ending.at)
    }

    #[inline]
    fn full_at(&self) -> u32 {
        self.full_at
    }

    #[inline]
    fn set_full_at(&mut self, turn: u32) {
        self.full_at = turn;
    }
}

impl Endings for Nothing {
    const EMPTY: Self = Self;
    const TURNS: u32 = 0;

    #[inline]
    fn of_turn(&mut self, _: u32) -> Option<&mut Ending> {
        None
    }

    #[inline]
    fn at_end_of(&self, _: u32) -> u64 {
        0
    }

    #[inline]
    fn full_at(&self) -> u32 {
        0
    }

    #[inline]
    fn set_full_at(&mut self, _: u32) {}
}

/// Finds the row of an fd number.
#[allow(unreachable_pub, reason = "as above")]
pub trait FdIndex<I: Index> {
    const EMPTY: Self;
    /// Adds a new number. `number_of` returns the number of an existing row. On failure nothing has changed.
    fn insert(&mut self, number: u32, row: I, number_of: impl Fn(I) -> u32) -> Result<(), Full>;
    /// Removes a number and its row.
    fn remove(&mut self, number: u32, row: I);
    /// The row of `number`, among the first `rows`. `holds` says whether a row has that number.
    fn find(&self, number: u32, rows: usize, holds: impl Fn(I) -> bool) -> Option<I>;
}
