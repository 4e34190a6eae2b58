//! The program under test of `.ci/torture`: it uses each part of a base once, while some of its system calls fail.
//!
//! ```text
//!   .ci/torture ──▶ strace -f -e inject=epoll_ctl:error=ENOMEM:when=3 ──▶ torture epoll ──▶ one line with the result
//! ```
//!
//! A call that returns an error is repeated, as the fault is gone then. At the end nothing may be lost: no signal, no
//! wake, no descriptor, no memory; and the base must still work. The program prints the line
//!
//! ```text
//! torture: METHOD: ok                               bytes=0 fds=0
//! torture: METHOD: clean error (poll: EINVAL)       bytes=0 fds=0
//! torture: METHOD: BAD: LOST signal; (poll: EINVAL) bytes=0 fds=0
//! ```
//!
//! and exits with status 0, 0 or 3. A forked child prints a line of its own.

#[cfg(target_os = "linux")]
mod bystander;
#[cfg(target_os = "linux")]
#[path = "../cli/mod.rs"]
mod cli;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod subject;
#[cfg(target_os = "linux")]
mod sys;
#[cfg(target_os = "linux")]
mod victim;

#[cfg(target_os = "linux")]
const HELP: &str = "\
usage: torture epoll|poll|select|chosen

Uses each part of a base once on this backend, and prints a line that says whether anything was lost. .ci/torture makes
its system calls fail. The exit status is 3 if something was lost.";

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use std::process::ExitCode;

    cli::run(HELP, parse, |torture| {
        Ok::<_, std::convert::Infallible>(if torture() { ExitCode::SUCCESS } else { ExitCode::from(3) })
    })
}

#[cfg(target_os = "linux")]
fn parse(words: &mut lexopt::Parser) -> Result<fn() -> bool, lexopt::Error> {
    use evplat_linux::Epoll;
    use evplat_posix::{Poll, Select};

    match cli::optional::<String>(words)?.as_deref() {
        Some("epoll") => Ok(|| victim::torture(Epoll::new)),
        Some("poll") => Ok(|| victim::torture(Poll::new)),
        Some("select") => Ok(|| victim::torture(Select::new)),
        Some("chosen") => Ok(|| victim::torture(subject::choose)),
        _ => Err("neither epoll nor poll nor select nor chosen".into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("torture: it needs strace, which only Linux has");
    std::process::ExitCode::FAILURE
}
