//! W4: deadlines are points in time, computed from the turn's clock.

use std::io;
use std::time::Duration;

use evcore::{Event, EventId, Instant, Wait};
use evcore_benchmarks::timers;

use crate::{Backend, Base};

pub(crate) struct Timers<B: Backend> {
    base: Base<B, u32>,
    now: Instant,
    ids: Vec<EventId>,
}

impl<B: Backend> timers::Timers for Timers<B> {
    fn new() -> io::Result<Self> {
        Ok(Self { base: Base::new(B::open()?), now: Instant::ZERO, ids: Vec::new() })
    }

    fn begin(&mut self) -> io::Result<()> {
        for id in self.ids.drain(..) {
            self.base.remove(id);
        }
        self.now = self.base.update_now();
        Ok(())
    }

    fn insert(&mut self, delays: &[Duration]) -> io::Result<()> {
        for delay in delays {
            let id = self.base.create(Event::timer(), 0)?;
            self.base.add_at(id, self.now.saturating_add(*delay))?;
            self.ids.push(id);
        }
        Ok(())
    }

    fn cancel(&mut self, timers: &[u32]) -> io::Result<()> {
        for timer in timers {
            self.base.del(self.ids[*timer as usize])?;
        }
        Ok(())
    }

    fn add(&mut self, timers: &[u32], delays: &[Duration]) -> io::Result<()> {
        for (timer, delay) in timers.iter().zip(delays) {
            self.base.add_at(self.ids[*timer as usize], self.now.saturating_add(*delay))?;
        }
        Ok(())
    }

    fn rearm(&mut self, timers: &[u32], delays: &[Duration]) -> io::Result<()> {
        self.add(timers, delays)
    }

    fn expire(&mut self) -> io::Result<()> {
        let mut left = self.ids.len();
        while left > 0 && self.base.poll(Wait::Forever)?.is_running() {
            while let Some(fired) = self.base.next_active() {
                *fired.data += 1;
                left -= 1;
            }
        }
        if left == 0 { Ok(()) } else { Err(io::Error::other("a timer is missing")) }
    }
}
