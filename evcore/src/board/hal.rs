//! Pauses and pins for `embedded-hal` drivers.

use core::convert::Infallible;
use core::fmt;
use core::time::Duration;

use embedded_hal::delay::DelayNs;
use embedded_hal::digital::{ErrorType, InputPin};

use super::{Board, Flags, Line};

/// Pauses for drivers that take `embedded_hal::delay::DelayNs`, by [`Board::delay`]: the part sleeps, and no event is
/// handed out.
///
/// ```
/// # use core::cell::Cell;
/// # use evcore::{Instant, board::{Board, Flags}};
/// # static FLAGS: Flags<1> = Flags::new();
/// # struct Chip(Cell<Instant>, Cell<Instant>);
/// # impl Board<1> for Chip {
/// #     fn flags(&self) -> &'static Flags<1> { &FLAGS }
/// #     fn now(&self) -> Instant { self.0.get() }
/// #     fn set_alarm(&self, at: Instant) { self.1.set(at); }
/// #     fn wait_for_interrupt(&self) { self.0.set(self.1.get()); }
/// #     fn masked<R>(&self, work: impl FnOnce() -> R) -> R { work() }
/// # }
/// # let chip = Chip(Cell::default(), Cell::default());
/// use embedded_hal::delay::DelayNs;
/// use evcore::board::Delay;
///
/// Delay::new(&chip).delay_ms(5);
/// assert!(chip.now().as_nanos() >= 5_000_000);
/// ```
pub struct Delay<'a, B, const N: usize> {
    board: &'a B,
}

impl<'a, B: Board<N>, const N: usize> Delay<'a, B, N> {
    /// Pauses of a board.
    pub const fn new(board: &'a B) -> Self {
        Self { board }
    }
}

impl<B: Board<N>, const N: usize> DelayNs for Delay<'_, B, N> {
    fn delay_ns(&mut self, ns: u32) {
        self.board.delay(Duration::from_nanos(ns.into()));
    }

    fn delay_us(&mut self, us: u32) {
        self.board.delay(Duration::from_micros(us.into()));
    }

    fn delay_ms(&mut self, ms: u32) {
        self.board.delay(Duration::from_millis(ms.into()));
    }
}

/// A line as `embedded_hal::digital::InputPin`: high while the line is readable. A driver that polls a device's "data
/// ready" pin sees the interrupt that the pin has raised.
///
/// ```
/// use embedded_hal::digital::InputPin;
/// use evcore::board::{Flags, Line, LinePin};
///
/// const DATA_READY: Line<1> = Line::new(0).unwrap();
/// static FLAGS: Flags<1> = Flags::new();
///
/// let mut pin = LinePin::new(&FLAGS, DATA_READY);
/// assert!(pin.is_low().unwrap());
/// FLAGS.set_readable(DATA_READY); // in the pin's interrupt
/// assert!(pin.is_high().unwrap());
/// ```
#[derive(Debug)]
pub struct LinePin<'a, const N: usize> {
    flags: &'a Flags<N>,
    line: Line<N>,
}

impl<'a, const N: usize> LinePin<'a, N> {
    /// A line as a pin.
    #[must_use]
    pub const fn new(flags: &'a Flags<N>, line: Line<N>) -> Self {
        Self { flags, line }
    }
}

impl<const N: usize> ErrorType for LinePin<'_, N> {
    type Error = Infallible;
}

impl<const N: usize> InputPin for LinePin<'_, N> {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        Ok(self.flags.is_readable(self.line))
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        Ok(!self.flags.is_readable(self.line))
    }
}

impl<B, const N: usize> fmt::Debug for Delay<'_, B, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Delay")
    }
}
