//! Four lines and four timers.

#![no_std]
#![no_main]

use core::time::Duration;

use evcore::board::Line;
use evcore::{EventBase, Fixed, Interest, Wait};
use firmware::board::{self, Chip, Lines};
use firmware::lines::press;
use firmware::sys::{self, Own};

static BASE: Own<EventBase<Lines, Fixed<8>, u8>> = Own::new(EventBase::new(Lines::new(Chip)));

/// Marks the data of a timer; the other bits are the number of a line.
const TIMER: u8 = 4;

#[firmware::entry]
fn main() -> ! {
    board::init();
    sys::exit(four().unwrap_or(1))
}

/// Each timer presses its line; a pressed line is printed and deregistered.
fn four() -> Option<i32> {
    let base = BASE.take()?;
    for (number, delay) in [(0, 80), (1, 60), (2, 40), (3, 20)] {
        base.insert(Line::new(number)?, Interest::READ, number).ok()?;
        base.insert_timer(Duration::from_millis(delay), number | TIMER).ok()?;
    }
    let mut named = 0u8;
    while let Some(event) = base.next_event(Wait::Forever).ok()? {
        let (id, number) = (event.id, *event.data);
        if number & TIMER != 0 {
            press(Line::new(number ^ TIMER)?);
            continue;
        }
        sys::say(b'0' | number);
        base.remove(id);
        named = named.saturating_add(1);
    }
    sys::say(b'\n');
    Some(if named == 4 { 0 } else { 1 })
}
