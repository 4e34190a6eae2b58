//! Sends back what the UART receives, as fast as possible.

use evcore::{EventId, Interest};

use super::{Base, Failure};
use crate::lines;

/// The byte that ends the echo.
const END: u8 = b'.';

pub struct Echo {
    event: EventId,
    /// A byte that was received but not sent yet.
    byte: Option<u8>,
    has_end: bool,
}

impl Echo {
    pub fn new(event: EventId) -> Self {
        Self { event, byte: None, has_end: false }
    }

    /// The UART has something to read, or room to write.
    pub fn serve(&mut self, base: &mut Base) -> Result<(), Failure> {
        loop {
            if self.byte.is_none() {
                self.byte = lines::receive();
            }
            let Some(byte) = self.byte else { return base.modify(self.event, Interest::READ) };
            if !lines::has_room() {
                // Reads nothing more until this is sent.
                return base.modify(self.event, Interest::WRITE);
            }
            lines::send(byte);
            self.byte = None;
            self.has_end |= byte == END;
        }
    }

    pub fn is_done(&self) -> bool {
        self.has_end && lines::has_room()
    }
}
