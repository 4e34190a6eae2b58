//! What interrupts say to the loop.

use super::Ring;
use crate::wake::WakeFlag;

/// What interrupts share with the loop: whether each of `N` lines has something to read and room to write.
///
/// A line is a number below `N`: a UART, a pin, a converter. It is ready for as long as its flag is set. An interrupt sets the flag; the
/// event's handler takes it back when there is nothing more to read, or no room, and else it comes again in each turn.
///
/// Put it in a `static`. Setting a flag is two stores and two fences, looking at one is a load: it needs no lock, no compare-and-swap
/// and no masked interrupts, also on Cortex-M0. A line that does not exist is never ready, and setting it only ends the sleep.
///
/// ```
/// use evcore::board::Flags;
///
/// const BUTTON: u8 = 1;
/// static FLAGS: Flags<2> = Flags::new();
///
/// FLAGS.set_readable(BUTTON); // in the interrupt
/// assert!(FLAGS.take_readable(BUTTON)); // in the handler
/// assert!(!FLAGS.take_readable(BUTTON));
/// ```
#[derive(Debug)]
pub struct Flags<const N: usize> {
    lines: [Line; N],
    woken: WakeFlag,
    /// Some flag was set: look before you sleep.
    news: WakeFlag,
}

#[derive(Debug)]
pub(super) struct Line {
    pub(super) readable: WakeFlag,
    pub(super) writable: WakeFlag,
}

impl<const N: usize> Flags<N> {
    /// Flags that are not set.
    ///
    /// ```
    /// use evcore::board::Flags;
    ///
    /// static FLAGS: Flags<1> = Flags::new();
    /// assert!(!FLAGS.is_readable(0) && !FLAGS.is_writable(0));
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        let lines = [const { Line { readable: WakeFlag::new(), writable: WakeFlag::new() } }; N];
        Self { lines, woken: WakeFlag::new(), news: WakeFlag::new() }
    }

    /// Says that the line has something to read. For interrupts; from anywhere.
    ///
    /// ```
    /// use evcore::board::Flags;
    ///
    /// let flags = Flags::<1>::new();
    /// flags.set_readable(0);
    /// assert!(flags.is_readable(0));
    /// ```
    pub fn set_readable(&self, line: u8) {
        // The line's flag first, then the news: who takes the news sees the line's flag, or the news come again.
        if let Some(line) = self.line(line) {
            line.readable.wake();
        }
        self.news.wake();
    }

    /// Says that the line has room to write. For interrupts; from anywhere.
    ///
    /// ```
    /// use evcore::board::Flags;
    ///
    /// let flags = Flags::<1>::new();
    /// flags.set_writable(0);
    /// assert!(flags.is_writable(0));
    /// ```
    pub fn set_writable(&self, line: u8) {
        if let Some(line) = self.line(line) {
            line.writable.wake();
        }
        self.news.wake();
    }

    /// Whether the line had something to read; it has not any more.
    ///
    /// Take the flag first and read after that: what comes in between sets it again.
    ///
    /// ```
    /// use evcore::board::Flags;
    ///
    /// let flags = Flags::<1>::new();
    /// flags.set_readable(0);
    /// assert!(flags.take_readable(0) && !flags.take_readable(0));
    /// ```
    pub fn take_readable(&self, line: u8) -> bool {
        self.line(line).is_some_and(|line| line.readable.take())
    }

    /// Whether the line had room to write; it has not any more.
    ///
    /// ```
    /// use evcore::board::Flags;
    ///
    /// let flags = Flags::<1>::new();
    /// flags.set_writable(0);
    /// assert!(flags.take_writable(0) && !flags.take_writable(0));
    /// ```
    pub fn take_writable(&self, line: u8) -> bool {
        self.line(line).is_some_and(|line| line.writable.take())
    }

    /// Whether the line has something to read.
    ///
    /// ```
    /// use evcore::board::Flags;
    ///
    /// assert!(!Flags::<1>::new().is_readable(0));
    /// ```
    #[must_use]
    pub fn is_readable(&self, line: u8) -> bool {
        self.line(line).is_some_and(|line| line.readable.is_set())
    }

    /// Whether the line has room to write.
    ///
    /// ```
    /// use evcore::board::Flags;
    ///
    /// assert!(!Flags::<1>::new().is_writable(0));
    /// ```
    #[must_use]
    pub fn is_writable(&self, line: u8) -> bool {
        self.line(line).is_some_and(|line| line.writable.is_set())
    }

    /// Puts a byte into the line's ring, for the loop to read. For interrupts.
    ///
    /// `false`: the ring was full, and the byte is lost.
    ///
    /// ```
    /// use evcore::board::{Flags, Ring};
    ///
    /// let (flags, ring) = (Flags::<1>::new(), Ring::<2>::new());
    /// assert!(flags.push(0, &ring, b'a') && flags.push(0, &ring, b'b'));
    /// assert!(!flags.push(0, &ring, b'c'));
    /// assert!(flags.is_readable(0));
    /// ```
    pub fn push<const SIZE: usize>(&self, line: u8, ring: &Ring<SIZE>, byte: u8) -> bool {
        let is_kept = ring.push(byte);
        self.set_readable(line);
        is_kept
    }

    /// The next byte of the line's ring. For the loop. The line stays readable until this has answered `None`.
    ///
    /// ```
    /// use evcore::board::{Flags, Ring};
    ///
    /// let (flags, ring) = (Flags::<1>::new(), Ring::<2>::new());
    /// flags.push(0, &ring, b'a');
    /// assert_eq!(flags.pop(0, &ring), Some(b'a'));
    /// assert!(flags.is_readable(0));
    /// assert_eq!(flags.pop(0, &ring), None);
    /// assert!(!flags.is_readable(0));
    /// ```
    pub fn pop<const SIZE: usize>(&self, line: u8, ring: &Ring<SIZE>) -> Option<u8> {
        let byte = ring.pop();
        if byte.is_none() && self.take_readable(line) {
            // A byte may have come before the flag was taken, and its flag with it.
            return ring.pop().inspect(|_| self.set_readable(line));
        }
        byte
    }

    /// Wakes the loop, without a line: the event base's wake events are handed out. For interrupts; from anywhere.
    ///
    /// `&FLAGS` is the waker that [`EventBase::waker`](crate::EventBase::waker) answers on [`Lines`](super::Lines).
    ///
    /// ```
    /// use evcore::board::Flags;
    ///
    /// static FLAGS: Flags<1> = Flags::new();
    /// FLAGS.wake();
    /// ```
    pub fn wake(&self) {
        self.woken.wake();
        self.news.wake();
    }

    pub(super) const fn news(&self) -> &WakeFlag {
        &self.news
    }

    pub(super) fn take_wake(&self) -> bool {
        self.woken.take()
    }

    #[cfg(feature = "embedded-io")]
    pub(super) fn readable(&self, line: u8) -> Option<&WakeFlag> {
        self.line(line).map(|line| &line.readable)
    }

    #[cfg(feature = "embedded-io")]
    pub(super) fn writable(&self, line: u8) -> Option<&WakeFlag> {
        self.line(line).map(|line| &line.writable)
    }

    pub(super) const fn lines(&self) -> &[Line; N] {
        &self.lines
    }

    fn line(&self, line: u8) -> Option<&Line> {
        self.lines.get(usize::from(line))
    }
}

impl<const N: usize> Default for Flags<N> {
    fn default() -> Self {
        Self::new()
    }
}
