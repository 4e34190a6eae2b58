//! Sends back what the UART receives, as fast as it can be sent.

use evcore::{EventId, Interest};

use super::{Base, Failure};
use crate::lines;

/// What ends the conversation.
const END: u8 = b'.';

pub struct Echo {
    event: EventId,
    /// Received, and not sent.
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
                // Nothing more is read until this is sent.
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
