//! W7: a ping.

use std::io;

use calloop::EventLoop;
use calloop::ping::make_ping;
use evcore_benchmarks::wake;

pub(crate) struct Wake {
    events: EventLoop<'static, ()>,
}

impl wake::Wakeable for Wake {
    type Waker = Box<dyn Fn() -> io::Result<()> + Send>;

    fn new() -> io::Result<Self> {
        Ok(Self { events: EventLoop::try_new().map_err(io::Error::other)? })
    }

    fn waker(&mut self) -> io::Result<Self::Waker> {
        let (ping, source) = make_ping()?;
        self.events.handle().insert_source(source, |_, _, _| {}).map_err(|error| io::Error::other(error.error))?;
        Ok(Box::new(move || {
            ping.ping();
            Ok(())
        }))
    }

    fn turn(&mut self) -> io::Result<()> {
        self.events.dispatch(None, &mut ()).map_err(io::Error::other)
    }
}
