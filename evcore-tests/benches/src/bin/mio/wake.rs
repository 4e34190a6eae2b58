//! W7.

use std::io;

use evcore_benchmarks::wake;
use mio::{Events, Poll, Token, Waker};

pub(crate) struct Wake {
    poll: Poll,
    events: Events,
}

impl wake::Wakeable for Wake {
    type Waker = Box<dyn Fn() -> io::Result<()> + Send>;

    fn new() -> io::Result<Self> {
        Ok(Self { poll: Poll::new()?, events: Events::with_capacity(crate::BATCH) })
    }

    fn waker(&mut self) -> io::Result<Self::Waker> {
        let waker = Waker::new(self.poll.registry(), Token(0))?;
        Ok(Box::new(move || waker.wake()))
    }

    fn turn(&mut self) -> io::Result<()> {
        self.poll.poll(&mut self.events, None)
    }
}
