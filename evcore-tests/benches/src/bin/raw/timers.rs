//! W4: the heap alone. A loop would add one wait per turn.

use std::io;
use std::time::{Duration, Instant};

use evcore_benchmarks::timers;

use crate::heap::Heap;

pub(crate) struct Timers {
    heap: Heap,
    epoch: Instant,
    now: u64,
}

impl timers::Timers for Timers {
    type Handle = u32;

    fn new() -> io::Result<Self> {
        Ok(Self { heap: Heap::default(), epoch: Instant::now(), now: 0 })
    }

    fn begin(&mut self, _: &[u32]) -> io::Result<()> {
        self.heap.clear();
        self.now = self.epoch.elapsed().as_nanos() as u64;
        Ok(())
    }

    fn insert(&mut self, delay: Duration) -> io::Result<u32> {
        let mut timer = self.heap.create();
        self.add(&mut timer, delay)?;
        Ok(timer)
    }

    fn cancel(&mut self, timer: &mut u32) -> io::Result<()> {
        self.heap.cancel(*timer);
        Ok(())
    }

    fn add(&mut self, timer: &mut u32, delay: Duration) -> io::Result<()> {
        self.heap.arm(*timer, self.now + delay.as_nanos() as u64);
        Ok(())
    }

    fn rearm(&mut self, timer: &mut u32, delay: Duration) -> io::Result<()> {
        self.add(timer, delay)
    }

    fn expire(&mut self, timers: usize) -> io::Result<()> {
        let now = self.epoch.elapsed().as_nanos() as u64;
        for _ in 0..timers {
            let timer = self.heap.pop(now).ok_or_else(|| io::Error::other("a timer is not due"))?;
            std::hint::black_box(timer);
        }
        Ok(())
    }
}
