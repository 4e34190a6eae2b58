//! A base inside another loop, such as a GUI toolkit's, which owns the thread and does not know of the base. Here the
//! other loop is a bare `poll(2)`.
//!
//! ```text
//! cargo run -p evplat-linux --example nested
//! ```
//!
//! Two things show the other loop when the base has work: the base's descriptor, and its next deadline. Type lines;
//! the other loop reads them, and sends them to the base through a socket. The end of the input ends the program.

mod cli;

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use evplat_linux::evcore::backend::EventOp;
use evplat_linux::{Epoll, EventBase, Fd, Interest, Wait};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

const PERIOD: Duration = Duration::from_millis(50);

enum Task {
    Receive(UnixStream),
    Tick,
}

/// The base and its state.
struct Inner {
    base: EventBase<Task>,
    received: u64,
    ticks: u32,
}

const HELP: &str = "\
usage: nested

Reads lines in a poll(2) loop, and sends them to a base inside that loop, which prints how many bytes arrived.
The end of the input ends it.";

fn main() -> ExitCode {
    cli::run(HELP, cli::nothing, |()| run())
}

fn run() -> io::Result<()> {
    let (near, mut far) = UnixStream::pair()?;
    near.set_nonblocking(true)?;
    let mut inner = Inner { base: EventBase::new(Epoll::new()?), received: 0, ticks: 0 };
    inner.base.insert(Fd::of(&near), Interest::READ, Task::Receive(near))?;
    inner.base.insert_interval(PERIOD, Task::Tick)?;
    // A duplicate, because the base owns the descriptor and is borrowed mutably below.
    let nest = inner.base.backend_mut().nest()?.try_clone_to_owned()?;
    let stdin = io::stdin();
    let mut line = [0; 1024];
    writeln!(io::stdout(), "ready")?;

    // Once before the first wait, and after each change from outside: a turn registers what the base is to watch.
    inner.turn()?;
    loop {
        let mut fds = [PollFd::new(&stdin, PollFlags::IN), PollFd::from_borrowed_fd(nest.as_fd(), PollFlags::IN)];
        match poll(&mut fds, inner.time_left().as_ref()) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        if !fds[0].revents().is_empty() {
            // The other loop's own input.
            let len = stdin.lock().read(&mut line)?;
            if len == 0 {
                break;
            }
            far.write_all(line.get(..len).unwrap_or_default())?;
        }
        // A turn that finds nothing costs little, and this way deadlines need no extra code.
        inner.turn()?;
    }
    drop(far);
    inner.turn()?;
    writeln!(io::stdout(), "received {} bytes, ticked {}", inner.received, if inner.ticks > 0 { "on" } else { "never" })
}

impl Inner {
    /// Handles what is ready, without waiting: the other loop waits.
    fn turn(&mut self) -> io::Result<()> {
        if !self.base.poll(Wait::None)?.is_running() {
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
                            self.received += len as u64;
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

    /// How long the other loop may wait before the base's next deadline.
    fn time_left(&self) -> Option<Timespec> {
        let left = self.base.next_deadline()?.saturating_since(self.base.backend().now());
        Timespec::try_from(left).ok()
    }
}
