//! The backend: which lines are ready.

use core::convert::Infallible;

use super::port::{Board, sleep};
use super::{Flags, Line};
use crate::backend::{EventOp, FdInfos, Features, Modified, Sink, Token, Wake};
use crate::ready::{Interest, Ready};
use crate::time::{Instant, Sleep};

/// A backend for a part without an operating system: an event base that waits for the [lines](super::Flags) of a [`Board`], and sleeps
/// between interrupts.
///
/// What is registered is a [`Line`]. A base on it wakes by interrupts alone: an idle one sleeps until its first
/// deadline, and no tick disturbs it. All events are level-triggered. It keeps ten bytes for each line.
///
/// See [the module](super) for an example.
#[derive(Debug)]
pub struct Lines<B, const N: usize> {
    board: B,
    /// Who watches each line. Nobody does while the interest is empty.
    tokens: [Token; N],
    interests: [Interest; N],
}

impl<B, const N: usize> Lines<B, N> {
    /// The lines of a board. Where the board has no fields all of it is zeros, and so is a base made with it.
    ///
    /// ```
    /// # use evcore::Instant;
    /// # use evcore::board::{Board, Flags};
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
    ///
    /// ```
    /// use evcore::board::Lines;
    ///
    /// struct Chip;
    /// let lines = Lines::<Chip, 0>::new(Chip);
    /// let Chip = lines.board();
    /// ```
    #[must_use]
    pub const fn board(&self) -> &B {
        &self.board
    }

    fn watch(&mut self, line: Line<N>, token: Token, interest: Interest) {
        // That there is such a line was seen when it was made.
        if let (Some(watcher), Some(waits_for)) =
            (self.tokens.get_mut(line.place()), self.interests.get_mut(line.place()))
        {
            (*watcher, *waits_for) = (token, interest);
        }
    }
}

impl<B: Board<N>, const N: usize> Lines<B, N> {
    /// Reports the lines that are ready for what they are watched for. Whether there were any.
    fn report(&self, sink: &mut impl Sink<Line<N>>) -> bool {
        let mut is_found = false;
        for ((line, token), interest) in self.board.flags().lines().iter().zip(&self.tokens).zip(&self.interests) {
            if interest.is_empty() {
                continue;
            }
            let mut ready = Ready::empty();
            ready.set(Ready::READ, line.readable.is_set());
            ready.set(Ready::WRITE, line.writable.is_set());
            // The bits of an interest are those of what it waits for.
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
    /// Nobody else has the lines.
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
            // The news first, then the lines: what comes in between sets the news again, and that ends the sleep.
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
                // The time has come, and nothing else.
                return Ok(());
            }
            // What has ended the sleep is looked at, and not slept for again.
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
