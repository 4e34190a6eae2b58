//! What wakes the base: an eventfd.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use evcore::Fd;
use evcore::backend::{Sleep, Token};
use evplat_posix::Error;
use evplat_posix::backend::{Doorbell, Interrupts};

use crate::sys;

/// What the kernel reports the doorbell by: nobody's token.
const COOKIE: u64 = Token::NONE.to_bits();

/// The doorbell of a backend, and what rings it: wakers and signals.
///
/// An eventfd is registered edge-triggered: each ring is a report, and nobody ever has to read it. (Its counter has room for
/// more rings than a machine can make.) Where a sandbox refuses eventfds it is a pipe, and that has to be emptied.
#[derive(Debug)]
pub(crate) struct Bell {
    pub(crate) interrupts: Interrupts,
    is_pipe: bool,
    /// What is in the set; no number when there is none.
    number: RawFd,
}

const NONE: RawFd = -1;

impl Bell {
    /// None yet: it is made for the first waker or signal.
    pub(crate) const fn new() -> Self {
        Self { interrupts: Interrupts::new(doorbell), is_pipe: false, number: NONE }
    }

    /// Does what needs a doorbell, which is put into `set` when it is the first time. After an error there is none more
    /// than before.
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

    /// For the child of a fork: a doorbell of its own, which may be a pipe where the parent's was not.
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

    /// Whether a number is the doorbell's. A descriptor that was registered under it has been closed since, and what is in the set
    /// under it is not to be touched for its sake.
    #[inline]
    pub(crate) fn has(&self, fd: Fd) -> bool {
        fd.as_raw_fd() == self.number
    }

    /// Puts the doorbell, if there is one, into a set.
    pub(crate) fn register(&self, set: BorrowedFd<'_>) -> Result<(), Error> {
        let events = libc::EPOLLIN as u32 | libc::EPOLLET as u32;
        self.interrupts.doorbell().map_or(Ok(()), |doorbell| {
            sys::epoll_add(set, Fd::of(doorbell), events, COOKIE).map_err(Error::during("epoll_ctl"))
        })
    }

    /// Says that the base sleeps in another loop from now on, which looks at its set: every wake has to ring.
    pub(crate) fn sleep_elsewhere(&self) {
        if let Some(doorbell) = self.interrupts.doorbell() {
            if self.interrupts.prepare(Sleep::Forever) == Sleep::None {
                doorbell.ring();
            }
        }
    }

    /// Whether there is a doorbell, without which nothing interrupts a wait.
    #[inline(always)]
    pub(crate) fn is_made(&self) -> bool {
        self.interrupts.doorbell().is_some()
    }

    /// To be called after each wait. Answers whether a wake has come.
    #[inline(always)]
    pub(crate) fn awake(&self) -> bool {
        let mut woken = false;
        if self.is_made() {
            woken = self.interrupts.awake();
            // A ring may come late, when the base is awake again and says that nobody has woken it.
            if self.is_pipe {
                // Nobody else can have closed or broken it, so there is no error to tell.
                let _ = self.interrupts.doorbell().map(Doorbell::quiet);
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
