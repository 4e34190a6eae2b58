//! W1, and W2 with a sweep: the cookie is a place in the table of connections, which is empty once its connection is closed.
//! Where there are timeouts, the clock is read once a turn, and a sweep of the table every quarter of the timeout looks for
//! those that are over. So a timeout comes up to a quarter late, and all of them are the same.

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
