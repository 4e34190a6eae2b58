//! W4: calloop searches all of its timers for the one that is cancelled or moved, so the time grows with the square
//! of N.

use std::io;
use std::time::{Duration, Instant};

use calloop::timer::{TimeoutAction, Timer};
use calloop::{Dispatcher, EventLoop, LoopHandle, RegistrationToken};
use evcore_benchmarks::timers;

pub(crate) struct Timers {
    events: EventLoop<'static, usize>,
    handle: LoopHandle<'static, usize>,
    now: Instant,
}

type Source = (Dispatcher<'static, Timer, usize>, RegistrationToken);

impl Timers {
    fn set_deadline(&self, (source, _): &Source, delay: Duration) {
        source.as_source_mut().set_deadline(self.now + delay);
    }
}

impl timers::Timers for Timers {
    type Handle = Source;

    fn new() -> io::Result<Self> {
        let events = EventLoop::try_new().map_err(io::Error::other)?;
        Ok(Self { handle: events.handle(), events, now: Instant::now() })
    }

    fn begin(&mut self, _: &[Source]) -> io::Result<()> {
        self.now = Instant::now();
        Ok(())
    }

    fn insert(&mut self, delay: Duration) -> io::Result<Source> {
        let source = Dispatcher::new(Timer::from_deadline(self.now + delay), |_, _, expired: &mut usize| {
            *expired += 1;
            TimeoutAction::Drop
        });
        let token = self.handle.register_dispatcher(source.clone()).map_err(io::Error::other)?;
        Ok((source, token))
    }

    fn cancel(&mut self, timer: &mut Source) -> io::Result<()> {
        self.handle.disable(&timer.1).map_err(io::Error::other)
    }

    fn add(&mut self, timer: &mut Source, delay: Duration) -> io::Result<()> {
        self.set_deadline(timer, delay);
        self.handle.enable(&timer.1).map_err(io::Error::other)
    }

    fn rearm(&mut self, timer: &mut Source, delay: Duration) -> io::Result<()> {
        self.set_deadline(timer, delay);
        self.handle.update(&timer.1).map_err(io::Error::other)
    }

    fn expire(&mut self, timers: usize) -> io::Result<()> {
        let mut expired = 0;
        while expired < timers {
            self.events.dispatch(None, &mut expired).map_err(io::Error::other)?;
        }
        Ok(())
    }
}
