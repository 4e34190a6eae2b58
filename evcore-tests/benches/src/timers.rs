//! W4: timers.
//!
//! A cycle: N timers are inserted, new ones at random deadlines; every second is cancelled; these are added again; all are re-armed,
//! each to later than any other, as idle timeouts are; and when all are due, the loop hands them out.
//!
//! Every peer is given the turn's clock: nobody reads a clock for each timer. The loop does not run between the phases, so
//! it makes no difference when a deadline passes.

use std::io;
use std::time::{Duration, Instant};

use crate::options::Options;
use crate::{Figures, sys};

/// A loop with timers, which are numbered from 0. All delays count from `begin`.
pub trait Timers: Sized {
    fn new() -> io::Result<Self>;
    /// Looks at the clock. All timers of the cycle before have been handed out.
    fn begin(&mut self) -> io::Result<()>;
    /// Creates a timer for each delay and adds it.
    fn insert(&mut self, delays: &[Duration]) -> io::Result<()>;
    /// Cancels every second timer.
    fn cancel(&mut self) -> io::Result<()>;
    /// Adds every second timer again.
    fn add(&mut self, delays: &[Duration]) -> io::Result<()>;
    /// Moves all timers.
    fn rearm(&mut self, delays: &[Duration]) -> io::Result<()>;
    /// All are due: runs the loop until all have been handed out.
    fn expire(&mut self) -> io::Result<()>;
}

/// The earliest deadline, and how far random ones are spread.
const DELAY: Duration = Duration::from_millis(1);

pub const PHASES: [&str; 5] = ["insert", "cancel", "add", "rearm", "expire"];

/// Runs the cycles. Stops after the phase `--until`, so that a count of instructions can be told apart by phases.
pub fn measure<T: Timers>(options: &Options) -> io::Result<Figures> {
    let n = options.n;
    let until = PHASES.iter().position(|phase| *phase == options.until).map_or(0, |phase| phase + 1);
    // A few re-arms of each, where there are few timers.
    let passes = (2_000 / n).max(1);
    let delays = Delays::new(n, passes);
    let mut meter = Meter::new();
    let mut timers = T::new()?;
    for _ in 0..options.cycles {
        let began = Instant::now();
        timers.begin()?;
        for (phase, name) in PHASES.into_iter().enumerate().take(until.min(4)) {
            meter.time(phase, || delays.run(name, &mut timers))?;
        }
        if until < PHASES.len() {
            break;
        }
        std::thread::sleep((delays.last() + Duration::from_millis(2)).saturating_sub(began.elapsed()));
        meter.time(4, || timers.expire())?;
    }
    let ops = [n, n / 2, n / 2, n * passes, n];
    let mut figures = Figures::default().with("ops", n as f64);
    for (phase, name) in PHASES.iter().enumerate() {
        let all = (ops[phase] * options.cycles).max(1);
        figures = figures.with(name, meter.spent[phase].as_nanos() as f64 / all as f64);
    }
    Ok(figures.with("rearms", ops[3] as f64))
}

/// Delays for every timer, and later ones for every re-arm.
struct Delays {
    random: Vec<Duration>,
    later: Vec<Duration>,
}

impl Delays {
    fn new(n: usize, passes: usize) -> Self {
        // Few timers are soon over, many need not be so close together.
        let spread = Duration::from_micros((n as u64).clamp(1_000, 100_000));
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let random = (0..n).map(|_| DELAY + spread.mul_f64(next(&mut state))).collect();
        let all = n * passes;
        let later = (0..all).map(|place| DELAY + spread + spread.mul_f64(place as f64 / all as f64)).collect();
        Self { random, later }
    }

    /// A phase before the last.
    fn run<T: Timers>(&self, phase: &str, timers: &mut T) -> io::Result<()> {
        match phase {
            "insert" => timers.insert(&self.random),
            "cancel" => timers.cancel(),
            "add" => timers.add(&self.random),
            _ => self.later.chunks(self.random.len()).try_for_each(|later| timers.rearm(later)),
        }
    }

    fn last(&self) -> Duration {
        self.later.last().copied().unwrap_or_default()
    }
}

/// A number from 0 to 1 (xorshift).
fn next(state: &mut u64) -> f64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) as f64 / (1u64 << 53) as f64
}

/// Adds up what each phase takes, less what it takes to look at the clock.
struct Meter {
    spent: [Duration; 5],
    look: Duration,
}

impl Meter {
    fn new() -> Self {
        let mut looks: Vec<_> = (0..101)
            .map(|_| {
                let began = sys::thread_time();
                sys::thread_time().saturating_sub(began)
            })
            .collect();
        looks.sort_unstable();
        Self { spent: [Duration::ZERO; 5], look: looks[50] }
    }

    fn time(&mut self, phase: usize, run: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let began = sys::thread_time();
        run()?;
        self.spent[phase] += sys::thread_time().saturating_sub(began).saturating_sub(self.look);
        Ok(())
    }
}
