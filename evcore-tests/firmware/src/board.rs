//! The board: what each one has of its own, and how all of them sleep.

use evcore::Instant;
use evcore::backend::WakeFlag;

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

// [snippet: sleep]
/// Sleeps until the flag is set or the time has come. While nothing has happened, each look is one load.
pub fn sleep(until: Instant, news: &WakeFlag) {
    while sleep_once(until, news) {
        sys::serve_interrupts();
    }
}

/// Sleeps until the next interrupt. `false`: the sleep is over.
///
/// An interrupt that comes after the look and before the sleep finds interrupts masked. It stays pending, and a pending
/// interrupt ends the sleep, masked or not; so none is slept over.
fn sleep_once(until: Instant, news: &WakeFlag) -> bool {
    sys::masked(|| {
        if news.is_set() {
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
// [end]
