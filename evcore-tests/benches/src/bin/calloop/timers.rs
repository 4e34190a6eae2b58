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
    timers: Vec<(Dispatcher<'static, Timer, usize>, RegistrationToken)>,
    now: Instant,
}

impl Timers {
    fn move_to(&self, timer: usize, delay: Duration) -> RegistrationToken {
        let (source, token) = &self.timers[timer];
        source.as_source_mut().set_deadline(self.now + delay);
        *token
    }
}

impl timers::Timers for Timers {
    fn new() -> io::Result<Self> {
        let events = EventLoop::try_new().map_err(io::Error::other)?;
        Ok(Self { handle: events.handle(), events, timers: Vec::new(), now: Instant::now() })
    }

    fn begin(&mut self) -> io::Result<()> {
        self.timers.clear();
        self.now = Instant::now();
        Ok(())
    }

    fn insert(&mut self, delays: &[Duration]) -> io::Result<()> {
        for delay in delays {
            let source = Dispatcher::new(Timer::from_deadline(self.now + *delay), |_, _, expired: &mut usize| {
                *expired += 1;
                TimeoutAction::Drop
            });
            let token = self.handle.register_dispatcher(source.clone()).map_err(io::Error::other)?;
            self.timers.push((source, token));
        }
        Ok(())
    }

    fn cancel(&mut self, timers: &[u32]) -> io::Result<()> {
        for timer in timers {
            self.handle.disable(&self.timers[*timer as usize].1).map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn add(&mut self, timers: &[u32], delays: &[Duration]) -> io::Result<()> {
        for (timer, delay) in timers.iter().zip(delays) {
            let token = self.move_to(*timer as usize, *delay);
            self.handle.enable(&token).map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn rearm(&mut self, timers: &[u32], delays: &[Duration]) -> io::Result<()> {
        for (timer, delay) in timers.iter().zip(delays) {
            let token = self.move_to(*timer as usize, *delay);
            self.handle.update(&token).map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn expire(&mut self) -> io::Result<()> {
        let mut expired = 0;
        while expired < self.timers.len() {
            self.events.dispatch(None, &mut expired).map_err(io::Error::other)?;
        }
        Ok(())
    }
}
