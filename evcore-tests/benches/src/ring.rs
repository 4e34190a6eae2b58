//! W1 and W2: a byte is passed on in a ring of pipes, as in libevent's `bench.c`.
//!
//! ```text
//!        ┌─────────┐ 1 byte ┌─────────┐ 1 byte        ┌──────────┐
//!   ┌───▶│ pipe 0  ├───────▶│ pipe 1  ├──────▶  …  ──▶│ pipe N-1 ├──┐
//!   │    └─────────┘        └─────────┘               └──────────┘  │
//!   └───────────────────────────────────────────────────────────────┘
//! ```
//!
//! N pipes are watched for READ. A round begins with a byte in each of A of them, evenly spaced; each hand-out reads
//! its byte and writes it to the next pipe. In W2 each pipe also has an idle timeout, which each of its events
//! restarts. W8's `levels` is W1 with the pipes spread over priorities.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use evcore::Event;

use crate::options::Options;
use crate::{Figures, Stopwatch, sys};

/// A pipe of the ring: its read end, and the write end that its byte is passed on to.
#[derive(Debug)]
pub struct Link {
    pub reader: OwnedFd,
    next: OwnedFd,
}

impl Link {
    /// Reads from `reader` and writes to `next`.
    #[must_use]
    pub fn new(reader: OwnedFd, next: OwnedFd) -> Self {
        Self { reader, next }
    }

    /// The handler, the same for all peers. Usually there is one byte; an edge-triggered handler must read
    /// everything.
    #[inline]
    pub fn pass_on(&self, round: &mut Round) -> io::Result<()> {
        let mut bytes = [0; 16];
        let read = sys::read(&self.reader, &mut bytes)?;
        round.read += read;
        let passed = read.min(round.writes);
        if passed > 0 {
            round.sent += sys::write(&self.next, &bytes[..passed])?;
            round.writes -= passed;
        }
        Ok(())
    }
}

/// The progress of a round.
#[derive(Clone, Copy, Debug, Default)]
pub struct Round {
    writes: usize,
    sent: usize,
    read: usize,
}

impl Round {
    #[inline]
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.read == self.sent
    }
}

/// How the links are watched.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// The timeout of each link, which its events restart.
    pub idle: Option<Duration>,
    /// How many priorities the links are spread over.
    pub priorities: u8,
    /// One of this many links is active at first.
    step: usize,
}

impl Setup {
    /// One priority.
    #[must_use]
    pub fn plain(idle: Option<Duration>) -> Self {
        Self { idle, priorities: 1, step: 1 }
    }

    /// Adds the link's timeout to its event.
    pub fn with_idle<Fd: Copy>(&self, event: Event<Fd>) -> Event<Fd> {
        self.idle.map_or(event, |idle| event.timeout(idle))
    }

    /// The priority of a link. Bytes start `step` links apart and advance together, so without the second summand all
    /// of them could have one priority at a time.
    #[must_use]
    pub fn priority(&self, place: usize) -> u8 {
        ((place + place / self.step) % usize::from(self.priorities)) as u8
    }
}

/// A loop that can run the ring.
pub trait RingLoop: Sized {
    /// Watches every link.
    fn new(links: Vec<Link>, setup: Setup) -> io::Result<Self>;

    /// Serves events until the round is over.
    fn run(&mut self, round: &mut Round) -> io::Result<()>;
}

/// Runs a short round, which is not measured, and a long one.
pub fn measure<L: RingLoop>(options: &Options, idle: Option<Duration>) -> io::Result<Figures> {
    around::<L>(options, Setup::plain(idle))
}

/// W8's `levels`: W1 with 1,000 links, 100 of them active, spread over N priorities.
pub fn levels<L: RingLoop>(options: &Options) -> io::Result<Figures> {
    let priorities = u8::try_from(options.n).map_err(io::Error::other)?;
    let options = Options { n: 1_000, active: 100, ..options.clone() };
    around::<L>(&options, Setup { idle: None, priorities, step: options.n / options.active })
}

fn around<L: RingLoop>(options: &Options, setup: Setup) -> io::Result<Figures> {
    let (links, starters) = open(options)?;
    let mut engine = L::new(links, setup)?;
    run(&mut engine, &starters, 2 * options.active)?;
    let watch = Stopwatch::start();
    let passed = run(&mut engine, &starters, options.events as usize)?;
    let spent = watch.stop();
    Ok(Figures::of(passed as u64, spent))
}

/// Runs a round. Returns how many bytes were passed on.
fn run<L: RingLoop>(engine: &mut L, starters: &[OwnedFd], events: usize) -> io::Result<usize> {
    let mut round = Round { writes: events.saturating_sub(starters.len()), ..Round::default() };
    for starter in starters {
        round.sent += sys::write(starter, &[0])?;
    }
    engine.run(&mut round)?;
    Ok(round.read)
}

/// The links, and a write end for each that starts active.
pub fn open(options: &Options) -> io::Result<(Vec<Link>, Vec<OwnedFd>)> {
    let pipes = (0..options.n).map(|_| sys::pipe()).collect::<io::Result<Vec<_>>>()?;
    let (readers, mut writers): (Vec<_>, Vec<_>) = pipes.into_iter().unzip();
    let starters = writers.iter().step_by(options.n / options.active).take(options.active);
    let starters = starters.map(OwnedFd::try_clone).collect::<io::Result<_>>()?;
    writers.rotate_left(1);
    let links = readers.into_iter().zip(writers).map(|(reader, next)| Link { reader, next }).collect();
    Ok((links, starters))
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}
