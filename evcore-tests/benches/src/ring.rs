//! W1 and W2: a byte is passed on in a ring of pipes, as in libevent's `bench.c`.
//!
//! ```text
//!        ┌─────────┐ 1 byte ┌─────────┐ 1 byte        ┌──────────┐
//!   ┌───▶│ pipe 0  ├───────▶│ pipe 1  ├──────▶  …  ──▶│ pipe N-1 ├──┐
//!   │    └─────────┘        └─────────┘               └──────────┘  │
//!   └───────────────────────────────────────────────────────────────┘
//! ```
//!
//! N pipes are watched for READ. A round begins with a byte in each of A of them, evenly spaced; each hand-out reads its byte
//! and writes it to the next pipe. In W2 each pipe has an idle timeout besides, which starts anew whenever it is handed out.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use crate::options::Options;
use crate::{Figures, Stopwatch, sys};

/// A pipe of the ring: where it is read, and where its byte is passed on to.
#[derive(Debug)]
pub struct Link {
    pub reader: OwnedFd,
    next: OwnedFd,
}

impl Link {
    /// The handler, the same for all peers. There is one byte as a rule; whoever is told of edges has to take all.
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

/// How far a round is.
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

/// A loop that can run the ring.
pub trait RingLoop: Sized {
    /// Watches every link, with a timeout that its events restart where one is given.
    fn new(links: Vec<Link>, idle: Option<Duration>) -> io::Result<Self>;

    /// Serves events until the round is over.
    fn run(&mut self, round: &mut Round) -> io::Result<()>;
}

/// A short round, which is not counted, and a long one.
pub fn measure<L: RingLoop>(options: &Options, idle: Option<Duration>) -> io::Result<Figures> {
    let (links, starters) = ring(options)?;
    let mut engine = L::new(links, idle)?;
    run(&mut engine, &starters, 2 * options.active)?;
    let watch = Stopwatch::start();
    let passed = run(&mut engine, &starters, options.events as usize)?;
    let spent = watch.stop();
    Ok(Figures::of(passed as u64, spent))
}

/// One round: how many bytes were passed on.
fn run<L: RingLoop>(engine: &mut L, starters: &[OwnedFd], events: usize) -> io::Result<usize> {
    let mut round = Round { writes: events.saturating_sub(starters.len()), ..Round::default() };
    for starter in starters {
        round.sent += sys::write(starter, &[0])?;
    }
    engine.run(&mut round)?;
    Ok(round.read)
}

/// The links; and a writer to each that starts active.
fn ring(options: &Options) -> io::Result<(Vec<Link>, Vec<OwnedFd>)> {
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
