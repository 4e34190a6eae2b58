//! A board whose lines are connected only to the suite.

use core::time::Duration;

use evcore::backend::Wake;
use evcore::board::{Board as _, Flags, Line};
use evcore_tests::Fixture;

use crate::board::{Chip, Lines};
use crate::later;
use crate::lines::{FLAGS, LINES, press};

/// How many lines the case has been given. The first one is the UART's.
pub struct OnBoard {
    lines: u8,
}

impl OnBoard {
    pub(super) const fn new() -> Self {
        Self { lines: 0 }
    }
}

impl Fixture for OnBoard {
    type Backend = Lines;
    type Source = Line<LINES>;
    type Waker = &'static Flags<LINES>;
    const IS_VIRTUAL: bool = false;

    fn backend(&mut self) -> Lines {
        Lines::new(Chip)
    }

    fn source(&mut self, _: &mut Lines) -> Line<LINES> {
        self.lines += 1;
        let line = Line::new(self.lines).expect("a case asks for more lines than a board has");
        FLAGS.take_readable(line);
        FLAGS.set_writable(line);
        line
    }

    fn fd(&self, line: &Line<LINES>) -> Line<LINES> {
        *line
    }

    fn feed(&mut self, _: &mut Lines, line: &mut Line<LINES>) {
        press(*line);
    }

    fn drain(&mut self, _: &mut Lines, line: &mut Line<LINES>) {
        FLAGS.take_readable(*line);
    }

    fn pass(&mut self, lines: &mut Lines, time: Duration) {
        lines.board().delay(time);
    }

    fn fill(&mut self, _: &mut Lines, line: &mut Line<LINES>) -> bool {
        FLAGS.take_writable(*line)
    }

    fn make_room(&mut self, _: &mut Lines, line: &mut Line<LINES>) -> bool {
        FLAGS.set_writable(*line);
        true
    }

    fn waker(&mut self, lines: &mut Lines) -> Option<&'static Flags<LINES>> {
        lines.waker().ok()
    }

    fn wake(waker: &&'static Flags<LINES>) {
        waker.wake();
    }

    fn wake_later(&mut self, _: &&'static Flags<LINES>, delay: Duration) -> bool {
        // All wakers of a board are the same.
        later::wake(delay);
        true
    }

    fn feed_later(&mut self, line: &mut Line<LINES>, delay: Duration) -> bool {
        later::press(*line, delay);
        true
    }

    fn finish(&mut self) {
        later::finish();
    }
}
