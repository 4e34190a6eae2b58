//! Where the tables of a base live: in arrays of fixed capacity, or in memory of an allocator.
//!
//! All tables are indexed by event, so one capacity bounds everything: an event that was created has its place in every
//! table, and no later call can fail for lack of room.

use core::fmt;

mod chains;
mod fixed;
#[cfg(feature = "alloc")]
mod growable;
mod tables;

pub use fixed::Fixed;
#[cfg(feature = "alloc")]
pub use growable::Growable;
pub(crate) use tables::{Ending, Endings, FEW, FdIndex, Index, Link, Table};

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
    /// How events are numbered.
    #[doc(hidden)]
    type Index: Index;
    /// One table.
    #[doc(hidden)]
    type Table<E>: Table<E>;
    /// When the last turns ended.
    #[doc(hidden)]
    type Endings: Endings;
    /// fd number → row of the fd map.
    #[doc(hidden)]
    type FdIndex: FdIndex<Self::Index>;
}

mod sealed {
    pub trait Sealed {}
    impl<const N: usize> Sealed for super::Fixed<N> {}
    #[cfg(feature = "alloc")]
    impl Sealed for super::Growable {}
}
