//! What a base has done so far.

use core::time::Duration;

pub use crate::base::Pending;
use crate::storage::Zero;

/// Counters of a base. Reading them is free; they saturate or wrap, none stops the loop.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Stats {
    /// Turns of the loop that have begun.
    pub turns: u64,
    /// Times that the backend was asked to wait or to look.
    pub waits: u64,
    /// Events handed out.
    pub handed_out: u64,
    /// Timers that expired.
    pub expired: u64,
    /// Changes of interest passed to the backend, before waits.
    pub changes: u64,
    /// Such changes that the backend refused; the events of that fd got ERROR.
    pub refused: u64,
    /// Reports dropped, because their registration had ended.
    pub stale: u64,
    /// Times that the backend was rebuilt because stale reports kept coming, or because it asked for it.
    pub rebuilds: u64,
    /// How late the last timer was moved to its queue.
    pub lateness: Duration,
    /// The largest such lateness.
    pub lateness_max: Duration,
}

/// `Stats` as a base keeps them: lateness in nanoseconds, because a `Duration` of them takes a 64-bit division.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tally {
    pub(crate) turns: u64,
    pub(crate) waits: u64,
    pub(crate) handed_out: u64,
    pub(crate) expired: u64,
    pub(crate) changes: u64,
    pub(crate) refused: u64,
    pub(crate) stale: u64,
    pub(crate) rebuilds: u64,
    pub(crate) lateness: u64,
    pub(crate) lateness_max: u64,
    pub(crate) max: Counts,
}

impl Zero for Tally {
    const ZERO: Self = Self {
        turns: 0,
        waits: 0,
        handed_out: 0,
        expired: 0,
        changes: 0,
        refused: 0,
        stale: 0,
        rebuilds: 0,
        lateness: 0,
        lateness_max: 0,
        max: Counts { events: 0, pending: 0, active: 0 },
    };
}

impl From<Tally> for Stats {
    fn from(tally: Tally) -> Self {
        let Tally { turns, waits, handed_out, expired, changes, refused, stale, rebuilds, .. } = tally;
        let lateness = Duration::from_nanos(tally.lateness);
        let lateness_max = Duration::from_nanos(tally.lateness_max);
        Self { turns, waits, handed_out, expired, changes, refused, stale, rebuilds, lateness, lateness_max }
    }
}

/// How many events there are of each kind, or were at most (`event_base_get_num_events`, `event_base_get_max_events`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Counts {
    /// Events that exist.
    pub events: u32,
    /// Events that wait: registered, or with a timeout.
    #[doc(alias = "EVENT_BASE_COUNT_ADDED")]
    pub pending: u32,
    /// Events that are active: queued to be handed out.
    #[doc(alias = "EVENT_BASE_COUNT_ACTIVE")]
    pub active: u32,
}
