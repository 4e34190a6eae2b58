//! What each program here uses of its board: a clock, one alarm, and an interrupt in place of a pin's.

use crate::sys;

#[cfg(board = "lm3s")]
#[path = "board/lm3s.rs"]
mod this;
#[cfg(board = "microbit")]
#[path = "board/microbit.rs"]
mod this;
#[cfg(board = "virt")]
#[path = "board/virt.rs"]
mod this;

pub use this::*;

/// Milliseconds in ticks of the clock.
pub const fn millis(millis: u64) -> u64 {
    millis * (1_000_000 / NANOS_PER_TICK)
}

/// Sleeps until the next interrupt, or until the alarm for `until`. Returns `false` if `is_over` returns `true` or
/// the time has come.
///
/// Interrupts are masked between the check and the sleep. One that comes then stays pending, and a pending interrupt
/// ends the sleep even if it is masked; so none is missed.
#[inline]
pub fn sleep_once(until: u64, is_over: impl Fn() -> bool) -> bool {
    sys::masked(|| {
        if is_over() {
            return false;
        }
        // Set the alarm before the clock is read: an alarm that was set too late to go off is then not waited for.
        set_alarm(until);
        if now() >= until {
            return false;
        }
        sys::wait_for_interrupt();
        true
    })
}

/// Sleeps until `is_over` returns `true`, or until the time has come.
#[inline]
pub fn sleep(until: u64, is_over: impl Fn() -> bool) {
    while sleep_once(until, &is_over) {
        sys::serve_interrupts();
    }
}
