//! Errors of `Manual`.

use core::fmt;

/// Why [`Manual`](super::Manual) refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ManualError {
    /// [`Manual::refuse`](super::Manual::refuse) asked for it.
    Refused,
    /// [`Manual::refuse_for_now`](super::Manual::refuse_for_now) asked for it.
    Busy,
    /// The backend has no room for another fd or signal.
    Full,
    /// The backend has no flag: see [`Manual::with_flag`](super::Manual::with_flag).
    NoFlag,
    /// The base is asleep: call [`EventBase::end_sleep`](crate::EventBase::end_sleep) first.
    Asleep,
    /// The sleeper is not the one that is out.
    NotAsleep,
}

impl fmt::Display for ManualError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy => "refused for now, as `refuse_for_now` requested",
            Self::Refused => "refused, as `refuse` requested",
            Self::Full => "no room for another fd or signal: give `Manual` a larger N",
            Self::NoFlag => "there is no flag to wake it by: make it with `Manual::with_flag`",
            Self::Asleep => "the base is asleep: call `end_sleep` first",
            Self::NotAsleep => "the base is not in this sleep",
        })
    }
}

impl core::error::Error for ManualError {}
