//! W4: timers.
//!
//! | phase | what is done | one operation |
//! |---|---|---|
//! | `insert` | N timers are created and armed at random deadlines | a timer |
//! | `cancel` | every second one in the order is cancelled | a timer |
//! | `add` | these are armed again, at random deadlines | a timer |
//! | `again` | each is cancelled and immediately armed again at a random deadline | a timer |
//! | `rearm` | each is moved later than all others, without being cancelled | a timer |
//! | `expire` | all are due, and the loop hands them out | a timer |
//!
//! `--kind creation`: timers are used in the order of their creation, and each is re-armed later than the one before,
//! like idle timeouts. `--kind random`: they are used in a random order, the same for all peers, and re-armed at
//! random deadlines. A timer is used by the handle that its loop has given for it; handles lie in the order of their use,
//! since a program finds a handle in what it is working on.
//!
//! Every peer uses the turn's clock: none reads a clock for each timer. The loop does not run between the phases, so
//! it does not matter when a deadline passes. Re-arming to later comes last: a loop that only stores the new deadline
//! pays for that in `expire`.

use std::io;
use std::time::{Duration, Instant};

use crate::options::Options;
use crate::{Figures, sys};

/// A loop with timers. All delays count from `begin`.
pub trait Timers: Sized {
    type Handle: Clone;

    fn new() -> io::Result<Self>;
    /// Ends the timers of the previous cycle, which have been handed out, and reads the clock.
    fn begin(&mut self, ended: &[Self::Handle]) -> io::Result<()>;
    /// Creates a timer and arms it.
    fn insert(&mut self, delay: Duration) -> io::Result<Self::Handle>;
    /// Cancels an armed timer.
    fn cancel(&mut self, timer: &mut Self::Handle) -> io::Result<()>;
    /// Arms a cancelled timer.
    fn add(&mut self, timer: &mut Self::Handle, delay: Duration) -> io::Result<()>;
    /// Moves an armed timer.
    fn rearm(&mut self, timer: &mut Self::Handle, delay: Duration) -> io::Result<()>;
    /// All `timers` of them are due: runs the loop until each has been handed out.
    fn expire(&mut self, timers: usize) -> io::Result<()>;
}

/// The earliest deadline, and how far random ones are spread.
const DELAY: Duration = Duration::from_millis(1);

pub const PHASES: [&str; 6] = ["insert", "cancel", "add", "again", "rearm", "expire"];

/// The number of operations in each phase.
#[must_use]
pub fn operations(n: usize) -> [usize; 6] {
    [n, n / 2, n / 2, n, n * passes(n), n]
}

/// The number of re-arms of each timer, larger if there are few timers.
fn passes(n: usize) -> usize {
    (2_000 / n).max(1)
}

/// Runs the cycles. Stops after the phase `--until`, so that a count of instructions can be divided by phases.
pub fn measure<T: Timers>(options: &Options) -> io::Result<Figures> {
    let n = options.n;
    let until = PHASES.iter().position(|phase| *phase == options.until).map_or(0, |phase| phase + 1);
    let work = match options.kind.as_str() {
        "creation" => Work::new(n, false),
        "random" => Work::new(n, true),
        _ => return Err(io::Error::other("--kind creation|random")),
    };
    let mut meter = Meter::new();
    let mut timers = T::new()?;
    let mut handles = Vec::with_capacity(n);
    for _ in 0..options.cycles {
        let began = Instant::now();
        timers.begin(&handles)?;
        if until == 0 {
            break;
        }
        handles.clear();
        meter.time(0, || work.insert(&mut timers, &mut handles))?;
        // A count of instructions has this copy in `insert`: some ten for each timer.
        let mut used: Vec<_> = work.order.iter().map(|at| handles[*at as usize].clone()).collect();
        for (phase, name) in PHASES.into_iter().enumerate().take(until.min(PHASES.len() - 1)).skip(1) {
            meter.time(phase, || work.run(name, &mut timers, &mut used))?;
        }
        if until < PHASES.len() {
            break;
        }
        std::thread::sleep((work.last() + Duration::from_millis(2)).saturating_sub(began.elapsed()));
        meter.time(PHASES.len() - 1, || timers.expire(n))?;
    }
    let mut figures = Figures::default().with("ops", n as f64);
    for ((name, spent), ops) in PHASES.iter().zip(meter.spent).zip(operations(n)) {
        let all = (ops * options.cycles).max(1);
        figures = figures.with(name, spent.as_nanos() as f64 / all as f64);
    }
    Ok(figures)
}

/// The order of timers, and their delays.
struct Work {
    order: Vec<u32>,
    random: Vec<Duration>,
    other: Vec<Duration>,
    /// Later deadlines, for each pass of re-arms.
    later: Vec<Duration>,
}

impl Work {
    fn new(n: usize, is_random: bool) -> Self {
        // Few timers expire soon even so, and many need not be so close together.
        let spread = Duration::from_micros((n as u64).clamp(1_000, 100_000));
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut order: Vec<_> = (0..n as u32).collect();
        if is_random {
            for place in (1..n).rev() {
                order.swap(place, (next(&mut state) * (place + 1) as f64) as usize);
            }
        }
        let mut delays = || (0..n).map(|_| DELAY + spread.mul_f64(next(&mut state))).collect::<Vec<_>>();
        let (random, other) = (delays(), delays());
        let all = n * passes(n);
        let mut later = |place: usize| if is_random { next(&mut state) } else { place as f64 / all as f64 };
        let later = (0..all).map(|place| DELAY + spread + spread.mul_f64(later(place))).collect();
        Self { order, random, other, later }
    }

    fn insert<T: Timers>(&self, timers: &mut T, handles: &mut Vec<T::Handle>) -> io::Result<()> {
        for delay in &self.random {
            handles.push(timers.insert(*delay)?);
        }
        Ok(())
    }

    /// Runs a phase other than the first and the last, on all timers or on every second one.
    fn run<T: Timers>(&self, phase: &str, timers: &mut T, all: &mut [T::Handle]) -> io::Result<()> {
        match phase {
            "cancel" => half(all).try_for_each(|timer| timers.cancel(timer)),
            "add" => half(all).zip(&self.other).try_for_each(|(timer, delay)| timers.add(timer, *delay)),
            "again" => all.iter_mut().zip(&self.random).try_for_each(|(timer, delay)| {
                timers.cancel(timer)?;
                timers.add(timer, *delay)
            }),
            _ => {
                for later in self.later.chunks(all.len()) {
                    all.iter_mut().zip(later).try_for_each(|(timer, delay)| timers.rearm(timer, *delay))?;
                }
                Ok(())
            }
        }
    }

    fn last(&self) -> Duration {
        self.later.iter().max().copied().unwrap_or_default()
    }
}

/// Every second one.
fn half<H>(all: &mut [H]) -> impl Iterator<Item = &mut H> {
    all.chunks_exact_mut(2).map(|pair| &mut pair[1])
}

/// A number from 0 to 1 (xorshift).
fn next(state: &mut u64) -> f64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) as f64 / (1u64 << 53) as f64
}

/// Sums the time of each phase, without the time needed to read the clock.
struct Meter {
    spent: [Duration; PHASES.len()],
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
        Self { spent: [Duration::ZERO; PHASES.len()], look: looks[50] }
    }

    fn time(&mut self, phase: usize, run: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let began = sys::thread_time();
        run()?;
        self.spent[phase] += sys::thread_time().saturating_sub(began).saturating_sub(self.look);
        Ok(())
    }
}
