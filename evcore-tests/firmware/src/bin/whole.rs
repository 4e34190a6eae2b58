//! The complete program, for all boards.

#![no_std]
#![no_main]

use evcore::EventBase;
use firmware::board::{Chip, Lines};
use firmware::program::{self, Base};
use firmware::sys::{self, Own};
use firmware::{board, report};

static BASE: Own<Base> = Own::new(EventBase::new(Lines::new(Chip)));

#[firmware::entry]
fn main() -> ! {
    board::init();
    report::line(board::NAME);
    let outcome = BASE.take().map(program::run);
    let status = match outcome {
        Some(Ok(0)) => 0,
        Some(Ok(_)) => 1,
        Some(Err(_)) | None => {
            report::line("FAILED: the base refused");
            2
        }
    };
    report::line(if status == 0 { "passed" } else { "FAILED" });
    sys::exit(status)
}
