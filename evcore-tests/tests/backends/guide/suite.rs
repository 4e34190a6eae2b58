//! The fixture of `docs/writing-a-backend.md`, and the suite on it.

use core::sync::atomic::Ordering;
use core::time::Duration;

use evcore::backend::{Wake, WakeFlag};
use evcore_tests::{Fixture, conformance};

use super::lines::{Line, Lines};

/// A board driven by the test.
struct OnBoard {
    lines: u8,
}

impl Fixture for OnBoard {
    type Backend = Lines;
    type Source = Line;
    type Waker = &'static WakeFlag;
    const IS_VIRTUAL: bool = true;

    fn backend(&mut self) -> Lines {
        Lines::new(Box::leak(Box::default()))
    }

    fn source(&mut self, lines: &mut Lines) -> Line {
        let line = Line(self.lines);
        self.lines += 1;
        lines.board.room.fetch_or(bit(line), Ordering::AcqRel);
        line
    }

    fn fd(&self, line: &Line) -> Line {
        *line
    }

    fn feed(&mut self, lines: &mut Lines, line: &mut Line) {
        lines.board.received.fetch_or(bit(*line), Ordering::AcqRel);
    }

    fn drain(&mut self, lines: &mut Lines, line: &mut Line) {
        lines.board.received.fetch_and(!bit(*line), Ordering::AcqRel);
    }

    fn pass(&mut self, lines: &mut Lines, time: Duration) {
        lines.board.clock.fetch_add(time.as_nanos() as u64, Ordering::AcqRel);
    }

    fn fill(&mut self, lines: &mut Lines, line: &mut Line) -> bool {
        lines.board.room.fetch_and(!bit(*line), Ordering::AcqRel);
        true
    }

    fn make_room(&mut self, lines: &mut Lines, line: &mut Line) -> bool {
        lines.board.room.fetch_or(bit(*line), Ordering::AcqRel);
        true
    }

    fn waker(&mut self, lines: &mut Lines) -> Option<&'static WakeFlag> {
        lines.waker().ok()
    }

    fn wake(waker: &&'static WakeFlag) {
        waker.wake();
    }
}

/// The line's bit; zero if the board has no such line.
fn bit(line: Line) -> u64 {
    1u64.checked_shl(line.0.into()).unwrap_or(0)
}

conformance!(lines, OnBoard { lines: 0 });
