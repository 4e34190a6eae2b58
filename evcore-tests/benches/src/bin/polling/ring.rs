//! W1, W2.

use std::io;
use std::time::{Duration, Instant};

use evcore_benchmarks::deadlines::Deadlines;
use evcore_benchmarks::ring::{Link, RingLoop, Round, Setup};
use polling::{Event, Events, PollMode, Poller};

pub(crate) struct Ring {
    poller: Poller,
    events: Events,
    connections: Vec<Option<Connection>>,
    idle: Option<Duration>,
    deadlines: Deadlines,
}

struct Connection {
    link: Link,
    deadline: Instant,
}

impl RingLoop for Ring {
    fn new(links: Vec<Link>, Setup { idle, .. }: Setup) -> io::Result<Self> {
        let (poller, mut deadlines) = (Poller::new()?, Deadlines::default());
        let deadline = Instant::now() + idle.unwrap_or_default();
        for (index, link) in links.iter().enumerate() {
            crate::sys::add(&poller, link, Event::readable(index), PollMode::Level)?;
            if idle.is_some() {
                deadlines.insert(deadline, index);
            }
        }
        let connections = links.into_iter().map(|link| Some(Connection { link, deadline })).collect();
        Ok(Self { poller, events: Events::new(), connections, idle, deadlines })
    }

    fn run(&mut self, round: &mut Round) -> io::Result<()> {
        match self.idle {
            None => self.run_plain(round),
            Some(idle) => self.run_timed(idle, round),
        }
    }
}

impl Ring {
    fn run_plain(&mut self, round: &mut Round) -> io::Result<()> {
        while !round.is_over() {
            self.events.clear();
            self.poller.wait(&mut self.events, None)?;
            for event in self.events.iter() {
                if let Some(Some(connection)) = self.connections.get(event.key) {
                    connection.link.pass_on(round)?;
                }
            }
        }
        Ok(())
    }

    fn run_timed(&mut self, idle: Duration, round: &mut Round) -> io::Result<()> {
        let mut now = Instant::now();
        while !round.is_over() {
            self.events.clear();
            self.poller.wait(&mut self.events, self.deadlines.until_first(now))?;
            now = Instant::now();
            for event in self.events.iter() {
                if let Some(Some(connection)) = self.connections.get_mut(event.key) {
                    self.deadlines.remove(connection.deadline, event.key);
                    connection.deadline = now + idle;
                    self.deadlines.insert(connection.deadline, event.key);
                    connection.link.pass_on(round)?;
                }
            }
            if self.deadlines.until_first(now) == Some(Duration::ZERO) {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        Ok(())
    }
}
