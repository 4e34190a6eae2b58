//! W3.

use std::io;
use std::os::fd::OwnedFd;

use evcore::{Event, EventId, Fd, Interest, Wait};
use evcore_benchmarks::churn;

use crate::{Backend, Base};

pub(crate) struct Churn<B: Backend> {
    base: Base<B, OwnedFd>,
    ids: Vec<EventId>,
}

impl<B: Backend> Churn<B> {
    fn watching(readers: Vec<OwnedFd>, describe: impl Fn(Fd) -> Event<Fd>) -> io::Result<Self> {
        let mut base = Base::new(B::open()?);
        let mut ids = Vec::with_capacity(readers.len());
        for reader in readers {
            ids.push(base.start(describe(Fd::of(&reader)), reader)?);
        }
        Ok(Self { base, ids })
    }

    /// Runs a turn that finds nothing.
    fn turn(&mut self) -> io::Result<()> {
        let _ = self.base.poll(Wait::None)?;
        while self.base.next_active().is_some() {}
        Ok(())
    }
}

impl<B: Backend> churn::Churn for Churn<B> {
    fn new(readers: Vec<OwnedFd>) -> io::Result<Self> {
        Self::watching(readers, |fd| Event::io(fd, Interest::READ).persist())
    }

    fn once(readers: Vec<OwnedFd>) -> io::Result<Self> {
        Self::watching(readers, |fd| Event::io(fd, Interest::READ))
    }

    fn pair(&mut self) -> io::Result<u64> {
        for id in &self.ids {
            self.base.del(*id)?;
            self.base.add(*id, None)?;
        }
        self.turn()?;
        Ok(self.ids.len() as u64)
    }

    fn toggle(&mut self) -> io::Result<u64> {
        for id in &self.ids {
            self.base.modify(*id, Interest::READ | Interest::WRITE)?;
            self.base.modify(*id, Interest::READ)?;
        }
        self.turn()?;
        Ok(self.ids.len() as u64)
    }

    fn bulk(&mut self) -> io::Result<u64> {
        for id in &self.ids {
            self.base.del(*id)?;
        }
        self.turn()?;
        for id in &self.ids {
            self.base.add(*id, None)?;
        }
        self.turn()?;
        Ok(self.ids.len() as u64)
    }

    fn oneshot(&mut self) -> io::Result<u64> {
        let mut served = 0;
        let _ = self.base.poll(Wait::None)?;
        while let Some(fired) = self.base.next_active() {
            let id = fired.id;
            self.base.add(id, None)?;
            served += 1;
        }
        Ok(served)
    }
}
