//! The lines that interrupts mark as ready: the UART, and software interrupts in place of pins.

use core::sync::atomic::{AtomicU8, Ordering};

use evcore::backend::Descriptor;
use evcore::board::{Flags, Line, Ring};

use crate::board;

/// The number of lines: enough for the program, and for any case of the suite, which has one for each event of the
/// storage and a few more.
#[cfg(not(feature = "suite"))]
pub const LINES: usize = 8;
#[cfg(all(feature = "suite", not(board = "microbit")))]
pub const LINES: usize = 64;
#[cfg(all(feature = "suite", board = "microbit"))]
pub const LINES: usize = 16;

/// The flags that interrupts share with the program.
pub static FLAGS: Flags<LINES> = Flags::new();

/// Bytes that the UART has received and the program has not read.
pub static RECEIVED: Ring<64> = Ring::new();

/// The only line that carries bytes.
pub const UART: Line<LINES> = Line::new(0).unwrap();

/// Called by the UART's interrupt. If there is no room, the byte is lost.
pub fn on_byte(byte: u8) {
    FLAGS.push(UART, &RECEIVED, byte);
}

/// Called by the program: the next byte. The line is ready while there is one.
pub fn receive() -> Option<u8> {
    FLAGS.pop(UART, &RECEIVED)
}

/// Called by the UART's interrupt: a byte was sent.
pub fn on_sent() {
    #[cfg(feature = "extras")]
    crate::extras::on_sent();
    FLAGS.set_writable(UART);
}

/// Called by the program: whether a byte can be sent.
pub fn has_room() -> bool {
    FLAGS.is_writable(UART)
}

/// Called by the program: sends a byte. Another can be sent after the UART's interrupt.
pub fn send(byte: u8) {
    FLAGS.take_writable(UART);
    board::transmit(byte);
}

// A bit for each pressed line.

static PRESSED: AtomicU8 = AtomicU8::new(0);

/// Raises an interrupt in software, in place of a line's.
pub fn press(line: Line<LINES>) {
    PRESSED.store(line.number() as u8, Ordering::Release);
    board::raise();
}

/// Called by that interrupt.
pub fn on_press() {
    if let Some(line) = Line::new(PRESSED.load(Ordering::Acquire)) {
        FLAGS.set_readable(line);
    }
    #[cfg(feature = "extras")]
    crate::extras::on_press();
}

/// Called by the alarm's interrupt, which has ended the sleep; the loop needs nothing else.
pub fn on_alarm() {
    #[cfg(feature = "extras")]
    crate::extras::on_alarm();
}
