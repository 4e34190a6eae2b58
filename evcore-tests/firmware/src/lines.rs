//! The backend: lines that interrupts have news of.

use core::error::Error;
use core::fmt;
use core::sync::atomic::{AtomicU8, Ordering};

use evcore::backend::{Descriptor, EventOp, FdInfos, Features, Modified, Sink, Sleep, Token, Wake, WakeFlag};
use evcore::{Instant, Interest, Ready};

use crate::board;
use crate::ring::Ring;

// [snippet: flags]
/// What interrupts share with the program: flags, each set by a store and looked at by a load.
pub struct Flags {
    /// Something has been received that has not been read.
    pub received: WakeFlag,
    /// There is room for something to send.
    pub room: WakeFlag,
}

pub static FLAGS: [Flags; 64] = [const { Flags { received: WakeFlag::new(), room: WakeFlag::new() } }; 64];

/// Some flag has been set: whoever sleeps shall look. Also the waker's.
pub static NEWS: WakeFlag = WakeFlag::new();
// [end]

/// A line that has interrupts: the UART, a pin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line(pub u8);

/// The one line that carries bytes.
pub const UART: Line = Line(0);

impl Line {
    pub fn flags(self) -> Option<&'static Flags> {
        FLAGS.get(usize::from(self.0))
    }

    /// For interrupts: there is something to read.
    pub fn on_received(self) {
        if let Some(flags) = self.flags() {
            flags.received.wake();
        }
        NEWS.wake();
    }

    /// For interrupts: there is room to write.
    pub fn on_room(self) {
        if let Some(flags) = self.flags() {
            flags.room.wake();
        }
        NEWS.wake();
    }
}

impl Descriptor for Line {
    fn number(self) -> u32 {
        self.0.into()
    }
}

// What the UART has received.

static RECEIVED: Ring = Ring::new();

/// For the UART's interrupt. A byte that there is no room for is lost.
pub fn on_byte(byte: u8) {
    RECEIVED.push(byte);
    UART.on_received();
}

/// For the program: the next byte. The line is ready for as long as there is one.
pub fn receive() -> Option<u8> {
    let byte = RECEIVED.pop();
    if byte.is_none() {
        if let Some(flags) = UART.flags() {
            flags.received.take();
            // A byte may have come in between.
            if !RECEIVED.is_empty() {
                flags.received.wake();
            }
        }
    }
    byte
}

/// For the program: whether a byte can be sent.
pub fn has_room() -> bool {
    UART.flags().is_some_and(|flags| flags.room.is_set())
}

/// For the program: sends a byte. There is no room for another one until the UART's interrupt says so.
pub fn send(byte: u8) {
    if let Some(flags) = UART.flags() {
        flags.room.take();
    }
    board::transmit(byte);
}

// What stands for a pin.

static PRESSED: AtomicU8 = AtomicU8::new(0);

/// Raises an interrupt by software, as if the line had something to say.
pub fn press(line: Line) {
    PRESSED.store(line.0, Ordering::Release);
    board::raise();
}

/// For that interrupt.
pub fn on_press() {
    Line(PRESSED.load(Ordering::Acquire)).on_received();
}

// The backend.

/// The first `N` lines of a board.
pub struct Lines<const N: usize> {
    watches: [Watch; N],
}

/// Who watches a line. Nobody does while the interest is empty.
#[derive(Clone, Copy)]
struct Watch {
    token: Token,
    interest: Interest,
}

impl Watch {
    const NONE: Self = Self { token: Token::from_bits(0), interest: Interest::empty() };
}

/// The backend has no such line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoSuchLine(pub Line);

impl fmt::Display for NoSuchLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the board has no line {}", self.0.0)
    }
}

impl Error for NoSuchLine {}

impl<const N: usize> Lines<N> {
    pub const fn new() -> Self {
        Self { watches: [Watch::NONE; N] }
    }

    /// What is ready now, of what is watched.
    fn found(&self) -> impl Iterator<Item = (Token, Ready)> {
        self.watches.iter().zip(&FLAGS).filter_map(|(watch, flags)| {
            let mut ready = Ready::empty();
            ready.set(Ready::READ, watch.interest.contains(Interest::READ) && flags.received.is_set());
            ready.set(Ready::WRITE, watch.interest.contains(Interest::WRITE) && flags.room.is_set());
            (!ready.is_empty()).then_some((watch.token, ready))
        })
    }
}

impl<const N: usize> Default for Lines<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> EventOp for Lines<N> {
    type Fd = Line;
    type FdInfo = ();
    /// Nobody else has the lines.
    const IS_SHARED: bool = false;
    type Error = NoSuchLine;

    fn name(&self) -> &'static str {
        board::NAME
    }

    fn features(&self) -> Features {
        Features::empty()
    }

    fn now(&self) -> Instant {
        board::now()
    }

    fn add(
        &mut self,
        line: Line,
        token: Token,
        interest: Interest,
        _: &mut impl FdInfos<()>,
    ) -> Result<(), NoSuchLine> {
        *self.watches.get_mut(usize::from(line.0)).ok_or(NoSuchLine(line))? = Watch { token, interest };
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
        if let Some(watch) = self.watches.get_mut(usize::from(line.0)) {
            *watch = Watch::NONE;
        }
    }

    // [snippet: dispatch]
    fn dispatch(&mut self, wait: Sleep, sink: &mut impl Sink<Line>) -> Result<(), NoSuchLine> {
        // The flag first, then the lines: what comes in between sets the flag again, and that ends the sleep.
        let mut is_woken = NEWS.take();
        if !is_woken && self.found().next().is_none() {
            match wait {
                Sleep::None => {}
                Sleep::Until(point) => board::sleep(point, &NEWS),
                Sleep::Forever => board::sleep(Instant::MAX, &NEWS),
            }
            // What has ended this sleep must not prevent the next.
            is_woken = NEWS.take();
        }
        if is_woken {
            sink.woken();
        }
        for (token, ready) in self.found() {
            sink.ready(token, ready);
        }
        Ok(())
    }
    // [end]

    fn reinit(&mut self) -> Result<(), NoSuchLine> {
        self.watches = [Watch::NONE; N];
        Ok(())
    }
}

impl<const N: usize> Wake for Lines<N> {
    type Waker = &'static WakeFlag;

    fn waker(&mut self) -> Result<&'static WakeFlag, NoSuchLine> {
        Ok(&NEWS)
    }
}
