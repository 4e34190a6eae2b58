//! Latency from a line's interrupt to the handler, on a storage with the parts that two lines need.

#![no_std]
#![no_main]

use bare::lines::Lines;
use bare::programs::presses;
use bare::sys::{self, Own};
use evcore::storage::Lean;
use evcore::{EventBase, Fixed};

static BASE: Own<EventBase<Lines<2>, Fixed<8, 2, 1, Lean>, u8>> = Own::new(EventBase::new(Lines::new()));

#[bare::entry]
fn main() -> ! {
    bare::board::init();
    // SAFETY: only here.
    sys::exit(presses(unsafe { BASE.take() }).unwrap_or(1))
}
