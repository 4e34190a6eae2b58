//! The system calls. The only file of this crate that contains `unsafe`.
//!
//! # Safety
//!
//! No function has a precondition: each is safe, takes descriptors as `BorrowedFd` and returns new ones as `OwnedFd`.
//! A descriptor to register is passed as [`evcore::Fd`] and may already be closed; the kernel then returns an error.
//! Buffers are initialised before the kernel sees them, so a wrong count from it cannot expose uninitialised memory.

use std::collections::TryReserveError;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use evcore::Fd;
use libc::{c_int, c_long};

/// A report of the kernel: `events` and `u64`.
pub(crate) type Report = libc::epoll_event;

/// A new epoll set.
pub(crate) fn epoll_create() -> io::Result<OwnedFd> {
    // SAFETY: takes no pointer.
    let answer = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    owned(answer)
}

/// A new eventfd with a count of zero.
pub(crate) fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: takes no pointer.
    let answer = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    owned(answer)
}

/// An eventfd that is readable and stays so.
pub(crate) fn readable_eventfd() -> io::Result<OwnedFd> {
    // SAFETY: takes no pointer.
    let answer = unsafe { libc::eventfd(1, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    owned(answer)
}

/// A descriptor of the process that has this number now. Needs Linux 5.3. The kernel always makes it close-on-exec.
pub(crate) fn pidfd_open(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: takes no pointer.
    let answer = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    owned(c_int::try_from(answer).unwrap_or(-1))
}

/// Replaces the set under the number `old`, which this crate owns, by `new`. The previous set is not affected if
/// another process has it open, too.
pub(crate) fn replace(new: &OwnedFd, old: RawFd) -> io::Result<()> {
    let mut outcome = Ok(());
    // A bounded number of times, in case the system interrupts every attempt.
    for _ in 0..MOST_TRIES {
        // SAFETY: takes no pointer. Both numbers are open, and the owner of `old` goes on owning its number.
        outcome = done(unsafe { libc::dup3(new.as_raw_fd(), old, libc::O_CLOEXEC) });
        match &outcome {
            Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
            _ => break,
        }
    }
    outcome
}

/// How many times an interrupted call is made.
const MOST_TRIES: u32 = 64;

/// Whether a number is that of an epoll set that does not contain `other`. The number is only inspected.
pub(crate) fn is_set(number: RawFd, other: BorrowedFd<'_>) -> bool {
    let nothing = ptr::null_mut();
    // SAFETY: this operation reads no event. A set answers that it does not contain `other`, anything else that it is
    // no set.
    let answer = unsafe { libc::epoll_ctl(number, libc::EPOLL_CTL_DEL, other.as_raw_fd(), nothing) };
    done(answer).is_err_and(|error| error.raw_os_error() == Some(libc::ENOENT))
}

/// Registers `fd`.
#[inline]
pub(crate) fn epoll_add(set: BorrowedFd<'_>, fd: Fd, events: u32, data: u64) -> io::Result<()> {
    epoll_ctl(set, libc::EPOLL_CTL_ADD, fd, events, data)
}

/// Changes the interest of `fd`.
pub(crate) fn epoll_mod(set: BorrowedFd<'_>, fd: Fd, events: u32, data: u64) -> io::Result<()> {
    epoll_ctl(set, libc::EPOLL_CTL_MOD, fd, events, data)
}

/// Deregisters `fd`.
#[inline]
pub(crate) fn epoll_del(set: BorrowedFd<'_>, fd: Fd) -> io::Result<()> {
    epoll_ctl(set, libc::EPOLL_CTL_DEL, fd, 0, 0)
}

#[inline]
fn epoll_ctl(set: BorrowedFd<'_>, operation: c_int, fd: Fd, events: u32, data: u64) -> io::Result<()> {
    let mut event = libc::epoll_event { events, u64: data };
    // SAFETY: `event` outlives the call, the kernel only reads it.
    let answer = unsafe { libc::epoll_ctl(set.as_raw_fd(), operation, fd.as_raw_fd(), &raw mut event) };
    done(answer)
}

/// Whether `set` has an entry under the number of `fd` for the file that the number belongs to now. `None` if the
/// system cannot tell: before Linux 4.13, and in some sandboxes.
pub(crate) fn epoll_has(set: BorrowedFd<'_>, fd: Fd) -> Option<bool> {
    const KCMP_EPOLL_TFD: c_int = 7;
    let slot = [set.as_raw_fd(), fd.as_raw_fd(), 0];
    // SAFETY: takes no pointer, and cannot fail.
    let own = unsafe { libc::getpid() };
    // SAFETY: the pointer is to the three numbers that this comparison reads.
    let answer = unsafe { libc::syscall(libc::SYS_kcmp, own, own, KCMP_EPOLL_TFD, fd.as_raw_fd(), slot.as_ptr()) };
    match answer {
        0 => Some(true),
        1.. => Some(false),
        _ => (io::Error::last_os_error().raw_os_error() == Some(libc::ENOENT)).then_some(false),
    }
}

/// The reports of a wait, in a buffer that is initialised as a whole, so a wrong count from the kernel exposes old
/// reports at worst.
pub(crate) struct Reports {
    found: Vec<Report>,
    /// The maximum number of reports per wait.
    room: c_int,
}

impl Reports {
    /// A buffer for at most `room` reports.
    pub(crate) fn with_room(room: usize) -> Result<Self, TryReserveError> {
        let mut found = Vec::new();
        found.try_reserve_exact(room)?;
        // The vector may have more capacity than requested; all of it is initialised.
        found.resize(found.capacity(), Report { events: 0, u64: 0 });
        found.clear();
        let room = c_int::try_from(room).unwrap_or(c_int::MAX);
        Ok(Self { found, room })
    }

    /// How many reports the buffer holds.
    pub(crate) fn room(&self) -> usize {
        self.found.capacity()
    }

    /// The reports of the last wait.
    #[inline]
    pub(crate) fn found(&self) -> &[Report] {
        &self.found
    }

    /// Lets the kernel fill the buffer: `wait` gets its address and length, and returns the kernel's answer.
    // Called in each wait.
    #[inline(always)]
    fn fill(&mut self, wait: impl FnOnce(*mut Report, c_int) -> c_long) -> io::Result<()> {
        match usize::try_from(wait(self.found.as_mut_ptr(), self.room)) {
            Ok(count) if count <= self.found.capacity() => {
                // SAFETY: the buffer has at least this length, and all of it has been written, see `with_room`.
                unsafe { self.found.set_len(count) };
                Ok(())
            }
            // A count larger than the buffer is an error, not a length.
            Ok(_) => Err(self.without_any(io::Error::from_raw_os_error(libc::EPROTO))),
            Err(_) => Err(self.without_any(io::Error::last_os_error())),
        }
    }

    /// Clears the reports of a failed wait.
    #[cold]
    fn without_any(&mut self, error: io::Error) -> io::Error {
        self.found.clear();
        error
    }
}

/// Returns what is ready, either at once or after waiting without a timeout.
#[inline]
pub(crate) fn epoll_wait(set: BorrowedFd<'_>, reports: &mut Reports, forever: bool) -> io::Result<()> {
    let timeout = if forever { -1 } else { 0 };
    reports.fill(|buffer, room| {
        // SAFETY: the buffer has room for `room` reports.
        unsafe { libc::epoll_wait(set.as_raw_fd(), buffer, room, timeout) }.into()
    })
}

/// Waits at most `nanos` nanoseconds. Linux 5.11.
pub(crate) fn epoll_pwait2(set: BorrowedFd<'_>, reports: &mut Reports, nanos: u64) -> io::Result<()> {
    // The kernel's own timespec always has 64-bit fields; the C library's does not on some 32-bit systems.
    let timeout = [nanos / 1_000_000_000, nanos % 1_000_000_000];
    let (fd, no_mask) = (set.as_raw_fd(), ptr::null::<libc::sigset_t>());
    reports.fill(|buffer, room| {
        // SAFETY: the buffer has room for `room` reports, `timeout` outlives the call, and no signal mask is given.
        unsafe { libc::syscall(libc::SYS_epoll_pwait2, fd, buffer, room, timeout.as_ptr(), no_mask, 0usize) }
    })
}

/// Waits at most `nanos` nanoseconds, rounded up to milliseconds so that no timer is early, and no longer than 24 days.
pub(crate) fn epoll_pwait(set: BorrowedFd<'_>, reports: &mut Reports, nanos: u64) -> io::Result<()> {
    let timeout = c_int::try_from(nanos.div_ceil(1_000_000)).unwrap_or(c_int::MAX);
    reports.fill(|buffer, room| {
        // SAFETY: the buffer has room for `room` reports, and no signal mask is given.
        unsafe { libc::epoll_pwait(set.as_raw_fd(), buffer, room, timeout, ptr::null()) }.into()
    })
}

/// Identifies the file of a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FileId {
    device: libc::dev_t,
    inode: libc::ino_t,
}

impl FileId {
    /// Only that the file exists is known.
    const UNKNOWN: Self = Self { device: 0, inode: 0 };

    /// `None` if it is closed.
    pub(crate) fn of(fd: Fd) -> Option<Self> {
        let mut stat = std::mem::MaybeUninit::uninit();
        // SAFETY: the pointer is to room for one structure; a number that is not open is an error.
        let answer = unsafe { libc::fstat(fd.as_raw_fd(), stat.as_mut_ptr()) };
        match done(answer) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => return None,
            // It exists, though a sandbox refuses the call or the attributes do not fit into the structure.
            Err(_) => return Some(Self::UNKNOWN),
        }
        // SAFETY: the call has succeeded, so it has written all of it.
        let stat: libc::stat = unsafe { stat.assume_init() };
        Some(Self { device: stat.st_dev, inode: stat.st_ino })
    }

    /// Whether both are the same file, as far as is known.
    pub(crate) fn may_be(self, other: Self) -> bool {
        self == other || self == Self::UNKNOWN || other == Self::UNKNOWN
    }
}

