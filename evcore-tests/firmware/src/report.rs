//! Prints the firmware's output without `core::fmt`.

use crate::sys;

/// Prints a text.
pub fn text(text: &str) {
    text.bytes().for_each(sys::say);
}

/// Prints a line.
pub fn line(line: &str) {
    text(line);
    sys::say(b'\n');
}

/// Prints a number and what it counts, as a line.
pub fn number(number: u32, what: &str) {
    decimal(number);
    line(what);
}

fn decimal(number: u32) {
    if number > 9 {
        decimal(number / 10);
    }
    sys::say(b'0'.wrapping_add((number % 10) as u8));
}

/// For the suite, which needs formatting.
pub struct Report;

impl core::fmt::Write for Report {
    fn write_str(&mut self, part: &str) -> core::fmt::Result {
        text(part);
        Ok(())
    }
}
