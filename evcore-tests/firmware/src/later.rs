//! What happens later, by an interrupt of a second timer: a line has something to say, or the program is woken.
//!
//! The suite alone has it. The first timer is the one that the backend sleeps by.

use core::sync::atomic::{AtomicU8, Ordering};
use core::time::Duration;

use evcore::backend::Descriptor;
use evcore::board::Line;

use crate::lines::{FLAGS, LINES};
use crate::sys;
#[cfg(not(board = "virt"))]
use {crate::board, evcore::Instant};

#[cfg(board = "lm3s")]
#[path = "later/lm3s.rs"]
mod this;
#[cfg(board = "microbit")]
#[path = "later/microbit.rs"]
mod this;
#[cfg(board = "virt")]
#[path = "later/virt.rs"]
mod this;

pub use this::*;

/// No line has this number.
const WAKE: u8 = u8::MAX;
/// Nor this one.
const NOTHING: u8 = u8::MAX - 1;

/// What the interrupt shall do. Whoever is not the interrupt changes it only while it is `NOTHING`.
static TASK: AtomicU8 = AtomicU8::new(NOTHING);

/// Has the line ready for reading in `delay`.
pub fn press(line: Line<LINES>, delay: Duration) {
    set(line.number() as u8, delay);
}

/// Wakes the program in `delay`.
pub fn wake(delay: Duration) {
    set(WAKE, delay);
}

fn set(task: u8, delay: Duration) {
    finish();
    TASK.store(task, Ordering::Release);
    set_timer(delay);
}

/// Waits until what was to happen has happened.
pub fn finish() {
    while is_pending_after_sleep() {
        sys::serve_interrupts();
    }
}

fn is_pending_after_sleep() -> bool {
    sys::masked(|| {
        let is_pending = TASK.load(Ordering::Acquire) != NOTHING;
        if is_pending {
            sys::wait_for_interrupt();
        }
        is_pending
    })
}

/// How many ticks of the board's clock a delay is.
#[cfg(not(board = "virt"))]
fn ticks(delay: Duration) -> u32 {
    board::Clock::between(Instant::ZERO, Instant::ZERO + delay)
}

/// For the interrupt.
fn on_time() {
    match TASK.load(Ordering::Acquire) {
        NOTHING => {}
        WAKE => FLAGS.wake(),
        line => {
            if let Some(line) = Line::new(line) {
                FLAGS.set_readable(line);
            }
        }
    }
    TASK.store(NOTHING, Ordering::Release);
}
