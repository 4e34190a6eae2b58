//! W4: deadlines are points in time, computed from the turn's clock.

use std::io;
use std::time::Duration;

use evcore::{Event, EventId, Instant, Wait};
use evcore_benchmarks::timers;

use crate::{Backend, Base};

pub(crate) struct Timers<B: Backend> {
    base: Base<B, u32>,
    now: Instant,
}

impl<B: Backend> timers::Timers for Timers<B> {
    type Handle = EventId;

    fn new() -> io::Result<Self> {
        Ok(Self { base: Base::new(B::open()?), now: Instant::ZERO })
    }

    fn begin(&mut self, ended: &[EventId]) -> io::Result<()> {
        for id in ended {
            self.base.remove(*id);
        }
        self.now = self.base.update_now();
        Ok(())
    }

    fn insert(&mut self, delay: Duration) -> io::Result<EventId> {
        let mut id = self.base.create(Event::timer(), 0)?;
        self.add(&mut id, delay)?;
        Ok(id)
    }

    fn cancel(&mut self, timer: &mut EventId) -> io::Result<()> {
        Ok(self.base.del(*timer)?)
    }

    fn add(&mut self, timer: &mut EventId, delay: Duration) -> io::Result<()> {
        Ok(self.base.add_at(*timer, self.now.saturating_add(delay))?)
    }

    fn rearm(&mut self, timer: &mut EventId, delay: Duration) -> io::Result<()> {
        self.add(timer, delay)
    }

    fn expire(&mut self, timers: usize) -> io::Result<()> {
        let mut left = timers;
        while left > 0 && self.base.poll(Wait::Forever)?.is_running() {
            while let Some(fired) = self.base.next_active() {
                *fired.data += 1;
                left -= 1;
            }
        }
        if left == 0 { Ok(()) } else { Err(io::Error::other("a timer is missing")) }
    }
}
