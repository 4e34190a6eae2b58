//! The backend: which lines are ready.

use core::convert::Infallible;

use super::port::{Board, sleep};
use super::{Flags, Line};
use crate::backend::{EventOp, FdInfos, Features, Modified, Sink, Token, Wake};
use crate::ready::{Interest, Ready};
use crate::time::{Instant, Sleep};

/// The backend for a part without an operating system: waits for the [lines](super::Flags) of a [`Board`], and sleeps
/// between interrupts.
///
/// Descriptors are [`Line`]s. There is no periodic tick: an idle base sleeps until its first deadline. All events are
/// level-triggered. It takes ten bytes for each line.
#[derive(Debug)]
pub struct Lines<B, const N: usize> {
    board: B,
    /// The registration of each line, void while its interest is empty.
    tokens: [Token; N],
    interests: [Interest; N],
}

impl<B, const N: usize> Lines<B, N> {
    /// The lines of a board; all zeros, like a base made with it, if the board has no fields.
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
    /// use evcore::board::Lines;
    /// use evcore::{EventBase, Fixed};
    ///
    /// const BASE: EventBase<Lines<Chip, 1>, Fixed<8>, u8> = EventBase::new(Lines::new(Chip));
    /// assert_eq!(BASE.now(), Instant::ZERO);
    /// ```
    #[must_use]
    pub const fn new(board: B) -> Self {
        Self { board, tokens: [Token::from_bits(0); N], interests: [Interest::empty(); N] }
    }

    /// The board.
    #[must_use]
    pub const fn board(&self) -> &B {
        &self.board
    }

    fn watch(&mut self, line: Line<N>, token: Token, interest: Interest) {
        // The line exists: its constructor has checked the number.
        if let (Some(watcher), Some(waits_for)) =
            (self.tokens.get_mut(line.place()), self.interests.get_mut(line.place()))
        {
            (*watcher, *waits_for) = (token, interest);
        }
    }
}

impl<B: Board<N>, const N: usize> Lines<B, N> {
    /// Reports the lines that are ready for their interest. Returns whether there were any.
    fn report(&self, sink: &mut impl Sink<Line<N>>) -> bool {
        let mut is_found = false;
        for ((line, token), interest) in self.board.flags().lines().iter().zip(&self.tokens).zip(&self.interests) {
            if interest.is_empty() {
                continue;
            }
            let mut ready = Ready::empty();
            ready.set(Ready::READ, line.readable.is_set());
            ready.set(Ready::WRITE, line.writable.is_set());
            // `Interest` and `Ready` have the same bits.
            ready &= Ready::from_bits_retain(interest.bits());
            if !ready.is_empty() {
                sink.ready(*token, ready);
                is_found = true;
            }
        }
        is_found
    }
}

impl<B: Board<N>, const N: usize> EventOp for Lines<B, N> {
    type Fd = Line<N>;
    type FdInfo = ();
    type Error = Infallible;
    const IS_SHARED: bool = false;
    const HAS_SIGNALS: bool = false;
    const HAS_EDGE: bool = false;

    fn name(&self) -> &'static str {
        "lines"
    }

    fn features(&self) -> Features {
        Features::empty()
    }

    fn now(&self) -> Instant {
        self.board.now()
    }

    fn add(
        &mut self,
        line: Line<N>,
        token: Token,
        interest: Interest,
        _: &mut impl FdInfos<()>,
    ) -> Result<(), Infallible> {
        self.watch(line, token, interest);
        Ok(())
    }

    fn modify(
        &mut self,
        line: Line<N>,
        token: Token,
        _: Interest,
        new: Interest,
        _: &mut impl FdInfos<()>,
    ) -> Result<Modified, Infallible> {
        self.watch(line, token, new);
        Ok(Modified::Kept)
    }

    fn del(&mut self, line: Line<N>, token: Token, _: Interest, _: &mut impl FdInfos<()>) {
        self.watch(line, token, Interest::empty());
    }

    fn dispatch(&mut self, wait: Sleep, sink: &mut impl Sink<Line<N>>) -> Result<(), Infallible> {
        let flags = self.board.flags();
        let mut wait = wait;
        loop {
            // `news` before the lines: what comes in between sets it again, and ends the sleep.
            let is_woken = flags.news().take() && flags.take_wake();
            if is_woken {
                sink.woken();
            }
            let is_found = self.report(sink) || is_woken;
            let until = match wait {
                Sleep::Until(point) if !is_found => point,
                Sleep::Forever if !is_found => Instant::MAX,
                _ => return Ok(()),
            };
            sleep(&self.board, until, flags.news());
            if !flags.news().is_set() {
                // Only the time has come.
                return Ok(());
            }
            // Report what has ended the sleep, and do not sleep again.
            wait = Sleep::None;
        }
    }

    fn reinit(&mut self) -> Result<(), Infallible> {
        self.interests = [Interest::empty(); N];
        Ok(())
    }
}

impl<B: Board<N>, const N: usize> Wake for Lines<B, N> {
    type Waker = &'static Flags<N>;

    fn waker(&mut self) -> Result<&'static Flags<N>, Infallible> {
        Ok(self.board.flags())
    }
}
