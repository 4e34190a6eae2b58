//! What the UART's interrupt has received and the program has not read.

use core::sync::atomic::{AtomicU8, Ordering};

const SIZE: u8 = 64;

// [snippet: ring]
/// A queue with one writer, the interrupt, and one reader, the program. Each changes a count of its own, by a load and a
/// store: it needs neither a lock nor a compare-and-swap.
pub struct Ring {
    bytes: [AtomicU8; SIZE as usize],
    written: AtomicU8,
    read: AtomicU8,
}

impl Ring {
    pub const fn new() -> Self {
        Self { bytes: [const { AtomicU8::new(0) }; SIZE as usize], written: AtomicU8::new(0), read: AtomicU8::new(0) }
    }

    /// For the interrupt. `false`: it was full, and the byte is lost.
    pub fn push(&self, byte: u8) -> bool {
        let written = self.written.load(Ordering::Relaxed);
        if written.wrapping_sub(self.read.load(Ordering::Acquire)) >= SIZE {
            return false;
        }
        if let Some(place) = self.bytes.get(usize::from(written % SIZE)) {
            place.store(byte, Ordering::Relaxed);
        }
        self.written.store(written.wrapping_add(1), Ordering::Release);
        true
    }

    /// For the program.
    pub fn pop(&self) -> Option<u8> {
        let read = self.read.load(Ordering::Relaxed);
        if self.is_empty() {
            return None;
        }
        let byte = self.bytes.get(usize::from(read % SIZE))?.load(Ordering::Relaxed);
        self.read.store(read.wrapping_add(1), Ordering::Release);
        Some(byte)
    }

    pub fn is_empty(&self) -> bool {
        self.read.load(Ordering::Relaxed) == self.written.load(Ordering::Acquire)
    }
}
// [end]

impl Default for Ring {
    fn default() -> Self {
        Self::new()
    }
}
