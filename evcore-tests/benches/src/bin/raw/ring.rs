//! W1, and W2 with a sweep: the user data is an index into the table of connections, whose entry is empty once the
//! connection is closed. With timeouts, the clock is read once per turn, and every quarter of the timeout a sweep of
//! the table looks for expired ones. So a timeout is up to a quarter late, and all timeouts are equal.

use std::io;
use std::time::{Duration, Instant};

use evcore_benchmarks::ring::{Link, RingLoop, Round, Setup};
use evcore_benchmarks::sys::EpollSet;

pub(crate) struct Ring {
    set: EpollSet,
    connections: Vec<Option<Connection>>,
    timeouts: Option<Timeouts>,
}

struct Connection {
    link: Link,
    last: Instant,
}

#[derive(Clone, Copy)]
struct Timeouts {
    idle: Duration,
    next_sweep: Instant,
}

impl RingLoop for Ring {
    fn new(links: Vec<Link>, Setup { idle, .. }: Setup) -> io::Result<Self> {
        let now = Instant::now();
        let mut set = EpollSet::new(256)?;
        for (index, link) in links.iter().enumerate() {
            set.add(&link.reader, libc::EPOLLIN, index as u64)?;
        }
        let connections = links.into_iter().map(|link| Some(Connection { link, last: now })).collect();
        Ok(Self { set, connections, timeouts: idle.map(|idle| Timeouts { idle, next_sweep: now + idle / 4 }) })
    }

    fn run(&mut self, round: &mut Round) -> io::Result<()> {
        match self.timeouts {
            None => self.run_plain(round),
            Some(timeouts) => self.run_timed(timeouts, round),
        }
    }
}

impl Ring {
    fn run_plain(&mut self, round: &mut Round) -> io::Result<()> {
        while !round.is_over() {
            for event in self.set.wait(None)? {
                if let Some(Some(connection)) = self.connections.get(event.u64 as usize) {
                    connection.link.pass_on(round)?;
                }
            }
        }
        Ok(())
    }

    fn run_timed(&mut self, mut timeouts: Timeouts, round: &mut Round) -> io::Result<()> {
        let mut now = Instant::now();
        while !round.is_over() {
            let events = self.set.wait(Some(timeouts.next_sweep.saturating_duration_since(now)))?;
            now = Instant::now();
            for event in events {
                if let Some(Some(connection)) = self.connections.get_mut(event.u64 as usize) {
                    connection.last = now;
                    connection.link.pass_on(round)?;
                }
            }
            if now >= timeouts.next_sweep {
                timeouts.next_sweep = now + timeouts.idle / 4;
                if self.connections.iter().flatten().any(|connection| now - connection.last >= timeouts.idle) {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
        }
        self.timeouts = Some(timeouts);
        Ok(())
    }
}
