//! Blinks with one timer, written by hand: a table of eight deadlines.

#![no_std]
#![no_main]

use bare::board::{self, millis};
use bare::sys::{self, Own};

#[derive(Clone, Copy)]
struct Timer {
    /// 0 if there is none.
    due: u64,
    period: u64,
}

static TIMERS: Own<[Timer; 8]> = Own::new([Timer { due: 0, period: 0 }; 8]);

#[bare::entry]
fn main() -> ! {
    board::init();
    // SAFETY: only here.
    let timers = unsafe { TIMERS.take() };
    if let Some(first) = timers.first_mut() {
        *first = Timer { due: board::now() + millis(20), period: millis(20) };
    }
    let mut left = 10u8;
    while left > 0 {
        let armed = timers.iter().filter(|timer| timer.due > 0);
        let first = armed.fold(u64::MAX, |first, timer| first.min(timer.due));
        board::sleep(first, || false);
        let now = board::now();
        for timer in timers.iter_mut().filter(|timer| timer.due > 0 && timer.due <= now) {
            timer.due = if timer.period > 0 { timer.due + timer.period } else { 0 };
            left -= 1;
            sys::say(if left % 2 == 0 { b'.' } else { b'*' });
        }
    }
    sys::say(b'\n');
    sys::exit(0)
}
