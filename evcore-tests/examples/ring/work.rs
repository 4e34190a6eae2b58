//! The work that both loops do, and the clock around it.

use std::fmt;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::engine::Engine;
use crate::options::{Options, Peer};
use crate::{raw, sys};

/// A connection of the ring: what it reads from, and where it passes the byte on to.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) reader: UnixStream,
    next: UnixStream,
}

impl Link {
    /// The handler of an event, the same in both loops.
    #[inline]
    pub(crate) fn pass_on(&self, round: &mut Round) -> io::Result<()> {
        let mut byte = [0];
        match sys::read(&self.reader, &mut byte)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => round.read += read,
        }
        if round.writes > 0 {
            round.sent += sys::write(&self.next, &byte)?;
            round.writes -= 1;
        }
        Ok(())
    }
}

/// As many pairs as are wanted, as links, and a spare one; and, to begin the rounds with, a writer to each link that starts active.
fn ring(pairs: usize, active: usize) -> io::Result<(Vec<Link>, Vec<UnixStream>)> {
    let pair = |_| {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        Ok((reader, writer))
    };
    let (readers, mut writers): (Vec<_>, Vec<_>) =
        (0..pairs).map(pair).collect::<io::Result<Vec<_>>>()?.into_iter().unzip();
    let starters =
        writers.iter().step_by(pairs / active).take(active).map(UnixStream::try_clone).collect::<io::Result<_>>()?;
    writers.rotate_left(1);
    let mut links: Vec<_> = readers.into_iter().zip(writers).map(|(reader, next)| Link { reader, next }).collect();
    let (reader, next) = pair(0)?;
    links.push(Link { reader, next });
    Ok((links, starters))
}

/// How far a round is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    writes: usize,
    sent: usize,
    read: usize,
}

impl Round {
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.read == self.sent
    }
}

/// A loop that can run the ring: it watches every link but the last, which is a spare one.
pub(crate) trait Loop {
    /// Serves events until the round is over.
    fn run(&mut self, round: &mut Round) -> io::Result<()>;
}

/// What came out.
#[derive(Debug)]
pub(crate) struct Figures {
    events: usize,
    elapsed: Duration,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.elapsed.as_nanos() as f64 / self.events.max(1) as f64;
        write!(f, "events={} ns_per_event={nanos:.1}", self.events)
    }
}

/// Sets the ring up and runs all its rounds; only these are timed.
pub(crate) fn measure(options: &Options) -> io::Result<Figures> {
    sys::allow_descriptors(2 * options.pairs + options.active + 50)?;
    let (links, starters) = ring(options.pairs, options.active)?;
    match options.peer {
        Peer::Raw => rounds(options, &starters, raw::Epoll::with(links, options.idle)?),
        Peer::Evcore => rounds(options, &starters, Engine::with(links, options.idle, options.call)?),
        Peer::Outside => outside(options, Engine::with(links, options.idle, options.call)?),
    }
}

fn rounds(options: &Options, starters: &[UnixStream], mut engine: impl Loop) -> io::Result<Figures> {
    let mut figures = Figures { events: 0, elapsed: Duration::ZERO };
    for _ in 0..options.rounds {
        let mut round = Round { writes: options.writes, sent: 0, read: 0 };
        for mut starter in starters {
            round.sent += starter.write(&[0])?;
        }
        let began = Instant::now();
        engine.run(&mut round)?;
        figures.elapsed += began.elapsed();
        figures.events += round.read;
    }
    Ok(figures)
}

fn outside(options: &Options, mut engine: Engine) -> io::Result<Figures> {
    let (began, mut events) = (Instant::now(), 0);
    for _ in 0..options.rounds {
        events += engine.call_outside(options.writes)?;
    }
    Ok(Figures { events, elapsed: began.elapsed() })
}
