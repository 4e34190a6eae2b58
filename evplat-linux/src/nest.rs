//! One descriptor for the whole base, to be watched in another loop.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};

use evcore::Fd;
use evplat_posix::Error;
use evplat_posix::backend::ForkGuard;

use crate::sys::{self, Everlasting};

/// A second set around the base's own, so that its number outlives the other's.
///
/// ```text
///   another loop ──watches──▶ outer set ──holds──▶ the base's set ──holds──▶ sockets, …
///                             (always this one)    (a new one after a rebuild)
/// ```
///
/// In the child of a fork the outer set is the parent's, and a new one is put under its number. A loop that had registered the
/// number before that would watch the parent's set for ever. So the first base of the child that is reinitialised does it for
/// all bases: each nest is in a list of the process.
#[derive(Debug)]
pub(crate) struct Nest {
    // In this order: the number leaves the list before it is closed.
    _place: Listed,
    outer: OwnedFd,
}

/// All nests of the process. A handler of the program's own may fork in the middle of a change, or another thread, so there is
/// no lock.
static NESTS: Everlasting<Place> = Everlasting::new();

/// A place in the list, free or a nest's.
#[derive(Debug)]
struct Place {
    number: AtomicI32,
    /// Of the process whose set the number stands for.
    guard: ForkGuard,
}

const FREE: RawFd = -1;
/// Its nest is about to be made, or to go.
const TAKEN: RawFd = -2;

/// A place, as long as the nest has it.
#[derive(Debug)]
struct Listed(&'static Place);

impl Nest {
    /// An outer set that holds `set`.
    pub(crate) fn new(set: BorrowedFd<'_>) -> Result<Self, Error> {
        let outer = sys::epoll_create().map_err(Error::during("epoll_create1"))?;
        hold(outer.as_fd(), set)?;
        let place = Listed::new()?;
        place.0.number.store(outer.as_raw_fd(), Ordering::Release);
        Ok(Self { _place: place, outer })
    }

    /// Takes in a set: readable when it is.
    pub(crate) fn hold(&self, set: BorrowedFd<'_>) -> Result<(), Error> {
        hold(self.outer.as_fd(), set)
    }

    /// Lets a set go. Closing it is not enough where the child of a fork holds it too.
    pub(crate) fn release(&self, set: BorrowedFd<'_>) {
        // It can only be gone already.
        let _ = sys::epoll_del(self.outer.as_fd(), Fd::of(&set));
    }
}

/// For the child of a fork: sets of its own, empty ones, under the numbers of all nests.
pub(crate) fn renew_all() -> Result<(), Error> {
    NESTS.iter().try_for_each(Place::renew)
}

impl Place {
    /// Puts a set of this process under the number, if there is a nest and that has not been done.
    fn renew(&self) -> Result<(), Error> {
        let number = self.number.load(Ordering::Acquire);
        if number >= 0 && self.guard.forked() {
            let fresh = sys::epoll_create().map_err(Error::during("epoll_create1"))?;
            // A child may have closed any descriptor that it inherited, and have opened something else since.
            if sys::is_set(number, fresh.as_fd()) {
                sys::replace(&fresh, number).map_err(Error::during("dup3"))?;
            }
            self.guard.renew();
        }
        Ok(())
    }
}

impl Listed {
    fn new() -> Result<Self, Error> {
        let take =
            |place: &&Place| place.number.compare_exchange(FREE, TAKEN, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        let place = match NESTS.iter().find(take) {
            Some(place) => {
                place.guard.renew();
                place
            }
            None => NESTS.push(Place { number: AtomicI32::new(TAKEN), guard: ForkGuard::new()? }).ok_or(Error::Full)?,
        };
        Ok(Self(place))
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.0.number.store(FREE, Ordering::Release);
    }
}

fn hold(outer: BorrowedFd<'_>, set: BorrowedFd<'_>) -> Result<(), Error> {
    let events = libc::EPOLLIN as u32;
    sys::epoll_add(outer, Fd::of(&set), events, 0).map_err(Error::during("epoll_ctl"))
}

impl AsFd for Nest {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.outer.as_fd()
    }
}

/// How many nests there have been at the same time.
#[cfg(test)]
pub(crate) fn places() -> usize {
    NESTS.iter().count()
}
