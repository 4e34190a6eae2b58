//! The descriptor that wakes a sleeping loop.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::OnceLock;

use crate::error::Error;
use crate::fork::ForkGuard;
use crate::sys;

/// A descriptor that a loop waits on, and one that makes it readable: the two ends of a pipe, or a single descriptor
/// that is both, such as Linux's eventfd.
///
/// ```text
///   ring() ──write──▶ ┌──────────────────┐ ──readable──▶ the loop's wait
///                     │ pipe, or eventfd │
///                     └──────────────────┘ ◀────read──── drain()
/// ```
///
/// Ringing is async-signal-safe. This is a type rather than a trait so that the signal handler cannot call an
/// implementation that is not.
///
/// ```
/// let doorbell = evplat_posix::backend::Doorbell::pipe()?;
/// doorbell.ring();
/// doorbell.drain()?;
/// # Ok::<(), evplat_posix::Error>(())
/// ```
#[derive(Debug)]
pub struct Doorbell {
    listen: OwnedFd,
    /// `None` if one descriptor serves as both ends.
    press: OnceLock<OwnedFd>,
    fork: ForkGuard,
}

impl Doorbell {
    /// Creates a doorbell from a pipe, non-blocking and closed on exec. Works on every Unix system.
    ///
    /// # Errors
    ///
    /// When the process or the system has no descriptors left. Nothing stays open then.
    pub fn pipe() -> Result<Self, Error> {
        let fork = ForkGuard::new()?;
        let (listen, press) = sys::pipe().map_err(Error::during("pipe"))?;
        Ok(Self { listen, press: OnceLock::from(press), fork })
    }

    /// Creates a doorbell from one descriptor that is readable after the number 1 was written to it as eight bytes:
    /// an eventfd. It should be non-blocking and closed on exec.
    ///
    /// # Errors
    ///
    /// As [`ForkGuard::new`].
    pub fn of(descriptor: OwnedFd) -> Result<Self, Error> {
        Ok(Self { listen: descriptor, press: OnceLock::new(), fork: ForkGuard::new()? })
    }

    /// Whether it has two ends, as a pipe has. Such a doorbell must be [drained](Doorbell::drain) after each ring,
    /// even if the loop waits for it edge-triggered.
    #[must_use]
    pub fn has_two_ends(&self) -> bool {
        self.press.get().is_some()
    }

    /// Whether `number` is the number of one of its ends. If the program passes such a number, it means a descriptor
    /// that it has since closed.
    #[must_use]
    pub fn has(&self, number: RawFd) -> bool {
        [&self.listen, self.press()].iter().any(|end| end.as_raw_fd() == number)
    }

    /// Makes the descriptor readable with one system call. Async-signal-safe, except that it may change `errno`.
    ///
    /// A full pipe is already readable, so that is a success. Returns `false` if the call was interrupted every time
    /// it was tried: ring again later. In the child of a fork it does nothing until [`replace`](Doorbell::replace),
    /// because it would ring the parent's doorbell.
    pub fn ring(&self) -> bool {
        self.fork.forked() || sys::write_one(self.press().as_fd())
    }

    fn press(&self) -> &OwnedFd {
        self.press.get().unwrap_or(&self.listen)
    }

    /// Makes the descriptor unreadable again, for a loop that waits for it level-triggered.
    ///
    /// # Errors
    ///
    /// When the descriptor cannot be read because somebody closed or replaced it.
    pub fn drain(&self) -> Result<(), Error> {
        sys::drain(self.listen.as_fd()).map_err(Error::during("read"))
    }

    /// Replaces both ends by those of `fresh`, under the same numbers. Use it in the child of a fork: from then on
    /// this doorbell wakes the child's own loop. The parent's ends do not change.
    ///
    /// # Errors
    ///
    /// When the system refuses. The doorbell then continues to do nothing when it is rung.
    pub fn replace(&self, fresh: &Self) -> Result<(), Error> {
        let duplicated = Error::during("dup");
        let second = match (self.press.get(), fresh.press.get()) {
            // This doorbell was its own other end; `fresh` has two.
            (None, Some(press)) => Some(press.try_clone().map_err(&duplicated)?),
            _ => None,
        };
        sys::dup_onto(&fresh.listen, &self.listen).map_err(&duplicated)?;
        if let Some(press) = self.press.get() {
            sys::dup_onto(fresh.press(), press).map_err(&duplicated)?;
        }
        if let Some(press) = second {
            let _ = self.press.set(press);
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
    fn it_is_readable_exactly_between_ring_and_drain() {
        let doorbell = Doorbell::pipe().unwrap();
        assert!(!is_readable(&doorbell));
        doorbell.ring();
        doorbell.ring();
        assert!(is_readable(&doorbell));
        doorbell.drain().unwrap();
        assert!(!is_readable(&doorbell));
        doorbell.drain().unwrap();
    }

    #[test]
    fn a_full_pipe_neither_blocks_nor_fails() {
        let doorbell = Doorbell::pipe().unwrap();
        for _ in 0..20_000 {
            doorbell.ring();
        }
        doorbell.drain().unwrap();
        assert!(!is_readable(&doorbell));
    }

    #[test]
    fn no_end_survives_exec() {
        let doorbell = Doorbell::pipe().unwrap();
        assert!(is_cloexec(&doorbell.listen) && is_cloexec(doorbell.press()));
        doorbell.replace(&Doorbell::pipe().unwrap()).unwrap();
        assert!(is_cloexec(&doorbell.listen) && is_cloexec(doorbell.press()));
    }

    #[test]
    fn child_rings_its_own_doorbell() {
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

    /// A sandbox may refuse the child what the parent could create: an eventfd.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_child_may_have_a_bell_of_another_kind() {
        let eventfd = || Doorbell::of(sys::tests::eventfd()).unwrap();
        let pipe = || Doorbell::pipe().unwrap();
        let kinds: [fn() -> Doorbell; 2] = [eventfd, pipe];
        for old in kinds {
            let doorbell = old();
            let status = in_child(|| {
                kinds.into_iter().all(|fresh| {
                    doorbell.replace(&fresh()).unwrap();
                    doorbell.ring();
                    let is_rung = is_readable(&doorbell);
                    doorbell.drain().unwrap();
                    let ends = [Some(&doorbell.listen), doorbell.press.get()];
                    is_rung && !is_readable(&doorbell) && ends.into_iter().flatten().all(is_cloexec)
                })
            });
            assert_eq!(status, 0);
            assert!(!is_readable(&doorbell), "the parent's was rung by the child");
        }
    }
}
