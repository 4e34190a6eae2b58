//! What a sleeping loop is woken by.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::error::Error;
use crate::fork::ForkGuard;
use crate::sys;

/// A descriptor that a loop waits on, and one that makes it readable: the two ends of a pipe, or one that is both, such as
/// Linux's eventfd.
///
/// ```text
///   ring() ──write──▶ ┌──────────────────┐ ──readable──▶ the loop's wait
///                     │ pipe, or eventfd │
///                     └──────────────────┘ ◀────read──── quiet()
/// ```
///
/// Ringing is async-signal-safe. It is a type and not a trait, because the handler of a signal must call nothing that a
/// safe implementation could do wrong there.
///
/// ```
/// let doorbell = evplat_posix::backend::Doorbell::pipe()?;
/// doorbell.ring();
/// doorbell.quiet()?;
/// # Ok::<(), evplat_posix::Error>(())
/// ```
#[derive(Debug)]
pub struct Doorbell {
    listen: OwnedFd,
    /// `None`: the descriptor is its own other end.
    press: Option<OwnedFd>,
    fork: ForkGuard,
}

impl Doorbell {
    /// A doorbell made of a pipe, non-blocking and closed on exec: for every Unix system.
    ///
    /// # Errors
    ///
    /// When the process or the system has no descriptors left; nothing is left behind.
    pub fn pipe() -> Result<Self, Error> {
        let fork = ForkGuard::new()?;
        let (listen, press) = sys::pipe().map_err(Error::during("pipe"))?;
        Ok(Self { listen, press: Some(press), fork })
    }

    /// A doorbell made of one descriptor that eight bytes can be written to, the number 1, and that is readable then: an
    /// eventfd. It should be non-blocking and closed on exec.
    ///
    /// # Errors
    ///
    /// As [`ForkGuard::new`].
    pub fn of(descriptor: OwnedFd) -> Result<Self, Error> {
        Ok(Self { listen: descriptor, press: None, fork: ForkGuard::new()? })
    }

    /// Makes the descriptor readable: one system call. Safe in the handler of a signal, but for `errno`, which changes.
    ///
    /// A full pipe is readable already, so there is next to nothing that can go wrong. `false`: the system has interrupted the
    /// call again and again, and the bell is to be rung once more, later. In the child of a fork it does nothing until
    /// [`replace`](Doorbell::replace): the bell would ring at the parent's.
    pub fn ring(&self) -> bool {
        self.fork.forked() || sys::write_one(self.press.as_ref().unwrap_or(&self.listen).as_fd())
    }

    /// Makes the descriptor unreadable again, where it is waited for by level.
    ///
    /// # Errors
    ///
    /// When the descriptor cannot be read, because someone closed or broke it.
    pub fn quiet(&self) -> Result<(), Error> {
        sys::drain(self.listen.as_fd()).map_err(Error::during("read"))
    }

    /// Puts the ends of `fresh` in the place of this doorbell's, under the same numbers: in the child of a fork, so that
    /// whoever holds this one rings at the child's own loop from now on. The parent's stay as they are.
    ///
    /// # Errors
    ///
    /// When the system refuses, or `fresh` has two ends and this one has not; the bell stays silent then.
    pub fn replace(&self, fresh: &Self) -> Result<(), Error> {
        let press = match (&self.press, &fresh.press) {
            (None, Some(_)) => return Err(Error::Unsupported),
            (None, None) => None,
            (Some(old), fresh_press) => Some((fresh_press.as_ref().unwrap_or(&fresh.listen), old)),
        };
        sys::dup_onto(&fresh.listen, &self.listen).map_err(Error::during("dup"))?;
        if let Some((new, old)) = press {
            sys::dup_onto(new, old).map_err(Error::during("dup"))?;
        }
        self.fork.renew();
        Ok(())
    }
}

impl AsFd for Doorbell {
    /// The end that a loop waits on, for reading.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listen.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::tests::{in_child, is_cloexec, is_readable};

    #[test]
    fn it_is_readable_exactly_between_ring_and_quiet() {
        let doorbell = Doorbell::pipe().unwrap();
        assert!(!is_readable(&doorbell));
        doorbell.ring();
        doorbell.ring();
        assert!(is_readable(&doorbell));
        doorbell.quiet().unwrap();
        assert!(!is_readable(&doorbell));
        doorbell.quiet().unwrap();
    }

    #[test]
    fn a_full_pipe_neither_blocks_nor_fails() {
        let doorbell = Doorbell::pipe().unwrap();
        for _ in 0..20_000 {
            doorbell.ring();
        }
        doorbell.quiet().unwrap();
        assert!(!is_readable(&doorbell));
    }

    #[test]
    fn no_end_survives_exec() {
        let doorbell = Doorbell::pipe().unwrap();
        assert!(is_cloexec(&doorbell.listen) && is_cloexec(doorbell.press.as_ref().unwrap()));
        doorbell.replace(&Doorbell::pipe().unwrap()).unwrap();
        assert!(is_cloexec(&doorbell.listen) && is_cloexec(doorbell.press.as_ref().unwrap()));
    }

    #[test]
    fn a_child_rings_at_its_own_door() {
        let doorbell = Doorbell::pipe().unwrap();
        let status = in_child(|| {
            doorbell.ring();
            let silent = !is_readable(&doorbell);
            doorbell.replace(&Doorbell::pipe().unwrap()).unwrap();
            doorbell.ring();
            silent && is_readable(&doorbell)
        });
        assert_eq!(status, 0);
        assert!(!is_readable(&doorbell), "the parent's was rung by the child");
        doorbell.ring();
        assert!(is_readable(&doorbell));
    }
}
