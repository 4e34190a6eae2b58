//! Storage of fixed capacity, on `heapless` arrays.

use super::{FdIndex, Full, Index, Storage, Table};

/// Room for `N` events, inside the base itself: no allocator, known size, fit for a `static`.
///
/// Every table has `N` places, because a timer is an event, an active event is an event, and an fd is there because an
/// event watches it. `N` is at most 65,534; events are numbered in 16 bits. An fd is found by looking through at most `N`
/// rows, when an event is created; a report that carries its token is O(1).
#[derive(Clone, Copy, Debug)]
pub struct Fixed<const N: usize>;

impl<const N: usize> Storage for Fixed<N> {
    type Index = u16;
    type Table<E> = heapless::Vec<E, N>;
    type FdIndex = Rows;
}

impl<E, const N: usize> Table<E> for heapless::Vec<E, N> {
    const EMPTY: Self = {
        assert!(N < 65_535, "Fixed<N>: N is at most 65,534");
        Self::new()
    };

    #[inline]
    fn as_slice(&self) -> &[E] {
        self
    }

    #[inline]
    fn as_mut_slice(&mut self) -> &mut [E] {
        self
    }

    fn reserve(&mut self, more: usize) -> Result<(), Full> {
        if N.saturating_sub(self.as_slice().len()) < more { Err(Full) } else { Ok(()) }
    }

    fn push(&mut self, element: E) {
        // The room was reserved, so nothing comes back.
        let _ = heapless::Vec::push(self, element);
    }

    fn pop(&mut self) -> Option<E> {
        heapless::Vec::pop(self)
    }

    fn clear(&mut self) {
        heapless::Vec::clear(self);
    }
}

/// No map at all: the rows themselves are looked through.
#[derive(Debug)]
pub struct Rows;

impl<I: Index> FdIndex<I> for Rows {
    const EMPTY: Self = Self;

    fn reserve(&mut self, _number: u32) -> Result<(), Full> {
        Ok(())
    }

    fn set(&mut self, _number: u32, _row: I) {}

    fn release(&mut self, _number: u32) {}

    fn find(&self, number: u32, mut numbers: impl Iterator<Item = Option<u32>>) -> Option<I> {
        let is_of_number = |row| {
            #[cfg(test)]
            crate::steps::count(|steps| &steps.probes);
            row == Some(number)
        };
        numbers.position(is_of_number).map(I::new)
    }
}
