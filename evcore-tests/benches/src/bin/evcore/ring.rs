//! W1, W2.

use std::io;

use evcore::{Event, Fd, Interest, Ready, Wait};
use evcore_benchmarks::ring::{Link, RingLoop, Round, Setup};

use crate::{Backend, Base};

pub(crate) struct Ring<B: Backend> {
    base: Base<B, Link>,
}

impl<B: Backend> RingLoop for Ring<B> {
    fn new(links: Vec<Link>, setup: Setup) -> io::Result<Self> {
        let mut base = Base::new(B::open()?);
        // A program without priorities does not mention them.
        let has_priorities = setup.priorities > 1;
        if has_priorities {
            base.set_priorities(setup.priorities)?;
        }
        for (place, link) in links.into_iter().enumerate() {
            let event = Event::io(Fd::of(&link.reader), Interest::READ).persist();
            let event = if has_priorities { event.priority(setup.priority(place)) } else { event };
            base.start(setup.with_idle(event), link)?;
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
