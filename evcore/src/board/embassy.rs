//! Clock and alarm of a part with an embassy HAL.

use core::task::Waker;

use embassy_time_driver as driver;

use super::Ticks;
use crate::time::Instant;

/// A [board](super::Board)'s clock and alarm by embassy's time driver, which each chip with an embassy HAL has.
///
/// Enable a feature `generic-queue-…` of the crate `embassy-time`, such as `generic-queue-8`: the default queue accepts
/// only wakers of embassy's executor. With that queue the program does not link, or panics at the first alarm: "Found
/// waker not created by the Embassy executor".
///
/// Forward `now` and `set_alarm`, as below. The alarm's interrupt ends the wait, without a task. Precision is that of the
/// feature `tick-hz-…`. The driver cannot cancel an alarm, so an old one may end a wait early.
///
/// ```no_run
/// use evcore::Instant;
/// use evcore::board::{Board, EmbassyTime, Flags};
///
/// static FLAGS: Flags<1> = Flags::new();
///
/// struct Chip;
///
/// impl Board<1> for Chip {
///     fn flags(&self) -> &'static Flags<1> {
///         &FLAGS
///     }
///     fn now(&self) -> Instant {
///         EmbassyTime::now()
///     }
///     fn set_alarm(&self, at: Instant) {
///         EmbassyTime::set_alarm(at);
///     }
///     fn wait_for_interrupt(&self) {
///         // cortex_m::asm::wfi()
///     }
///     fn masked<R>(&self, work: impl FnOnce() -> R) -> R {
///         // critical_section::with(|_| work())
///         work()
///     }
/// }
/// # mod chip {
/// #     struct Driver;
/// #     impl embassy_time_driver::Driver for Driver {
/// #         fn now(&self) -> u64 { 0 }
/// #         fn schedule_wake(&self, _: u64, _: &core::task::Waker) {}
/// #     }
/// #     embassy_time_driver::time_driver_impl!(static DRIVER: Driver = Driver);
/// # }
/// # let _ = (Chip.now(), Chip.set_alarm(Instant::MAX));
/// ```
#[derive(Debug)]
pub struct EmbassyTime(());

#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "a constant, checked by the assertion")]
const HZ: u32 = {
    assert!(driver::TICK_HZ <= 1_000_000_000, "the clock counts more than a thousand million times a second");
    driver::TICK_HZ as u32
};

impl EmbassyTime {
    /// For [`Board::now`](super::Board::now).
    #[inline]
    #[must_use]
    pub fn now() -> Instant {
        Ticks::<HZ>::instant(driver::now())
    }

    /// For [`Board::set_alarm`](super::Board::set_alarm).
    #[inline]
    pub fn set_alarm(at: Instant) {
        if at == Instant::MAX {
            return;
        }
        let now = driver::now();
        let ticks = Ticks::<HZ>::between(Ticks::<HZ>::instant(now), at);
        driver::schedule_wake(now.wrapping_add(ticks.into()), Waker::noop());
    }
}
