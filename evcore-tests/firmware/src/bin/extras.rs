//! Runs the features of evcore that are off by default.

#![no_std]
#![no_main]

use evcore::EventBase;
use evcore::board::Lines;
use firmware::extras::{self, Base, Chip};
use firmware::sys::{self, Own};
use firmware::{board, report};

static BASE: Own<Base> = Own::new(EventBase::new(Lines::new(Chip)));

#[firmware::entry]
fn main() -> ! {
    board::init();
    let failed = BASE.take().map_or(1, extras::run);
    report::line(if failed == 0 { "passed" } else { "FAILED" });
    sys::exit(if failed == 0 { 0 } else { 1 })
}
