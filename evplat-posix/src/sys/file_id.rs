//! Identifies the file of a descriptor.

use core::mem::MaybeUninit;
use std::io::{self, Write as _};
use std::os::fd::RawFd;

use super::errno::checked;

/// Identifies the file of a descriptor. Two different files that are open at the same time differ if the system can
/// distinguish them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FileId {
    device: libc::dev_t,
    inode: libc::ino_t,
    /// On Linux all anonymous files share an inode: timers, event counters, epoll sets. This distinguishes the kinds;
    /// two files of one kind look the same. Zero for other files, and where the kind cannot be determined, because a
    /// process may lose access to `/proc`.
    kind: u32,
}

impl FileId {
    /// Only that the file exists is known.
    pub(crate) const UNKNOWN: Self = Self { device: 0, inode: 0, kind: 0 };

    /// Identifies the file of a number that should be an open descriptor. The number is only inspected: an error says
    /// that it is closed, and another identity that it now belongs to another file.
    pub(crate) fn of(number: RawFd) -> io::Result<Self> {
        let mut stat = MaybeUninit::uninit();
        // SAFETY: the pointer is to room for one `stat`.
        match checked(unsafe { libc::fstat(number, stat.as_mut_ptr()) }) {
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => return Err(error),
            // It exists, though its attributes do not fit into the structure.
            Err(_) => return Ok(Self::UNKNOWN),
        }
        // SAFETY: the call succeeded, so it has written all of it.
        let stat: libc::stat = unsafe { stat.assume_init() };
        if is_path(number) {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        let is_anonymous = stat.st_mode & libc::S_IFMT == 0;
        let kind = if is_anonymous { kind_of_anonymous(number) } else { 0 };
        Ok(Self { device: stat.st_dev, inode: stat.st_ino, kind })
    }

    /// Whether both may be the same file, as far as is known.
    pub(crate) fn may_be(self, other: Self) -> bool {
        let is_kind = self.kind == other.kind || self.kind == 0 || other.kind == 0;
        let is_file = (self.device, self.inode) == (other.device, other.inode);
        is_file && is_kind || self == Self::UNKNOWN || other == Self::UNKNOWN
    }
}

/// Whether a descriptor only names a file (`O_PATH`) and cannot be waited for. select(2) would report it as always
/// ready.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_path(number: RawFd) -> bool {
    // SAFETY: the command only asks, whatever the number is.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFL) };
    flags >= 0 && flags & libc::O_PATH != 0
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_path(_: RawFd) -> bool {
    false
}

/// The kind of a descriptor's anonymous file, as a hash of the name in `/proc`. Zero if there is no name.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn kind_of_anonymous(number: RawFd) -> u32 {
    let mut path = [0u8; 32];
    if write!(path.as_mut_slice(), "/proc/self/fd/{number}\0").is_err() {
        return 0;
    }
    let mut name = [0u8; 64];
    let (from, to, room) = (path.as_ptr().cast(), name.as_mut_ptr().cast(), name.len());
    // SAFETY: the first pointer is to a path that ends with a zero, the second and the length are those of an array.
    let len = unsafe { libc::readlink(from, to, room) };
    let Some(name) = usize::try_from(len).ok().and_then(|len| name.get(..len)) else { return 0 };
    // FNV-1a.
    name.iter().fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn kind_of_anonymous(_: RawFd) -> u32 {
    0
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

    use super::*;

    /// As in a process that has changed its root, or whose sandbox hides `/proc`.
    #[cfg(target_os = "linux")]
    #[test]
    fn an_anonymous_file_of_which_proc_says_nothing_any_more_is_no_other() {
        let made = [
            // SAFETY: takes no pointer.
            unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) },
            // SAFETY: as above.
            unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) },
        ];
        // SAFETY: the system has just made these descriptors and nobody else knows them.
        let made = made.map(|number| unsafe { OwnedFd::from_raw_fd(checked(number).unwrap()) });
        let [counter, set] = made.each_ref().map(|owned| FileId::of(owned.as_raw_fd()).unwrap());
        assert!(!counter.may_be(set));
        // `/proc` has no entry of this name.
        let later = FileId { kind: kind_of_anonymous(-1), ..counter };
        assert!(later.may_be(counter) && counter.may_be(later));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_the_system_says_nothing_of_is_any_file() {
        use crate::sys::tests::{in_child, interrupt};
        let status = in_child(|| {
            let (reader, _writer) = crate::sys::pipe().unwrap();
            let before = FileId::of(reader.as_raw_fd()).unwrap();
            interrupt(&[libc::SYS_fstat, libc::SYS_newfstatat]);
            let now = FileId::of(reader.as_raw_fd()).unwrap();
            now == FileId::UNKNOWN && now.may_be(before) && before.may_be(now)
        });
        assert_eq!(status, 0);
    }
}
