//! Two lines, and a timer that presses them.

#![no_std]
#![no_main]

use bare::lines::Lines;
use bare::programs::buttons;
use bare::sys::{self, Own};
use evcore::EventBase;
use evcore::Fixed;
use evcore::storage::Lean;

static BASE: Own<EventBase<Lines<2>, Fixed<8, 2, 1, Lean>, u8>> = Own::new(EventBase::new(Lines::new()));

#[bare::entry]
fn main() -> ! {
    bare::board::init();
    // SAFETY: only here.
    sys::exit(buttons(unsafe { BASE.take() }).unwrap_or(1))
}
