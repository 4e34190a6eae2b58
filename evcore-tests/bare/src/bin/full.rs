//! Blinks with one timer, on a complete storage.

#![no_std]
#![no_main]

use bare::lines::Lines;
use bare::programs::blink;
use bare::sys::{self, Own};
use evcore::EventBase;
use evcore::Fixed;

static BASE: Own<EventBase<Lines<0>, Fixed<8>, u8>> = Own::new(EventBase::new(Lines::new()));

#[bare::entry]
fn main() -> ! {
    bare::board::init();
    // SAFETY: only here.
    sys::exit(blink(unsafe { BASE.take() }).unwrap_or(1))
}
