//! All system calls and all `unsafe` code of the crate, behind functions that are safe to call.
//!
//! # Safety
//!
//! No number from outside is trusted: lengths are those of slices passed, and descriptors are owned, borrowed or only
//! inspected. What the system returns is checked against bounds before it is used.

use core::mem::MaybeUninit;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use evcore::Fd;

// Each with its path, because the loom models include this file under another root, where the folder would not be
// found.
#[path = "sys/errno.rs"]
mod errno;
#[path = "sys/file_id.rs"]
mod file_id;
#[path = "sys/fork_lock.rs"]
mod fork_lock;
#[path = "sys/one_more.rs"]
mod one_more;
#[path = "sys/shared.rs"]
mod shared;
#[path = "sys/signals.rs"]
mod signals;
#[cfg(feature = "async")]
#[path = "sys/sockets.rs"]
mod sockets;
#[path = "sys/waits.rs"]
mod waits;

use errno::{checked, until_uninterrupted};

pub(crate) use errno::keeping_errno;
pub(crate) use file_id::FileId;
pub(crate) use fork_lock::{ForkLock, ForkLockGuard, pause};
pub(crate) use one_more::OneMore;
pub(crate) use shared::{Lent, Link, Shared};
pub(crate) use signals::{Action, Disposition, Origin, SIGNALS, raise_unblocked, unblock};
#[cfg(feature = "futures-io")]
pub(crate) use sockets::shutdown_write;
#[cfg(feature = "async")]
pub(crate) use sockets::{connect, set_nonblocking};
pub(crate) use waits::{FdSet, LONGEST_WAIT, poll, select};

// ---- Descriptors ---------------------------------------------------------------------------------------------------

/// An upper bound of the descriptors that any system gives a process.
const DESCRIPTORS_MAX: RawFd = 1 << 30;

/// The descriptor with this number, for a program that has only the number, such as an interface for C. `None` for a
/// number that no descriptor has: negative, or 2^30 or more.
///
/// Otherwise, lend the descriptor to [`Fd::of`].
///
/// # Safety
///
/// As for [`BorrowedFd::borrow_raw`]: the number must be an open descriptor that no other code assumes it owns
/// exclusively.
///
/// ```
/// use std::os::fd::AsRawFd;
/// use evplat_posix::{Fd, fd_from_raw};
///
/// let stdin = std::io::stdin();
/// // SAFETY: standard input is open and has no exclusive owner.
/// assert_eq!(unsafe { fd_from_raw(stdin.as_raw_fd()) }, Some(Fd::of(&stdin)));
/// // SAFETY: no descriptor has this number.
/// assert_eq!(unsafe { fd_from_raw(-1) }, None);
/// ```
#[must_use]
pub unsafe fn fd_from_raw(number: RawFd) -> Option<Fd> {
    // SAFETY: the caller guarantees that it is an open descriptor, and it is not -1.
    (0..DESCRIPTORS_MAX).contains(&number).then(|| Fd::of(&unsafe { BorrowedFd::borrow_raw(number) }))
}

/// The read end and the write end of a new pipe, both non-blocking and closed on exec.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    #[cfg(not(any(target_vendor = "apple", target_os = "aix", target_os = "haiku")))]
    // SAFETY: the pointer is to room for two descriptors.
    checked(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) })?;
    #[cfg(any(target_vendor = "apple", target_os = "aix", target_os = "haiku"))]
    // SAFETY: the pointer is to room for two descriptors.
    checked(unsafe { libc::pipe(ends.as_mut_ptr()) })?;
    // SAFETY: the system has just made this descriptor and nobody else knows it.
    let read = unsafe { OwnedFd::from_raw_fd(ends[0]) };
    // SAFETY: as above, for the other descriptor.
    let write = unsafe { OwnedFd::from_raw_fd(ends[1]) };
    #[cfg(any(target_vendor = "apple", target_os = "aix", target_os = "haiku"))]
    for end in [&read, &write] {
        // SAFETY: the descriptor is open and ours; the command takes a number.
        checked(unsafe { libc::fcntl(end.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) })?;
        // SAFETY: as above.
        checked(unsafe { libc::fcntl(end.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) })?;
    }
    Ok((read, write))
}

