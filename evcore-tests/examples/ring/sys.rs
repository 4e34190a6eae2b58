//! The system calls of the hand-written loop, and the limit on descriptors.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// An epoll set and the buffer of its waits.
pub(crate) struct EpollSet {
    fd: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl EpollSet {
    pub(crate) fn new(batch: usize) -> io::Result<Self> {
        // SAFETY: a plain system call.
        let fd = checked(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the descriptor was made just now and nobody else has it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { fd, events: vec![libc::epoll_event { events: 0, u64: 0 }; batch] })
    }

    /// Watches `source` for input, level-triggered.
    pub(crate) fn add(&mut self, source: &impl AsFd, cookie: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: cookie };
        let (set, source) = (self.fd.as_raw_fd(), source.as_fd().as_raw_fd());
        // SAFETY: both descriptors are open, and the event lives until the call returns.
        checked(unsafe { libc::epoll_ctl(set, libc::EPOLL_CTL_ADD, source, &raw mut event) }).map(drop)
    }

    /// Waits, for ever without a timeout.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<&[libc::epoll_event]> {
        let millis = timeout.map_or(-1, |timeout| timeout.as_millis() as i32 + 1);
        let (set, room) = (self.fd.as_raw_fd(), self.events.len() as i32);
        // SAFETY: the buffer has room for as many events as is said.
        let count = checked(unsafe { libc::epoll_wait(set, self.events.as_mut_ptr(), room, millis) })?;
        Ok(&self.events[..count as usize])
    }
}

impl std::fmt::Debug for EpollSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("EpollSet").field(&self.fd).finish()
    }
}

/// read(2), without what a library might put around it in one loop and not in the other.
#[inline]
pub(crate) fn read(source: &impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let fd = source.as_fd().as_raw_fd();
    // SAFETY: the pointer is to as many bytes as is said.
    let count = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// write(2), likewise.
#[inline]
pub(crate) fn write(sink: &impl AsFd, buffer: &[u8]) -> io::Result<usize> {
    let fd = sink.as_fd().as_raw_fd();
    // SAFETY: the pointer is to as many bytes as is said.
    let count = unsafe { libc::write(fd, buffer.as_ptr().cast(), buffer.len()) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// Raises the soft limit of open descriptors to `count` where it is lower.
pub(crate) fn allow_descriptors(count: usize) -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure lives until the call returns.
    checked(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    if limit.rlim_cur >= count as u64 {
        return Ok(());
    }
    limit.rlim_cur = count as u64;
    // SAFETY: as above.
    checked(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }).map(drop)
}

fn checked(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
