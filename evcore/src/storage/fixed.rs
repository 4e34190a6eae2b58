//! Storage of fixed capacity, on `heapless` arrays.

use core::fmt;
use core::marker::PhantomData;

use super::tables::Nothing;
use super::{Everything, FEW, FdIndex, Full, Index, Link, Part, Parts, Storage, Table, chains};

/// Room for `EVENTS` events inside the base: no allocator, known size, suitable for a `static`.
///
/// `Fixed<8>` has everything: 8 events of any kind and up to 8 priorities. What a smaller storage leaves out takes
/// neither code nor memory:
///
/// | storage | what a base has |
/// |---|---|
/// | `Fixed<8>` | 8 events of any kind |
/// | `Fixed<8, 2>` | at most 2 of them on fds |
/// | `Fixed<8, 2, 1>` | and one priority |
/// | `Fixed<8, 2, 1, Lean>` | and one event on each fd, no signals, statistics or limits, …: see [`Parts`] |
/// | `Fixed<8, 0, 1, Lean>` | timers and user events only |
///
/// Creating an event for which there is no room returns [`Error::Full`](crate::Error::Full) with the data, and so does
/// `set_priorities` beyond `LEVELS`.
///
/// `EVENTS` is at most 65,534. An event on an fd takes one of the `FDS` places, even if it shares the fd. If `FDS` is
/// less than `EVENTS`, finding an event's place takes up to `FDS` steps.
///
/// Creating an event looks its fd up: among all rows if `FDS` is at most 64, else by a hash in about two steps. A
/// report finds its row by its token, in O(1).
///
/// ```
/// use core::time::Duration;
/// use evcore::backend::Manual;
/// use evcore::storage::Lean;
/// use evcore::{Error, EventBase, Fixed, Interest};
///
/// let mut base: EventBase<Manual, Fixed<8, 1, 1, Lean>, &str> = EventBase::new(Manual::new());
/// base.insert(3, Interest::READ, "button").unwrap();
/// base.insert_interval(Duration::from_millis(500), "blink").unwrap();
/// let rejected = base.insert(4, Interest::READ, "another").unwrap_err();
/// assert!(matches!(rejected.error, Error::Full));
/// assert_eq!(rejected.data, "another");
/// ```
pub struct Fixed<const EVENTS: usize, const FDS: usize = EVENTS, const LEVELS: usize = EVENTS, P: Parts = Everything>(
    PhantomData<P>,
);

impl<const EVENTS: usize, const FDS: usize, const LEVELS: usize, P: Parts> Storage for Fixed<EVENTS, FDS, LEVELS, P> {
    type SharedFds = P::SharedFds;
    type Once = P::Once;
    type Pauses = P::Pauses;
    type Stats = P::Stats;
    type Limits = P::Limits;
    type Index = u16;
    type Table<E> = heapless::Vec<E, EVENTS>;
    type Fds<E> = heapless::Vec<E, FDS>;
    type Owner = u16;
    type Levels<E> = heapless::Vec<E, LEVELS>;
    type Groups = [u8; LEVELS];
    type Signals<E> = <P::Signals as Part>::Table<E, EVENTS>;
    type Watchers<E> = <P::Watchers as Part>::Table<E, EVENTS>;
    type Heap<E> = <P::Heap as Part>::Table<E, EVENTS>;
    type Interval = u64;
    type Intervals = Nothing;
    type Endings = Nothing;
    type FdIndex = Chains<FDS>;
}

impl<const EVENTS: usize, const FDS: usize, const LEVELS: usize, P: Parts> Clone for Fixed<EVENTS, FDS, LEVELS, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<const EVENTS: usize, const FDS: usize, const LEVELS: usize, P: Parts> Copy for Fixed<EVENTS, FDS, LEVELS, P> {}

impl<const EVENTS: usize, const FDS: usize, const LEVELS: usize, P: Parts> fmt::Debug
    for Fixed<EVENTS, FDS, LEVELS, P>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fixed<{EVENTS}, {FDS}, {LEVELS}>")
    }
}

impl<E, const N: usize> Table<E> for heapless::Vec<E, N> {
    const EMPTY: Self = {
        assert!(N < 65_535, "Fixed<N>: N is at most 65,534");
        Self::new()
    };
    const CAPACITY: usize = N;

    // The optimiser does not see through a length that an array without elements has none.
    #[inline]
    fn as_slice(&self) -> &[E] {
        if N == 0 { &[] } else { self }
    }

    #[inline]
    fn as_mut_slice(&mut self) -> &mut [E] {
        if N == 0 { &mut [] } else { self }
    }

    fn reserve(&mut self, more: usize) -> Result<(), Full> {
        if N.saturating_sub(self.as_slice().len()) < more { Err(Full) } else { Ok(()) }
    }

    fn reserve_all(&mut self, elements: usize) -> Result<(), Full> {
        if elements > N { Err(Full) } else { Ok(()) }
    }

    fn push(&mut self, element: E) {
        // The room was reserved: nothing comes back.
        let _ = heapless::Vec::push(self, element);
    }

    fn pop(&mut self) -> Option<E> {
        heapless::Vec::pop(self)
    }

    fn clear(&mut self) {
        heapless::Vec::clear(self);
    }
}

/// Rows by fd number, in hash chains. Few rows are scanned instead, which is shorter and no slower; they have links all
/// the same, since the length of an array cannot depend on a condition.
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

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;

    /// A storage of at most [`FEW`] scans its rows, and a larger one follows its chains.
    #[test]
    fn chains_of_both_sizes_find_what_is_left() {
        fn holds_what_is_left<const N: usize>() {
            let mut chains = Chains::<N>::EMPTY;
            let number_of = |row: u16| u32::from(row) * 4_096;
            let rows = u16::try_from(N).unwrap();
            for row in 0..rows {
                chains.insert(number_of(row), row, number_of).unwrap();
            }
            for row in (0..rows).step_by(3) {
                chains.remove(number_of(row), row);
            }
            for row in (0..rows).filter(|row| row % 3 != 0) {
                assert_eq!(chains.find(number_of(row), N, |found| found == row), Some(row));
            }
            let is_linked = chains.buckets.iter().chain(&chains.next).any(|link| !link.is_none());
            assert_eq!(is_linked, N > FEW, "{N}");
            for row in (0..rows).filter(|_| N > FEW).step_by(3) {
                assert_eq!(chains.find(number_of(row), N, |found| found == row), None);
            }
        }
        holds_what_is_left::<{ FEW }>();
        holds_what_is_left::<{ FEW + 1 }>();
        holds_what_is_left::<200>();
    }

    #[test]
    fn a_table_may_be_full_before_its_first_element_and_at_its_end() {
        let mut table: <Fixed<3> as Storage>::Table<u8> = Table::EMPTY;
        for is_full in [true, false, false, true] {
            assert_eq!(table.may_be_full(), is_full, "{}", Table::len(&table));
            Table::push(&mut table, 0);
        }
    }

    #[test]
    fn debug_names_the_capacities() {
        let storage: Fixed<4, 3, 2> = Fixed(PhantomData);
        assert_eq!(format!("{storage:?}"), "Fixed<4, 3, 2>");
    }
}
