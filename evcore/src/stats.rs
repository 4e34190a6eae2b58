//! What a base has done so far.

use core::time::Duration;

/// Counters of a base. Reading them is free; they saturate or wrap, none stops the loop.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
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
    /// Calls that told the backend of a change of interest, made while waiting was prepared.
    pub changes: u64,
    /// Such calls that the backend refused; the events of that fd were told ERROR.
    pub refused: u64,
    /// Reports dropped, because their registration had ended.
    pub stale: u64,
    /// Times that the backend was started anew because stale reports kept coming.
    pub rebuilds: u64,
    /// How late the last timer was moved to its queue.
    pub lateness: Duration,
    /// The largest such lateness.
    pub lateness_max: Duration,
}

/// How many events there are of each kind, or were at most (`event_base_get_num_events`, `event_base_get_max_events`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Counts {
    /// Events that exist.
    pub events: u32,
    /// Events that wait: registered, or with a timeout.
    pub pending: u32,
    /// Events that are active: queued to be handed out.
    pub active: u32,
}
