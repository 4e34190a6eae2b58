//! The other loop's system call. All `unsafe` of the example is here.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

/// `poll(2)`: waits until an entry is ready or the time is over; `None` waits for ever. Keeps only the entries that are
/// ready, each with what it is ready for.
pub(crate) fn poll(entries: &mut Vec<(RawFd, i16)>, time: Option<Duration>) -> io::Result<()> {
    let mut list: Vec<_> = entries.iter().map(|&(fd, events)| libc::pollfd { fd, events, revents: 0 }).collect();
    // Rounded up: otherwise a loop that wakes just before the deadline would spin until then.
    let time = time.map_or(-1, |time| i32::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX));
    // SAFETY: the pointer and the count are those of a vector. Numbers that are closed by now are reported as such.
    let found = unsafe { libc::poll(list.as_mut_ptr(), list.len() as libc::nfds_t, time) };
    entries.clear();
    if found >= 0 {
        entries.extend(list.iter().filter(|entry| entry.revents != 0).map(|entry| (entry.fd, entry.revents)));
        return Ok(());
    }
    match io::Error::last_os_error() {
        error if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        error => Err(error),
    }
}
