//! Four lines and four timers.

#![no_std]
#![no_main]

use bare::lines::Lines;
use bare::programs::press_all;
use bare::sys::{self, Own};
use evcore::EventBase;
use evcore::Fixed;
use evcore::storage::Lean;

static BASE: Own<EventBase<Lines<4>, Fixed<8, 4, 1, Lean>, u8>> = Own::new(EventBase::new(Lines::new()));

#[bare::entry]
fn main() -> ! {
    bare::board::init();
    // SAFETY: only here.
    sys::exit(press_all(unsafe { BASE.take() }).unwrap_or(1))
}
