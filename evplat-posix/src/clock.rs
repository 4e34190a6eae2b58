//! The clock for deadlines, and waits that end by it.

use core::time::Duration;
use std::io;
use std::thread;

use evcore::Instant;
use evcore::backend::Sleep;

use crate::error::is_temporary;
use crate::sys;

/// The system clock that a base uses. Both are monotonic and precise; neither follows the wall clock.
///
/// ```
/// use evplat_posix::Clock;
///
/// let before = Clock::Monotonic.now();
/// assert!(Clock::Monotonic.now() >= before);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Clock {
    /// `CLOCK_MONOTONIC`. On Linux it stops while the machine is suspended.
    #[doc(alias = "EVENT_BASE_FLAG_PRECISE_TIMER")]
    #[default]
    Monotonic,
    /// `CLOCK_BOOTTIME`: continues while the machine is suspended. The system measures waits by the other clock, so a
    /// wait that spans a suspend ends late by the time suspended; later waits are correct again.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Boottime,
}

impl Clock {
    /// The current time in nanoseconds since the clock's start. Never a coarse clock; about 20 ns, without a system
    /// call, on most machines.
    #[doc(alias = "evutil_gettime_monotonic")]
    #[must_use]
    #[inline]
    pub fn now(self) -> Instant {
        let id = match self {
            Self::Monotonic => libc::CLOCK_MONOTONIC,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Boottime => libc::CLOCK_BOOTTIME,
        };
        // Both clocks exist on every system that the crate builds for, so this cannot fail.
        Instant::from_nanos(sys::clock_gettime(id).unwrap_or_default())
    }

    /// Calls `call` with a timeout until it finds something or `wait` is over; never ends early. An interrupted wait
    /// finds nothing. So does a wait that the system has no memory for; that one ends after at most [`RETRY`].
    pub(crate) fn wait(
        self,
        wait: Sleep,
        mut call: impl FnMut(Option<Duration>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            let time = match wait {
                Sleep::None => Some(Duration::ZERO),
                Sleep::Until(Instant::MAX) | Sleep::Forever => None,
                Sleep::Until(point) => Some(point.saturating_since(self.now())),
            };
            match call(time.map(|time| time.min(sys::LONGEST_WAIT))) {
                Ok(0) if time.is_some_and(|time| time > sys::LONGEST_WAIT) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(0),
                Err(error) if is_temporary(error.raw_os_error().unwrap_or(0)) => {
                    log!(Warn, "the system cannot wait: {error}");
                    // Without this pause, a loop that waits again at once would spin until memory is available.
                    thread::sleep(time.map_or(RETRY, |time| time.min(RETRY)));
                    return Ok(0);
                }
                other => return other,
            }
        }
    }
}

/// The longest duration of a wait that the system refuses for lack of memory.
const RETRY: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    /// The bound is generous because the machine has other work. The test detects a coarse clock, which advances by a
    /// tick (4 ms) in most samples.
    #[test]
    fn it_is_precise_and_never_runs_backwards() {
        let mut last = Clock::Monotonic.now();
        assert!(last > Instant::ZERO);
        let mut fine = 0;
        for _ in 0..1_000 {
            let now = Clock::Monotonic.now();
            assert!(now >= last);
            fine += usize::from(now > last && now.saturating_since(last) < Duration::from_millis(1));
            last = now;
        }
        assert!(fine > 500, "{fine} of 1000 steps were fine ones");
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn time_since_boot_is_never_behind() {
        let monotonic = Clock::Monotonic.now();
        assert!(Clock::Boottime.now() >= monotonic);
    }

    #[test]
    fn a_wait_too_long_for_the_system_is_taken_up_again() {
        let far = Clock::Monotonic.now().saturating_add(sys::LONGEST_WAIT * 3);
        let mut calls = 0;
        let found = Clock::Monotonic.wait(Sleep::Until(far), |time| {
            assert_eq!(time, Some(sys::LONGEST_WAIT));
            calls += 1;
            Ok(usize::from(calls == 4))
        });
        assert_eq!((found.unwrap(), calls), (1, 4));
    }

    #[test]
    fn a_wait_that_is_over_is_a_look() {
        for (wait, time) in [
            (Sleep::None, Some(Duration::ZERO)),
            (Sleep::Until(Instant::ZERO), Some(Duration::ZERO)),
            (Sleep::Until(Instant::MAX), None),
            (Sleep::Forever, None),
        ] {
            let asked = |asked| {
                assert_eq!(asked, time);
                Ok(0)
            };
            assert_eq!(Clock::Monotonic.wait(wait, asked).unwrap(), 0);
        }
    }

    #[test]
    fn an_interrupted_wait_has_found_nothing_and_another_error_is_one() {
        let error = |errno| move |_| Err(io::Error::from_raw_os_error(errno));
        assert_eq!(Clock::Monotonic.wait(Sleep::Forever, error(libc::EINTR)).unwrap(), 0);
        let refused = Clock::Monotonic.wait(Sleep::Forever, error(libc::EINVAL)).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EINVAL));
    }

    #[test]
    fn a_wait_without_memory_has_found_nothing_and_does_not_spin() {
        let begin = Clock::Monotonic.now();
        let later = begin.saturating_add(RETRY / 2);
        for (wait, at_least) in [(Sleep::None, begin), (Sleep::Until(later), later), (Sleep::Forever, later)] {
            for errno in [libc::ENOMEM, libc::EAGAIN] {
                let refused = |_| Err(io::Error::from_raw_os_error(errno));
                assert_eq!(Clock::Monotonic.wait(wait, refused).unwrap(), 0);
                assert!(Clock::Monotonic.now() >= at_least);
            }
        }
        assert!(Clock::Monotonic.now() >= begin.saturating_add(RETRY * 2));
    }
}
