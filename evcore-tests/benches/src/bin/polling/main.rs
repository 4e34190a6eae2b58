//! polling, with an ordered map of deadlines, as it has no timers.
//!
//! Level-triggered, which is cheaper than its one-shot events; those are used for W3's `oneshot`.

mod churn;
mod echo;
mod ring;
#[allow(unsafe_code)]
mod sys;
mod wake;

use std::process::ExitCode;

use evcore_benchmarks::deadlines::MapTimers;
use evcore_benchmarks::peer::{self, Peer};

struct Polling;

impl Peer for Polling {
    type Ring = ring::Ring;
    type Churn = churn::Churn;
    type Timers = MapTimers;
    type Echo = echo::Echo;
    type Wake = wake::Wake;
}

fn main() -> ExitCode {
    peer::run("polling", evcore_benchmarks::locked_version("polling"), peer::measure::<Polling>)
}
