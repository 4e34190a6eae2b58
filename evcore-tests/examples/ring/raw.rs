//! The limit: an epoll loop as one writes it by hand for this one program.
//!
//! Level-triggered; the cookie is a place in the table of connections, which is empty once its connection is closed. Where
//! there are timeouts, the clock is read once a turn, and a sweep of the table looks for those that are over, now and then.

use std::io;
use std::time::{Duration, Instant};

use crate::sys::EpollSet;
use crate::work::{Link, Loop, Round};

#[derive(Debug)]
pub(crate) struct Epoll {
    set: EpollSet,
    connections: Vec<Option<Connection>>,
    timeouts: Option<Timeouts>,
}

#[derive(Debug)]
struct Connection {
    link: Link,
    last: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Timeouts {
    idle: Duration,
    next_sweep: Instant,
}

impl Epoll {
    pub(crate) fn with(mut links: Vec<Link>, idle: Option<Duration>) -> io::Result<Self> {
        links.pop();
        let now = Instant::now();
        let mut set = EpollSet::new(256)?;
        for (index, link) in links.iter().enumerate() {
            set.add(&link.reader, index as u64)?;
        }
        let connections = links.into_iter().map(|link| Some(Connection { link, last: now })).collect();
        Ok(Self { set, connections, timeouts: idle.map(|idle| Timeouts { idle, next_sweep: now + idle / 4 }) })
    }
}

impl Loop for Epoll {
    fn run(&mut self, round: &mut Round) -> io::Result<()> {
        match self.timeouts {
            None => self.run_plain(round),
            Some(timeouts) => self.run_timed(timeouts, round),
        }
    }
}

impl Epoll {
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
            let events = self.set.wait(Some(timeouts.next_sweep - now))?;
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
