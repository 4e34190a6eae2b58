//! The same on evcore.

use std::io;
use std::time::Duration;

use evcore::{Event, Fd, Interest, Ready, Wait};
use evplat_linux::{Epoll, EventBase};

use crate::work::{Link, Loop, Round};

#[derive(Debug)]
pub(crate) struct Engine {
    base: EventBase<Link>,
    is_timed: bool,
}

impl Loop for Engine {
    fn new(links: Vec<Link>, idle: Option<Duration>) -> io::Result<Self> {
        let mut base = EventBase::new(Epoll::new()?);
        for link in links {
            base.start(Event::io(Fd::of(&link.reader), Interest::READ).persist(), idle, link)?;
        }
        Ok(Self { base, is_timed: idle.is_some() })
    }

    fn run(&mut self, round: &mut Round) -> io::Result<()> {
        if self.is_timed { self.run_timed(round) } else { self.run_plain(round) }
    }
}

impl Engine {
    fn run_plain(&mut self, round: &mut Round) -> io::Result<()> {
        while !round.is_over() && self.base.poll(Wait::Forever)?.is_running() {
            while let Some(fired) = self.base.next_active() {
                fired.data.pass_on(round)?;
            }
        }
        Ok(())
    }

    fn run_timed(&mut self, round: &mut Round) -> io::Result<()> {
        while !round.is_over() && self.base.poll(Wait::Forever)?.is_running() {
            while let Some(fired) = self.base.next_active() {
                if fired.ready.contains(Ready::TIMEOUT) {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                fired.data.pass_on(round)?;
            }
        }
        Ok(())
    }
}
