//! evcore, on each of its backends: `--variant epoll|poll|select`; tasks on epoll: `--variant tasks`.

mod calls;
mod churn;
mod cliffs;
mod echo;
mod faces;
mod ring;
#[cfg(feature = "peers")]
mod tasks;
mod timers;
mod wake;

use std::io;
use std::marker::PhantomData;
use std::process::ExitCode;

use evcore::backend::{EventOp, Wake};
use evcore::{EventBase, Fd, Growable};
use evcore_benchmarks::Figures;
use evcore_benchmarks::options::Options;
use evcore_benchmarks::peer::{self, Peer};
use evcore_benchmarks::ring as rings;
use evplat_linux::Epoll;
use evplat_posix::{Error, Poll, Select};

/// The base of a server program.
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

/// Some kinds exist only for evcore.
fn on_epoll(options: &Options) -> io::Result<Figures> {
    match (options.workload.as_str(), options.kind.as_str()) {
        ("w1", "run") => rings::measure::<faces::Run>(options, None),
        ("w1", "callbacks") => rings::measure::<faces::Callbacks>(options, None),
        ("w1", "closures") => rings::measure::<faces::Closures>(options, None),
        ("w1", kind) if !kind.is_empty() => calls::measure(options, None),
        ("w2", kind) if !kind.is_empty() => calls::measure(options, Some(options.idle)),
        ("w8", "levels") => rings::levels::<ring::Ring<Epoll>>(options),
        ("w8", _) => cliffs::measure(options),
        #[cfg(feature = "peers")]
        ("w9", _) => evcore_benchmarks::tasks::measure::<tasks::Plain>(options),
        _ => peer::measure::<Evcore<Epoll>>(options),
    }
}

fn main() -> ExitCode {
    peer::run("evcore", evcore_benchmarks::locked_version("evcore"), |options| match options.variant.as_str() {
        "" | "epoll" => on_epoll(options),
        "poll" => peer::measure::<Evcore<Poll>>(options),
        "select" => peer::measure::<Evcore<Select>>(options),
        #[cfg(feature = "peers")]
        "tasks" => evcore_benchmarks::tasks::measure::<tasks::ByTasks>(options),
        _ => Err(io::Error::other("--variant epoll|poll|select|tasks")),
    })
}
