//! What the user may set of a turn: how much it does, and how the priorities share it.

use core::num::{NonZeroU32, NonZeroU64};
use core::time::Duration;

use crate::storage::Zero;
use crate::time::nanos;

/// How much one turn of the loop may do, before timers and readiness are looked at again
/// (`event_config_set_max_dispatch_interval`).
///
/// ```
/// use core::num::NonZeroU32;
/// use evcore::options::Limits;
///
/// let limits = Limits { hand_outs: NonZeroU32::new(16), timers: None, ..Limits::DEFAULT };
/// assert_eq!(limits.hand_outs.map(NonZeroU32::get), Some(16));
/// assert_eq!(Limits::DEFAULT.timers.map(NonZeroU32::get), Some(1_024));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limits {
    /// How many events are handed out in a turn, at most; no limit when `None`. Without one, a turn still hands out each event
    /// once at most.
    pub hand_outs: Option<NonZeroU32>,
    /// How many timers are moved to the active queues in a turn, at most; no limit when `None`. As many stale heap
    /// entries, of timers that were pushed back, are corrected in a turn, and one more at most.
    pub timers: Option<NonZeroU32>,
    /// For how long events are handed out in a turn, a nanosecond at least. Looked at after each hand-out, which costs a
    /// read of the clock.
    pub interval: Option<Duration>,
    /// More urgent levels than this one are exempt from `hand_outs` and `interval`.
    pub from_priority: u8,
}

impl Limits {
    /// What a base begins with: 1,024 hand-outs, 1,024 timers, no limit in time, no level exempt.
    pub const DEFAULT: Self = Self {
        hand_outs: NonZeroU32::new(DEFAULT),
        timers: NonZeroU32::new(DEFAULT),
        interval: None,
        from_priority: 0,
    };
}

/// Hand-outs and timers a turn.
const DEFAULT: u32 = 1_024;
/// More than any turn hands out: it ends by itself when nothing is left.
pub(crate) const UNLIMITED: u32 = u32::MAX >> 1;

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// `Limits` as a base keeps them: all zeros for the defaults. So a number is kept as its difference to the default, and no
/// limit is a number that no turn reaches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    hand_outs: u32,
    timers: u32,
    /// In nanoseconds.
    pub(crate) interval: Option<NonZeroU64>,
    pub(crate) from_priority: u8,
    /// There is more than numbers: an interval, or exempt levels.
    pub(crate) is_special: bool,
}

impl Bounds {
    pub(crate) const DEFAULT: Self =
        Self { hand_outs: 0, timers: 0, interval: None, from_priority: 0, is_special: false };

    pub(crate) fn hand_outs(&self) -> u32 {
        self.hand_outs ^ DEFAULT
    }

    pub(crate) fn timers(&self) -> u32 {
        self.timers ^ DEFAULT
    }
}

impl Zero for Bounds {
    const ZERO: Self = Self::DEFAULT;
}

impl From<Limits> for Bounds {
    fn from(limits: Limits) -> Self {
        let interval = limits.interval.map(|interval| NonZeroU64::new(nanos(interval)).unwrap_or(NonZeroU64::MIN));
        let Limits { hand_outs, timers, from_priority, .. } = limits;
        let [hand_outs, timers] =
            [hand_outs, timers].map(|limit| limit.map_or(UNLIMITED, NonZeroU32::get).min(UNLIMITED) ^ DEFAULT);
        let is_special = interval.is_some() || from_priority > 0;
        Self { hand_outs, timers, interval, from_priority, is_special }
    }
}

/// How levels share a turn.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Fairness {
    /// All levels are served in each turn, the most urgent first. Where a level has more than its share of the turn's
    /// hand-outs, a quarter is kept for less urgent ones, and every level at which an event waits gets one at least.
    #[default]
    Fair,
    /// One level a turn, as in libevent: less urgent events wait until nothing more urgent was found.
    Strict,
}
