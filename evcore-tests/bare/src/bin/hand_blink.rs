//! Blinks with one timer, written by hand: one deadline.

#![no_std]
#![no_main]

use bare::board::{self, millis};
use bare::sys;

#[bare::entry]
fn main() -> ! {
    board::init();
    let mut due = board::now() + millis(20);
    for left in (0..10).rev() {
        board::sleep(due, || false);
        due += millis(20);
        sys::say(if left % 2 == 0 { b'.' } else { b'*' });
    }
    sys::say(b'\n');
    sys::exit(0)
}
