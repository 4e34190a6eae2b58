//! W3.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use calloop::generic::Generic;
use calloop::{Dispatcher, EventLoop, Interest, LoopHandle, Mode, PostAction, RegistrationToken};
use evcore_benchmarks::churn;

type Source = Dispatcher<'static, Generic<OwnedFd>, u64>;

pub(crate) struct Churn {
    events: EventLoop<'static, u64>,
    handle: LoopHandle<'static, u64>,
    sources: Vec<(Source, RegistrationToken)>,
}

impl Churn {
    fn watching(readers: Vec<OwnedFd>, mode: Mode) -> io::Result<Self> {
        let events = EventLoop::try_new().map_err(io::Error::other)?;
        let (handle, mut sources) = (events.handle(), Vec::with_capacity(readers.len()));
        for reader in readers {
            let source = Dispatcher::new(Generic::new(reader, Interest::READ, mode), |_, _, served: &mut u64| {
                *served += 1;
                Ok(PostAction::Reregister)
            });
            let token = handle.register_dispatcher(source.clone()).map_err(io::Error::other)?;
            sources.push((source, token));
        }
        Ok(Self { events, handle, sources })
    }

    /// Runs a turn; returns how many events were handed out.
    fn turn(&mut self) -> io::Result<u64> {
        let mut served = 0;
        self.events.dispatch(Some(Duration::ZERO), &mut served).map_err(io::Error::other)?;
        Ok(served)
    }
}

impl churn::Churn for Churn {
    fn new(readers: Vec<OwnedFd>) -> io::Result<Self> {
        Self::watching(readers, Mode::Level)
    }

    fn once(readers: Vec<OwnedFd>) -> io::Result<Self> {
        Self::watching(readers, Mode::OneShot)
    }

    fn pair(&mut self) -> io::Result<u64> {
        for (_, token) in &self.sources {
            self.handle.disable(token).map_err(io::Error::other)?;
            self.handle.enable(token).map_err(io::Error::other)?;
        }
        self.turn()?;
        Ok(self.sources.len() as u64)
    }

    fn toggle(&mut self) -> io::Result<u64> {
        for (source, token) in &self.sources {
            for interest in [Interest::BOTH, Interest::READ] {
                source.as_source_mut().interest = interest;
                self.handle.update(token).map_err(io::Error::other)?;
            }
        }
        self.turn()?;
        Ok(self.sources.len() as u64)
    }

    fn bulk(&mut self) -> io::Result<u64> {
        for (_, token) in &self.sources {
            self.handle.disable(token).map_err(io::Error::other)?;
        }
        self.turn()?;
        for (_, token) in &self.sources {
            self.handle.enable(token).map_err(io::Error::other)?;
        }
        self.turn()?;
        Ok(self.sources.len() as u64)
    }

    fn oneshot(&mut self) -> io::Result<u64> {
        self.turn()
    }
}