/// A list that only grows, of values that are never freed. It takes no lock, so a fork in the middle of a change
/// leaves nothing locked.
pub(crate) struct Everlasting<T: 'static> {
    first: AtomicPtr<Link<T>>,
}

struct Link<T: 'static> {
    value: T,
    next: Option<&'static Link<T>>,
}

impl<T: Sync> Everlasting<T> {
    pub(crate) const fn new() -> Self {
        Self { first: AtomicPtr::new(ptr::null_mut()) }
    }

    fn first(&self) -> Option<&'static Link<T>> {
        // SAFETY: null, or a link that `push` has leaked, and that is only shared since.
        unsafe { self.first.load(Ordering::Acquire).as_ref() }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &'static T> + use<T> {
        std::iter::successors(self.first(), |link| link.next).map(|link| &link.value)
    }

    /// `None` when there is no memory.
    pub(crate) fn push(&self, value: T) -> Option<&'static T> {
        // `Vec`, because `Box` cannot report that there is no memory.
        let mut memory = Vec::new();
        memory.try_reserve_exact(1).ok()?;
        memory.push(Link { value, next: None });
        let link = memory.leak().first_mut()?;
        loop {
            let first = self.first();
            link.next = first;
            let seen = first.map_or(ptr::null_mut(), |first| ptr::from_ref(first).cast_mut());
            // Only this thread uses the link until the exchange succeeds; from then on it is shared.
            if self.first.compare_exchange(seen, link, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return Some(&link.value);
            }
        }
    }
}

