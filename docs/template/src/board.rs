//! The board: its lines, and its part's clock, alarm and UART.

use evcore::board::{Flags, Line, Ring};

#[cfg_attr(target_arch = "riscv32", path = "board/riscv.rs")]
#[cfg_attr(all(target_arch = "arm", not(target_has_atomic = "8")), path = "board/cortex_m0.rs")]
#[cfg_attr(all(target_arch = "arm", target_has_atomic = "8"), path = "board/cortex_m3.rs")]
mod part;

pub use part::{init, send};

/// How many lines have interrupts: the UART.
pub const LINES: usize = 1;
/// The UART's line.
pub const UART: Line<LINES> = Line::new(0).unwrap();

/// What interrupts say to the loop.
static FLAGS: Flags<LINES> = Flags::new();
/// What the UART has received.
static RECEIVED: Ring<64> = Ring::new();

/// The board, for evcore. It has no fields: so a base on it is all zeros at first, and takes no flash.
pub struct Chip;

/// The backend of the event base.
pub type Lines = evcore::board::Lines<Chip, LINES>;

/// The next byte that the UART has received. Its line is readable for as long as there is one.
pub fn receive() -> Option<u8> {
    FLAGS.pop(UART, &RECEIVED)
}
