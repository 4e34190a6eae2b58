//! An interval and the mark of a cancelled timer, in one word.

/// Nanoseconds, endless from 292 years on; and the mark.
#[derive(Clone, Copy)]
pub(super) struct Interval(u64);

/// Cancelled, with an entry still in the heap.
const CANCELLED: u64 = 1 << 63;
const NANOS: u64 = CANCELLED - 1;

impl Interval {
    pub(super) const ZERO: Self = Self(0);

    /// Sets the interval and clears the mark. Returns whether it was set.
    #[inline]
    pub(super) fn set(&mut self, nanos: u64) -> bool {
        let was_cancelled = self.is_cancelled();
        self.0 = nanos.min(NANOS);
        was_cancelled
    }

    /// Sets the interval and keeps the mark.
    pub(super) fn replace(&mut self, nanos: u64) {
        self.0 = self.0 & CANCELLED | nanos.min(NANOS);
    }

    /// An interval without the mark.
    pub(super) const fn of(nanos: u64) -> Self {
        Self(if nanos >= NANOS { u64::MAX } else { nanos })
    }

    #[inline]
    pub(super) const fn unmarked(self) -> u64 {
        self.0
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

    pub(super) fn unmark(&mut self) {
        self.0 &= NANOS;
    }

    #[inline]
    pub(super) fn cancel(&mut self) {
        self.0 |= CANCELLED;
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
        for nanos in [0, 1, 1 << 62, (1 << 63) - 2, u64::MAX] {
            assert_eq!(of(nanos), nanos);
        }
        for nanos in [(1 << 63) - 1, 1 << 63, u64::MAX - 1] {
            assert_eq!(of(nanos), u64::MAX);
            assert_eq!(Interval::of(nanos).unmarked(), u64::MAX);
        }
    }

    #[test]
    fn the_mark_leaves_the_interval_alone() {
        let mut interval = Interval::ZERO;
        interval.set(7);
        interval.cancel();
        assert!(interval.is_cancelled());
        assert_eq!(interval.nanos(), 7);
        interval.replace(9);
        assert_eq!((interval.is_cancelled(), interval.nanos()), (true, 9));
        assert!(interval.set(8), "armed again");
        assert_eq!((interval.is_cancelled(), interval.nanos()), (false, 8));
        interval.cancel();
        interval.unmark();
        assert_eq!((interval.is_cancelled(), interval.nanos()), (false, 8));
    }
}
