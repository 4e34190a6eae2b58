//! A board whose lines are connected to nothing but the suite.

use core::time::Duration;

use evcore::backend::{EventOp, Wake, WakeFlag};
use evcore_tests::Fixture;

use crate::lines::{Line, Lines, press};
use crate::{board, later};

/// So many lines are enough for any case: each has one for an event of the storage, and some over.
#[cfg(not(board = "microbit"))]
type Board = Lines<64>;
#[cfg(board = "microbit")]
type Board = Lines<16>;

/// How many lines have been given to the case. The first one is the UART's.
pub struct OnBoard {
    lines: u8,
}

impl OnBoard {
    pub(super) const fn new() -> Self {
        Self { lines: 0 }
    }
}

impl Fixture for OnBoard {
    type Backend = Board;
    type Source = Line;
    type Waker = &'static WakeFlag;
    const IS_VIRTUAL: bool = false;

    fn backend(&mut self) -> Board {
        Lines::new()
    }

    fn source(&mut self, _: &mut Board) -> Line {
        self.lines += 1;
        let line = Line(self.lines);
        let flags = line.flags().expect("a case asks for more lines than a board has");
        flags.received.take();
        flags.room.wake();
        line
    }

    fn fd(&self, line: &Line) -> Line {
        *line
    }

    fn feed(&mut self, _: &mut Board, line: &mut Line) {
        press(*line);
    }

    fn drain(&mut self, _: &mut Board, line: &mut Line) {
        line.flags().map(|flags| flags.received.take());
    }

    fn pass(&mut self, lines: &mut Board, time: Duration) {
        static NOBODY: WakeFlag = WakeFlag::new();
        board::sleep(lines.now().saturating_add(time), &NOBODY);
    }

    fn fill(&mut self, _: &mut Board, line: &mut Line) -> bool {
        line.flags().map(|flags| flags.room.take());
        true
    }

    fn make_room(&mut self, _: &mut Board, line: &mut Line) -> bool {
        line.on_room();
        true
    }

    fn waker(&mut self, lines: &mut Board) -> Option<&'static WakeFlag> {
        lines.waker().ok()
    }

    fn wake(waker: &&'static WakeFlag) {
        waker.wake();
    }

    fn wake_later(&mut self, _: &&'static WakeFlag, delay: Duration) -> bool {
        // All wakers of a board are the same.
        later::wake(delay);
        true
    }

    fn feed_later(&mut self, line: &mut Line, delay: Duration) -> bool {
        later::press(*line, delay);
        true
    }

    fn finish(&mut self) {
        later::finish();
    }
}
