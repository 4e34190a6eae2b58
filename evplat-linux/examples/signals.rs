//! Signals: HUP reloads the configuration, TERM and INT end the program when its work is done, USR1 starts a unit of
//! work. A second TERM ends it at once.
//!
//! ```text
//! echo 2.5 > seconds.txt
//! cargo run -p evplat-linux --example signals -- seconds.txt
//! kill -USR1 $(pidof signals); echo 0.1 > seconds.txt; kill -HUP $(pidof signals); kill -TERM $(pidof signals)
//! ```
//!
//! The file says how long a unit of work takes. If the file is invalid, the configuration does not change.

mod cli;

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use evplat_linux::{Epoll, EventBase, Wait, signum};
use lexopt::{Arg, Error, Parser};

/// The maximum length of a configuration file.
const FILE_MAX: u64 = 4096;

enum Task {
    Reload,
    Begin,
    Stop,
    /// A unit of work; here it is a timer.
    Work(u32),
}

const HELP: &str = "\
usage: signals FILE

SIGUSR1 starts a unit of work, SIGHUP reloads FILE, SIGTERM and SIGINT end the program when all work is done, a
second one at once.

  FILE  contains how many seconds a unit of work takes, such as 2.5";

fn main() -> ExitCode {
    cli::run(HELP, parse, |path| run(&path))
}

fn parse(words: &mut Parser) -> Result<PathBuf, Error> {
    let mut path = None;
    while let Some(word) = words.next()? {
        match word {
            Arg::Value(word) if path.is_none() => path = Some(word.into()),
            other => return Err(other.unexpected()),
        }
    }
    path.ok_or("a FILE is missing".into())
}

fn run(path: &Path) -> io::Result<()> {
    let mut work_time = load(path)?;
    let mut base = EventBase::new(Epoll::new()?);
    base.insert_signal(signum::SIGHUP, Task::Reload)?;
    let begin = base.insert_signal(signum::SIGUSR1, Task::Begin)?;
    for signum in [signum::SIGINT, signum::SIGTERM] {
        base.insert_signal(signum, Task::Stop)?;
    }
    let (mut begun, mut at_work, mut is_stopping) = (0, 0, false);
    say(&format!("ready, work takes {work_time:?}"))?;

    while let Some(event) = base.next_event(Wait::Forever)? {
        let count = event.count;
        match *event.data {
            // However many signals have arrived, the file is read once.
            Task::Reload => match load(path) {
                Ok(time) => {
                    work_time = time;
                    say(&format!("reloaded, work takes {work_time:?}"))?;
                }
                Err(error) => eprintln!("the configuration is unchanged: {error}"),
            },
            // Here each signal counts.
            Task::Begin => {
                for _ in 0..count {
                    begun += 1;
                    at_work += 1;
                    base.insert_timer(work_time, Task::Work(begun))?;
                    say(&format!("work {begun} begins"))?;
                }
            }
            Task::Work(number) => {
                at_work -= 1;
                say(&format!("work {number} is done"))?;
            }
            Task::Stop if is_stopping || count > 1 => base.loop_exit(),
            Task::Stop => {
                is_stopping = true;
                base.remove(begin);
                say(&format!("stopping, {at_work} at work"))?;
            }
        }
        if is_stopping && at_work == 0 {
            base.loop_exit();
        }
    }
    say(&format!("stopped, {at_work} at work"))
}

fn load(path: &Path) -> io::Result<Duration> {
    let mut text = String::new();
    let named = |error| cli::about(path.display(), error);
    std::fs::File::open(path).and_then(|file| file.take(FILE_MAX).read_to_string(&mut text)).map_err(named)?;
    let seconds = text.trim().parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, format!("not seconds: {:.40}", text.trim()));
    seconds.ok_or_else(wrong).map_err(named)
}

fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}
