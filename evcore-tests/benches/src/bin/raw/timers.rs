//! W4: the heap alone. A loop would add one wait per turn.

use std::io;
use std::time::{Duration, Instant};

use evcore_benchmarks::timers;

use crate::heap::Heap;

pub(crate) struct Timers {
    heap: Heap,
    epoch: Instant,
    now: u64,
    ids: Vec<u32>,
}

impl Timers {
    fn at(&self, delay: Duration) -> u64 {
        self.now + delay.as_nanos() as u64
    }
}

impl timers::Timers for Timers {
    fn new() -> io::Result<Self> {
        Ok(Self { heap: Heap::default(), epoch: Instant::now(), now: 0, ids: Vec::new() })
    }

    fn begin(&mut self) -> io::Result<()> {
        self.heap.clear();
        self.ids.clear();
        self.now = self.epoch.elapsed().as_nanos() as u64;
        Ok(())
    }

    fn insert(&mut self, delays: &[Duration]) -> io::Result<()> {
        for delay in delays {
            let timer = self.heap.create();
            self.heap.arm(timer, self.at(*delay));
            self.ids.push(timer);
        }
        Ok(())
    }

    fn cancel(&mut self, timers: &[u32]) -> io::Result<()> {
        timers.iter().for_each(|timer| self.heap.cancel(self.ids[*timer as usize]));
        Ok(())
    }

    fn add(&mut self, timers: &[u32], delays: &[Duration]) -> io::Result<()> {
        for (timer, delay) in timers.iter().zip(delays) {
            self.heap.arm(self.ids[*timer as usize], self.at(*delay));
        }
        Ok(())
    }

    fn rearm(&mut self, timers: &[u32], delays: &[Duration]) -> io::Result<()> {
        self.add(timers, delays)
    }

    fn expire(&mut self) -> io::Result<()> {
        let (mut left, now) = (self.ids.len(), self.epoch.elapsed().as_nanos() as u64);
        while left > 0 {
            let timer = self.heap.pop(now).ok_or_else(|| io::Error::other("a timer is not due"))?;
            std::hint::black_box(timer);
            left -= 1;
        }
        Ok(())
    }
}