fn done(answer: c_int) -> io::Result<()> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn owned(answer: c_int) -> io::Result<OwnedFd> {
    done(answer)?;
    // SAFETY: the kernel has just made this descriptor for us, nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(answer) })
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::fd::AsFd;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    /// Runs `body` in a forked child and returns its exit status: 0 for `true`. The child is killed after 20 s.
    pub(crate) fn in_child(body: impl FnOnce() -> bool) -> i32 {
        // SAFETY: the child has only this thread; the C library keeps its allocator usable, and `body` takes no lock
        // that another thread of the parent may hold.
        match unsafe { libc::fork() } {
            0 => {
                // SAFETY: it takes a number.
                unsafe { libc::alarm(20) };
                let status = match catch_unwind(AssertUnwindSafe(body)) {
                    Ok(true) => 0,
                    Ok(false) => 1,
                    Err(_) => 2,
                };
                // SAFETY: it ends the process and runs no code of the parent.
                unsafe { libc::_exit(status) }
            }
            pid => {
                assert!(pid > 0, "fork: {}", io::Error::last_os_error());
                let mut status = 0;
                // SAFETY: the pointer is to one number.
                while unsafe { libc::waitpid(pid, &mut status, 0) } < 0 {
                    assert_eq!(io::Error::last_os_error().kind(), io::ErrorKind::Interrupted);
                }
                if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -libc::WTERMSIG(status) }
            }
        }
    }

    /// The read end and the write end of a pipe.
    pub(crate) fn pipe() -> (OwnedFd, OwnedFd) {
        let mut ends = [0; 2];
        // SAFETY: the pointer is to two numbers.
        let answer = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) };
        done(answer).unwrap();
        (owned(ends[0]).unwrap(), owned(ends[1]).unwrap())
    }

    pub(crate) fn is_cloexec(fd: &impl AsFd) -> bool {
        // SAFETY: the descriptor is borrowed; the command takes nothing.
        let flags = unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), libc::F_GETFD) };
        flags >= 0 && flags & libc::FD_CLOEXEC != 0
    }

    /// Whether `fd` becomes readable within `milliseconds`.
    pub(crate) fn is_readable(fd: &impl AsFd, milliseconds: c_int) -> bool {
        let mut entry = libc::pollfd { fd: fd.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: the pointer is to one entry.
        unsafe { libc::poll(&mut entry, 1, milliseconds) == 1 }
    }

    /// The numbers below 1024 that are open.
    pub(crate) fn open_descriptors() -> Vec<c_int> {
        // SAFETY: the command takes nothing, and a number that is not open is an error.
        (0..1024).filter(|number| unsafe { libc::fcntl(*number, libc::F_GETFD) } >= 0).collect()
    }

    /// Closes everything but the standard streams: for a child that counts its descriptors.
    pub(crate) fn close_all() {
        for number in 3..20_000 {
            // SAFETY: for a child that uses no descriptor of its parent.
            unsafe { libc::close(number) };
        }
    }

    /// Limits how many descriptors this process may have.
    pub(crate) fn limit_descriptors(limit: u64) {
        let mut limits = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the pointer is to one pair of limits.
        assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limits) }, 0);
        assert!(limit <= limits.rlim_max, "the test needs {limit} descriptors: ulimit -Hn");
        limits.rlim_cur = limit;
        // SAFETY: the pointer is to one pair of limits.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limits) }, 0);
    }

    /// Sends `signum` to this thread.
    pub(crate) fn raise(signum: c_int) {
        // SAFETY: it takes a number.
        assert_eq!(unsafe { libc::raise(signum) }, 0);
    }

    /// Makes the kernel discard the status of each child that ends.
    pub(crate) fn ignore_children() {
        // SAFETY: no handler is installed.
        assert_ne!(unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) }, libc::SIG_ERR);
    }

    /// Sends one byte of urgent data.
    pub(crate) fn send_urgent(socket: &impl AsFd) {
        // SAFETY: the pointer is to one byte.
        let sent = unsafe { libc::send(socket.as_fd().as_raw_fd(), b"!".as_ptr().cast(), 1, libc::MSG_OOB) };
        assert_eq!(sent, 1);
    }

    /// Sends SIGALRM to this process repeatedly.
    pub(crate) fn alarm_every(microseconds: i64) {
        let period = libc::timeval { tv_sec: 0, tv_usec: microseconds };
        let timer = libc::itimerval { it_interval: period, it_value: period };
        // SAFETY: the pointer is to one timer, and the old one is not requested.
        assert_eq!(unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, ptr::null_mut()) }, 0);
    }

    /// Makes these system calls of this process fail with `errno` from now on, like a sandbox.
    pub(crate) fn refuse(calls: &[c_long], errno: c_int) {
        let step = |code: u32, jt: usize, k: u32| libc::sock_filter {
            code: code.try_into().unwrap(),
            jt: jt.try_into().unwrap(),
            jf: 0,
            k,
        };
        let mut filter = vec![step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0)];
        for (index, call) in calls.iter().enumerate() {
            let to_refusal = calls.len() - index;
            filter.push(step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, to_refusal, (*call).try_into().unwrap()));
        }
        filter.push(step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW));
        filter.push(step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ERRNO | errno as u32));
        let program = libc::sock_fprog { len: filter.len().try_into().unwrap(), filter: filter.as_mut_ptr() };
        // SAFETY: this option takes numbers.
        assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
        // SAFETY: the pointer is to a program whose steps outlive the call.
        let answer = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) };
        done(answer).unwrap();
    }

    #[test]
    fn a_count_that_the_buffer_cannot_hold_is_an_error() {
        let mut reports = Reports::with_room(4).unwrap();
        let room = c_long::try_from(reports.room()).unwrap();
        reports.fill(|_, _| 3).unwrap();
        assert_eq!(reports.found().len(), 3);
        reports.fill(|_, _| room).unwrap();
        assert_eq!(reports.fill(|_, _| room + 1).unwrap_err().raw_os_error(), Some(libc::EPROTO));
        assert!(reports.found().is_empty());
        assert!(reports.fill(|_, _| -2).is_err());
    }

    #[test]
    fn no_buffer_is_refused_and_not_written_to() {
        let set = epoll_create().unwrap();
        assert_eq!(
            epoll_wait(set.as_fd(), &mut Reports::with_room(0).unwrap(), false).unwrap_err().raw_os_error(),
            Some(libc::EINVAL)
        );
    }
}
