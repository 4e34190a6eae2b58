//! W3: polling passes each change to the kernel at once.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use evcore_benchmarks::churn;
use polling::{Event, Events, PollMode, Poller};

use crate::sys::add;

pub(crate) struct Churn {
    poller: Poller,
    events: Events,
    readers: Vec<OwnedFd>,
}

impl Churn {
    fn watching(readers: Vec<OwnedFd>, mode: PollMode) -> io::Result<Self> {
        let churn = Self { poller: Poller::new()?, events: Events::new(), readers };
        for (index, reader) in churn.readers.iter().enumerate() {
            add(&churn.poller, reader, Event::readable(index), mode)?;
        }
        Ok(churn)
    }

    fn turn(&mut self) -> io::Result<()> {
        self.events.clear();
        self.poller.wait(&mut self.events, Some(Duration::ZERO)).map(drop)
    }
}

impl churn::Churn for Churn {
    fn new(readers: Vec<OwnedFd>) -> io::Result<Self> {
        Self::watching(readers, PollMode::Level)
    }

    fn once(readers: Vec<OwnedFd>) -> io::Result<Self> {
        Self::watching(readers, PollMode::Oneshot)
    }

    fn pair(&mut self) -> io::Result<u64> {
        for (index, reader) in self.readers.iter().enumerate() {
            self.poller.delete(reader)?;
            add(&self.poller, reader, Event::readable(index), PollMode::Level)?;
        }
        self.turn()?;
        Ok(self.readers.len() as u64)
    }

    fn toggle(&mut self) -> io::Result<u64> {
        for (index, reader) in self.readers.iter().enumerate() {
            self.poller.modify_with_mode(reader, Event::all(index), PollMode::Level)?;
            self.poller.modify_with_mode(reader, Event::readable(index), PollMode::Level)?;
        }
        self.turn()?;
        Ok(self.readers.len() as u64)
    }

    fn bulk(&mut self) -> io::Result<u64> {
        self.readers.iter().try_for_each(|reader| self.poller.delete(reader))?;
        self.turn()?;
        for (index, reader) in self.readers.iter().enumerate() {
            add(&self.poller, reader, Event::readable(index), PollMode::Level)?;
        }
        self.turn()?;
        Ok(self.readers.len() as u64)
    }

    fn oneshot(&mut self) -> io::Result<u64> {
        let mut served = 0;
        self.turn()?;
        for event in self.events.iter() {
            if let Some(reader) = self.readers.get(event.key) {
                self.poller.modify(reader, Event::readable(event.key))?;
                served += 1;
            }
        }
        Ok(served)
    }
}
