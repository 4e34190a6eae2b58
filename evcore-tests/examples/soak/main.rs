//! The soak test: an echo server under all kinds of clients, for as long as requested.
//!
//! ```text
//!   ┌ soak ─────────────────────────────────────┐          ┌ the echo example of evplat-linux ┐
//!   │ load         clients on a base of its own │ ◀─ TCP ─▶│ its base                         │
//!   │ disturber    wakes and SIGUSR1 for the    │          │                                  │
//!   │              base, SIGSTOP for the server │ ─ kill ─▶│                                  │
//!   └───────────────────────────────────────────┘          └──────────────────────────────────┘
//! ```
//!
//! Some clients close, some shut down their writing side first, some reset the connection in the middle of a
//! transfer, and some are silent until the server closes. The load comes in rounds. After each round the server must
//! have no more descriptors than before, and after the first round no more memory; and so must the base that drives
//! it.
//!
//! ```text
//! cargo build --release -p evplat-linux --example echo
//! cargo run --release -p evcore-tests --example soak -- --server target/release/examples/echo --seconds 20 --seed 1
//! ```
//!
//! `.ci/soak` does both. Everything that was lost is printed, and the exit status is then 1.

#[cfg(target_os = "linux")]
#[path = "../cli/mod.rs"]
mod cli;
#[cfg(target_os = "linux")]
mod client;
#[cfg(target_os = "linux")]
mod disturber;
#[cfg(target_os = "linux")]
mod load;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod random;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod server;
#[cfg(target_os = "linux")]
mod sys;

#[cfg(target_os = "linux")]
const HELP: &str = "\
usage: soak --server PROGRAM [--seconds N] [--seed S] [--clients N]

Runs an echo server under load, and fails if a byte, a signal or a wake is lost, or memory or descriptors leak.

  --server   the example `echo` of evplat-linux, as a program
  --seconds  the duration (default: 20)
  --seed     a number that determines the load (default: 1)
  --clients  the number of clients at one time (default: 200)";

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    cli::run(HELP, options::Options::parse, |options| soak(&options))
}

#[cfg(target_os = "linux")]
fn soak(options: &options::Options) -> std::io::Result<std::process::ExitCode> {
    use std::process::ExitCode;

    println!("soak: {} s with seed {}", options.seconds, options.seed);
    if load::soak(options)?.print() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("soak: again with --seconds {} --seed {}", options.seconds, options.seed);
    Ok(ExitCode::FAILURE)
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("soak: it reads /proc, which only Linux has");
    std::process::ExitCode::FAILURE
}
