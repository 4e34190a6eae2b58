//! Where the tables of a base live: in arrays of fixed capacity, or on the heap.
//!
//! All tables are indexed by event, so one capacity bounds everything: a created event has its place in every table.
//! Only `replace_fd` and `set_priorities` may find no room later.

use core::fmt;

mod chains;
mod fixed;
#[cfg(feature = "alloc")]
mod growable;
mod parts;
mod tables;

pub use fixed::Fixed;
#[cfg(feature = "alloc")]
pub use growable::Growable;
pub use parts::{Complete, Everything, Kept, Lean, LeftOut, Part, Parts};
pub(crate) use parts::{Held, On, Zero};
pub(crate) use tables::{Endings, FEW, FdIndex, Groups, Index, Interval, Link, Owner, Table};

/// There is no room for one more event.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no room for another event: give the base a larger capacity, or remove events first")
    }
}

impl core::error::Error for Full {}

/// Where a base keeps its events: [`Fixed`] or, with the feature `alloc`, `Growable`. Sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a storage",
    label = "the second parameter of `EventBase` is `Fixed<N>` or `Growable`",
    note = "`Growable` needs evcore's feature `alloc`"
)]
pub trait Storage: sealed::Sealed {
    /// Whether there may be several events on one fd.
    type SharedFds: Part;
    /// Whether [`EventBase::stats`](crate::EventBase::stats) and `max_counts` exist.
    type Stats: Part;
    /// Whether [`EventBase::set_limits`](crate::EventBase::set_limits) exists.
    type Limits: Part;
    /// Whether events can be removed after their hand-out: [`Event::once`](crate::Event::once),
    /// [`EventBase::insert_timer`](crate::EventBase::insert_timer).
    type Once: Part;
    /// Whether [`EventBase::pause_for`](crate::EventBase::pause_for) exists.
    type Pauses: Part;
    /// The type of event indices.
    #[doc(hidden)]
    type Index: Index;
    /// A table with a place for each event.
    #[doc(hidden)]
    type Table<E>: Table<E>;
    /// A table with a place for each event on an fd.
    #[doc(hidden)]
    type Fds<E>: Table<E>;
    /// Which event has a place in such a table, if there are fewer places than events.
    #[doc(hidden)]
    type Owner: Owner<Self::Index>;
    /// A table with a place for each priority.
    #[doc(hidden)]
    type Levels<E>: Table<E>;
    /// A byte for each eight levels.
    #[doc(hidden)]
    type Groups: Groups;
    /// As `Table`, for events on signals.
    #[doc(hidden)]
    type Signals<E>: Table<E>;
    /// As `Table`, for watchers.
    #[doc(hidden)]
    type Watchers<E>: Table<E>;
    /// As `Table`, for the timer heap.
    #[doc(hidden)]
    type Heap<E>: Table<E>;
    /// The interval of a timer, or nothing if intervals have a table of their own.
    #[doc(hidden)]
    type Interval: Interval;
    /// That table. It grows only as far as an event has an interval.
    #[doc(hidden)]
    type Intervals: Table<u64>;
    /// When the last turns ended.
    #[doc(hidden)]
    type Endings: Endings;
    /// fd number → row of the fd map.
    #[doc(hidden)]
    type FdIndex: FdIndex<Self::Index>;

    // Constants by which the code of absent parts is left out.

    #[doc(hidden)]
    const HAS_FDS: bool = <Self::Fds<()> as Table<()>>::CAPACITY > 0;
    #[doc(hidden)]
    const HAS_SIGNALS: bool = <Self::Signals<()> as Table<()>>::CAPACITY > 0;
    #[doc(hidden)]
    const HAS_WATCHERS: bool = <Self::Watchers<()> as Table<()>>::CAPACITY > 0;
    #[doc(hidden)]
    const HAS_LEVELS: bool = <Self::Levels<()> as Table<()>>::CAPACITY > 1;
    /// Whether every event has a place of its own in the fd map.
    #[doc(hidden)]
    const IS_EACH_ON_FD: bool = <Self::Fds<()> as Table<()>>::CAPACITY >= <Self::Table<()> as Table<()>>::CAPACITY;
    /// Whether several events may be on one fd.
    #[doc(hidden)]
    const HAS_SHARED_FDS: bool = <Self::SharedFds as Part>::IS_KEPT;
    /// Whether timers are scanned instead of kept in a heap.
    #[doc(hidden)]
    const IS_SCANNED: bool = <Self::Heap<()> as Table<()>>::CAPACITY <= SCANNED;
    /// Whether there are few events: code that is only faster is left out.
    #[doc(hidden)]
    const IS_SMALL: bool = <Self::Heap<()> as Table<()>>::CAPACITY <= FEW;
    /// Whether other code may close descriptors, so that registrations are verified.
    #[doc(hidden)]
    const IS_SHARED: bool = true;
    /// Whether events may be edge-triggered.
    #[doc(hidden)]
    const HAS_EDGE: bool = true;
}

/// Up to this many timers, a scan is faster than a heap.
const SCANNED: usize = 16;

mod sealed {
    pub trait Sealed {}
    impl<const EVENTS: usize, const FDS: usize, const LEVELS: usize, P: super::Parts> Sealed
        for super::Fixed<EVENTS, FDS, LEVELS, P>
    {
    }
    impl<B, S> Sealed for super::On<B, S> {}
    #[cfg(feature = "alloc")]
    impl Sealed for super::Growable {}
}
