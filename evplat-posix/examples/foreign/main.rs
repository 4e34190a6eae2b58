//! A base on select inside another loop, which owns the thread and does not know of the base. Here the other loop is
//! a bare `poll(2)`.
//!
//! ```text
//! cargo run -p evplat-posix --example foreign
//! ```
//!
//! The other loop waits instead of the base: for the descriptors that the base's sleeper lists, until the time that
//! it returns. The same works with every backend of this project; on epoll there is one descriptor to wait for.
//!
//! Type lines; the other loop reads them, and sends them to the base through a socket. The end of the input ends the
//! program.

#[path = "../cli/mod.rs"]
mod cli;
mod sys;

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use evplat_posix::evcore::backend::Asleep;
use evplat_posix::evcore::backend::{EventOp, Sleep};
use evplat_posix::{Fd, Interest, Select, SelectBase, Sleeper, Wait};

const PERIOD: Duration = Duration::from_millis(50);

enum Task {
    Receive(UnixStream),
    Tick,
}

/// The base and its state.
struct Inner {
    base: SelectBase<Task>,
    received: usize,
    ticks: u32,
}

const HELP: &str = "\
usage: foreign

Reads lines in a poll(2) loop, and sends them to a base on select inside that loop, which prints how many bytes
arrived. The end of the input ends it.";

fn main() -> ExitCode {
    cli::run(HELP, cli::nothing, |()| run())
}

fn run() -> io::Result<()> {
    let (near, mut far) = UnixStream::pair()?;
    near.set_nonblocking(true)?;
    let mut inner = Inner { base: SelectBase::new(Select::new()?), received: 0, ticks: 0 };
    inner.base.insert(Fd::of(&near), Interest::READ, Task::Receive(near))?;
    inner.base.insert_interval(PERIOD, Task::Tick)?;
    let stdin = io::stdin();
    let mut line = [0; 1024];
    writeln!(io::stdout(), "ready")?;

    loop {
        let asleep = inner.base.begin_sleep(Wait::Forever)?;
        // Between the two halves of a turn the base may be changed. One of the descriptors is then readable, which
        // ends the wait.
        let mut entries: Vec<_> = asleep.sleeper().descriptors().map(|(fd, interest)| (fd, events(interest))).collect();
        entries.push((stdin.as_raw_fd(), libc::POLLIN));
        sys::poll(&mut entries, inner.time_left(&asleep))?;
        // Whatever ended the wait: checking costs little.
        inner.wake_up(asleep)?;
        if is_ready(&entries, stdin.as_raw_fd()) {
            // The other loop's own input.
            let len = stdin.lock().read(&mut line)?;
            if len == 0 {
                break;
            }
            far.write_all(line.get(..len).unwrap_or_default())?;
        }
    }
    writeln!(io::stdout(), "received {} bytes, ticked {}", inner.received, if inner.ticks > 0 { "on" } else { "never" })
}

/// Converts an interest to the flags of `poll(2)`.
fn events(interest: Interest) -> i16 {
    let names = [(Interest::READ, libc::POLLIN), (Interest::WRITE, libc::POLLOUT), (Interest::URGENT, libc::POLLPRI)];
    names.iter().filter(|(bit, _)| interest.contains(*bit)).fold(0, |all, (_, event)| all | event)
}

fn is_ready(entries: &[(RawFd, i16)], fd: RawFd) -> bool {
    entries.iter().any(|(number, _)| *number == fd)
}

impl Inner {
    /// How long the other loop may wait before the base's next deadline.
    fn time_left(&self, asleep: &Asleep<Sleeper>) -> Option<Duration> {
        match asleep.until() {
            Sleep::None => Some(Duration::ZERO),
            Sleep::Until(point) => Some(point.saturating_since(self.base.backend().now())),
            Sleep::Forever => None,
        }
    }

    /// Runs the rest of the turn.
    fn wake_up(&mut self, asleep: Asleep<Sleeper>) -> io::Result<()> {
        if !self.base.end_sleep(asleep)?.is_running() {
            return Ok(());
        }
        while let Some(fired) = self.base.next_active() {
            let (id, count) = (fired.id, fired.count);
            match fired.data {
                Task::Receive(stream) => {
                    let mut buffer = [0; 4096];
                    match stream.read(&mut buffer) {
                        Ok(0) => drop(self.base.remove(id)),
                        Ok(len) => {
                            self.received += len;
                            writeln!(io::stdout(), "received {len}")?;
                        }
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Err(error) => return Err(error),
                    }
                }
                Task::Tick => {
                    if self.ticks == 0 {
                        writeln!(io::stdout(), "first tick")?;
                    }
                    self.ticks = self.ticks.saturating_add(count);
                }
            }
        }
        Ok(())
    }
}
