//! A program that picks its backend at run time: the first of epoll, poll and select that is suitable.
//!
//! ```text
//! cargo run -p evplat-linux --example method -- --require ERRORS --avoid epoll
//! EVENT_NOEPOLL=1 EVENT_SHOW_METHOD=1 cargo run -p evplat-linux --example method
//! ```
//!
//! `pick` makes the choice; the rest of the program does not depend on it.

mod cli;

use std::error::Error;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use evplat_linux::evcore::backend::{Either, Features};
use evplat_linux::evcore::{EventBase, Growable};
use evplat_linux::{Epoll, Fd, Interest, Wait};
use evplat_posix::choice::NoBackend;
use evplat_posix::{Poll, Preferences, Select};
use lexopt::{Arg, Parser, ValueExt};

type Backend = Either<Either<Epoll, Poll>, Select>;

fn pick(preferences: Preferences) -> Result<Backend, NoBackend> {
    preferences.pick("epoll", Epoll::new).or("poll", Poll::new).or("select", Select::new).backend()
}

enum Task {
    Receive(UnixStream),
    GiveUp,
}

/// Sends itself a line through the loop.
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
            Task::GiveUp => return Err("nothing arrived in five seconds".into()),
        };
        base.loop_exit();
    }
    Ok(received)
}

const HELP: &str = "\
usage: method [--require FEATURE]… [--avoid METHOD]… [--ignore-environment]

Picks the first suitable backend of epoll, poll and select, sends itself a line with it, and prints its name.

  --require             only a method with this feature: ERRORS, EDGE, CLOSED, …
  --avoid               do not use this method
  --ignore-environment  ignore EVENT_NOEPOLL, EVENT_NOPOLL and EVENT_NOSELECT";

fn main() -> ExitCode {
    cli::run(HELP, parse, |preferences| {
        let method = converse(pick(preferences)?)?;
        writeln!(io::stdout(), "{method}").map_err(Box::<dyn Error>::from)
    })
}

fn parse(words: &mut Parser) -> Result<Preferences, lexopt::Error> {
    let mut preferences = Preferences::new();
    while let Some(word) = words.next()? {
        preferences = match word {
            Arg::Long("require") => preferences.require(words.value()?.parse_with(feature)?),
            Arg::Long("avoid") => preferences.avoid(&words.value()?.string()?),
            Arg::Long("ignore-environment") => preferences.ignore_environment(),
            other => return Err(other.unexpected()),
        };
    }
    Ok(preferences)
}

fn feature(name: &str) -> Result<Features, &'static str> {
    Features::from_name(name).ok_or("there is no such feature")
}
