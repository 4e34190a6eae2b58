//! The eventfd that wakes the base.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use evcore::Fd;
use evcore::backend::{Sleep, Token};
use evplat_posix::Error;
use evplat_posix::backend::{Doorbell, Interrupts};

use crate::sys;

/// The doorbell's user data in the epoll set, which is no registration's token.
const COOKIE: u64 = Token::NONE.to_bits();

/// The doorbell of a backend, with the wakers and signals that ring it.
///
/// The eventfd is registered edge-triggered: each ring causes a report, and it is never read. (Its counter cannot
/// overflow in practice.) If a sandbox refuses eventfds, a pipe is used, which must be emptied.
#[derive(Debug)]
pub(crate) struct Bell {
    pub(crate) interrupts: Interrupts,
    is_pipe: bool,
    /// The number registered in the set; `NONE` if there is none.
    number: RawFd,
}

const NONE: RawFd = -1;

impl Bell {
    /// Starts without a doorbell; the first waker or signal creates it.
    pub(crate) const fn new() -> Self {
        Self { interrupts: Interrupts::new(doorbell), is_pipe: false, number: NONE }
    }

    /// Calls `act`, which needs a doorbell, and adds the doorbell to `set` if it is new. If that fails, no doorbell
    /// is left that was not there before.
    pub(crate) fn with<R>(
        &mut self,
        set: BorrowedFd<'_>,
        act: impl Fn(&mut Interrupts) -> Result<R, Error>,
    ) -> Result<R, Error> {
        if self.interrupts.doorbell().is_some() {
            return act(&mut self.interrupts);
        }
        let mut bell = Self::new();
        let done = act(&mut bell.interrupts)?;
        bell.register(set)?;
        bell.look();
        *self = bell;
        Ok(done)
    }

    /// For the child of a fork: makes a doorbell of its own, which may be a pipe even if the parent's is an eventfd.
    pub(crate) fn reinit(&mut self) -> Result<(), Error> {
        let done = self.interrupts.reinit();
        self.look();
        done
    }

    fn look(&mut self) {
        let doorbell = self.interrupts.doorbell();
        self.number = doorbell.map_or(NONE, |doorbell| doorbell.as_fd().as_raw_fd());
        self.is_pipe = doorbell.is_some_and(Doorbell::has_two_ends);
    }

    /// Whether a number is the doorbell's. If it was registered for another descriptor, that was closed since, and
    /// the doorbell's entry in the set must not be changed on its behalf.
    #[inline]
    pub(crate) fn has(&self, fd: Fd) -> bool {
        fd.as_raw_fd() == self.number
    }

    /// Adds the doorbell, if there is one, to a set.
    pub(crate) fn register(&self, set: BorrowedFd<'_>) -> Result<(), Error> {
        let events = libc::EPOLLIN as u32 | libc::EPOLLET as u32;
        self.interrupts.doorbell().map_or(Ok(()), |doorbell| {
            sys::epoll_add(set, Fd::of(doorbell), events, COOKIE).map_err(Error::during("epoll_ctl"))
        })
    }

    /// Marks the base as asleep, because another loop waits on its set: every wake must ring.
    pub(crate) fn mark_asleep(&self) {
        if let Some(doorbell) = self.interrupts.doorbell() {
            if self.interrupts.prepare(Sleep::Forever) == Sleep::None {
                doorbell.ring();
            }
        }
    }

    /// Whether there is a doorbell. Without one nothing interrupts a wait.
    #[inline(always)]
    pub(crate) fn is_made(&self) -> bool {
        self.interrupts.doorbell().is_some()
    }

    /// Call this after each wait. Returns whether a wake has come.
    #[inline(always)]
    pub(crate) fn awake(&self) -> bool {
        let mut woken = false;
        if self.is_made() {
            woken = self.interrupts.awake();
            // A late ring may arrive when the base is awake again and no wake is noted, so a pipe is emptied in any
            // case.
            if self.is_pipe {
                // Only this code uses the pipe, so an error is not expected.
                let _ = self.interrupts.doorbell().map(Doorbell::drain);
            }
        }
        woken
    }
}

fn doorbell() -> Result<Doorbell, Error> {
    match sys::eventfd() {
        Ok(eventfd) => Doorbell::of(eventfd),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
            log!(Info, "eventfd is refused here: the base is woken through a pipe");
            Doorbell::pipe()
        }
        Err(error) => Err(Error::during("eventfd")(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::tests::{in_child, refuse};

    #[test]
    fn a_child_may_have_a_pipe_where_its_parent_has_an_eventfd() {
        let set = sys::epoll_create().unwrap();
        let mut bell = Bell::new();
        bell.with(set.as_fd(), Interrupts::waker).unwrap();
        assert!(!bell.is_pipe);
        let status = in_child(|| {
            refuse(&[libc::SYS_eventfd2], libc::ENOSYS);
            bell.reinit().unwrap();
            bell.is_pipe
        });
        assert_eq!(status, 0);
    }
}
