//! Storage of fixed capacity, on `heapless` arrays.

use super::{Ending, FEW, FdIndex, Full, Index, Link, Storage, Table, chains};

/// Room for `N` events, inside the base itself: no allocator, known size, fit for a `static`.
///
/// Every table has `N` places, because a timer is an event, an active event is an event, and an fd is there because an
/// event watches it. `N` is at most 65,534; events are numbered in 16 bits.
///
/// When an event is created, its fd is looked for: in all rows where `N` is at most 64, and by a hash above, which takes two
/// steps or so. A report that carries its token is O(1).
#[derive(Clone, Copy, Debug)]
pub struct Fixed<const N: usize>;

impl<const N: usize> Storage for Fixed<N> {
    type Index = u16;
    type Table<E> = heapless::Vec<E, N>;
    type Endings = [Ending; 1];
    type FdIndex = Chains<N>;
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

/// Rows by fd number, in hash chains. Few rows are looked through instead, which is shorter code and no slower. They have the
/// links all the same, because the length of an array cannot depend on a condition.
#[derive(Debug)]
pub struct Chains<const N: usize> {
    buckets: [Link<u16>; N],
    next: [Link<u16>; N],
}

impl<const N: usize> FdIndex<u16> for Chains<N> {
    const EMPTY: Self = Self { buckets: [Link::NONE; N], next: [Link::NONE; N] };

    fn insert(&mut self, number: u32, row: u16, _: impl Fn(u16) -> u32) -> Result<(), Full> {
        if N > FEW {
            chains::insert(&mut self.buckets, &mut self.next, number, row);
        }
        Ok(())
    }

    fn remove(&mut self, number: u32, row: u16) {
        if N > FEW {
            chains::remove(&mut self.buckets, &mut self.next, number, row);
        }
    }

    fn find(&self, number: u32, rows: usize, holds: impl Fn(u16) -> bool) -> Option<u16> {
        if N > FEW {
            return chains::find(&self.buckets, &self.next, number, holds);
        }
        let is_it = |row: &u16| {
            #[cfg(test)]
            crate::steps::count(|steps| &steps.probes);
            holds(*row)
        };
        (0..rows).map(Index::new).find(is_it)
    }
}
