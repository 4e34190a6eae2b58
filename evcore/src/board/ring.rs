//! Bytes between an interrupt and the loop.

use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// A queue of `SIZE` bytes, a power of two, between an interrupt and the loop, with one writer and one reader.
///
/// Each end stores a count that only it writes: no lock, no compare-and-swap. Several interrupts may write if none can
/// interrupt another. Two writers or readers at once get some bytes twice and others never, nothing worse.
///
/// Put it in a `static`. [`Flags::push`](super::Flags::push) and [`Flags::pop`](super::Flags::pop) keep a line readable
/// while it is not empty.
///
/// ```
/// use evcore::board::Ring;
///
/// static RECEIVED: Ring<64> = Ring::new();
///
/// assert!(RECEIVED.push(b'a')); // in the interrupt
/// assert_eq!(RECEIVED.pop(), Some(b'a')); // in the loop
/// assert_eq!(RECEIVED.pop(), None);
/// ```
#[derive(Debug)]
pub struct Ring<const SIZE: usize> {
    bytes: [AtomicU8; SIZE],
    /// How many bytes were written and read, wrapping: `SIZE` divides the range of `usize`.
    written: AtomicUsize,
    read: AtomicUsize,
}

impl<const SIZE: usize> Ring<SIZE> {
    /// An empty queue. A size that is no power of two does not compile.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(SIZE.is_power_of_two(), "the size of a ring is a power of two") };
        Self { bytes: [const { AtomicU8::new(0) }; SIZE], written: AtomicUsize::new(0), read: AtomicUsize::new(0) }
    }

    /// Appends a byte, for the writer. `false`: the queue is full, and the byte is lost.
    pub fn push(&self, byte: u8) -> bool {
        let written = self.written.load(Ordering::Relaxed);
        // Acquire: the byte was read before its place is overwritten.
        if written.wrapping_sub(self.read.load(Ordering::Acquire)) >= SIZE {
            return false;
        }
        if let Some(place) = self.place(written) {
            place.store(byte, Ordering::Relaxed);
        }
        // Release: the byte is visible with the count.
        self.written.store(written.wrapping_add(1), Ordering::Release);
        true
    }

    /// The oldest byte, for the reader.
    pub fn pop(&self) -> Option<u8> {
        let read = self.read.load(Ordering::Relaxed);
        let written = self.written.load(Ordering::Acquire);
        // Empty, or the counts of two concurrent writers.
        if written.wrapping_sub(read).wrapping_sub(1) >= SIZE {
            self.read.store(written, Ordering::Release);
            return None;
        }
        let byte = self.place(read)?.load(Ordering::Relaxed);
        self.read.store(read.wrapping_add(1), Ordering::Release);
        Some(byte)
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        let read = self.read.load(Ordering::Acquire);
        self.written.load(Ordering::Acquire).wrapping_sub(read)
    }

    fn place(&self, count: usize) -> Option<&AtomicU8> {
        self.bytes.get(count & SIZE.wrapping_sub(1))
    }
}

impl<const SIZE: usize> Default for Ring<SIZE> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One writer was interrupted between load and store, while the other one's bytes were read.
    #[test]
    fn ring_of_two_writers_does_not_answer_bytes_for_ever() {
        let ring = Ring::<4>::new();
        for byte in 0..3 {
            assert!(ring.is_empty() && ring.push(byte));
            assert_eq!((ring.is_empty(), ring.len()), (false, 1));
            assert_eq!(ring.pop(), Some(byte));
        }
        ring.written.store(1, Ordering::Relaxed);
        assert_eq!(core::iter::from_fn(|| ring.pop()).take(100).count(), 0, "nobody wrote them");
        assert!(ring.is_empty() && ring.push(7));
        assert_eq!((ring.pop(), ring.pop()), (Some(7), None));
    }

    #[test]
    fn ring_keeps_the_order_beyond_the_end_of_its_counts() {
        let ring = Ring::<4>::new();
        let near_the_end = usize::MAX - 5;
        ring.written.store(near_the_end, Ordering::Relaxed);
        ring.read.store(near_the_end, Ordering::Relaxed);
        let mut popped = 0u8;
        for pushed in 0..32u8 {
            assert!(ring.push(pushed));
            if pushed % 4 == 3 {
                assert!(!ring.push(99), "it holds four");
                for _ in 0..4 {
                    assert_eq!(ring.pop(), Some(popped));
                    popped += 1;
                }
                assert_eq!((ring.pop(), ring.len()), (None, 0));
            }
        }
        assert_eq!(popped, 32);
    }
}
