//! W7: an eventfd, read when it is reported.

use std::io;
use std::os::fd::OwnedFd;

use evcore_benchmarks::sys::{self, EpollSet};
use evcore_benchmarks::wake;

pub(crate) struct Wake {
    set: EpollSet,
    bell: OwnedFd,
}

impl wake::Wakeable for Wake {
    type Waker = Box<dyn Fn() -> io::Result<()> + Send>;

    fn new() -> io::Result<Self> {
        let (mut set, bell) = (EpollSet::new(256)?, sys::eventfd(libc::EFD_NONBLOCK)?);
        set.add(&bell, libc::EPOLLIN, 0)?;
        Ok(Self { set, bell })
    }

    fn waker(&mut self) -> io::Result<Self::Waker> {
        let bell = self.bell.try_clone()?;
        Ok(Box::new(move || sys::write(&bell, &1u64.to_ne_bytes()).map(drop)))
    }

    fn turn(&mut self) -> io::Result<()> {
        if !self.set.wait(None)?.is_empty() {
            sys::read(&self.bell, &mut [0; 8])?;
        }
        Ok(())
    }
}
