//! Flags by which interrupts tell the loop what is ready.

use super::{Line, Ring};
use crate::wake::WakeFlag;

/// Shared by interrupts and the loop: whether each of `N` lines can be read and written.
///
/// A [line](Line) is ready while its flag is set. An interrupt sets the flag. The event's handler takes the flag, then
/// reads all there is, or writes until there is no room: what comes meanwhile sets it again. Until the flag is taken,
/// the event is handed out in each turn. With a [`Ring`], [`pop`](Flags::pop) takes the flag.
///
/// Put it in a `static`. Setting a flag is two stores and two fences, reading one a load, also on Cortex-M0: no lock,
/// no masked interrupts.
///
/// ```
/// use evcore::board::{Flags, Line};
///
/// const BUTTON: Line<2> = Line::new(1).unwrap();
/// static FLAGS: Flags<2> = Flags::new();
///
/// FLAGS.set_readable(BUTTON); // in the interrupt
/// assert!(FLAGS.take_readable(BUTTON)); // in the handler
/// assert!(!FLAGS.take_readable(BUTTON));
/// ```
#[derive(Debug)]
pub struct Flags<const N: usize> {
    lines: [Pair; N],
    woken: WakeFlag,
    /// Set with any flag: look before sleeping.
    news: WakeFlag,
}

#[derive(Debug)]
pub(super) struct Pair {
    pub(super) readable: WakeFlag,
    pub(super) writable: WakeFlag,
}

impl<const N: usize> Flags<N> {
    /// Flags, none of them set.
    #[must_use]
    pub const fn new() -> Self {
        let lines = [const { Pair { readable: WakeFlag::new(), writable: WakeFlag::new() } }; N];
        Self { lines, woken: WakeFlag::new(), news: WakeFlag::new() }
    }

    /// Marks the line readable. May be called from anywhere.
    pub fn set_readable(&self, line: Line<N>) {
        // The line's flag first: the loop takes `news` before it looks at lines.
        if let Some(line) = self.line(line) {
            line.readable.wake();
        }
        self.news.wake();
    }

    /// Marks the line writable. May be called from anywhere.
    pub fn set_writable(&self, line: Line<N>) {
        if let Some(line) = self.line(line) {
            line.writable.wake();
        }
        self.news.wake();
    }

    /// Takes the line's readable flag; returns whether it was set. Take it before reading: what comes in between sets
    /// it again.
    pub fn take_readable(&self, line: Line<N>) -> bool {
        self.line(line).is_some_and(|line| line.readable.take())
    }

    /// Takes the line's writable flag; returns whether it was set.
    pub fn take_writable(&self, line: Line<N>) -> bool {
        self.line(line).is_some_and(|line| line.writable.take())
    }

    /// Whether the line is readable.
    #[must_use]
    pub fn is_readable(&self, line: Line<N>) -> bool {
        self.line(line).is_some_and(|line| line.readable.is_set())
    }

    /// Whether the line is writable.
    #[must_use]
    pub fn is_writable(&self, line: Line<N>) -> bool {
        self.line(line).is_some_and(|line| line.writable.is_set())
    }

    /// Puts a byte into the line's ring, for the loop to read. For interrupts. `false`: the ring was full, and the byte
    /// is lost.
    ///
    /// ```
    /// use evcore::board::{Flags, Line, Ring};
    ///
    /// const LINE: Line<1> = Line::new(0).unwrap();
    /// let (flags, ring) = (Flags::<1>::new(), Ring::<2>::new());
    /// assert!(flags.push(LINE, &ring, b'a') && flags.push(LINE, &ring, b'b'));
    /// assert!(!flags.push(LINE, &ring, b'c'));
    /// assert!(flags.is_readable(LINE));
    /// ```
    pub fn push<const SIZE: usize>(&self, line: Line<N>, ring: &Ring<SIZE>, byte: u8) -> bool {
        let is_kept = ring.push(byte);
        self.set_readable(line);
        is_kept
    }

    /// The next byte of the line's ring. For the loop. The line stays readable until this returns `None`.
    ///
    /// ```
    /// use evcore::board::{Flags, Line, Ring};
    ///
    /// const LINE: Line<1> = Line::new(0).unwrap();
    /// let (flags, ring) = (Flags::<1>::new(), Ring::<2>::new());
    /// flags.push(LINE, &ring, b'a');
    /// assert_eq!(flags.pop(LINE, &ring), Some(b'a'));
    /// assert!(flags.is_readable(LINE));
    /// assert_eq!(flags.pop(LINE, &ring), None);
    /// assert!(!flags.is_readable(LINE));
    /// ```
    pub fn pop<const SIZE: usize>(&self, line: Line<N>, ring: &Ring<SIZE>) -> Option<u8> {
        let byte = ring.pop();
        if byte.is_none() && self.take_readable(line) {
            // A byte may have come before its flag was taken.
            return ring.pop().inspect(|_| self.set_readable(line));
        }
        byte
    }

    /// Wakes the loop: the base's wake events are handed out. May be called from anywhere.
    ///
    /// `&FLAGS` is what [`EventBase::waker`](crate::EventBase::waker) returns on [`Lines`](super::Lines).
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
    pub(super) fn readable(&self, line: Line<N>) -> Option<&WakeFlag> {
        self.line(line).map(|line| &line.readable)
    }

    #[cfg(feature = "embedded-io")]
    pub(super) fn writable(&self, line: Line<N>) -> Option<&WakeFlag> {
        self.line(line).map(|line| &line.writable)
    }

    pub(super) const fn lines(&self) -> &[Pair; N] {
        &self.lines
    }

    fn line(&self, line: Line<N>) -> Option<&Pair> {
        self.lines.get(line.place())
    }
}

impl<const N: usize> Default for Flags<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [Line<3>; 2] = [Line::new(1).unwrap(), Line::new(2).unwrap()];

    #[test]
    fn flag_is_set_until_it_is_taken_and_is_no_other_ones() {
        let flags = Flags::<3>::new();
        let [one, other] = LINES;
        let seen = || [one, other].map(|line| (flags.is_readable(line), flags.is_writable(line)));
        flags.set_readable(one);
        assert!(flags.news().take());
        flags.set_writable(other);
        assert!(flags.news().take());
        assert_eq!(seen(), [(true, false), (false, true)]);
        assert_eq!(LINES.map(|line| flags.take_readable(line)), [true, false]);
        assert_eq!(LINES.map(|line| flags.take_writable(line)), [false, true]);
        assert_eq!(seen(), [(false, false); 2]);
        assert!(!flags.take_wake() && !flags.news().is_set());
        flags.wake();
        assert!(flags.news().is_set() && flags.take_wake() && !flags.take_wake());
    }

    #[test]
    fn pop_takes_the_flag_with_the_last_byte_alone() {
        let (flags, ring, [line, _]) = (Flags::<3>::new(), Ring::<2>::new(), LINES);
        assert_eq!(flags.pop(line, &ring), None);
        assert_eq!([7, 8, 9].map(|byte| flags.push(line, &ring, byte)), [true, true, false]);
        assert_eq!((flags.pop(line, &ring), flags.is_readable(line)), (Some(7), true));
        assert_eq!((flags.pop(line, &ring), flags.is_readable(line)), (Some(8), true));
        assert_eq!((flags.pop(line, &ring), flags.is_readable(line)), (None, false));
        // An interrupt came between the look into the ring and the flag.
        ring.push(5);
        assert_eq!(flags.pop(line, &ring), Some(5));
    }
}
