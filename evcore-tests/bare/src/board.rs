//! The board, as every program here has it: a clock, one alarm, and an interrupt that stands for a pin's.

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

/// Sleeps until the next interrupt, and until the alarm for `until` at the latest. `false`: `is_over` says that something has
/// happened, or the time has come.
///
/// An interrupt that comes after the look and before the sleep finds interrupts masked. It stays pending, and a pending
/// interrupt ends the sleep, masked or not; so none is missed.
#[inline]
pub fn sleep_once(until: u64, is_over: impl Fn() -> bool) -> bool {
    sys::masked(|| {
        if is_over() {
            return false;
        }
        // The alarm first, then the clock: an alarm that was set too late to go off is not waited for.
        set_alarm(until);
        if now() >= until {
            return false;
        }
        sys::wait_for_interrupt();
        true
    })
}

/// Sleeps until `is_over` says that something has happened, or the time has come.
#[inline]
pub fn sleep(until: u64, is_over: impl Fn() -> bool) {
    while sleep_once(until, &is_over) {
        sys::serve_interrupts();
    }
}
