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

/// W4 on such a map; a handle is a timer's deadline and number.
pub struct MapTimers {
    map: Deadlines,
    count: usize,
    now: Instant,
}

impl Timers for MapTimers {
    type Handle = (Instant, usize);

    fn new() -> io::Result<Self> {
        Ok(Self { map: Deadlines::default(), count: 0, now: Instant::now() })
    }

    fn begin(&mut self, _: &[Self::Handle]) -> io::Result<()> {
        self.count = 0;
        self.now = Instant::now();
        Ok(())
    }

    fn insert(&mut self, delay: Duration) -> io::Result<Self::Handle> {
        let (deadline, timer) = (self.now + delay, self.count);
        self.count += 1;
        self.map.insert(deadline, timer);
        Ok((deadline, timer))
    }

    fn cancel(&mut self, (deadline, timer): &mut Self::Handle) -> io::Result<()> {
        self.map.remove(*deadline, *timer);
        Ok(())
    }

    fn add(&mut self, (deadline, timer): &mut Self::Handle, delay: Duration) -> io::Result<()> {
        *deadline = self.now + delay;
        self.map.insert(*deadline, *timer);
        Ok(())
    }

    fn rearm(&mut self, timer: &mut Self::Handle, delay: Duration) -> io::Result<()> {
        self.cancel(timer)?;
        self.add(timer, delay)
    }

    fn expire(&mut self, timers: usize) -> io::Result<()> {
        let due = self.map.take_due(Instant::now()).map(std::hint::black_box).count();
        if due == timers { Ok(()) } else { Err(io::Error::other("a timer is not due")) }
    }
}
