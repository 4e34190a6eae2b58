//! The main function of a peer.

use std::io;
use std::process::ExitCode;

use crate::churn::{self, Churn};
use crate::echo::{self, Echo};
use crate::options::{Options, USAGE};
use crate::ring::{self, RingLoop};
use crate::timers::{self, Timers};
use crate::wake::{self, Wakeable};
use crate::{Figures, memory, sys};

/// All workloads on one loop.
pub trait Peer {
    type Ring: RingLoop;
    type Churn: Churn;
    type Timers: Timers;
    type Echo: Echo;
    type Wake: Wakeable;
}

/// Runs what the command line asks for.
pub fn run(name: &str, version: &str, choose: impl FnOnce(&Options) -> io::Result<Figures>) -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("{why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match sys::descriptors().and_then(|_| choose(&options)) {
        Ok(figures) => {
            let Options { workload, kind, variant, n, active, .. } = &options;
            println!(
                "peer={name} variant={variant} version={version} workload={workload} kind={kind} n={n} active={active}{figures}"
            );
            // The kernel frees the process's resources, which excludes that from the counts of instructions.
            std::process::exit(0)
        }
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The workload of the options, on this peer.
pub fn measure<P: Peer>(options: &Options) -> io::Result<Figures> {
    match options.workload.as_str() {
        "w1" => ring::measure::<P::Ring>(options, None),
        "w2" => ring::measure::<P::Ring>(options, Some(options.idle)),
        "w3" => churn::measure::<P::Churn>(options),
        "w4" => timers::measure::<P::Timers>(options),
        "w5" => echo::measure::<P::Echo>(),
        "w6" => memory::measure::<P::Churn, P::Timers, P::Ring>(options),
        "w7" => wake::measure::<P::Wake>(options),
        other => Err(no_such(other)),
    }
}

/// The error if a peer does not have a workload, or a kind of it.
pub fn no_such(workload: &str) -> io::Error {
    io::Error::other(format!("no such workload: {workload}"))
}
