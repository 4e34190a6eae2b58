//! The waits of `poll(2)` and `select(2)`.

use core::ffi::c_int;
use core::mem::MaybeUninit;
use core::ptr;
use core::time::Duration;
use std::io;
use std::os::fd::RawFd;

use super::errno::checked;

/// The longest timeout passed to `poll` and `select`. Some systems refuse more than a thousand days, and some count
/// milliseconds in 31 bits.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_millis(i32::MAX as u64);

/// Waits until an entry is ready or `timeout` is over, never less; `None` waits for ever. Returns how many entries
/// are ready.
pub(crate) fn poll(entries: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<usize> {
    // The type of the count differs between systems; each can hold the length of any array.
    let (start, count) = (entries.as_mut_ptr(), entries.len() as libc::nfds_t);
    let found = match timeout {
        // SAFETY: the pointer and the count are those of a slice.
        None => checked(unsafe { libc::poll(start, count, -1) }),
        // SAFETY: as above.
        Some(Duration::ZERO) => checked(unsafe { libc::poll(start, count, 0) }),
        Some(time) => poll_for(entries, count, time),
    }?;
    Ok(usize::try_from(found).unwrap_or(0).min(entries.len()))
}

#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "openbsd",
    target_os = "netbsd"
))]
fn poll_for(entries: &mut [libc::pollfd], count: libc::nfds_t, time: Duration) -> io::Result<c_int> {
    let time = timespec(time);
    // SAFETY: the first two are those of a slice, the third points to one structure, the last may be null.
    checked(unsafe { libc::ppoll(entries.as_mut_ptr(), count, &time, ptr::null()) })
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "openbsd",
    target_os = "netbsd"
)))]
fn poll_for(entries: &mut [libc::pollfd], count: libc::nfds_t, time: Duration) -> io::Result<c_int> {
    let milliseconds = time.as_nanos().div_ceil(1_000_000).try_into().unwrap_or(c_int::MAX);
    // SAFETY: the first two are those of a slice.
    checked(unsafe { libc::poll(entries.as_mut_ptr(), count, milliseconds) })
}

fn timespec(time: Duration) -> libc::timespec {
    // SAFETY: the structure is made of numbers, and of padding on some systems.
    let mut spec: libc::timespec = unsafe { MaybeUninit::zeroed().assume_init() };
    spec.tv_sec = time.as_secs().try_into().unwrap_or(libc::time_t::MAX);
    // Less than a second in nanoseconds, which every system's type holds.
    spec.tv_nsec = time.subsec_nanos() as _;
    spec
}

/// A set of descriptors for `select`: numbers below [`FdSet::LIMIT`].
#[derive(Clone, Copy)]
pub(crate) struct FdSet(libc::fd_set);

impl FdSet {
    pub(crate) const LIMIT: usize = libc::FD_SETSIZE;

    pub(crate) fn new() -> Self {
        let mut set = MaybeUninit::uninit();
        // SAFETY: the pointer is to room for one set.
        unsafe { libc::FD_ZERO(set.as_mut_ptr()) };
        // SAFETY: `FD_ZERO` has written all of it.
        Self(unsafe { set.assume_init() })
    }

    fn has_room_for(number: RawFd) -> bool {
        usize::try_from(number).is_ok_and(|number| number < Self::LIMIT)
    }

    /// Adds or removes a number. A number that is too large for a set is never in it.
    pub(crate) fn set(&mut self, number: RawFd, is_in: bool) {
        if !Self::has_room_for(number) {
            return;
        }
        if is_in {
            // SAFETY: the pointer is to one set, and the number has a place in it.
            unsafe { libc::FD_SET(number, &mut self.0) };
        } else {
            // SAFETY: as above.
            unsafe { libc::FD_CLR(number, &mut self.0) };
        }
    }

    pub(crate) fn contains(&self, number: RawFd) -> bool {
        // SAFETY: the pointer is to one set, and the number has a place in it.
        Self::has_room_for(number) && unsafe { libc::FD_ISSET(number, &self.0) }
    }
}

/// Waits until a number below `end` is ready or `timeout` is over, never less; `None` waits for ever. Leaves in the
/// sets, for READ, WRITE and URGENT, the numbers that are ready, and returns how many there are in total.
pub(crate) fn select(end: c_int, sets: &mut [FdSet; 3], timeout: Option<Duration>) -> io::Result<usize> {
    let time = timeout.map(timespec);
    let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
    let end = end.min(FdSet::LIMIT.try_into().unwrap_or(c_int::MAX));
    let [read, write, except] = sets;
    // SAFETY: each pointer is to one set, none of which is accessed beyond its size; the time is one structure or
    // null.
    let found = unsafe { libc::pselect(end, &mut read.0, &mut write.0, &mut except.0, time, ptr::null()) };
    checked(found).map(|found| usize::try_from(found).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_seconds_and_the_rest() {
        let time = timespec(Duration::new(3, 7));
        assert_eq!((time.tv_sec, time.tv_nsec), (3, 7));
    }
}
