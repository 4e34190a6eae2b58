//! The backend: `N` lines that interrupts mark as ready.

use core::convert::Infallible;
use core::sync::atomic::{AtomicU8, Ordering};

use evcore::backend::{Descriptor, EventOp, FdInfos, Features, Modified, Sink, Sleep, Token, WakeFlag};
use evcore::{Instant, Interest, Ready};

use crate::board::{self, NANOS_PER_TICK, TICKS_PER_4S};
use crate::sys;

/// Set by interrupts, for each line.
pub static FLAGS: [WakeFlag; 4] = [const { WakeFlag::new() }; 4];
/// Set by every interrupt; ends the sleep.
static NEWS: WakeFlag = WakeFlag::new();
static PRESSED: AtomicU8 = AtomicU8::new(0);

/// Raises an interrupt in place of a line's.
pub fn press(line: u8) {
    PRESSED.store(line, Ordering::Release);
    board::raise();
    sys::serve_interrupts();
}

/// Called by the program: the line's input has been taken.
pub fn release(line: u8) {
    if let Some(flag) = FLAGS.get(usize::from(line)) {
        flag.take();
    }
}

/// Called by that interrupt.
pub fn on_press() {
    let line = usize::from(PRESSED.load(Ordering::Acquire));
    #[cfg(feature = "embassy")]
    if let Some(pressed) = crate::driver::PRESSED.get(line) {
        pressed.signal(());
    }
    if let Some(flag) = FLAGS.get(line) {
        flag.wake();
    }
    NEWS.wake();
}

/// One of the first `N` lines. Its number was checked when it was made, so no operation on it can fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line<const N: usize>(u8);

impl<const N: usize> Line<N> {
    pub fn new(number: u8) -> Option<Self> {
        (usize::from(number) < N).then_some(Self(number))
    }
}

impl<const N: usize> Descriptor for Line<N> {
    fn number(self) -> u32 {
        self.0.into()
    }
}

/// The first `N` lines.
pub struct Lines<const N: usize>([Watch; N]);

#[derive(Clone, Copy)]
struct Watch {
    token: Token,
    is_watched: bool,
}

const NONE: Watch = Watch { token: Token::from_bits(0), is_watched: false };

impl<const N: usize> Lines<N> {
    #[allow(clippy::new_without_default, reason = "a base in a static needs a constant")]
    pub const fn new() -> Self {
        Self([NONE; N])
    }

    fn set(&mut self, line: Line<N>, watch: Watch) {
        if let Some(place) = self.0.get_mut(usize::from(line.0)) {
            *place = watch;
        }
    }

    fn found(&self) -> impl Iterator<Item = Token> {
        self.0
            .iter()
            .zip(&FLAGS)
            .filter(|(watch, flag)| watch.is_watched && flag.is_set())
            .map(|(watch, _)| watch.token)
    }
}

/// Converts nanoseconds to ticks without division: late by less than a millionth.
fn ticks(at: Instant) -> u64 {
    let (high, low) = (at.as_nanos() >> 32, at.as_nanos() & 0xffff_ffff);
    high.wrapping_mul(TICKS_PER_4S).saturating_add(low.wrapping_mul(TICKS_PER_4S) >> 32).saturating_add(1)
}

impl<const N: usize> EventOp for Lines<N> {
    type Fd = Line<N>;
    type FdInfo = ();
    type Error = Infallible;
    const IS_SHARED: bool = false;
    const HAS_SIGNALS: bool = false;
    const HAS_EDGE: bool = false;

    fn name(&self) -> &'static str {
        "bare"
    }

    fn features(&self) -> Features {
        Features::empty()
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(board::now().wrapping_mul(NANOS_PER_TICK))
    }

    fn add(&mut self, line: Line<N>, token: Token, _: Interest, _: &mut impl FdInfos<()>) -> Result<(), Infallible> {
        self.set(line, Watch { token, is_watched: true });
        Ok(())
    }

    fn modify(
        &mut self,
        line: Line<N>,
        token: Token,
        _: Interest,
        new: Interest,
        infos: &mut impl FdInfos<()>,
    ) -> Result<Modified, Infallible> {
        self.add(line, token, new, infos)?;
        Ok(Modified::Kept)
    }

    fn del(&mut self, line: Line<N>, _: Token, _: Interest, _: &mut impl FdInfos<()>) {
        self.set(line, NONE);
    }

    fn dispatch(&mut self, wait: Sleep, sink: &mut impl Sink<Line<N>>) -> Result<(), Infallible> {
        let until = match wait {
            Sleep::None => 0,
            Sleep::Until(point) => ticks(point),
            Sleep::Forever => u64::MAX,
        };
        if N == 0 || self.found().next().is_none() {
            // One sleep is enough: if nothing is due yet, another turn follows.
            if board::sleep_once(until, || NEWS.is_set()) {
                sys::serve_interrupts();
            }
        }
        NEWS.take();
        for token in self.found() {
            sink.ready(token, Ready::READ);
        }
        Ok(())
    }

    fn reinit(&mut self) -> Result<(), Infallible> {
        self.0 = [NONE; N];
        Ok(())
    }
}
