//! The limit: for each workload, the loop on epoll that one would write by hand for it alone.
//!
//! `--variant coalesced` coalesces the interest changes of W3 before it calls the kernel; without it each change is a
//! system call. `--variant heap` keeps the timeouts of W2 in a heap, `--variant sweep` searches all connections for
//! them.

mod churn;
mod coalesced;
mod echo;
mod heap;
mod ring;
mod timed;
mod timers;
mod wake;

use std::process::ExitCode;

use evcore_benchmarks::churn as w3;
use evcore_benchmarks::memory;
use evcore_benchmarks::peer::{self, Peer};
use evcore_benchmarks::ring as w2;

struct Raw;

impl Peer for Raw {
    type Ring = ring::Ring;
    type Churn = churn::Churn;
    type Timers = timers::Timers;
    type Echo = echo::Echo;
    type Wake = wake::Wake;
}

fn main() -> ExitCode {
    peer::run("raw", "-", |options| match (options.workload.as_str(), options.variant.as_str()) {
        ("w3", "coalesced") => w3::measure::<coalesced::Churn>(options),
        ("w2", "heap") => w2::measure::<timed::Ring>(options, Some(options.idle)),
        // The loop has a table of what it watches.
        ("w6", _) => memory::measure::<coalesced::Churn, timers::Timers, timed::Ring>(options),
        _ => peer::measure::<Raw>(options),
    })
}
