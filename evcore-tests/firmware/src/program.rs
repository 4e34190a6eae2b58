//! The program for all boards: it blinks, echoes the UART, runs 50 timers, handles an urgent line and a watchdog.

mod echo;
mod tasks;

use core::time::Duration;

use core::convert::Infallible;

use evcore::board::Line;
use evcore::error::Rejected;
use evcore::{Error, Event, EventBase, EventId, Fixed, Interest, Wait};

use crate::board::Lines;
use crate::lines::{self, LINES};
use crate::report;
use echo::Echo;
pub use tasks::Task;

pub type Base = EventBase<Lines, Fixed<64>, Task>;

const TIMERS: u8 = 50;
const BLINKS: u8 = 5;
const BLINK: Duration = Duration::from_millis(40);
const HEARTBEAT: Duration = Duration::from_millis(10);
/// Without a heartbeat for this long, the program is considered stuck.
const PATIENCE: Duration = Duration::from_millis(100);
const URGENT: Line<LINES> = Line::new(5).unwrap();
/// Three lines that are not urgent, and precede the urgent one in the backend's table.
const ORDINARY: [Line<LINES>; 3] = [Line::new(2).unwrap(), Line::new(3).unwrap(), Line::new(4).unwrap()];

/// What has happened so far, and the checks at the end.
pub struct Program {
    watchdog: EventId,
    echo: Echo,
    blinks: u8,
    timers: u8,
    in_order: bool,
    pressed: u8,
    urgent_was_first: bool,
    hung: bool,
}

type Failure = Error<Infallible>;

fn failure(rejected: Rejected<Task, Infallible>) -> Failure {
    rejected.error
}

/// Runs the program. Returns the number of failed checks.
pub fn run(base: &mut Base) -> Result<u32, Failure> {
    let mut program = Program::start(base)?;
    while let Some(event) = base.next_event(Wait::Forever).map_err(Error::Backend)? {
        let task = *event.data;
        program.handle(base, task)?;
    }
    Ok(program.check(base))
}

impl Program {
    fn start(base: &mut Base) -> Result<Self, Failure> {
        base.set_priorities(2)?;
        let ordinary = |event: Event<Line<LINES>>| event.persist().priority(1);
        let watchdog = base.start(Event::timer().priority(1).timeout(PATIENCE), Task::Hung).map_err(failure)?;
        base.start(ordinary(Event::timer()).timeout(HEARTBEAT), Task::Heartbeat).map_err(failure)?;
        base.start(ordinary(Event::timer()).timeout(BLINK), Task::Blink).map_err(failure)?;
        let uart = base.start(ordinary(Event::io(lines::UART, Interest::READ)), Task::Uart).map_err(failure)?;
        for line in ORDINARY {
            base.start(ordinary(Event::io(line, Interest::READ)), Task::Pressed(line)).map_err(failure)?;
        }
        let urgent = Event::io(URGENT, Interest::READ).persist().priority(0);
        base.start(urgent, Task::Pressed(URGENT)).map_err(failure)?;
        // Created in the reverse order of their deadlines.
        for place in (0..TIMERS).rev() {
            let delay = Duration::from_millis(u64::from(place.saturating_add(1)));
            base.start(Event::timer().priority(1).timeout(delay), Task::Timer(place)).map_err(failure)?;
        }
        let echo = Echo::new(uart);
        Ok(Self {
            watchdog,
            echo,
            blinks: 0,
            timers: 0,
            in_order: true,
            pressed: 0,
            urgent_was_first: false,
            hung: false,
        })
    }

    fn handle(&mut self, base: &mut Base, task: Task) -> Result<(), Failure> {
        match task {
            Task::Blink => self.blink(),
            Task::Heartbeat => base.add(self.watchdog, Some(PATIENCE))?,
            Task::Hung => self.hung = true,
            Task::Timer(place) => {
                self.in_order &= place == self.timers;
                self.timers = self.timers.saturating_add(1);
            }
            Task::Uart => self.echo.serve(base)?,
            Task::Pressed(line) => self.release(line),
        }
        if self.blinks >= BLINKS && self.timers >= TIMERS && self.echo.is_done() || self.hung {
            base.loop_exit();
        }
        Ok(())
    }

    fn blink(&mut self) {
        if self.blinks >= BLINKS {
            return;
        }
        self.blinks = self.blinks.saturating_add(1);
        report::line(if self.blinks % 2 == 1 { "light on" } else { "light off" });
        if self.blinks == 3 {
            // All in one turn; the urgent one is raised last.
            ORDINARY.into_iter().for_each(lines::press);
            lines::press(URGENT);
        }
    }

    fn release(&mut self, line: Line<LINES>) {
        lines::FLAGS.take_readable(line);
        self.urgent_was_first |= self.pressed == 0 && line == URGENT;
        self.pressed = self.pressed.saturating_add(1);
    }

    fn check(&self, base: &Base) -> u32 {
        let stats = base.stats();
        let mut failed = 0;
        let mut check = |holds: bool, what: &str| {
            report::text(if holds { "ok: " } else { "FAILED: " });
            report::line(what);
            failed = u32::from(!holds).saturating_add(failed);
        };
        check(self.blinks == BLINKS, "5 blinks");
        check(self.timers == TIMERS && self.in_order, "50 timers in the order of their times");
        check(self.pressed == 4 && self.urgent_was_first, "the urgent line before 3 others");
        check(!self.hung, "the watchdog was fed");
        check(self.echo.is_done(), "the UART was echoed");
        check(stats.refused == 0 && stats.stale == 0, "nothing was refused or out of date");
        failed
    }
}
