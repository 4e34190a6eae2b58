//! W1, W2.

use std::io;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use evcore_benchmarks::deadlines::Deadlines;
use evcore_benchmarks::ring::{Link, RingLoop, Round, Setup};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

pub(crate) struct Ring {
    poll: Poll,
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
        let (poll, mut deadlines) = (Poll::new()?, Deadlines::default());
        let deadline = Instant::now() + idle.unwrap_or_default();
        for (index, link) in links.iter().enumerate() {
            let fd = link.reader.as_raw_fd();
            poll.registry().register(&mut SourceFd(&fd), Token(index), Interest::READABLE)?;
            if idle.is_some() {
                deadlines.insert(deadline, index);
            }
        }
        let connections = links.into_iter().map(|link| Some(Connection { link, deadline })).collect();
        Ok(Self { poll, events: Events::with_capacity(crate::BATCH), connections, idle, deadlines })
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
            self.poll.poll(&mut self.events, None)?;
            for event in &self.events {
                if let Some(Some(connection)) = self.connections.get(event.token().0) {
                    connection.link.pass_on(round)?;
                }
            }
        }
        Ok(())
    }

    fn run_timed(&mut self, idle: Duration, round: &mut Round) -> io::Result<()> {
        let mut now = Instant::now();
        while !round.is_over() {
            self.poll.poll(&mut self.events, self.deadlines.until_first(now))?;
            now = Instant::now();
            for event in &self.events {
                let index = event.token().0;
                if let Some(Some(connection)) = self.connections.get_mut(index) {
                    self.deadlines.remove(connection.deadline, index);
                    connection.deadline = now + idle;
                    self.deadlines.insert(connection.deadline, index);
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
