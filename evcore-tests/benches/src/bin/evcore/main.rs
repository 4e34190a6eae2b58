//! evcore, on each of its backends: `--variant epoll|poll|select`.

mod churn;
mod echo;
mod ring;
mod timers;
mod wake;

use std::io;
use std::marker::PhantomData;
use std::process::ExitCode;

use evcore::{EventBase, EventOp, Fd, Growable, Wake};
use evcore_benchmarks::peer::{self, Peer};
use evplat_linux::Epoll;
use evplat_posix::{Error, Poll, Select};

/// A base as a program for a server has it.
type Base<B, T> = EventBase<B, Growable, T>;

/// A backend, and how it is made.
trait Backend: EventOp<Fd = Fd, Error = Error> + Wake<Waker = evplat_posix::Waker> + Sized {
    fn open() -> io::Result<Self>;
}

impl Backend for Epoll {
    fn open() -> io::Result<Self> {
        Ok(Self::new()?)
    }
}

impl Backend for Poll {
    fn open() -> io::Result<Self> {
        Ok(Self::new()?)
    }
}

impl Backend for Select {
    fn open() -> io::Result<Self> {
        Ok(Self::new()?)
    }
}

struct Evcore<B>(PhantomData<B>);

impl<B: Backend> Peer for Evcore<B> {
    type Ring = ring::Ring<B>;
    type Churn = churn::Churn<B>;
    type Timers = timers::Timers<B>;
    type Echo = echo::Echo<B>;
    type Wake = wake::Wake<B>;
}

fn main() -> ExitCode {
    peer::run("evcore", evcore_benchmarks::locked_version("evcore"), |options| match options.variant.as_str() {
        "" | "epoll" => peer::measure::<Evcore<Epoll>>(options),
        "poll" => peer::measure::<Evcore<Poll>>(options),
        "select" => peer::measure::<Evcore<Select>>(options),
        _ => Err(io::Error::other("--variant epoll|poll|select")),
    })
}
