//! The backends under test.

use std::os::fd::AsFd;

use evcore::backend::{Either, Wake};
use evcore::{EventBase, Growable};
use evplat_linux::Epoll;
use evplat_posix::{Error, Poll, Preferences, Select, Waker};

use crate::sys;

/// A backend under test.
pub(crate) trait Subject: Wake<Fd = evcore::Fd, Error = Error, Waker = Waker> {
    /// Makes the descriptor for another loop, if the backend has one. Returns whether it is readable.
    fn is_nest_readable(&mut self) -> Option<Result<bool, Error>> {
        None
    }
}

pub(crate) type Base<B> = EventBase<B, Growable, u32>;

impl Subject for Epoll {
    fn is_nest_readable(&mut self) -> Option<Result<bool, Error>> {
        Some(self.nest().map(|nest| sys::is_readable(&nest.as_fd())))
    }
}

impl Subject for Poll {}
impl Subject for Select {}

impl<A: Subject, B: Subject<FdInfo: Default>> Subject for Either<A, B> {
    fn is_nest_readable(&mut self) -> Option<Result<bool, Error>> {
        match self {
            Self::Left(backend) => backend.is_nest_readable(),
            Self::Right(backend) => backend.is_nest_readable(),
        }
    }
}

/// The first that can be made, as a program chooses at run time.
pub(crate) fn choose() -> Result<Either<Either<Epoll, Poll>, Select>, Error> {
    let wanted = Preferences::new().ignore_environment();
    let choice = wanted.pick("epoll", Epoll::new).or("poll", Poll::new).or("select", Select::new);
    choice.backend().map_err(|_| Error::Unsupported)
}
