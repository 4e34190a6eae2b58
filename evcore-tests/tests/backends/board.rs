//! The suite on the backend for boards, with a simulated chip in virtual time.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;

use evcore::Instant;
use evcore::backend::Wake;
use evcore::board::{Board, Flags, Line, Lines};
use evcore_tests::{Fixture, conformance};

/// The number of the chip's lines: the suite watches at most 49.
const LINES: usize = 64;

/// A chip whose interrupts only the test raises, so a sleep lasts until the alarm.
#[derive(Default)]
struct Part {
    flags: Flags<LINES>,
    clock: AtomicU64,
    alarm: AtomicU64,
    is_masked: AtomicBool,
}

/// A chip that lives as long as the program, as in a `static`.
#[derive(Clone, Copy)]
struct Chip(&'static Part);

impl Board<LINES> for Chip {
    fn flags(&self) -> &'static Flags<LINES> {
        &self.0.flags
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.clock.load(Ordering::Relaxed))
    }

    fn set_alarm(&self, at: Instant) {
        self.0.alarm.store(at.as_nanos(), Ordering::Relaxed);
    }

    fn wait_for_interrupt(&self) {
        assert!(self.0.is_masked.load(Ordering::Relaxed), "an interrupt before this would be missed");
        let alarm = self.0.alarm.load(Ordering::Relaxed);
        assert_ne!(alarm, u64::MAX, "nothing would ever end this");
        self.0.clock.fetch_max(alarm, Ordering::Relaxed);
    }

    fn masked<R>(&self, work: impl FnOnce() -> R) -> R {
        assert!(!self.0.is_masked.swap(true, Ordering::Relaxed), "it is masked already");
        let answer = work();
        self.0.is_masked.store(false, Ordering::Relaxed);
        answer
    }
}

struct OnBoard {
    lines: u8,
}

type Backend = Lines<Chip, LINES>;

impl Fixture for OnBoard {
    type Backend = Backend;
    type Source = Line<LINES>;
    type Waker = &'static Flags<LINES>;
    const IS_VIRTUAL: bool = true;

    fn backend(&mut self) -> Backend {
        Lines::new(Chip(Box::leak(Box::default())))
    }

    fn source(&mut self, lines: &mut Backend) -> Line<LINES> {
        let line = Line::new(self.lines).expect("a case asks for more lines than a board has");
        self.lines += 1;
        lines.board().flags().set_writable(line);
        line
    }

    fn fd(&self, line: &Line<LINES>) -> Line<LINES> {
        *line
    }

    fn feed(&mut self, lines: &mut Backend, line: &mut Line<LINES>) {
        lines.board().flags().set_readable(*line);
    }

    fn drain(&mut self, lines: &mut Backend, line: &mut Line<LINES>) {
        lines.board().flags().take_readable(*line);
    }

    fn pass(&mut self, lines: &mut Backend, time: Duration) {
        lines.board().0.clock.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
    }

    fn fill(&mut self, lines: &mut Backend, line: &mut Line<LINES>) -> bool {
        lines.board().flags().take_writable(*line)
    }

    fn make_room(&mut self, lines: &mut Backend, line: &mut Line<LINES>) -> bool {
        lines.board().flags().set_writable(*line);
        true
    }

    fn waker(&mut self, lines: &mut Backend) -> Option<&'static Flags<LINES>> {
        lines.waker().ok()
    }

    fn wake(waker: &&'static Flags<LINES>) {
        waker.wake();
    }
}

conformance!(lines, OnBoard { lines: 0 });
