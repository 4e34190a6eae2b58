//! Signals: HUP reads the configuration again, TERM and INT end the program when its work is done, USR1 begins a piece of
//! work. The second TERM ends it at once.
//!
//! ```text
//! echo 2.5 > seconds.txt
//! cargo run -p evplat-linux --example signals -- seconds.txt
//! kill -USR1 $(pidof signals); echo 0.1 > seconds.txt; kill -HUP $(pidof signals); kill -TERM $(pidof signals)
//! ```
//!
//! The file holds how long a piece of work takes. A file that is no good leaves the configuration as it was.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use evplat_linux::{Epoll, EventBase, Wait, signum};

/// A configuration is not longer than this.
const FILE_MAX: u64 = 4096;

enum Task {
    Reload,
    Begin,
    Stop,
    /// A piece of work; here it is a timer.
    Work(u32),
}

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: signals FILE");
        return ExitCode::from(2);
    };
    match run(&path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("signals: {error}");
            ExitCode::FAILURE
        }
    }
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
            // However many signals have come, the file is read once.
            Task::Reload => match load(path) {
                Ok(time) => {
                    work_time = time;
                    say(&format!("reloaded, work takes {work_time:?}"))?;
                }
                Err(error) => eprintln!("the configuration stays as it was: {error}"),
            },
            // Here each of them counts.
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
    std::fs::File::open(path)?.take(FILE_MAX).read_to_string(&mut text)?;
    let seconds = text.trim().parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("not seconds: {:.40}", text.trim())))
}

fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}
