//! A single descriptor for the whole base, to watch in another loop.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};

use evcore::Fd;
use evplat_posix::Error;
use evplat_posix::backend::ForkGuard;

use crate::sys::{self, Everlasting};

/// An outer epoll set that contains the base's own, so that its number stays the same when that is rebuilt.
///
/// ```text
///   another loop ──watches──▶ outer set ──holds──▶ the base's set ──holds──▶ sockets, …
///                             (always this one)    (a new one after a rebuild)
/// ```
///
/// In the child of a fork the outer set is the parent's, so a new one replaces it under the same number. A loop that
/// registers the number before that would watch the parent's set for ever. So the first base that the child
/// reinitialises does it for all bases: a list of the process contains each nest.
#[derive(Debug)]
pub(crate) struct Nest {
    // In this order: the number is removed from the list before it is closed.
    _place: Listed,
    outer: OwnedFd,
}

/// All nests of the process. It has no lock, because another thread, or one of the program's fork handlers, may fork
/// in the middle of a change.
static NESTS: Everlasting<Place> = Everlasting::new();

/// An entry of the list, free or used by a nest.
#[derive(Debug)]
struct Place {
    number: AtomicI32,
    /// The guard of the process that owns the set.
    guard: ForkGuard,
}

const FREE: RawFd = -1;
/// The entry's nest is being made or dropped.
const TAKEN: RawFd = -2;

/// An entry that a nest uses; dropping this frees it.
#[derive(Debug)]
struct Listed(&'static Place);

impl Nest {
    /// Creates an outer set that contains `set`.
    pub(crate) fn new(set: BorrowedFd<'_>) -> Result<Self, Error> {
        let outer = sys::epoll_create().map_err(Error::during("epoll_create1"))?;
        hold(outer.as_fd(), set)?;
        let place = Listed::new()?;
        place.0.number.store(outer.as_raw_fd(), Ordering::Release);
        Ok(Self { _place: place, outer })
    }

    /// Adds a set: the nest is readable when that is.
    pub(crate) fn hold(&self, set: BorrowedFd<'_>) -> Result<(), Error> {
        hold(self.outer.as_fd(), set)
    }

    /// Removes a set. Closing it is not enough if the child of a fork has it open, too.
    pub(crate) fn release(&self, set: BorrowedFd<'_>) {
        // It fails only if the set is already gone.
        let _ = sys::epoll_del(self.outer.as_fd(), Fd::of(&set));
    }
}

/// For the child of a fork: replaces the outer sets of all nests by empty ones of its own, under the same numbers.
pub(crate) fn renew_all() -> Result<(), Error> {
    NESTS.iter().try_for_each(Place::renew)
}

impl Place {
    /// Replaces the set under this number by one of this process, if there is a nest and that has not been done yet.
    fn renew(&self) -> Result<(), Error> {
        let number = self.number.load(Ordering::Acquire);
        if number >= 0 && self.guard.forked() {
            let fresh = sys::epoll_create().map_err(Error::during("epoll_create1"))?;
            // The child may have closed the descriptor it inherited and opened another one under its number.
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

/// The largest number of nests so far at one time.
#[cfg(test)]
pub(crate) fn places() -> usize {
    NESTS.iter().count()
}
