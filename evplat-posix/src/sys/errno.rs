//! `errno` and interrupted system calls.

use core::ffi::c_int;
use std::io;

#[cfg(any(target_os = "illumos", target_os = "solaris"))]
use libc::___errno as errno_location;
#[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
use libc::__errno as errno_location;
#[cfg(any(
    target_os = "linux",
    target_os = "dragonfly",
    target_os = "emscripten",
    target_os = "hurd",
    target_os = "redox"
))]
use libc::__errno_location as errno_location;
#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
use libc::__error as errno_location;
#[cfg(target_os = "aix")]
use libc::_Errno as errno_location;
#[cfg(target_os = "haiku")]
use libc::_errnop as errno_location;

/// Converts the result of a system call: its value, or the error in `errno`.
pub(super) fn checked(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Runs `work` and restores this thread's `errno`: for a signal handler.
pub(crate) fn keeping_errno(work: impl FnOnce()) {
    // SAFETY: the function takes nothing; it returns the address of this thread's errno.
    let errno = unsafe { errno_location() };
    // SAFETY: the address is valid as long as the thread runs, and only this thread uses it.
    let saved = unsafe { errno.read() };
    work();
    // SAFETY: as above.
    unsafe { errno.write(saved) };
}

/// How many times an interrupted call is repeated. No system interrupts a non-blocking call that often; but if one
/// did, or a sandbox, a signal handler would never return.
pub(super) const MOST_TRIES: u32 = 64;

/// Repeats an interrupted call, up to `MOST_TRIES` times.
pub(super) fn until_uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 1..MOST_TRIES {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
    call()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errno() -> c_int {
        io::Error::last_os_error().raw_os_error().unwrap()
    }

    #[test]
    fn a_handler_keeps_errno() {
        // SAFETY: no descriptor has this number, so it fails.
        unsafe { libc::close(-1) };
        assert_eq!(errno(), libc::EBADF);
        // SAFETY: there is no such signal, so this fails for another reason.
        keeping_errno(|| assert_eq!(unsafe { libc::raise(9999) }, -1));
        assert_eq!(errno(), libc::EBADF);
    }

    #[test]
    fn a_call_that_is_always_interrupted_is_given_up() {
        let mut calls = 0;
        let outcome = until_uninterrupted(|| {
            calls += 1;
            Err::<(), _>(io::Error::from_raw_os_error(libc::EINTR))
        });
        assert_eq!((outcome.unwrap_err().raw_os_error(), calls), (Some(libc::EINTR), MOST_TRIES));
        let mut calls = 0;
        let outcome = until_uninterrupted(|| {
            calls += 1;
            if calls < 3 { Err(io::Error::from_raw_os_error(libc::EINTR)) } else { Ok(calls) }
        });
        assert_eq!(outcome.unwrap(), 3);
    }
}
