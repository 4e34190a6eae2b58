//! The same on evcore.

use std::io;
use std::time::Duration;

use evcore::{Event, Fd, Interest, Ready, Wait};
use evplat_linux::{Epoll, EventBase};

use crate::work::{Link, Loop, Round};

#[derive(Debug)]
pub(crate) struct Engine {
    base: EventBase<Link>,
}

impl Loop for Engine {
    fn new(links: Vec<Link>, idle: Option<Duration>) -> io::Result<Self> {
        let mut base = EventBase::new(Epoll::new()?);
        for link in links {
            base.start(Event::io(Fd::of(&link.reader), Interest::READ).persist(), idle, link)?;
        }
        Ok(Self { base })
    }

    fn run(&mut self, round: &mut Round) -> io::Result<()> {
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
