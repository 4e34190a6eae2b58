//! W7.

use std::io;
use std::sync::Arc;

use evcore_benchmarks::wake;
use polling::{Events, Poller};

pub(crate) struct Wake {
    poller: Arc<Poller>,
    events: Events,
}

impl wake::Wakeable for Wake {
    type Waker = Box<dyn Fn() -> io::Result<()> + Send>;

    fn new() -> io::Result<Self> {
        Ok(Self { poller: Arc::new(Poller::new()?), events: Events::new() })
    }

    fn waker(&mut self) -> io::Result<Self::Waker> {
        let poller = Arc::clone(&self.poller);
        Ok(Box::new(move || poller.notify()))
    }

    fn turn(&mut self) -> io::Result<()> {
        self.events.clear();
        self.poller.wait(&mut self.events, None).map(drop)
    }
}
