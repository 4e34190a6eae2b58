//! The comparison of evcore with other event loops: the code that all peers share.
//!
//! ```text
//!   benchmarks ──▶ raw, evcore, mio, polling, calloop        src/bin: one program per peer, using this library
//!       │     └──▶ libevent, libev, libuv                    c/: likewise, using c/bench.h
//!       ├────────▶ tokio, smol                               async runtimes: W9
//!       └────────▶ generator                                 the clients of W5 and W9
//! ```
//!
//! Every peer program has the same command line and prints one line of `key=value`:
//!
//! ```text
//! evcore w1 --n 1000 --active 100 --events 100000
//! ```
//!
//! | workload | one operation | file |
//! |---|---|---|
//! | `w1` | a byte is read from one pipe of a ring and written to the next | [`ring`] |
//! | `w2` | the same, and the pipe's idle timeout restarts | [`ring`] |
//! | `w3` | a change of interest, by `--kind pair\|toggle\|bulk\|oneshot` | [`churn`] |
//! | `w4` | a timer is inserted, cancelled, added, re-armed, expires, by `--kind creation\|random` | [`timers`] |
//! | `w5` | a request of 64 bytes is echoed over TCP | [`echo`] |
//! | `w6` | an fd or a timer, by `--kind fd\|fd-timeout\|timer`, is stored in memory | [`memory`] |
//! | `w7` | a wake, by `--kind trip\|awake` | [`wake`] |
//! | `w8` | operations whose cost may grow with N, by `--kind` | [`cliffs`] |
//! | `w9` | operations of tasks, by `--kind echo\|spawn\|sleep\|wake` | [`tasks`] |

#![deny(unsafe_code)]

pub mod churn;
pub mod cliffs;
pub mod deadlines;
pub mod echo;
pub mod memory;
pub mod options;
pub mod peer;
pub mod ring;
pub mod sys;
pub mod tasks;
pub mod timers;
pub mod wake;

use std::fmt;
use std::time::{Duration, Instant};

/// A program's results: named numbers.
#[derive(Clone, Debug, Default)]
pub struct Figures(Vec<(&'static str, f64)>);

impl Figures {
    /// Adds a number.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: f64) -> Self {
        self.0.push((name, value));
        self
    }

    /// The cost of each of `ops` operations.
    #[must_use]
    pub fn of(ops: u64, spent: Spent) -> Self {
        let each = |time: Duration| time.as_nanos() as f64 / ops.max(1) as f64;
        Self::default().with("ops", ops as f64).with("cpu", each(spent.cpu)).with("wall", each(spent.wall))
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.0 {
            write!(f, " {name}={value:.2}")?;
        }
        Ok(())
    }
}

/// Elapsed time, and processor time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    pub cpu: Duration,
    pub wall: Duration,
}

/// Started by [`Stopwatch::start`].
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    cpu: Duration,
    wall: Instant,
}

impl Stopwatch {
    #[must_use]
    pub fn start() -> Self {
        Self { wall: Instant::now(), cpu: sys::process_time() }
    }

    #[must_use]
    pub fn stop(self) -> Spent {
        let cpu = sys::process_time().saturating_sub(self.cpu);
        Spent { cpu, wall: self.wall.elapsed() }
    }
}

/// The version of a crate in this crate's lock file.
#[must_use]
pub fn locked_version(name: &str) -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let after = lock.split_once(&format!("name = \"{name}\"\nversion = \"")).map(|(_, rest)| rest);
    after.and_then(|rest| rest.split_once('"')).map_or("unknown", |(version, _)| version)
}
