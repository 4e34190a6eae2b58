//! The errors of a Unix backend.

use core::fmt;
use std::io;

/// Why a call of a Unix backend failed.
///
/// ```
/// use evplat_posix::Error;
///
/// let error = Error::system("epoll_ctl", 9);
/// assert_eq!(error.errno(), Some(9));
/// assert!(error.to_string().starts_with("epoll_ctl: "));
/// assert_eq!(std::io::Error::from(error).raw_os_error(), Some(9));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The system refused an operation.
    System {
        /// The name of the system call, or of the library function that makes it.
        operation: &'static str,
        /// The value of `errno`.
        errno: i32,
    },
    /// This process is a forked child and the base is the parent's. Call `reinit` to give the child its own.
    Forked,
    /// The descriptor's number is too large for `select(2)` (`FD_SETSIZE`).
    TooLarge {
        /// The descriptor's number.
        number: i32,
        /// The first number that is too large.
        limit: usize,
    },
    /// The backend cannot watch for this interest; its features say which it can.
    Unsupported,
    /// The backend's table of fixed size is full, or there is no memory for a larger one.
    Full,
    /// The base is asleep: call [`EventBase::end_sleep`](evcore::EventBase::end_sleep) first.
    Asleep,
    /// The base is not in this sleep.
    NotAsleep,
}

impl Error {
    /// The system refused `operation` with `errno`.
    #[must_use]
    pub const fn system(operation: &'static str, errno: i32) -> Self {
        Self::System { operation, errno }
    }

    /// Converts the standard library's error of a failed `operation`; for `map_err`.
    pub fn during(operation: &'static str) -> impl Fn(io::Error) -> Self {
        // Errors that the standard library makes itself have no number; no call in this crate returns one.
        move |error| Self::system(operation, error.raw_os_error().unwrap_or(libc::EIO))
    }

    /// Whether it is a temporary shortage of memory or descriptors: the same call may succeed later.
    ///
    /// ```
    /// use evplat_posix::Error;
    ///
    /// assert!(Error::system("epoll_create1", 24).is_temporary());
    /// assert!(!Error::system("epoll_ctl", 9).is_temporary());
    /// ```
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        match self {
            Self::System { errno, .. } => is_temporary(*errno),
            Self::Full => true,
            Self::Forked | Self::TooLarge { .. } | Self::Unsupported | Self::Asleep | Self::NotAsleep => false,
        }
    }

    /// The system's `errno`, if the system refused.
    #[must_use]
    pub const fn errno(&self) -> Option<i32> {
        match self {
            Self::System { errno, .. } => Some(*errno),
            _ => None,
        }
    }
}

/// Whether this `errno` is a temporary shortage.
pub(crate) const fn is_temporary(errno: i32) -> bool {
    matches!(errno, libc::ENOMEM | libc::ENOBUFS | libc::ENOSPC | libc::EMFILE | libc::ENFILE | libc::EAGAIN)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System { operation, errno } => {
                write!(f, "{operation}: {}", io::Error::from_raw_os_error(*errno))?;
                f.write_str(advice(operation, *errno))
            }
            Self::Forked => f.write_str("this process was forked: call reinit before using the base here"),
            Self::TooLarge { number, limit } => {
                write!(f, "select can only watch descriptors below {limit}, not {number}: use another backend")
            }
            Self::Unsupported => f.write_str("the backend does not support this interest: see its features"),
            Self::Full => f.write_str("the backend's table is full: give it the capacity of the base"),
            Self::Asleep => f.write_str("the base is asleep: call end_sleep first, or drop what begin_sleep returned"),
            Self::NotAsleep => f.write_str("the base is not in this sleep"),
        }
    }
}

/// What the user can do about it, if known.
fn advice(operation: &str, errno: i32) -> &'static str {
    match errno {
        libc::EMFILE => "; close descriptors, or raise RLIMIT_NOFILE",
        libc::ENFILE => "; the system has no descriptors left: close some, or raise its limit (on Linux fs.file-max)",
        libc::EBADF => "; the descriptor was closed before its event was deleted",
        libc::ENOSPC if operation == "epoll_ctl" => {
            "; this user has too many registrations: raise fs.epoll.max_user_watches"
        }
        libc::EINVAL if operation == "sigaction" => "; this is no signal, or one that cannot be watched",
        libc::ENOSYS if operation == "pidfd_open" => {
            "; pidfds need Linux 5.3: watch SIGCHLD instead, and call try_wait of each child"
        }
        libc::ECHILD if operation == "waitpid" => {
            "; somebody else has waited for the child, or this process ignores SIGCHLD"
        }
        _ => "",
    }
}

impl core::error::Error for Error {}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::System { errno, .. } => return Self::from_raw_os_error(errno),
            Error::Forked | Error::Asleep => io::ErrorKind::Other,
            Error::TooLarge { .. } | Error::NotAsleep => io::ErrorKind::InvalidInput,
            Error::Unsupported => io::ErrorKind::Unsupported,
            Error::Full => io::ErrorKind::OutOfMemory,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_small_and_goes_anywhere() {
        fn anywhere<T: core::error::Error + Send + Sync + Copy + 'static>() {}
        anywhere::<Error>();
        assert!(size_of::<Error>() <= 24);
    }

    #[test]
    fn its_text_says_what_to_do() {
        assert!(Error::Forked.to_string().contains("reinit"));
        assert!(Error::Asleep.to_string().contains("end_sleep"));
        assert!(Error::TooLarge { number: 1500, limit: 1024 }.to_string().contains("below 1024, not 1500"));
        assert!(Error::system("pipe", libc::EMFILE).to_string().contains("RLIMIT_NOFILE"));
        assert!(Error::system("epoll_ctl", libc::ENOSPC).to_string().contains("max_user_watches"));
        assert!(Error::system("sigaction", libc::EINVAL).to_string().contains("no signal"));
        assert!(Error::system("pidfd_open", libc::ENOSYS).to_string().contains("SIGCHLD"));
        assert!(Error::system("waitpid", libc::ECHILD).to_string().contains("somebody else"));
        assert!(!Error::system("poll", libc::EINVAL).to_string().contains("no signal"));
    }

    #[test]
    fn the_standard_library_keeps_the_number_or_the_error() {
        let refused = io::Error::from(Error::during("poll")(io::Error::from_raw_os_error(libc::EINVAL)));
        assert_eq!(refused.raw_os_error(), Some(libc::EINVAL));
        let forked = io::Error::from(Error::Forked);
        assert_eq!(forked.get_ref().and_then(|e| e.downcast_ref::<Error>()), Some(&Error::Forked));
    }
}
