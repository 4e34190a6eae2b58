//! Points in time of the backend's clock.

use core::fmt;
use core::ops::{Add, AddAssign};
use core::time::Duration;

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// A point in time: nanoseconds of the backend's monotonic clock.
///
/// The backend chooses the clock's zero, so an `Instant` has a meaning only for its base. Arithmetic saturates, `+`
/// included: no delay wraps into the past.
///
/// ```
/// use core::time::Duration;
/// use evcore::Instant;
///
/// let start = Instant::from_nanos(5);
/// assert_eq!((start + Duration::from_micros(1)).as_nanos(), 1_005);
/// assert_eq!(start + Duration::MAX, Instant::MAX);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The clock's own zero.
    pub const ZERO: Self = Self(0);
    /// Never: a deadline there does not expire.
    pub const MAX: Self = Self(u64::MAX);

    /// The point `nanos` nanoseconds after the clock's zero.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the clock's zero.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// This point, later by `delay`; at most [`Instant::MAX`].
    #[must_use]
    pub const fn saturating_add(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(nanos(delay)))
    }

    /// The time from `earlier` to this point; zero if `earlier` is later.
    ///
    /// ```
    /// use core::time::Duration;
    /// use evcore::Instant;
    ///
    /// assert_eq!(Instant::from_nanos(9).saturating_since(Instant::from_nanos(4)), Duration::from_nanos(5));
    /// assert_eq!(Instant::ZERO.saturating_since(Instant::MAX), Duration::ZERO);
    /// ```
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.nanos_since(earlier))
    }

    /// As [`Instant::saturating_add`], in nanoseconds.
    pub(crate) const fn saturating_add_nanos(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// As [`Instant::saturating_since`], in nanoseconds, without the division of a `Duration`.
    pub(crate) const fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, delay: Duration) -> Self {
        self.saturating_add(delay)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, delay: Duration) {
        *self = self.saturating_add(delay);
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::MAX { f.write_str("Instant(never)") } else { write!(f, "Instant({} ns)", self.0) }
    }
}

/// Nanoseconds, saturating at 584 years, without a 64-bit division.
#[expect(clippy::as_conversions, reason = "`From` is not const")]
pub(crate) const fn nanos(delay: Duration) -> u64 {
    #[expect(clippy::integer_division, reason = "the last whole second that fits")]
    const LAST: u64 = u64::MAX / NANOS_PER_SEC;
    // Compared instead of multiplied with a check, which takes twice as much code on a 32-bit part.
    if delay.as_secs() > LAST {
        return u64::MAX;
    }
    delay.as_secs().wrapping_mul(NANOS_PER_SEC).saturating_add(delay.subsec_nanos() as u64)
}

/// How long [`EventBase::poll`](crate::EventBase::poll) and [`EventBase::next_event`](crate::EventBase::next_event) wait.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Wait {
    /// Do not wait.
    None,
    /// Until something is ready, or at most this time.
    For(Duration),
    /// Until something is ready, or at most until this point, which may be past.
    Until(Instant),
    /// Until something is ready. The loop ends when nothing is pending.
    Forever,
}

/// How long [`dispatch`](crate::backend::EventOp::dispatch) may sleep: until a point, so that an interrupted wait is
/// repeated unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Sleep {
    /// Do not wait.
    None,
    /// Until something is ready, or at most until this point, which may be past.
    Until(Instant),
    /// Until something is ready.
    Forever,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_legal_and_none_wraps() {
        assert_eq!(nanos(Duration::ZERO), 0);
        assert_eq!(nanos(Duration::new(1, 1)), 1_000_000_001);
        assert_eq!(nanos(Duration::from_secs(u64::MAX)), u64::MAX);
        assert_eq!(nanos(Duration::MAX), u64::MAX);
        let late = Instant::from_nanos(u64::MAX - 1);
        assert_eq!(late.saturating_add(Duration::from_nanos(1)), Instant::MAX);
        assert_eq!(late.saturating_add(Duration::from_nanos(2)), Instant::MAX);
    }

    #[test]
    fn time_never_runs_backwards() {
        let (a, b) = (Instant::from_nanos(3), Instant::from_nanos(10));
        assert_eq!(b.saturating_since(a), Duration::from_nanos(7));
        assert_eq!(a.saturating_since(b), Duration::ZERO);
        let mut c = a;
        c += Duration::from_nanos(7);
        assert_eq!((a + Duration::from_nanos(7), c), (b, b));
    }
}
