//! The system calls on the sources. All `unsafe` of this test that is not shared with others is here.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// What poll(2) reports for a descriptor alone.
pub(crate) fn revents(file: &File) -> i16 {
    let events = libc::POLLIN | libc::POLLPRI | libc::POLLOUT | libc::POLLRDHUP;
    let mut entry = libc::pollfd { fd: file.as_raw_fd(), events, revents: 0 };
    // SAFETY: the pointer is to one entry, and it does not wait.
    let found = unsafe { libc::poll(&mut entry, 1, 0) };
    assert!(found >= 0, "poll: {}", io::Error::last_os_error());
    entry.revents
}

/// Makes closing a connection reset it.
pub(crate) fn break_off_at_close(socket: &File) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let size = u32::try_from(size_of_val(&linger)).unwrap();
    // SAFETY: the pointer is to one structure, whose size is passed.
    let set = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, (&raw const linger).cast(), size)
    };
    assert_eq!(set, 0, "setsockopt: {}", io::Error::last_os_error());
}

/// Another descriptor of the same file, with this number, which must be free.
pub(crate) fn duplicate_to(file: &OwnedFd, number: i32) -> OwnedFd {
    // SAFETY: the descriptor is borrowed; the command takes a number.
    let fd = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, number) };
    assert_eq!(fd, number, "fcntl: {}", io::Error::last_os_error());
    // SAFETY: the system has just made this descriptor, and nothing else owns it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
