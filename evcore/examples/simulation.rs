//! How to test one's own server without a network and without waiting: the server's logic is generic over the backend, and
//! runs here on [`Manual`], in virtual time, against clients that a seeded generator plays. Hours take a moment, and the
//! same seed gives the same hours, to the nanosecond.
//!
//! ```text
//! cargo run -p evcore --example simulation -- 7
//! ```
//!
//! The server expects a beat from each session every thirty seconds, and ends a session that is silent for longer. On a
//! real system the same `Server` runs on `EventBase<Epoll, …>`, where an fd is `Fd::of(&stream)`; here it is a number.

mod cli;

use core::time::Duration;
use std::error::Error;
use std::process::ExitCode;

use evcore::backend::{EventOp, Manual};
use evcore::{Event, EventBase, EventId, Fixed, Instant, Interest, Ready, Wait};

const SESSIONS: u32 = 20;
const SILENCE: Duration = Duration::from_secs(30);
const SPAN: Duration = Duration::from_secs(4 * 3_600);

type Base<B> = EventBase<B, Fixed<64>, Task>;

#[derive(Clone, Copy)]
enum Task {
    Session(u32),
    /// Of the world, not of the server: a client does something.
    Client(u32),
}

/// What is to be tested. It knows of no backend.
#[derive(Default)]
struct Server {
    beats: u64,
    ended: u64,
}

impl Server {
    fn open<B: EventOp>(
        &mut self,
        base: &mut Base<B>,
        fd: B::Fd,
        number: u32,
    ) -> Result<EventId, evcore::Error<B::Error>> {
        let session = Event::io(fd, Interest::READ).persist();
        Ok(base.start(session.timeout(SILENCE), Task::Session(number))?)
    }

    /// Says whether the session goes on.
    fn serve<B: EventOp>(&mut self, base: &mut Base<B>, id: EventId, ready: Ready) -> bool {
        let goes_on = ready.is_readable();
        match goes_on {
            true => self.beats += 1,
            false => {
                self.ended += 1;
                base.remove(id);
            }
        }
        goes_on
    }
}

/// The world: clients that beat, or are silent for too long, as the generator has it; and what the server must make of it.
struct World {
    seed: u64,
    last_beat: [Instant; SESSIONS as usize],
    sent: u64,
    silences: u64,
}

impl World {
    /// xorshift64.
    fn random(&mut self, below: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed % below
    }

    /// When a client does something next: 1 to 29 seconds, and once in a hundred times not before it is too late.
    fn pause(&mut self) -> Duration {
        if self.random(100) == 0 {
            self.silences += 1;
            return SILENCE + Duration::from_millis(1 + self.random(60_000));
        }
        Duration::from_millis(1_000 + self.random(28_000))
    }
}

fn simulate(seed: u64) -> Result<String, Box<dyn Error>> {
    let mut base: Base<Manual> = Base::new(Manual::new());
    let mut server = Server::default();
    let last_beat = [Instant::ZERO; SESSIONS as usize];
    let mut world = World { seed: seed | 1 << 32, last_beat, sent: 0, silences: 0 };
    for number in 0..SESSIONS {
        server.open(&mut base, number, number)?;
        base.insert_timer(world.pause(), Task::Client(number))?;
    }
    base.loop_exit_after(SPAN);

    while let Some(fired) = base.next_event(Wait::Forever)? {
        let (id, ready, task) = (fired.id, fired.ready, *fired.data);
        let now = base.now();
        match task {
            Task::Session(number) => {
                let last = world.last_beat.get_mut(number as usize).ok_or("no such session")?;
                let is_on = server.serve(&mut base, id, ready);
                base.backend_mut().set_ready(number, Ready::empty());
                // What the server promises, checked at each step: it ends the silent, at the very nanosecond.
                assert_eq!(is_on, now.saturating_since(*last) < SILENCE);
                assert!(is_on || now.saturating_since(*last) == SILENCE);
                *last = now;
                if !is_on {
                    server.open(&mut base, number, number)?;
                }
            }
            Task::Client(number) => {
                world.sent += 1;
                base.backend_mut().set_ready(number, Ready::READ);
                base.remove(id);
                base.insert_timer(world.pause(), Task::Client(number))?;
            }
        }
    }
    // A beat of the last turn may be unserved.
    assert!(world.sent - server.beats <= u64::from(SESSIONS));
    let (turns, passed) = (base.stats().turns, base.now().saturating_since(Instant::ZERO));
    Ok(format!(
        "{passed:?}: {} beats, {} silences, {} sessions ended, {turns} turns",
        server.beats, world.silences, server.ended
    ))
}

const HELP: &str = "\
usage: simulation [SEED]

Runs a server against simulated clients for four hours of virtual time, and prints what happened.

  SEED  a number; equal seeds give equal hours (default: 1)";

fn main() -> ExitCode {
    cli::run(HELP, cli::optional, |seed| simulate(seed.unwrap_or(1)).map(|line| println!("{line}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_base_with_one_session() -> (Base<Manual>, Server, EventId) {
        let (mut base, mut server) = (Base::new(Manual::new()), Server::default());
        let id = server.open(&mut base, 3, 0).unwrap();
        (base, server, id)
    }

    #[test]
    fn a_silent_session_ends_after_thirty_seconds_and_not_before() {
        let (mut base, mut server, id) = a_base_with_one_session();
        assert!(base.poll(Wait::Until(Instant::from_nanos(29_999_999_999))).unwrap().is_running());
        assert!(base.next_active().is_none());
        assert!(base.poll(Wait::Forever).unwrap().is_running());
        let ready = base.next_active().unwrap().ready;
        assert!(!server.serve(&mut base, id, ready));
        assert_eq!((base.now().as_nanos(), base.contains(id)), (30_000_000_000, false));
    }

    #[test]
    fn refused_session_is_reported() {
        let (mut base, mut server, _) = a_base_with_one_session();
        base.backend_mut().refuse(1);
        assert!(server.open(&mut base, 4, 1).is_err());
        assert_eq!(base.counts().events, 1);
    }

    #[test]
    fn the_same_seed_gives_the_same_hours() {
        assert_eq!(simulate(7).unwrap(), simulate(7).unwrap());
        assert_ne!(simulate(7).unwrap(), simulate(8).unwrap());
    }
}
