//! A line as an `embedded-io` reader or writer.

use core::convert::Infallible;
use core::fmt;

use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};

use super::port::{Board, sleep};
use super::{Flags, Line, Ring};
use crate::time::Instant;

/// Reads the bytes that a line's interrupt puts into its ring ([`Flags::push`]), as `embedded_io::Read`.
///
/// In the handler of a readable line it does not wait. Elsewhere it sleeps until a byte comes, while no event is
/// handed out.
///
/// ```
/// # use evcore::{Instant, board::{Board, Flags}};
/// # static FLAGS: Flags<1> = Flags::new();
/// # struct Chip;
/// # impl Board<1> for Chip {
/// #     fn flags(&self) -> &'static Flags<1> { &FLAGS }
/// #     fn now(&self) -> Instant { Instant::ZERO }
/// #     fn set_alarm(&self, _: Instant) {}
/// #     fn wait_for_interrupt(&self) {}
/// #     fn masked<R>(&self, work: impl FnOnce() -> R) -> R { work() }
/// # }
/// use embedded_io::Read;
/// use evcore::board::{Line, Reader, Ring};
///
/// const UART: Line<1> = Line::new(0).unwrap();
/// static RECEIVED: Ring<64> = Ring::new();
///
/// for byte in *b"hello" {
///     FLAGS.push(UART, &RECEIVED, byte); // in the interrupt
/// }
/// let mut bytes = [0; 5];
/// Reader::new(&Chip, UART, &RECEIVED).read_exact(&mut bytes).unwrap();
/// assert_eq!(&bytes, b"hello");
/// ```
pub struct Reader<'a, B, const N: usize, const SIZE: usize> {
    board: &'a B,
    line: Line<N>,
    ring: &'a Ring<SIZE>,
}

impl<'a, B: Board<N>, const N: usize, const SIZE: usize> Reader<'a, B, N, SIZE> {
    /// Reads a line's ring. Use one reader at a time.
    pub const fn new(board: &'a B, line: Line<N>, ring: &'a Ring<SIZE>) -> Self {
        Self { board, line, ring }
    }

    fn flags(&self) -> &'static Flags<N> {
        self.board.flags()
    }
}

impl<B, const N: usize, const SIZE: usize> ErrorType for Reader<'_, B, N, SIZE> {
    type Error = Infallible;
}

impl<B: Board<N>, const N: usize, const SIZE: usize> ReadReady for Reader<'_, B, N, SIZE> {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(!self.ring.is_empty())
    }
}

impl<B: Board<N>, const N: usize, const SIZE: usize> Read for Reader<'_, B, N, SIZE> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
        let mut count = 0usize;
        while let Some(place) = bytes.get_mut(count) {
            match self.flags().pop(self.line, self.ring) {
                Some(byte) => *place = byte,
                None if count > 0 => break,
                None => {
                    wait(self.board, self.flags().readable(self.line));
                    continue;
                }
            }
            count = count.wrapping_add(1);
        }
        Ok(count)
    }
}

/// Writes bytes for a line to send, as `embedded_io::Write`.
///
/// The bytes go into a ring. The line's interrupt sends what [`Ring::pop`] returns and calls [`Flags::set_writable`],
/// which activates events that wait for WRITE. A write sleeps only if there is no room for a byte; meanwhile no event is
/// handed out.
///
/// ```
/// # use evcore::{Instant, board::{Board, Flags}};
/// # static FLAGS: Flags<1> = Flags::new();
/// # struct Chip;
/// # impl Board<1> for Chip {
/// #     fn flags(&self) -> &'static Flags<1> { &FLAGS }
/// #     fn now(&self) -> Instant { Instant::ZERO }
/// #     fn set_alarm(&self, _: Instant) {}
/// #     fn wait_for_interrupt(&self) { on_sent() }
/// #     fn masked<R>(&self, work: impl FnOnce() -> R) -> R { work() }
/// # }
/// use embedded_io::Write;
/// use evcore::board::{Line, Ring, Writer};
///
/// const UART: Line<1> = Line::new(0).unwrap();
/// static SENT: Ring<4> = Ring::new();
///
/// /// Makes the interrupt come when the line can send.
/// fn start() {}
///
/// /// The interrupt.
/// fn on_sent() {
///     if let Some(byte) = SENT.pop() {
///         print!("{}", char::from(byte)); // the UART's register
///         FLAGS.set_writable(UART);
///     }
/// }
///
/// let mut writer = Writer::new(&Chip, UART, &SENT, start);
/// write!(writer, "{} degrees", 21).unwrap();
/// writer.flush().unwrap();
/// assert!(SENT.is_empty());
/// ```
pub struct Writer<'a, B, const N: usize, const SIZE: usize> {
    board: &'a B,
    line: Line<N>,
    ring: &'a Ring<SIZE>,
    start: fn(),
}

impl<'a, B: Board<N>, const N: usize, const SIZE: usize> Writer<'a, B, N, SIZE> {
    /// Writes into a line's ring. Use one writer at a time. `start` is called after a write: it makes the line's
    /// interrupt come as soon as it can send.
    pub const fn new(board: &'a B, line: Line<N>, ring: &'a Ring<SIZE>, start: fn()) -> Self {
        Self { board, line, ring, start }
    }

    fn wait_for_room(&self) {
        (self.start)();
        wait(self.board, self.board.flags().writable(self.line));
    }
}

impl<B, const N: usize, const SIZE: usize> ErrorType for Writer<'_, B, N, SIZE> {
    type Error = Infallible;
}

impl<B: Board<N>, const N: usize, const SIZE: usize> WriteReady for Writer<'_, B, N, SIZE> {
    fn write_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.ring.len() < SIZE)
    }
}

impl<B: Board<N>, const N: usize, const SIZE: usize> Write for Writer<'_, B, N, SIZE> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let mut count = 0usize;
        while let Some(byte) = bytes.get(count) {
            // The flag first: an interrupt after that sets it again, and ends the sleep.
            self.board.flags().take_writable(self.line);
            if self.ring.push(*byte) {
                count = count.wrapping_add(1);
            } else if count > 0 {
                break;
            } else {
                self.wait_for_room();
            }
        }
        if self.ring.len() < SIZE {
            self.board.flags().set_writable(self.line);
        }
        (self.start)();
        Ok(count)
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        loop {
            self.board.flags().take_writable(self.line);
            if self.ring.is_empty() {
                self.board.flags().set_writable(self.line);
                return Ok(());
            }
            self.wait_for_room();
        }
    }
}

/// Sleeps until the flag is set. Returns at once for a line that does not exist.
fn wait<const N: usize>(board: &impl Board<N>, flag: Option<&crate::wake::WakeFlag>) {
    if let Some(flag) = flag {
        sleep(board, Instant::MAX, flag);
    }
}

impl<B, const N: usize, const SIZE: usize> fmt::Debug for Reader<'_, B, N, SIZE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("line", &self.line).finish_non_exhaustive()
    }
}

impl<B, const N: usize, const SIZE: usize> fmt::Debug for Writer<'_, B, N, SIZE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("line", &self.line).finish_non_exhaustive()
    }
}
