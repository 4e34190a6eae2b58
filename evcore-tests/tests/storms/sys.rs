//! The system calls of these tests. All their `unsafe` is here.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// Sends `signum` to this thread: it has arrived when this returns.
pub(crate) fn raise(signum: i32) {
    // SAFETY: it takes a number.
    assert_eq!(unsafe { libc::raise(signum) }, 0);
}

/// A descriptor that is always readable, of the cheapest kind.
pub(crate) fn readable() -> OwnedFd {
    eventfd(1)
}

/// A descriptor that is not readable.
pub(crate) fn never_readable() -> OwnedFd {
    eventfd(0)
}

fn eventfd(count: u32) -> OwnedFd {
    // SAFETY: it takes numbers.
    let fd = unsafe { libc::eventfd(count, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    assert!(fd >= 0, "eventfd: {}", io::Error::last_os_error());
    // SAFETY: the system has just made this descriptor, and nothing else owns it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
