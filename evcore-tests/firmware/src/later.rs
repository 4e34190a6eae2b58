//! Delayed operations by the interrupt of a second timer: make a line ready, or wake the program.
//!
//! Only the suite has it. The first timer is the backend's alarm.

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

/// What the interrupt must do. Other code changes it only while it is `NOTHING`.
static TASK: AtomicU8 = AtomicU8::new(NOTHING);

/// Makes the line ready for reading after `delay`.
pub fn press(line: Line<LINES>, delay: Duration) {
    set(line.number() as u8, delay);
}

/// Wakes the program after `delay`.
pub fn wake(delay: Duration) {
    set(WAKE, delay);
}

fn set(task: u8, delay: Duration) {
    finish();
    TASK.store(task, Ordering::Release);
    set_timer(delay);
}

/// Waits until the delayed operation is done.
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

/// Converts a delay to ticks of the board's clock.
#[cfg(not(board = "virt"))]
fn ticks(delay: Duration) -> u32 {
    board::Clock::between(Instant::ZERO, Instant::ZERO + delay)
}

/// Called by the interrupt.
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
