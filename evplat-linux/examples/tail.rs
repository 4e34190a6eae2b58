//! Follows files and pipes, and prints what is appended to them.
//!
//! ```text
//! mkfifo fifo
//! cargo run -p evplat-linux --example tail -- /var/log/syslog fifo
//! echo hello > fifo
//! dmesg --follow | cargo run -p evplat-linux --example tail -- /dev/stdin
//! ```
//!
//! A pipe is ready when it contains data. A file is always ready, even at its end, so it is paused there and read
//! again later. A file that has become shorter is read from its beginning.

mod cli;

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::process::ExitCode;
use std::time::Duration;

use evplat_linux::{Epoll, Event, EventBase, Fd, Interest, Wait, signum};
use lexopt::{Arg, Error, Parser, ValueExt};

/// How long a file is paused at its end.
const LOOK: Duration = Duration::from_millis(100);
/// How much is read from one file before the others are read.
const CHUNK: usize = 16 * 1024;

enum Task {
    Source(Source),
    Stop,
}

struct Source {
    name: String,
    file: File,
    is_regular: bool,
    position: u64,
}

enum Found {
    Bytes(usize),
    NotYet,
    End,
}

const HELP: &str = "\
usage: tail FILE…

Prints what the files and pipes contain and what is appended to them, until the last pipe ends or SIGINT or SIGTERM
arrives. If a file cannot be read, it is skipped, and the exit status is 1.

  FILE  a file, a pipe, or /dev/stdin";

fn main() -> ExitCode {
    cli::run(HELP, parse, |names| match run(&names) {
        // The reader of our output has gone, so there is nothing left to do.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        other => other,
    })
}

fn parse(words: &mut Parser) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    while let Some(word) = words.next()? {
        match word {
            Arg::Value(word) => names.push(word.string()?),
            other => return Err(other.unexpected()),
        }
    }
    if names.is_empty() { Err("a FILE is missing".into()) } else { Ok(names) }
}

fn run(names: &[String]) -> io::Result<ExitCode> {
    let mut base = EventBase::new(Epoll::new()?);
    for name in names {
        let source = Source::open(name).map_err(|error| cli::about(name, error))?;
        base.insert(Fd::of(&source.file), Interest::READ, Task::Source(source))?;
    }
    // Background events: the program ends with the last pipe.
    for signum in [signum::SIGINT, signum::SIGTERM] {
        base.start(Event::signal(signum).background(), Task::Stop)?;
    }
    let (mut buffer, mut last, mut output) = (vec![0; CHUNK], None, io::stdout().lock());
    let mut status = ExitCode::SUCCESS;

    while let Some(event) = base.next_event(Wait::Forever)? {
        let id = event.id;
        let Task::Source(source) = event.data else {
            base.loop_exit();
            continue;
        };
        match source.read(&mut buffer) {
            Ok(Found::Bytes(len)) => {
                if last.replace(id) != Some(id) && names.len() > 1 {
                    writeln!(output, "==> {} <==", source.name)?;
                }
                output.write_all(buffer.get(..len).unwrap_or_default())?;
                output.flush()?;
            }
            Ok(Found::NotYet) if source.is_regular => base.pause_for(id, LOOK)?,
            Ok(Found::NotYet) => {}
            Ok(Found::End) => drop(base.remove(id)),
            Err(error) => {
                eprintln!("tail: {}: {error}", source.name);
                base.remove(id);
                status = ExitCode::FAILURE;
            }
        }
    }
    Ok(status)
}

impl Source {
    fn open(name: &str) -> io::Result<Self> {
        let kind = std::fs::metadata(name)?.file_type();
        let is_stdin = name.starts_with("/dev/") || name.starts_with("/proc/");
        let file = OpenOptions::new()
            .read(true)
            // Opening a named pipe for writing, too, keeps it from ending when its first writer does.
            .write(kind.is_fifo() && !is_stdin)
            .custom_flags(libc::O_NONBLOCK)
            .open(name)?;
        Ok(Self { name: name.to_owned(), file, is_regular: kind.is_file(), position: 0 })
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Found> {
        if self.is_regular && self.file.metadata()?.len() < self.position {
            self.position = self.file.seek(SeekFrom::Start(0))?;
        }
        match self.file.read(buffer) {
            Ok(0) if self.is_regular => Ok(Found::NotYet),
            Ok(0) => Ok(Found::End),
            Ok(len) => {
                self.position = self.position.saturating_add(len as u64);
                Ok(Found::Bytes(len))
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(Found::NotYet),
            Err(error) => Err(error),
        }
    }
}
