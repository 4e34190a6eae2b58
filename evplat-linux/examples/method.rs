//! A program that picks its backend when it runs: epoll, poll or select, whichever is the first that will do.
//!
//! ```text
//! cargo run -p evplat-linux --example method -- --require ERRORS --avoid epoll
//! EVENT_NOEPOLL=1 EVENT_SHOW_METHOD=1 cargo run -p evplat-linux --example method
//! ```
//!
//! The choice is in `pick`; the rest is a program that does not know what it runs on.

use std::error::Error;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use evplat_linux::evcore::backend::{Either, Features};
use evplat_linux::evcore::{EventBase, Growable};
use evplat_linux::{Epoll, Fd, Interest, Wait};
use evplat_posix::choice::NoBackend;
use evplat_posix::{Poll, Preferences, Select};

/// One of three.
type Backend = Either<Either<Epoll, Poll>, Select>;

fn pick(preferences: Preferences) -> Result<Backend, NoBackend> {
    preferences.pick("epoll", Epoll::new).or("poll", Poll::new).or("select", Select::new).backend()
}

enum Task {
    Receive(UnixStream),
    GiveUp,
}

/// Sends a line to itself through the loop.
fn converse(backend: Backend) -> Result<String, Box<dyn Error>> {
    let (near, mut far) = UnixStream::pair()?;
    let mut base: EventBase<Backend, Growable, Task> = EventBase::new(backend);
    base.insert(Fd::of(&near), Interest::READ, Task::Receive(near)).map_err(|rejected| rejected.error)?;
    base.insert_timer(Duration::from_secs(5), Task::GiveUp).map_err(|rejected| rejected.error)?;
    far.write_all(base.method().as_bytes())?;
    drop(far);

    let mut received = String::new();
    while let Some(event) = base.next_event(Wait::Forever)? {
        match event.data {
            Task::Receive(stream) => stream.read_to_string(&mut received)?,
            Task::GiveUp => return Err("nothing came in five seconds".into()),
        };
        base.loop_exit();
    }
    Ok(received)
}

/// What the command line wants.
fn preferences(mut words: impl Iterator<Item = String>) -> Result<Preferences, String> {
    let mut preferences = Preferences::new();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        preferences = match word.as_str() {
            "--require" => {
                let name = value()?;
                preferences.require(Features::from_name(&name).ok_or(format!("no such feature: {name}"))?)
            }
            "--avoid" => preferences.avoid(&value()?),
            "--ignore-environment" => preferences.ignore_environment(),
            other => return Err(format!("not an option: {other}")),
        };
    }
    Ok(preferences)
}

fn main() -> ExitCode {
    let preferences = match preferences(std::env::args().skip(1)) {
        Ok(preferences) => preferences,
        Err(wrong) => {
            eprintln!("{wrong}\nusage: method [--require FEATURE]… [--avoid METHOD]… [--ignore-environment]");
            return ExitCode::from(2);
        }
    };
    match pick(preferences).map_err(Into::into).and_then(converse) {
        Ok(method) => {
            println!("{method}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("method: {error}");
            ExitCode::FAILURE
        }
    }
}
