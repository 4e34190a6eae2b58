//! The optional parts of a base of fixed capacity.

use core::fmt::Debug;
use core::marker::PhantomData;

use super::Storage;
use super::tables::{Nothing, Table};
use crate::backend::EventOp;

/// What a [`Fixed`](super::Fixed) storage has besides events, fds and priorities. A part that is left out takes neither
/// code nor memory. [`Everything`] and [`Lean`] are two choices; your own is an empty type:
///
/// ```
/// use evcore::backend::Manual;
/// use evcore::storage::{Kept, LeftOut, Parts};
/// use evcore::{EventBase, Fixed};
///
/// /// Timers, lines and statistics.
/// struct Sensor;
///
/// impl Parts for Sensor {
///     type SharedFds = LeftOut;
///     type Signals = LeftOut;
///     type Watchers = LeftOut;
///     type Once = Kept;
///     type Pauses = LeftOut;
///     type Stats = Kept;
///     type Limits = LeftOut;
///     type Heap = LeftOut;
/// }
///
/// let base: EventBase<Manual, Fixed<8, 2, 1, Sensor>, u8> = EventBase::new(Manual::new());
/// assert_eq!(base.stats().turns, 0);
/// ```
pub trait Parts {
    /// Several events on one fd. Without them, creating a second one returns [`Error::Full`](crate::Error::Full), and so does
    /// [`replace_fd`](crate::EventBase::replace_fd) to an fd that has one.
    type SharedFds: Part;
    /// Events on signals. Without them, creating one returns [`Error::Full`](crate::Error::Full).
    type Signals: Part;
    /// Prepare, check and wake events. Without them, creating one returns [`Error::Full`](crate::Error::Full).
    type Watchers: Part;
    /// Statistics and high-water marks. Without them, `stats`, `max_counts` and `clear_max_counts` do not compile.
    type Stats: Part;
    /// Events that are removed after their hand-out. Without them, `insert_timer` does not compile, and creating a once
    /// event returns [`Error::Unsupported`](crate::Error::Unsupported).
    type Once: Part;
    /// Pauses of events on fds. Without them, `pause_for` does not compile.
    type Pauses: Part;
    /// Limits of a turn. Without them, `set_limits` does not compile, and turns have the default limits.
    type Limits: Part;
    /// A heap of timers, for many of them. Without it they are scanned, as up to 16 always are: an operation on a timer
    /// takes at most a step for each event of the capacity.
    type Heap: Part;
}

/// All parts, as `Fixed<N>` has them.
#[derive(Clone, Copy, Debug)]
pub struct Everything;

impl Parts for Everything {
    type SharedFds = Kept;
    type Signals = Kept;
    type Watchers = Kept;
    type Once = Kept;
    type Pauses = Kept;
    type Stats = Kept;
    type Limits = Kept;
    type Heap = Kept;
}

/// No parts: for small microcontrollers.
#[derive(Clone, Copy, Debug)]
pub struct Lean;

impl Parts for Lean {
    type SharedFds = LeftOut;
    type Signals = LeftOut;
    type Watchers = LeftOut;
    type Once = LeftOut;
    type Pauses = LeftOut;
    type Stats = LeftOut;
    type Limits = LeftOut;
    type Heap = LeftOut;
}

/// A storage with once events, pauses, statistics and limits: a bound for generic code that calls their methods, which
/// do not compile without them. Every `Fixed<N>` is one, and `Growable`.
///
/// ```
/// use evcore::backend::EventOp;
/// use evcore::storage::Complete;
/// use evcore::{EventBase, Fixed};
///
/// fn turns<B: EventOp, S: Complete, T>(base: &EventBase<B, S, T>) -> u64 {
///     base.stats().turns
/// }
/// # let base = EventBase::<_, Fixed<8>, ()>::new(evcore::backend::Manual::new());
/// # assert_eq!(turns(&base), 0);
/// ```
pub trait Complete: Storage<Once = Kept, Pauses = Kept, Stats = Kept, Limits = Kept> {}

impl<S: Storage<Once = Kept, Pauses = Kept, Stats = Kept, Limits = Kept>> Complete for S {}

/// [`Kept`] or [`LeftOut`]. Sealed.
pub trait Part: is_part::Sealed {
    #[doc(hidden)]
    const IS_KEPT: bool;
    /// A table with room for `N` elements, or none.
    #[doc(hidden)]
    type Table<E, const N: usize>: Table<E>;
    /// A value, or none.
    #[doc(hidden)]
    type Held<V: Zero>: Held<V>;
}

/// The part is present.
#[derive(Clone, Copy, Debug)]
pub struct Kept;

impl Part for Kept {
    const IS_KEPT: bool = true;
    type Table<E, const N: usize> = heapless::Vec<E, N>;
    type Held<V: Zero> = V;
}

/// The part is absent.
#[derive(Clone, Copy, Debug)]
pub struct LeftOut;

impl Part for LeftOut {
    const IS_KEPT: bool = false;
    type Table<E, const N: usize> = Nothing;
    type Held<V: Zero> = Nothing;
}

mod is_part {
    pub trait Sealed {}
    impl Sealed for super::Kept {}
    impl Sealed for super::LeftOut {}
}

/// A value that starts as all zeros.
#[allow(unreachable_pub, reason = "Rust 1.85 does not see that `Part` names it")]
pub trait Zero: Copy + Debug {
    const ZERO: Self;
}

/// A value of a part, or nothing.
#[allow(unreachable_pub, reason = "as above")]
pub trait Held<V> {
    const EMPTY: Self;
    fn get(&self) -> Option<&V>;
    fn get_mut(&mut self) -> Option<&mut V>;
}

impl<V: Zero> Held<V> for V {
    const EMPTY: Self = V::ZERO;

    #[inline]
    fn get(&self) -> Option<&V> {
        Some(self)
    }

    #[inline]
    fn get_mut(&mut self) -> Option<&mut V> {
        Some(self)
    }
}

impl<V: Zero> Held<V> for Nothing {
    const EMPTY: Self = Self;

    #[inline]
    fn get(&self) -> Option<&V> {
        None
    }

    #[inline]
    fn get_mut(&mut self) -> Option<&mut V> {
        None
    }
}

/// A storage on a backend, without what the backend does not need.
#[derive(Debug)]
pub(crate) struct On<B, S>(PhantomData<(B, S)>);

impl<B: EventOp, S: Storage> Storage for On<B, S> {
    type SharedFds = S::SharedFds;
    type Once = S::Once;
    type Pauses = S::Pauses;
    type Stats = S::Stats;
    type Limits = S::Limits;
    type Index = S::Index;
    type Table<E> = S::Table<E>;
    type Fds<E> = S::Fds<E>;
    type Owner = S::Owner;
    type Levels<E> = S::Levels<E>;
    type Groups = S::Groups;
    type Signals<E> = S::Signals<E>;
    type Watchers<E> = S::Watchers<E>;
    type Heap<E> = S::Heap<E>;
    type Interval = S::Interval;
    type Intervals = S::Intervals;
    type Endings = S::Endings;
    type FdIndex = S::FdIndex;

    const HAS_SIGNALS: bool = B::HAS_SIGNALS && S::HAS_SIGNALS;
    const IS_SHARED: bool = B::IS_SHARED;
    const HAS_EDGE: bool = B::HAS_EDGE;
}
