//! W1, W2.

use std::io;
use std::time::Duration;

use evcore::{Event, Fd, Interest, Ready, Wait};
use evcore_benchmarks::ring::{Link, RingLoop, Round};

use crate::{Backend, Base};

pub(crate) struct Ring<B: Backend> {
    base: Base<B, Link>,
}

impl<B: Backend> RingLoop for Ring<B> {
    fn new(links: Vec<Link>, idle: Option<Duration>) -> io::Result<Self> {
        let mut base = Base::new(B::open()?);
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
