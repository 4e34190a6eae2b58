//! Settings of a turn: its limits, and how priorities share it.

use core::num::{NonZeroU32, NonZeroU64};
use core::time::Duration;

use crate::storage::Zero;
use crate::time::nanos;

/// What one turn may do before timers and readiness are checked again (`event_config_set_max_dispatch_interval`).
///
/// ```
/// use core::num::NonZeroU32;
/// use evcore::options::Limits;
///
/// let limits = Limits { hand_outs: NonZeroU32::new(16), ..Limits::DEFAULT };
/// assert_eq!(limits.timers, NonZeroU32::new(1_024));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limits {
    /// Maximum of hand-outs. Without one, a turn hands out each event at most once.
    pub hand_outs: Option<NonZeroU32>,
    /// Maximum of timers moved to the queues. A turn corrects at most one more than this number of stale heap entries
    /// (postponed timers).
    pub timers: Option<NonZeroU32>,
    /// Maximum time of the hand-outs, at least a nanosecond, checked after each of them by reading the clock.
    pub interval: Option<Duration>,
    /// Priorities more urgent than this are exempt from `hand_outs` and `interval`.
    pub from_priority: u8,
}

impl Limits {
    /// The default: 1,024 hand-outs, 1,024 timers, no limit in time, no priority exempt.
    pub const DEFAULT: Self = Self {
        hand_outs: NonZeroU32::new(DEFAULT),
        timers: NonZeroU32::new(DEFAULT),
        interval: None,
        from_priority: 0,
    };
}

/// Hand-outs and timers a turn.
const DEFAULT: u32 = 1_024;
/// More than any turn hands out.
pub(crate) const UNLIMITED: u32 = u32::MAX >> 1;

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// `Limits` as a base keeps them, all zeros for the defaults: numbers are XORed with the default, and [`UNLIMITED`] is no
/// limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    hand_outs: u32,
    timers: u32,
    /// In nanoseconds.
    pub(crate) interval: Option<NonZeroU64>,
    pub(crate) from_priority: u8,
    /// There is an interval or an exempt priority.
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

/// How priorities share a turn.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Fairness {
    /// Every priority is served in each turn, the most urgent first. While less urgent events are active, a priority
    /// leaves them a quarter of the remaining hand-outs, and each less urgent priority gets at least one.
    #[default]
    Fair,
    /// One priority a turn, as in libevent: less urgent events wait until a turn has found nothing more urgent.
    Strict,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_interval_or_an_exempt_priority_is_special() {
        let is_special = |limits| Bounds::from(limits).is_special;
        assert!(!is_special(Limits::DEFAULT));
        assert!(!is_special(Limits { hand_outs: None, timers: None, ..Limits::DEFAULT }));
        assert!(is_special(Limits { from_priority: 1, ..Limits::DEFAULT }));
        assert!(is_special(Limits { interval: Some(core::time::Duration::ZERO), ..Limits::DEFAULT }));
    }
}
