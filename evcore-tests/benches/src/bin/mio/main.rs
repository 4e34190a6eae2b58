//! mio, with an ordered map of deadlines, as it has no timers.

mod churn;
mod echo;
mod ring;
mod wake;

use std::process::ExitCode;

use evcore_benchmarks::deadlines::MapTimers;
use evcore_benchmarks::peer::{self, Peer};

/// The maximum number of events of a wait.
const BATCH: usize = 256;

struct Mio;

impl Peer for Mio {
    type Ring = ring::Ring;
    type Churn = churn::Churn;
    type Timers = MapTimers;
    type Echo = echo::Echo;
    type Wake = wake::Wake;
}

fn main() -> ExitCode {
    peer::run("mio", evcore_benchmarks::locked_version("mio"), peer::measure::<Mio>)
}
