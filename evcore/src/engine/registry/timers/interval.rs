//! An event's interval, and what else is known of its timer in the same word.

/// An interval in nanoseconds, one of 146 years or more is one for ever; and two marks.
#[derive(Clone, Copy)]
pub(super) struct Interval(u64);

/// The timer was cancelled, and its entry is in the heap still.
const CANCELLED: u64 = 1 << 63;
/// The event is in the list of cancelled timers.
const LISTED: u64 = 1 << 62;
const NANOS: u64 = LISTED - 1;

impl Interval {
    pub(super) const ZERO: Self = Self(0);

    /// Sets the interval, of a timer that is not cancelled any more. Answers whether it was.
    #[inline]
    pub(super) fn set(&mut self, nanos: u64) -> bool {
        let was_cancelled = self.is_cancelled();
        self.0 = self.0 & LISTED | nanos.min(NANOS);
        was_cancelled
    }

    #[inline]
    pub(super) const fn nanos(self) -> u64 {
        let nanos = self.0 & NANOS;
        if nanos == NANOS { u64::MAX } else { nanos }
    }

    #[inline]
    pub(super) const fn is_cancelled(self) -> bool {
        self.0 & CANCELLED != 0
    }

    /// Marks a timer that is cancelled, and its event as listed. Answers whether that was in the list before.
    #[inline]
    pub(super) fn cancel(&mut self) -> bool {
        let was_listed = self.is_listed();
        self.0 |= CANCELLED | LISTED;
        was_listed
    }

    #[inline]
    pub(super) const fn is_listed(self) -> bool {
        self.0 & LISTED != 0
    }

    /// The event is taken off the list.
    #[inline]
    pub(super) fn unlist(&mut self) {
        self.0 &= !LISTED;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_itself_or_for_ever() {
        let of = |nanos| {
            let mut interval = Interval::ZERO;
            assert!(!interval.set(nanos));
            interval.nanos()
        };
        for nanos in [0, 1, (1 << 62) - 2, u64::MAX] {
            assert_eq!(of(nanos), nanos);
        }
        for nanos in [(1 << 62) - 1, 1 << 62, 1 << 63, u64::MAX - 1] {
            assert_eq!(of(nanos), u64::MAX);
        }
    }

    #[test]
    fn the_marks_leave_the_interval_alone() {
        let mut interval = Interval::ZERO;
        interval.set(7);
        assert!(!interval.cancel());
        assert!(interval.is_cancelled() && interval.is_listed());
        assert_eq!(interval.nanos(), 7);
        assert!(interval.set(8), "armed again");
        assert!(!interval.is_cancelled() && interval.is_listed());
        assert!(interval.cancel(), "listed before");
        interval.unlist();
        assert!(interval.is_cancelled() && !interval.is_listed());
        assert_eq!(interval.nanos(), 8);
    }
}
