//! The victim of the torture: a program that uses everything of a base once, while some system call of it is made to fail.
//!
//! ```text
//!   .ci/torture ──▶ strace -f -e inject=epoll_ctl:error=ENOMEM:when=3 ──▶ torture epoll ──▶ one line: how it ended
//! ```
//!
//! A call that answers an error is made again, for the fault is gone then. At the end nothing may have got lost: no signal,
//! no wake, no descriptor, no memory; and the base must still work. The line that it prints is
//!
//! ```text
//! torture: METHOD: ok                               bytes=0 fds=0
//! torture: METHOD: clean error (poll: EINVAL)       bytes=0 fds=0
//! torture: METHOD: BAD: LOST signal; (poll: EINVAL) bytes=0 fds=0
//! ```
//!
//! and the exit status 0, 0 or 3. A forked child prints a line of its own.

#[cfg(target_os = "linux")]
mod bystander;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod subject;
#[cfg(target_os = "linux")]
mod sys;
#[cfg(target_os = "linux")]
mod victim;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use std::process::ExitCode;

    use evplat_linux::Epoll;
    use evplat_posix::{Poll, Select};

    let method = std::env::args().nth(1).unwrap_or_default();
    let is_good = match method.as_str() {
        "epoll" => victim::torture(Epoll::new),
        "poll" => victim::torture(Poll::new),
        "select" => victim::torture(Select::new),
        "chosen" => victim::torture(subject::choose),
        _ => {
            eprintln!("usage: torture epoll|poll|select|chosen");
            return ExitCode::from(2);
        }
    };
    if is_good { ExitCode::SUCCESS } else { ExitCode::from(3) }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("torture: it needs strace, which only Linux has");
}
