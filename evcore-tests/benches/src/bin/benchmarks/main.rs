//! Runs all peers on all workloads, interleaved, and writes the results.
//!
//! ```text
//!   plan ──▶ the cases and their sizes        peers ──▶ the programs; those in C are compiled first
//!     └────────────┬────────────────────────────┘
//!                  ▼
//!              process     runs a case: with the clock, callgrind, strace or the generator
//!                  ▼
//!              results ──▶ csv, tables, targets, plots ──▶ report
//! ```

mod machine;
mod peers;
mod plan;
mod plots;
mod process;
mod report;
mod results;
mod settings;
mod tables;
mod targets;
mod tasks;

use std::io;
use std::process::ExitCode;
use std::time::Instant;

use results::Results;
use settings::Settings;

fn main() -> ExitCode {
    let settings = match Settings::parse(std::env::args().skip(1)) {
        Ok(settings) => settings,
        Err(why) => {
            eprintln!("{why}\n{}", settings::USAGE);
            return ExitCode::from(2);
        }
    };
    match run(&settings) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failures) => {
            eprintln!("{failures} runs failed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("benchmarks: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns how many runs have failed.
fn run(settings: &Settings) -> io::Result<usize> {
    let began = Instant::now();
    let machine = machine::Machine::look()?;
    println!("{machine}");
    let peers = peers::find(settings)?;
    let plan = plan::Plan::new(settings, &machine);
    let (mut results, mut failures) = (Results::default(), 0);
    for (number, case) in plan.cases.iter().enumerate() {
        if let Some(missing) = case.tool.missing() {
            println!("{case}: not run, {missing} is not installed");
            continue;
        }
        for round in 0..case.rounds {
            for peer in peers.iter().cycle().skip(round % peers.len()).take(peers.len()) {
                if !case.suits(peer, &machine) {
                    continue;
                }
                match process::run(case, peer, &machine) {
                    Ok(figures) => results.add(case, peer.name, figures),
                    Err(error) => {
                        failures += 1;
                        println!("{case}: {} failed: {error}", peer.name);
                    }
                }
            }
        }
        let time = began.elapsed().as_secs();
        println!("[{:>3}/{} {time:>4} s] {case}: {}", number + 1, plan.cases.len(), results.line(case));
    }
    report::write(settings, &machine, &peers, &results, began.elapsed())?;
    println!("written to {}", settings.out.display());
    Ok(failures)
}
