//! Unix file descriptors. Feature `std`.

use std::fmt;
use std::num::NonZeroU32;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use crate::backend::Descriptor;

/// A Unix file descriptor, as backends register it: made from anything that has one, never from an integer.
///
/// It borrows nothing. If the descriptor is closed while registered, its event gets ERROR, or nothing, and the loop does
/// not spin. When its number is reused and an event is created on the new file, the old event gets ERROR.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fd(NonZeroU32);

impl Fd {
    /// The descriptor of a socket, a pipe, a file.
    ///
    /// ```
    /// use std::os::unix::net::UnixStream;
    /// use evcore::Fd;
    ///
    /// let (near, far) = UnixStream::pair()?;
    /// assert_ne!(Fd::of(&near), Fd::of(&far));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn of<T: AsFd + ?Sized>(source: &T) -> Self {
        // A descriptor of `AsFd` is not negative, so its complement is not zero, and `Option<Fd>` has the same size.
        let number = u32::try_from(source.as_fd().as_raw_fd()).unwrap_or(u32::MAX >> 1);
        Self(NonZeroU32::new(!number).unwrap_or(NonZeroU32::MIN))
    }
}

impl fmt::Debug for Fd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fd").field(&self.number()).finish()
    }
}

impl AsRawFd for Fd {
    /// The number, for the backend's system calls.
    fn as_raw_fd(&self) -> RawFd {
        RawFd::try_from(self.number()).unwrap_or(RawFd::MAX)
    }
}

impl Descriptor for Fd {
    fn number(self) -> u32 {
        !self.0.get()
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_descriptor_keeps_its_number_in_all_forms() {
        for source in [&io::stdin() as &dyn AsFdObject, &io::stdout(), &io::stderr()] {
            let (fd, raw) = source.both();
            assert_eq!((fd.as_raw_fd(), fd.number()), (raw, u32::try_from(raw).unwrap()));
            assert_eq!(std::format!("{fd:?}"), std::format!("Fd({raw})"));
        }
        assert_ne!(Fd::of(&io::stdin()), Fd::of(&io::stdout()));
        // Also for trait objects.
        let (stdin, stdout): (&dyn AsFd, &dyn AsFd) = (&io::stdin(), &io::stdout());
        assert_eq!([Fd::of(stdin), Fd::of(stdout)], [Fd::of(&io::stdin()), Fd::of(&io::stdout())]);
    }

    trait AsFdObject {
        fn both(&self) -> (Fd, RawFd);
    }
    impl<T: AsFd> AsFdObject for T {
        fn both(&self) -> (Fd, RawFd) {
            (Fd::of(self), self.as_fd().as_raw_fd())
        }
    }
}
