//! Latency from an alarm's interrupt to the handler, on a storage with timers and user events only.

#![no_std]
#![no_main]

use bare::lines::Lines;
use bare::programs::alarms;
use bare::sys::{self, Own};
use evcore::storage::Lean;
use evcore::{EventBase, Fixed};

static BASE: Own<EventBase<Lines<0>, Fixed<8, 0, 1, Lean>, u8>> = Own::new(EventBase::new(Lines::new()));

#[bare::entry]
fn main() -> ! {
    bare::board::init();
    // SAFETY: only here.
    sys::exit(alarms(unsafe { BASE.take() }).unwrap_or(1))
}
