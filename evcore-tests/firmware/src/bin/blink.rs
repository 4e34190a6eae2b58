//! The smallest program: one timer blinks.

#![no_std]
#![no_main]

use core::time::Duration;

use evcore::{EventBase, Fixed, Wait};
use firmware::board::{self, Chip, Lines};
use firmware::sys::{self, Own};

static BASE: Own<EventBase<Lines, Fixed<8>, u8>> = Own::new(EventBase::new(Lines::new(Chip)));

#[firmware::entry]
fn main() -> ! {
    board::init();
    sys::exit(blink().unwrap_or(1))
}

/// Returns the exit status after ten changes of the light.
fn blink() -> Option<i32> {
    let base = BASE.take()?;
    base.insert_interval(Duration::from_millis(20), 10).ok()?;
    while let Some(event) = base.next_event(Wait::Forever).ok()? {
        *event.data = event.data.saturating_sub(1);
        sys::say(if *event.data % 2 == 0 { b'.' } else { b'*' });
        if *event.data == 0 {
            sys::say(b'\n');
            return Some(0);
        }
    }
    None
}
