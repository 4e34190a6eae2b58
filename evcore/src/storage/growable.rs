//! Storage that grows, on the heap.

use alloc::vec::Vec;

use super::tables::LastTurns;
use super::{FdIndex, Full, Index, Kept, Link, Storage, Table, chains};

/// Room for as many events as there is memory for.
///
/// Creating an event allocates, and so may `replace_fd` and `set_priorities`; they return
/// [`Error::Full`](crate::Error::Full) if the allocator refuses. No other call allocates. Tables do not shrink. The fd
/// map grows with how many fds are watched at once, however high their numbers are.
#[derive(Clone, Copy, Debug)]
pub struct Growable;

impl Storage for Growable {
    type SharedFds = Kept;
    type Once = Kept;
    type Pauses = Kept;
    type Stats = Kept;
    type Limits = Kept;
    type Index = u32;
    type Table<E> = Vec<E>;
    type Fds<E> = Vec<E>;
    type Owner = ();
    type Levels<E> = Vec<E>;
    type Groups = [u8; 32];
    type Signals<E> = Vec<E>;
    type Watchers<E> = Vec<E>;
    type Heap<E> = Vec<E>;
    // A timer without one then has a record of 16 bytes, in a single cache line.
    type Interval = ();
    type Intervals = Vec<u64>;
    type Endings = LastTurns;
    type FdIndex = Chains;
}

impl<E> Table<E> for Vec<E> {
    const EMPTY: Self = Self::new();
    const CAPACITY: usize = usize::MAX;

    #[inline]
    fn as_slice(&self) -> &[E] {
        self
    }

    #[inline]
    fn as_mut_slice(&mut self) -> &mut [E] {
        self
    }

    // By the length, as the allocator may give one table more room than another.
    #[inline]
    fn may_be_full(&self) -> bool {
        self.len() & self.len().wrapping_sub(1) == 0
    }

    fn next_room(&self) -> usize {
        let room = self.len().saturating_add(1).checked_next_power_of_two();
        room.map_or(usize::MAX, |room| room.max(FEWEST_ELEMENTS))
    }

    #[cfg(any(test, feature = "check"))]
    fn room(&self) -> usize {
        self.capacity()
    }

    fn reserve(&mut self, more: usize) -> Result<(), Full> {
        if more <= self.capacity().saturating_sub(self.len()) { Ok(()) } else { grow(self, more) }
    }

    fn reserve_all(&mut self, elements: usize) -> Result<(), Full> {
        if elements <= self.capacity() { Ok(()) } else { grow(self, elements.saturating_sub(self.len())) }
    }

    fn push(&mut self, element: E) {
        push_reserved(self, element);
    }

    fn pop(&mut self) -> Option<E> {
        Vec::pop(self)
    }

    fn clear(&mut self) {
        Vec::clear(self);
    }
}

/// What a table begins with.
const FEWEST_ELEMENTS: usize = 4;

#[inline(never)]
fn grow<E>(list: &mut Vec<E>, more: usize) -> Result<(), Full> {
    if !list.is_empty() {
        return list.try_reserve(more).map_err(|_| Full);
    }
    // Unused memory need not be copied, which would make it resident.
    let mut larger = Vec::new();
    larger.try_reserve_exact(more.max(list.capacity().saturating_mul(2))).map_err(|_| Full)?;
    *list = larger;
    Ok(())
}

/// Appends into reserved room. The comparison shows the compiler that nothing grows here, which could only abort.
fn push_reserved<E>(list: &mut Vec<E>, element: E) {
    if list.len() < list.capacity() {
        list.push(element);
    }
}

const FEWEST: usize = 16;

/// Rows by fd number, in hash chains, with one to two buckets for each row.
#[derive(Debug)]
pub struct Chains {
    buckets: Vec<Link<u32>>,
    next: Vec<Link<u32>>,
}

impl Chains {
    fn grow(&mut self, number_of: impl Fn(u32) -> u32) -> Result<(), Full> {
        let buckets = self.buckets.len();
        let more = buckets.max(FEWEST);
        self.buckets.try_reserve_exact(more).map_err(|_| Full)?;
        for _ in 0..more {
            push_reserved(&mut self.buckets, Link::NONE);
        }
        // A row's new bucket is not before its old one, so the last ones come first.
        for bucket in (0..buckets).rev() {
            let first = self.buckets.get_mut(bucket);
            let mut row = first.map_or(Index::NIL, |first| core::mem::replace(first, Link::NONE).place());
            while !row.is_nil() {
                #[cfg(test)]
                crate::steps::count(|steps| &steps.rehashed);
                let after = chains::follow(&self.next, row.get());
                chains::insert(&mut self.buckets, &mut self.next, number_of(row), row);
                row = after;
            }
        }
        Ok(())
    }
}

impl FdIndex<u32> for Chains {
    const EMPTY: Self = Self { buckets: Vec::new(), next: Vec::new() };

    fn insert(&mut self, number: u32, row: u32, number_of: impl Fn(u32) -> u32) -> Result<(), Full> {
        let rows = row.get().saturating_add(1);
        self.next.try_reserve(rows.saturating_sub(self.next.len())).map_err(|_| Full)?;
        if rows > self.buckets.len() {
            self.grow(number_of)?;
        }
        while self.next.len() < rows && self.next.len() < self.next.capacity() {
            push_reserved(&mut self.next, Link::NONE);
        }
        chains::insert(&mut self.buckets, &mut self.next, number, row);
        Ok(())
    }

    fn remove(&mut self, number: u32, row: u32) {
        chains::remove(&mut self.buckets, &mut self.next, number, row);
    }

    fn find(&self, number: u32, _: usize, holds: impl Fn(u32) -> bool) -> Option<u32> {
        chains::find(&self.buckets, &self.next, number, holds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_doubles_when_it_is_full_and_not_before() {
        let mut table: Vec<u64> = Table::EMPTY;
        for (number, room) in (0..).zip([4, 4, 4, 4, 8, 8, 8, 8, 16, 16]) {
            assert_eq!(table.may_be_full(), [0, 1, 2, 4, 8].contains(&number), "{number}");
            if table.may_be_full() {
                assert_eq!(table.next_room(), room, "{number}");
                table.reserve_all(room).unwrap();
            }
            assert_eq!(table.room(), room, "{number}");
            Table::push(&mut table, number);
        }
        assert_eq!(table.len(), 10);
    }

    #[test]
    fn chains_are_whole_after_growing() {
        let mut chains = Chains::EMPTY;
        let number_of = |row| row * 4_096;
        for row in 0..1_000 {
            chains.insert(number_of(row), row, number_of).unwrap();
            assert!(chains.buckets.len() >= chains.next.len());
        }
        for row in (0..1_000).step_by(3) {
            chains.remove(number_of(row), row);
        }
        for row in 0..1_000 {
            let found = chains.find(number_of(row), 0, |found| found == row);
            assert_eq!(found, (row % 3 != 0).then_some(row));
        }
    }

    #[test]
    fn tables_follow_the_rows_and_not_the_numbers() {
        let mut chains = Chains::EMPTY;
        assert_eq!(chains.find(u32::MAX, 0, |_| true), None);
        chains.insert(u32::MAX, 0, |_| u32::MAX).unwrap();
        assert_eq!((chains.buckets.len(), chains.next.len()), (FEWEST, 1));
        assert_eq!(chains.find(u32::MAX, 0, |row| row == 0), Some(0));
    }
}
