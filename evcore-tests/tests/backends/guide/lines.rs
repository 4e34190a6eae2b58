//! The backend of `docs/writing-a-backend.md`: serial lines of a board without an operating system.

use core::error::Error;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

use evcore::backend::{Descriptor, EventOp, FdInfos, Features, Modified, Sink, Sleep, Token, Wake, WakeFlag};
use evcore::{Instant, Interest, Ready};

/// The hardware: 64 serial lines, a clock with an alarm, interrupts. On a board these are registers.
#[derive(Debug, Default)]
pub(crate) struct Board {
    /// Bit n: line n has input.
    pub(crate) received: AtomicU64,
    /// Bit n: line n has room to send.
    pub(crate) room: AtomicU64,
    /// Nanoseconds since power-on.
    pub(crate) clock: AtomicU64,
    /// Set by interrupts.
    pub(crate) news: WakeFlag,
}

impl Board {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.clock.load(Ordering::Acquire))
    }

    /// Sleeps until an interrupt, or until `alarm`. Here no interrupt comes, so it is `alarm` at once.
    ///
    /// On a board: set the alarm, then WFI, with interrupts masked since the look at the lines. A masked interrupt
    /// ends WFI too, so none in between is missed.
    fn sleep(&self, alarm: Instant) {
        if alarm != Instant::MAX {
            self.clock.fetch_max(alarm.as_nanos(), Ordering::AcqRel);
        }
    }
}

/// One of the board's lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Line(pub(crate) u8);

impl Descriptor for Line {
    fn number(self) -> u32 {
        self.0.into()
    }
}

/// The board has no such line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NoSuchLine(pub(crate) Line);

impl fmt::Display for NoSuchLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the board has no line {}", self.0.0)
    }
}

impl Error for NoSuchLine {}

/// The backend: the lines of a board.
#[derive(Debug)]
pub(crate) struct Lines {
    pub(crate) board: &'static Board,
    /// The registration of each line.
    watches: [Option<(Token, Interest)>; 64],
}

impl Lines {
    pub(crate) const fn new(board: &'static Board) -> Self {
        Self { board, watches: [None; 64] }
    }

    fn watch(&mut self, line: Line) -> Option<&mut Option<(Token, Interest)>> {
        self.watches.get_mut(usize::from(line.0))
    }

    /// What is ready of what is registered.
    fn found(&self) -> impl Iterator<Item = (Token, Ready)> {
        let received = self.board.received.load(Ordering::Acquire);
        let room = self.board.room.load(Ordering::Acquire);
        self.watches.iter().zip(0..64).filter_map(move |(watch, number)| {
            let (token, interest) = (*watch)?;
            let mut ready = Ready::empty();
            ready.set(Ready::READ, interest.contains(Interest::READ) && received.wrapping_shr(number) & 1 == 1);
            ready.set(Ready::WRITE, interest.contains(Interest::WRITE) && room.wrapping_shr(number) & 1 == 1);
            (!ready.is_empty()).then_some((token, ready))
        })
    }
}

impl EventOp for Lines {
    type Fd = Line;
    type FdInfo = ();
    type Error = NoSuchLine;

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
        line: Line,
        token: Token,
        interest: Interest,
        _: &mut impl FdInfos<()>,
    ) -> Result<(), NoSuchLine> {
        *self.watch(line).ok_or(NoSuchLine(line))? = Some((token, interest));
        Ok(())
    }

    fn modify(
        &mut self,
        line: Line,
        token: Token,
        _: Interest,
        new: Interest,
        infos: &mut impl FdInfos<()>,
    ) -> Result<Modified, NoSuchLine> {
        self.add(line, token, new, infos)?;
        Ok(Modified::Kept)
    }

    fn del(&mut self, line: Line, _: Token, _: Interest, _: &mut impl FdInfos<()>) {
        if let Some(watch) = self.watch(line) {
            *watch = None;
        }
    }

    fn dispatch(&mut self, wait: Sleep, sink: &mut impl Sink<Line>) -> Result<(), NoSuchLine> {
        let mut is_woken = self.board.news.take();
        if !is_woken && self.found().next().is_none() {
            match wait {
                Sleep::None => {}
                Sleep::Until(point) => self.board.sleep(point),
                Sleep::Forever => self.board.sleep(Instant::MAX),
            }
            // Must not prevent the next sleep.
            is_woken = self.board.news.take();
        }
        if is_woken {
            sink.woken();
        }
        for (token, ready) in self.found() {
            sink.ready(token, ready);
        }
        Ok(())
    }

    fn reinit(&mut self) -> Result<(), NoSuchLine> {
        self.watches = [None; 64];
        Ok(())
    }
}

impl Wake for Lines {
    type Waker = &'static WakeFlag;

    fn waker(&mut self) -> Result<&'static WakeFlag, NoSuchLine> {
        Ok(&self.board.news)
    }
}
