//! Counters of a base.

use core::time::Duration;

pub use crate::base::Pending;
use crate::storage::Zero;

/// What a base has done. Reading is free. Counters saturate or wrap.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Stats {
    /// Turns of the loop that have begun.
    pub turns: u64,
    /// How often the backend was asked what is ready, with or without sleeping.
    pub waits: u64,
    /// Events handed out.
    pub handed_out: u64,
    /// Timers that expired.
    pub expired: u64,
    /// Changes of interest passed to the backend before waits.
    pub changes: u64,
    /// Those that the backend refused; their fd's events got ERROR.
    pub refused: u64,
    /// Reports dropped because their registration had ended.
    pub stale: u64,
    /// Rebuilds of the backend, at its request or because of stale reports.
    pub rebuilds: u64,
    /// How late the last timer was queued.
    pub lateness: Duration,
    /// The maximum of that.
    pub lateness_max: Duration,
}

/// `Stats` as a base keeps them: nanoseconds, since a `Duration` takes a 64-bit division, and half the room for what is
/// rare.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tally {
    pub(crate) turns: u64,
    pub(crate) waits: u64,
    pub(crate) handed_out: u64,
    pub(crate) expired: u64,
    pub(crate) changes: u64,
    pub(crate) refused: u32,
    pub(crate) stale: u32,
    pub(crate) rebuilds: u32,
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
        let Tally { turns, waits, handed_out, expired, changes, .. } = tally;
        let [refused, stale, rebuilds] = [tally.refused, tally.stale, tally.rebuilds].map(u64::from);
        let [lateness, lateness_max] = [tally.lateness, tally.lateness_max].map(Duration::from_nanos);
        Self { turns, waits, handed_out, expired, changes, refused, stale, rebuilds, lateness, lateness_max }
    }
}

/// Numbers of events, current or maximum (`event_base_get_num_events`, `event_base_get_max_events`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Counts {
    /// Events that exist.
    pub events: u32,
    /// Events that are registered or have a timeout.
    #[doc(alias = "EVENT_BASE_COUNT_ADDED")]
    pub pending: u32,
    /// Events that are queued for a hand-out.
    #[doc(alias = "EVENT_BASE_COUNT_ACTIVE")]
    pub active: u32,
}
