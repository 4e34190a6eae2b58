//! Latency from an alarm's interrupt to the program, written by hand.

#![no_std]
#![no_main]

use bare::board::{self, millis};
use bare::latency::Worst;
use bare::sys;

#[bare::entry]
fn main() -> ! {
    board::init();
    let mut worst = Worst::default();
    let mut due = board::now() + millis(20);
    for _ in 0..50 {
        board::sleep(due, || false);
        worst.note();
        due += millis(20);
    }
    worst.say();
    sys::exit(0)
}
