//! The ring: libevent's `bench.c`, on a hand-written epoll loop and on evcore, in one program.
//!
//! ```text
//!        ┌─────────┐ 1 byte ┌─────────┐ 1 byte        ┌─────────┐
//!   ┌───▶│ pair 0  ├───────▶│ pair 1  ├──────▶  …  ──▶│ pair N-1├───┐
//!   │    └─────────┘        └─────────┘               └─────────┘   │
//!   └───────────────────────────────────────────────────────────────┘
//! ```
//!
//! N pairs of connected sockets are watched for READ. A round begins with one byte in each of A of them, evenly spaced;
//! each event reads its byte and writes one to the next pair, until W bytes have been passed on and all are read. So a
//! round is A + W events, about A of them a turn.
//!
//! ```text
//! cargo run --release -p evcore-tests --example ring -- evcore --pairs 1000 --active 100
//! ```
//!
//! With `--idle` each pair also has a timeout that restarts at each of its events; with `--call` each handler calls the base.

#[cfg(target_os = "linux")]
mod engine;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod raw;
#[cfg(target_os = "linux")]
mod sys;
#[cfg(target_os = "linux")]
mod work;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use std::process::ExitCode;

    let options = match options::Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("{why}\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    match work::measure(&options) {
        Ok(figures) => {
            println!("{options} {figures}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("ring: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("ring: compares with epoll, which only Linux has");
}
