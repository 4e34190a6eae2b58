//! One descriptor for the whole base, to be watched in another loop.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use evcore::Fd;
use evplat_posix::Error;

use crate::sys;

/// A second set around the base's own, so that its number outlives the other's.
///
/// ```text
///   another loop ──watches──▶ outer set ──holds──▶ the base's set ──holds──▶ sockets, …
///                             (always this one)    (a new one after a rebuild)
/// ```
#[derive(Debug)]
pub(crate) struct Nest {
    outer: OwnedFd,
}

impl Nest {
    /// An outer set that holds `set`.
    pub(crate) fn new(set: BorrowedFd<'_>) -> Result<Self, Error> {
        let outer = sys::epoll_create().map_err(Error::during("epoll_create1"))?;
        let nest = Self { outer };
        nest.hold(set)?;
        Ok(nest)
    }

    /// Takes in a set: readable when it is.
    pub(crate) fn hold(&self, set: BorrowedFd<'_>) -> Result<(), Error> {
        let events = libc::EPOLLIN as u32;
        sys::epoll_add(self.outer.as_fd(), Fd::of(&set), events, 0).map_err(Error::during("epoll_ctl"))
    }

    /// Lets a set go. Closing it is not enough where the child of a fork holds it too.
    pub(crate) fn release(&self, set: BorrowedFd<'_>) {
        // It can only be gone already.
        let _ = sys::epoll_del(self.outer.as_fd(), Fd::of(&set));
    }

    /// For the child of a fork: an outer set of its own around `set`, under the number of the parent's.
    pub(crate) fn reinit(&self, set: BorrowedFd<'_>) -> Result<(), Error> {
        let fresh = Self::new(set)?;
        sys::replace(&fresh.outer, self.outer.as_fd()).map_err(Error::during("dup3"))
    }
}

impl AsFd for Nest {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.outer.as_fd()
    }
}
