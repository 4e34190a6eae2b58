//! The clock and the alarm of a part that has an embassy HAL.

use core::task::Waker;

use embassy_time_driver as driver;

use super::Ticks;
use crate::time::Instant;

/// A [board](super::Board)'s clock and alarm, by whatever implements embassy's time driver: each chip with an embassy HAL has one.
///
/// The HAL's timers must be of a generic queue: switch on a feature `generic-queue-…` of the crate `embassy-time`, such as
/// `generic-queue-8`. The queue that embassy has by default takes the wakers of its own executor alone. With any other it does
/// not link, or panics at the first alarm: "Found waker not created by the Embassy executor".
///
/// Hand its two functions on. The alarm's interrupt, which the driver has, ends the wait; no task is woken. The clock counts as its
/// features `tick-hz-…` say, so timers are as precise as that. A time that the base does not wait for any more may still end a
/// wait: the driver cannot take an alarm back.
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