/// Makes the number of `old` refer to the same file as `new`, closed on exec. The file that it referred to before is
/// closed.
pub(crate) fn dup_onto(new: &OwnedFd, old: &OwnedFd) -> io::Result<()> {
    until_uninterrupted(|| {
        #[cfg(not(any(target_vendor = "apple", target_os = "aix", target_os = "android", target_os = "haiku")))]
        // SAFETY: both descriptors are open and ours, so nothing of another owner is closed.
        let done = checked(unsafe { libc::dup3(new.as_raw_fd(), old.as_raw_fd(), libc::O_CLOEXEC) });
        #[cfg(any(target_vendor = "apple", target_os = "aix", target_os = "android", target_os = "haiku"))]
        // SAFETY: as above.
        let done = checked(unsafe { libc::dup2(new.as_raw_fd(), old.as_raw_fd()) })
            // SAFETY: the descriptor is open and ours; the command takes a number.
            .and_then(|fd| checked(unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) }));
        done.map(drop)
    })
}

/// Writes the number 1 as eight bytes, the format of an eventfd. If the descriptor is full, that is a success.
/// Returns `false` if the call must be tried again. Async-signal-safe, except that it may change `errno`.
pub(crate) fn write_one(fd: BorrowedFd<'_>) -> bool {
    let one = 1u64.to_ne_bytes();
    let written = until_uninterrupted(|| {
        // SAFETY: the pointer and the length are those of an array.
        let written = unsafe { libc::write(fd.as_raw_fd(), one.as_ptr().cast(), one.len()) };
        if written < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    });
    !written.is_err_and(|error| error.kind() == io::ErrorKind::Interrupted)
}

/// Reads and discards what a non-blocking descriptor holds. If every attempt is interrupted, data may remain: the
/// descriptor then stays readable, and the next call tries again.
pub(crate) fn drain(fd: BorrowedFd<'_>) -> io::Result<()> {
    let mut bytes = [0u8; 512];
    loop {
        let read = until_uninterrupted(|| {
            // SAFETY: the pointer and the length are those of an array.
            let read = unsafe { libc::read(fd.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len()) };
            usize::try_from(read).map_err(|_| io::Error::last_os_error())
        });
        match read {
            Ok(read) if read == bytes.len() => {}
            Ok(_) => return Ok(()),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => return Ok(()),
                _ => return Err(error),
            },
        }
    }
}

// ---- Time ----------------------------------------------------------------------------------------------------------

/// Reads a clock, in nanoseconds since its start.
#[inline]
#[expect(clippy::as_conversions, clippy::cast_sign_loss, reason = "no clock shows a time before its start")]
pub(crate) fn clock_gettime(id: libc::clockid_t) -> io::Result<u64> {
    let mut time = MaybeUninit::uninit();
    // SAFETY: the pointer is to room for one `timespec`.
    checked(unsafe { libc::clock_gettime(id, time.as_mut_ptr()) })?;
    // SAFETY: the call succeeded, so it has written all of it.
    let time: libc::timespec = unsafe { time.assume_init() };
    Ok((time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64))
}

// ---- The process ---------------------------------------------------------------------------------------------------

/// Registers three functions that are called at each fork: before it, then after it in the parent and in the child.
pub(crate) fn pthread_atfork(
    before: extern "C" fn(),
    in_parent: extern "C" fn(),
    in_child: extern "C" fn(),
) -> io::Result<()> {
    // SAFETY: the functions take no arguments, exist as long as the program, and are safe to call at any time.
    let errno = unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
    if errno == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(errno)) }
}

/// The number of this process. Async-signal-safe.
pub(crate) fn process_id() -> u32 {
    // SAFETY: the call takes nothing and cannot fail.
    let id = unsafe { libc::getpid() };
    u32::try_from(id).unwrap_or(0)
}

/// Whether this program has more rights than its caller: set-user-id and the like.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn is_privileged() -> bool {
    // SAFETY: the call takes a number, and looks at what the kernel gave the process at its start.
    let answer = unsafe { libc::getauxval(libc::AT_SECURE) };
    answer != 0
}

/// Whether this program has more rights than its caller: set-user-id and the like.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn is_privileged() -> bool {
    // SAFETY: the call takes nothing and cannot fail.
    let (user, effective_user) = (unsafe { libc::getuid() }, unsafe { libc::geteuid() });
    // SAFETY: as above.
    let (group, effective_group) = (unsafe { libc::getgid() }, unsafe { libc::getegid() });
    user != effective_user || group != effective_group
}

#[cfg(test)]
#[path = "sys/tests.rs"]
pub(crate) mod tests;
