//! The limit: for each workload the loop that one would write by hand for it alone, on epoll.
//!
//! `--variant coalesced` merges the interest changes of W3 before it tells the kernel; without it each change is a system call.

mod churn;
mod coalesced;
mod echo;
mod heap;
mod ring;
mod timers;
mod wake;

use std::process::ExitCode;

use evcore_benchmarks::churn as w3;
use evcore_benchmarks::memory;
use evcore_benchmarks::peer::{self, Peer};

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
        // A loop has a table of what it watches.
        ("w6", _) => memory::measure::<coalesced::Churn, timers::Timers>(options),
        _ => peer::measure::<Raw>(options),
    })
}
