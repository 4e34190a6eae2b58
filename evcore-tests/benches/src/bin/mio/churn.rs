//! W3: mio passes each change to the kernel at once. It has no one-shot events, so watching again means registering
//! again.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use evcore_benchmarks::churn;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

pub(crate) struct Churn {
    poll: Poll,
    events: Events,
    readers: Vec<OwnedFd>,
}

impl Churn {
    fn turn(&mut self) -> io::Result<()> {
        self.poll.poll(&mut self.events, Some(Duration::ZERO))
    }

    fn delete(&self, reader: &OwnedFd) -> io::Result<()> {
        self.poll.registry().deregister(&mut SourceFd(&reader.as_raw_fd()))
    }

    fn add(&self, index: usize, reader: &OwnedFd) -> io::Result<()> {
        self.poll.registry().register(&mut SourceFd(&reader.as_raw_fd()), Token(index), Interest::READABLE)
    }

    fn modify(&self, index: usize, reader: &OwnedFd, interest: Interest) -> io::Result<()> {
        self.poll.registry().reregister(&mut SourceFd(&reader.as_raw_fd()), Token(index), interest)
    }
}

impl churn::Churn for Churn {
    fn new(readers: Vec<OwnedFd>) -> io::Result<Self> {
        let churn = Self { poll: Poll::new()?, events: Events::with_capacity(crate::BATCH), readers };
        churn.readers.iter().enumerate().try_for_each(|(index, reader)| churn.add(index, reader))?;
        Ok(churn)
    }

    fn once(readers: Vec<OwnedFd>) -> io::Result<Self> {
        Self::new(readers)
    }

    fn pair(&mut self) -> io::Result<u64> {
        for (index, reader) in self.readers.iter().enumerate() {
            self.delete(reader)?;
            self.add(index, reader)?;
        }
        self.turn()?;
        Ok(self.readers.len() as u64)
    }

    fn toggle(&mut self) -> io::Result<u64> {
        for (index, reader) in self.readers.iter().enumerate() {
            self.modify(index, reader, Interest::READABLE | Interest::WRITABLE)?;
            self.modify(index, reader, Interest::READABLE)?;
        }
        self.turn()?;
        Ok(self.readers.len() as u64)
    }

    fn bulk(&mut self) -> io::Result<u64> {
        self.readers.iter().try_for_each(|reader| self.delete(reader))?;
        self.turn()?;
        self.readers.iter().enumerate().try_for_each(|(index, reader)| self.add(index, reader))?;
        self.turn()?;
        Ok(self.readers.len() as u64)
    }

    fn oneshot(&mut self) -> io::Result<u64> {
        let mut served = 0;
        self.turn()?;
        for event in &self.events {
            let index = event.token().0;
            if let Some(reader) = self.readers.get(index) {
                self.modify(index, reader, Interest::READABLE)?;
                served += 1;
            }
        }
        Ok(served)
    }
}
