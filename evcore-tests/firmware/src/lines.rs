//! The lines that interrupts have news of: the UART, and what stands for pins.

use core::sync::atomic::{AtomicU8, Ordering};

use evcore::backend::Descriptor;
use evcore::board::{Flags, Line, Ring};

use crate::board;

/// How many lines there are: enough for the program, and for any case of the suite, which has one for an event of the storage, and
/// some over.
#[cfg(not(feature = "suite"))]
pub const LINES: usize = 8;
#[cfg(all(feature = "suite", not(board = "microbit")))]
pub const LINES: usize = 64;
#[cfg(all(feature = "suite", board = "microbit"))]
pub const LINES: usize = 16;

/// What interrupts share with the program.
pub static FLAGS: Flags<LINES> = Flags::new();

/// What the UART has received and the program has not read.
pub static RECEIVED: Ring<64> = Ring::new();

/// The one line that carries bytes.
pub const UART: Line<LINES> = Line::new(0).unwrap();

/// For the UART's interrupt. A byte that there is no room for is lost.
pub fn on_byte(byte: u8) {
    FLAGS.push(UART, &RECEIVED, byte);
}

/// For the program: the next byte. The line is ready for as long as there is one.
pub fn receive() -> Option<u8> {
    FLAGS.pop(UART, &RECEIVED)
}

/// For the UART's interrupt: a byte is sent.
pub fn on_sent() {
    #[cfg(feature = "extras")]
    crate::extras::on_sent();
    FLAGS.set_writable(UART);
}

/// For the program: whether a byte can be sent.
pub fn has_room() -> bool {
    FLAGS.is_writable(UART)
}

/// For the program: sends a byte. There is no room for another one until the UART's interrupt says so.
pub fn send(byte: u8) {
    FLAGS.take_writable(UART);
    board::transmit(byte);
}

// What stands for a pin.

static PRESSED: AtomicU8 = AtomicU8::new(0);

/// Raises an interrupt by software, as if the line had something to say.
pub fn press(line: Line<LINES>) {
    PRESSED.store(line.number() as u8, Ordering::Release);
    board::raise();
}

/// For that interrupt.
pub fn on_press() {
    if let Some(line) = Line::new(PRESSED.load(Ordering::Acquire)) {
        FLAGS.set_readable(line);
    }
    #[cfg(feature = "extras")]
    crate::extras::on_press();
}

/// For the alarm's interrupt. That it came is all that the loop needs: it has ended the sleep.
pub fn on_alarm() {
    #[cfg(feature = "extras")]
    crate::extras::on_alarm();
}
