//! calloop: sources with callbacks that share the loop's data.

mod churn;
mod echo;
mod ring;
mod timers;
mod wake;

use std::process::ExitCode;

use evcore_benchmarks::peer::{self, Peer};

struct Calloop;

impl Peer for Calloop {
    type Ring = ring::Ring;
    type Churn = churn::Churn;
    type Timers = timers::Timers;
    type Echo = echo::Echo;
    type Wake = wake::Wake;
}

fn main() -> ExitCode {
    peer::run("calloop", evcore_benchmarks::locked_version("calloop"), peer::measure::<Calloop>)
}
