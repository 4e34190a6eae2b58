//! The boards: the differences between them, and the interface for the backend.

use evcore::Instant;
use evcore::board::{Board, Flags};

use crate::lines::{FLAGS, LINES};
use crate::sys;

#[cfg(board = "lm3s")]
#[path = "board/lm3s.rs"]
mod this;
#[cfg(board = "microbit")]
#[path = "board/microbit.rs"]
mod this;
#[cfg(board = "virt")]
#[path = "board/virt.rs"]
mod this;

pub use this::*;

/// The backend of all programs.
pub type Lines = evcore::board::Lines<Chip, LINES>;

/// The board of this image. It has no fields, so a base on it consists of zeros.
#[derive(Debug)]
pub struct Chip;

impl Board<LINES> for Chip {
    fn flags(&self) -> &'static Flags<LINES> {
        &FLAGS
    }

    fn now(&self) -> Instant {
        now()
    }

    fn set_alarm(&self, at: Instant) {
        set_alarm(at);
    }

    fn wait_for_interrupt(&self) {
        sys::wait_for_interrupt();
    }

    fn masked<R>(&self, work: impl FnOnce() -> R) -> R {
        sys::masked(work)
    }
}
