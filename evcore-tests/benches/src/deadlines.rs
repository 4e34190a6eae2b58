//! Timers for a loop that has none, in an ordered map by deadline, like async-io's.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use crate::timers::Timers;

/// The armed timers by deadline. A timer is identified by a number, and may be armed once.
#[derive(Debug, Default)]
pub struct Deadlines {
    ordered: BTreeMap<(Instant, usize), ()>,
}

impl Deadlines {
    #[inline]
    pub fn insert(&mut self, deadline: Instant, timer: usize) {
        self.ordered.insert((deadline, timer), ());
    }

    #[inline]
    pub fn remove(&mut self, deadline: Instant, timer: usize) {
        self.ordered.remove(&(deadline, timer));
    }

    /// How long the loop may sleep.
    #[inline]
    #[must_use]
    pub fn until_first(&self, now: Instant) -> Option<Duration> {
        self.ordered.first_key_value().map(|((deadline, _), ())| deadline.saturating_duration_since(now))
    }

    /// Removes the due timers.
    pub fn take_due(&mut self, now: Instant) -> impl Iterator<Item = usize> + use<> {
        let later = self.ordered.split_off(&(now, usize::MAX));
        std::mem::replace(&mut self.ordered, later).into_keys().map(|(_, timer)| timer)
    }
}

/// W4 on such a map; each timer's deadline is stored beside the map.
pub struct MapTimers {
    map: Deadlines,
    deadlines: Vec<Instant>,
    now: Instant,
}

impl Timers for MapTimers {
    fn new() -> io::Result<Self> {
        Ok(Self { map: Deadlines::default(), deadlines: Vec::new(), now: Instant::now() })
    }

    fn begin(&mut self) -> io::Result<()> {
        self.deadlines.clear();
        self.now = Instant::now();
        Ok(())
    }

    fn insert(&mut self, delays: &[Duration]) -> io::Result<()> {
        for (timer, delay) in delays.iter().enumerate() {
            let deadline = self.now + *delay;
            self.map.insert(deadline, timer);
            self.deadlines.push(deadline);
        }
        Ok(())
    }

    fn cancel(&mut self, timers: &[u32]) -> io::Result<()> {
        for timer in timers {
            let timer = *timer as usize;
            self.map.remove(self.deadlines[timer], timer);
        }
        Ok(())
    }

    fn add(&mut self, timers: &[u32], delays: &[Duration]) -> io::Result<()> {
        for (timer, delay) in timers.iter().zip(delays) {
            let (timer, deadline) = (*timer as usize, self.now + *delay);
            self.deadlines[timer] = deadline;
            self.map.insert(deadline, timer);
        }
        Ok(())
    }

    fn rearm(&mut self, timers: &[u32], delays: &[Duration]) -> io::Result<()> {
        self.again(timers, delays)
    }

    fn expire(&mut self) -> io::Result<()> {
        let due = self.map.take_due(Instant::now()).map(std::hint::black_box).count();
        if due == self.deadlines.len() { Ok(()) } else { Err(io::Error::other("a timer is not due")) }
    }
}
