//! W7: the base's own waker.

use std::io;

use evcore::{Instant, Wait};
use evcore_benchmarks::wake;

use crate::{Backend, Base};

pub(crate) struct Wake<B: Backend> {
    base: Base<B, ()>,
}

impl<B: Backend> wake::Wakeable for Wake<B> {
    type Waker = Box<dyn Fn() -> io::Result<()> + Send>;

    fn new() -> io::Result<Self> {
        Ok(Self { base: Base::new(B::open()?) })
    }

    fn waker(&mut self) -> io::Result<Self::Waker> {
        let waker = self.base.waker()?;
        Ok(Box::new(move || {
            waker.wake();
            Ok(())
        }))
    }

    fn turn(&mut self) -> io::Result<()> {
        let _ = self.base.poll(Wait::Until(Instant::MAX))?;
        while self.base.next_active().is_some() {}
        Ok(())
    }
}
