//! Every system call of the crate, behind functions that are safe to call, and every `unsafe` of it.
//!
//! # Safety
//!
//! Nothing here trusts a number that comes from outside: lengths are those of the slices that are passed, descriptors are
//! owned or borrowed ones, or are only asked about. What the system answers is bounded before it is used.

use core::cell::UnsafeCell;
use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering, fence};
use std::alloc::Layout;
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

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

use evcore::Fd;

use crate::{fork, inbox};

// With a path, because the models of threads include this file under another root, where the folder would not be found.
#[cfg(feature = "async")]
#[path = "sys/sockets.rs"]
mod sockets;
#[path = "sys/waits.rs"]
mod waits;

#[cfg(feature = "futures-io")]
pub(crate) use sockets::shutdown_write;
#[cfg(feature = "async")]
pub(crate) use sockets::{connect, set_nonblocking};

pub(crate) use waits::{FdSet, LONGEST_WAIT, poll, select};

/// What a system call answered: its result, or the reason in `errno`.
fn checked(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Does `work` and leaves this thread's `errno` as it was: for the handler of a signal.
fn keeping_errno(work: impl FnOnce()) {
    // SAFETY: the function takes nothing; it gives the address of this thread's errno.
    let errno = unsafe { errno_location() };
    // SAFETY: the address is valid as long as the thread runs, and no other thread's.
    let saved = unsafe { errno.read() };
    work();
    // SAFETY: as above.
    unsafe { errno.write(saved) };
}

// ---- Descriptors ---------------------------------------------------------------------------------------------------

/// More descriptors than any system gives a process.
const DESCRIPTORS_MAX: RawFd = 1 << 30;

/// The descriptor of this number, for a program that has nothing but the number: an interface in C, say. `None` for a number
/// that no descriptor has: a negative one, or one of 2^30 or more.
///
/// Everything else lends its descriptor to [`Fd::of`].
///
/// # Safety
///
/// As for [`BorrowedFd::borrow_raw`]: the number is that of an open descriptor, which nobody has reason to think their own.
///
/// ```
/// use std::os::fd::AsRawFd;
/// use evplat_posix::{Fd, fd_from_raw};
///
/// let stdin = std::io::stdin();
/// // SAFETY: standard input is open, and everybody's.
/// assert_eq!(unsafe { fd_from_raw(stdin.as_raw_fd()) }, Some(Fd::of(&stdin)));
/// // SAFETY: no descriptor has this number.
/// assert_eq!(unsafe { fd_from_raw(-1) }, None);
/// ```
#[must_use]
pub unsafe fn fd_from_raw(number: RawFd) -> Option<Fd> {
    // SAFETY: the caller says that it is an open descriptor, and it is not -1.
    (0..DESCRIPTORS_MAX).contains(&number).then(|| Fd::of(&unsafe { BorrowedFd::borrow_raw(number) }))
}

// ---- Time ----------------------------------------------------------------------------------------------------------

/// What a clock shows, in nanoseconds since its start.
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

// ---- Descriptors ---------------------------------------------------------------------------------------------------

/// The two ends of a new pipe, non-blocking and closed on exec: where to read, and where to write.
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
    // SAFETY: as above; the other one.
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

/// Makes `old` name what `new` names, under its old number, closed on exec. What it named before is closed.
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

/// So often a call is made that is interrupted each time. No system does that to calls that do not block; where one did, or a
/// sandbox, a handler of a signal would never return.
const MOST_TRIES: u32 = 64;

/// Makes a call again when it was interrupted, but not for ever.
fn until_uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 1..MOST_TRIES {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
    call()
}

/// Writes the number 1 in eight bytes, as an eventfd wants it. A descriptor that is full is as good as one written to.
/// Answers whether it needs no other try. Async-signal-safe, but for `errno`.
pub(crate) fn write_one(fd: BorrowedFd<'_>) -> bool {
    let one = 1u64.to_ne_bytes();
    let written = until_uninterrupted(|| {
        // SAFETY: the pointer and the length are those of an array.
        let written = unsafe { libc::write(fd.as_raw_fd(), one.as_ptr().cast(), one.len()) };
        if written < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    });
    !written.is_err_and(|error| error.kind() == io::ErrorKind::Interrupted)
}

/// Reads and forgets what a non-blocking descriptor holds. Where each try is interrupted, something may be left: the
/// descriptor is readable then, and its next reader tries again.
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

/// Which file a descriptor stands for: two different ones, open at the same time, differ where the system can tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FileId {
    device: libc::dev_t,
    inode: libc::ino_t,
    /// All anonymous files of Linux share an inode: timers, counters of events, epoll sets. This tells the kinds apart; two of
    /// one kind look the same. Zero in other files, and where it cannot be known: a process may leave `/proc` behind.
    kind: u32,
}

impl FileId {
    /// Nothing is known of the file, but that it is there.
    pub(crate) const UNKNOWN: Self = Self { device: 0, inode: 0, kind: 0 };

    /// The file of a number that should be an open descriptor. The number is only asked about; if it has been closed, or is
    /// another file's by now, that is the answer.
    pub(crate) fn of(number: RawFd) -> io::Result<Self> {
        let mut stat = MaybeUninit::uninit();
        // SAFETY: the pointer is to room for one `stat`.
        match checked(unsafe { libc::fstat(number, stat.as_mut_ptr()) }) {
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => return Err(error),
            // It is there, though the structure cannot hold what there is to say of it.
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

    /// Whether both are the same file, as far as is known.
    pub(crate) fn may_be(self, other: Self) -> bool {
        let is_kind = self.kind == other.kind || self.kind == 0 || other.kind == 0;
        let is_file = (self.device, self.inode) == (other.device, other.inode);
        is_file && is_kind || self == Self::UNKNOWN || other == Self::UNKNOWN
    }
}

/// Whether a descriptor only names a file (`O_PATH`) and cannot be waited for. select(2) would call it always ready.
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

/// What kind of anonymous file a descriptor stands for, as a number: made of the name that `/proc` gives it. Zero where it
/// gives none.
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

// ---- Tables --------------------------------------------------------------------------------------------------------

/// An array with one element more than a parameter can say.
#[repr(C)]
pub(crate) struct OneMore<T, const N: usize> {
    first: T,
    rest: [T; N],
}

impl<T: Copy, const N: usize> OneMore<T, N> {
    pub(crate) const fn new(value: T) -> Self {
        Self { first: value, rest: [value; N] }
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        // SAFETY: `repr(C)` puts the array directly behind the first element, for both are aligned alike, and the pointer is
        // that of the whole structure.
        unsafe { core::slice::from_raw_parts(ptr::from_ref(self).cast(), N.saturating_add(1)) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: as above; the structure is borrowed as long as the slice.
        unsafe { core::slice::from_raw_parts_mut(ptr::from_mut(self).cast(), N.saturating_add(1)) }
    }
}

// ---- Forks and signals ---------------------------------------------------------------------------------------------

/// Has the three functions called at each fork: before it, then after it in the parent and in the child.
pub(crate) fn pthread_atfork(
    before: extern "C" fn(),
    in_parent: extern "C" fn(),
    in_child: extern "C" fn(),
) -> io::Result<()> {
    // SAFETY: the functions take nothing, stay where they are as long as the program, and are safe to call at any time.
    let errno = unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
    if errno == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(errno)) }
}

/// The number of this process. Async-signal-safe.
pub(crate) fn process_id() -> u32 {
    // SAFETY: the call takes nothing and cannot fail.
    let id = unsafe { libc::getpid() };
    u32::try_from(id).unwrap_or(0)
}

fn every_signal() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the pointer is to room for one set. The call cannot fail.
    unsafe { libc::sigfillset(set.as_mut_ptr()) };
    // SAFETY: `sigfillset` has written all of it.
    unsafe { set.assume_init() }
}

fn set_of(signum: c_int) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the pointer is to room for one set. The call cannot fail.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: `sigemptyset` has written all of it.
    let mut set = unsafe { set.assume_init() };
    // SAFETY: the pointer is to one set; a number that is no signal's is refused.
    unsafe { libc::sigaddset(&mut set, signum) };
    set
}

/// What this thread blocks; `None` where the system does not say.
fn blocked() -> Option<libc::sigset_t> {
    let mut mask = every_signal();
    // SAFETY: the second pointer may be null, the third is to one set.
    let failed = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), &mut mask) };
    (failed == 0).then_some(mask)
}

/// Unblocks a signal in this thread.
///
/// # Errors
///
/// When the system refuses, and the signal is blocked. (Where a sandbox does not say either, it is taken for unblocked.)
pub(crate) fn unblock(signum: c_int) -> io::Result<()> {
    // SAFETY: the first pointer is to one set, the second may be null.
    let errno = unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &set_of(signum), ptr::null_mut()) };
    // SAFETY: the pointer is to one set.
    let is_blocked = errno != 0 && blocked().is_some_and(|mask| unsafe { libc::sigismember(&mask, signum) } == 1);
    if is_blocked { Err(io::Error::from_raw_os_error(errno)) } else { Ok(()) }
}

/// What happens when a signal arrives.
#[derive(Clone, Copy)]
pub(crate) struct Disposition(libc::sigaction);

impl Disposition {
    /// What the system does by itself.
    // SAFETY: the structure is made of numbers, sets and optional pointers, for all of which zeros are a value; and a handler
    // of zero is the default.
    pub(crate) const DEFAULT: Self = Self(unsafe { MaybeUninit::zeroed().assume_init() });

    /// To call the one handler that puts signals into the inboxes. On the alternate stack of a thread that has one: its own
    /// may be too small.
    pub(crate) fn ours() -> Self {
        let mut ours = Self::DEFAULT;
        ours.0.sa_sigaction = on_signal as *const () as libc::sighandler_t;
        ours.0.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK | libc::SA_SIGINFO;
        ours.0.sa_mask = every_signal();
        ours
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.does_the_same_as(&Self::ours())
    }

    pub(crate) fn does_the_same_as(&self, other: &Self) -> bool {
        self.0.sa_sigaction == other.0.sa_sigaction
    }

    /// Whether it is neither the default nor to ignore the signal.
    pub(crate) fn calls_a_handler(&self) -> bool {
        !matches!(self.0.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN)
    }

    /// What happens now when `signum` arrives.
    pub(crate) fn of(signum: c_int) -> io::Result<Self> {
        let mut now = Self::DEFAULT;
        // SAFETY: the second pointer may be null, the third is to one structure.
        checked(unsafe { libc::sigaction(signum, ptr::null(), &mut now.0) })?;
        Ok(now)
    }

    /// Makes it what happens when `signum` arrives. Answers what it was until now, to the instant. Async-signal-safe.
    pub(crate) fn exchange(&self, signum: c_int) -> io::Result<Self> {
        let mut found = Self::DEFAULT;
        // SAFETY: both pointers are to one structure. The first is ours, or the default, or was the system's answer for this
        // signal; so its handler is one that may run there.
        checked(unsafe { libc::sigaction(signum, &self.0, &mut found.0) })?;
        Ok(found)
    }

    /// Puts it back where ours should be. Answers whether it was: another owner who installs his handler in the same
    /// moment keeps it.
    pub(crate) fn put_back(&self, signum: c_int) -> bool {
        let Ok(found) = self.exchange(signum) else { return false };
        if found.is_ours() {
            return true;
        }
        // The latest that anyone else has installed is the one to stand in the end.
        let mut theirs = found;
        for _ in 0..MOST_OWNERS {
            match theirs.exchange(signum) {
                Ok(found) if !found.does_the_same_as(self) && !found.does_the_same_as(&theirs) => theirs = found,
                _ => break,
            }
        }
        false
    }
}

/// So many installations of others are stepped aside for while a disposition is put back.
const MOST_OWNERS: u32 = 16;

/// The handlers that were there before ours, by signal: where the kernel's structure says who is called.
static ORIGINS: [AtomicUsize; inbox::SIGNALS] = [const { AtomicUsize::new(libc::SIG_DFL) }; inbox::SIGNALS];

/// Notes what `signum` did before us.
pub(crate) fn set_origin(signum: c_int, disposition: &Disposition) {
    if let Some(place) = usize::try_from(signum).ok().and_then(|number| ORIGINS.get(number)) {
        place.store(disposition.0.sa_sigaction, Ordering::Release);
    }
}

/// What `signum` did before us, as far as a handler can tell: without its mask and flags.
pub(crate) fn origin(signum: c_int) -> Disposition {
    let place = usize::try_from(signum).ok().and_then(|number| ORIGINS.get(number));
    let mut origin = Disposition::DEFAULT;
    origin.0.sa_sigaction = place.map_or(libc::SIG_DFL, |place| place.load(Ordering::Acquire));
    origin
}

/// The handler. It interrupts any instruction of any thread, so it does nothing but atomic operations and one `write`; or
/// what the signal did before us, where no base of this process watches it.
extern "C" fn on_signal(signum: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    keeping_errno(|| {
        if !inbox::arrived(signum) {
            do_as_before(signum, info, context);
        }
    });
}

/// What the signal did before us: another owner has put our handler back after the last watcher had gone, or this is the
/// child of a fork whose bases are still the parent's.
fn do_as_before(signum: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    match origin(signum).0.sa_sigaction {
        libc::SIG_IGN => {}
        libc::SIG_DFL => do_by_default(signum),
        address => {
            type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
            // SAFETY: the system has named this address as that of the handler of this signal. One that takes fewer arguments
            // ignores the others, in each calling convention of C; the kernel itself relies on it.
            let handler = unsafe { core::mem::transmute::<libc::sighandler_t, Handler>(address) };
            handler(signum, info, context);
        }
    }
}

/// Has the system do what it does by itself: end this process, or stop it. Afterwards, ours is there again.
fn do_by_default(signum: c_int) {
    // These do nothing.
    if matches!(signum, libc::SIGCHLD | libc::SIGCONT | libc::SIGURG | libc::SIGWINCH) {
        return;
    }
    let Ok(ours) = Disposition::DEFAULT.exchange(signum) else { return };
    let mut blocked = every_signal();
    // SAFETY: it takes a number. The signal is blocked, so it is pending until it is unblocked below.
    unsafe { libc::raise(signum) };
    // SAFETY: both pointers are to one set each.
    if unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &set_of(signum), &mut blocked) } != 0 {
        // Where that is refused, the return of this handler unblocks it.
        return;
    }
    // It was to be stopped, and has gone on.
    // SAFETY: the first pointer is to a set that the system filled in, the second may be null.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &blocked, ptr::null_mut()) };
    ours.put_over_default(signum);
}

impl Disposition {
    /// Puts it back over the default, unless another owner has installed his meanwhile.
    fn put_over_default(&self, signum: c_int) {
        if let Ok(found) = self.exchange(signum) {
            if !found.does_the_same_as(&Self::DEFAULT) {
                let _ = found.exchange(signum);
            }
        }
    }
}

// ---- What threads, handlers and forks share --------------------------------------------------------------------------

/// A lock that the child of a fork finds free, whoever had it in the parent: a holder that is not of this process does not
/// exist here. What it was about to write is then half written, so the value must bear that.
///
/// It takes no part in the fork: nothing is held while a program's own handlers of it run. What is done under it takes
/// microseconds.
pub(crate) struct ForkLock<T> {
    /// 0, or the epoch of the holder's process and one.
    holder: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through a guard only, of which there is one at a time in a process.
unsafe impl<T: Send> Sync for ForkLock<T> {}

/// The lock is held.
pub(crate) struct ForkLockGuard<'a, T>(&'a ForkLock<T>);

impl<T> ForkLock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { holder: AtomicU32::new(0), value: UnsafeCell::new(value) }
    }

    pub(crate) fn lock(&self) -> ForkLockGuard<'_, T> {
        let mut turns = 0u32;
        loop {
            let own = fork::epoch() | 1;
            let holder = self.holder.load(Ordering::Relaxed);
            // Of one process, all that wait and hold have the same number.
            let is_free = holder != own;
            if is_free && self.holder.compare_exchange(holder, own, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return ForkLockGuard(self);
            }
            pause(turns);
            turns = turns.saturating_add(1);
        }
    }
}

impl<T> Drop for ForkLockGuard<'_, T> {
    fn drop(&mut self) {
        self.0.holder.store(0, Ordering::Release);
    }
}

impl<T> core::ops::Deref for ForkLockGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard is the only one in this process.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> core::ops::DerefMut for ForkLockGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard is the only one in this process, and is borrowed as long as the value.
        unsafe { &mut *self.0.value.get() }
    }
}

/// Lets another thread go on: one that is about to end something that takes microseconds.
pub(crate) fn pause(turns: u32) {
    match turns {
        0..64 => core::hint::spin_loop(),
        64..128 => std::thread::yield_now(),
        // That thread may be a less urgent one than this, and need the processor.
        _ => std::thread::sleep(core::time::Duration::from_micros(50)),
    }
}

/// A link to something that stays for ever, written once. To read it is one load, to write it one store: neither waits for
/// a thread that the child of a fork has not got.
pub(crate) struct Link<T: 'static>(AtomicPtr<T>);

impl<T: Sync> Link<T> {
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Async-signal-safe.
    pub(crate) fn get(&self) -> Option<&'static T> {
        // SAFETY: null, or what `set` was given, which stays for ever and is only shared.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    pub(crate) fn set(&self, to: &'static T) {
        self.0.store(ptr::from_ref(to).cast_mut(), Ordering::Release);
    }
}

/// What several owners share, as in an `Arc`; but where there is no memory for it, that is said and ends nothing.
pub(crate) struct Shared<T> {
    counted: NonNull<Counted<T>>,
}

pub(crate) struct Counted<T> {
    /// How many there are besides the first.
    others: AtomicUsize,
    value: T,
}

// SAFETY: as an `Arc`: an owner in another thread sees the value, and may be the one to drop it.
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// `None` when there is no memory.
    pub(crate) fn new(value: T) -> Option<Self> {
        // SAFETY: the layout has a size, that of the count at least.
        let memory = unsafe { std::alloc::alloc(Layout::new::<Counted<T>>()) };
        let counted = NonNull::new(memory.cast::<Counted<T>>())?;
        // SAFETY: the memory is new, and has this layout.
        unsafe { counted.write(Counted { others: AtomicUsize::new(0), value }) };
        Some(Self { counted })
    }

    fn counted(&self) -> &Counted<T> {
        // SAFETY: it lives as long as one owner does.
        unsafe { self.counted.as_ref() }
    }

    fn into_raw(self) -> *mut Counted<T> {
        core::mem::ManuallyDrop::new(self).counted.as_ptr()
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        // Relaxed: whoever clones has it already, and nothing is read by the count.
        if self.counted().others.fetch_add(1, Ordering::Relaxed) > usize::MAX >> 1 {
            // So many that were forgotten: before the count wraps, as in an `Arc`.
            std::process::abort();
        }
        Self { counted: self.counted }
    }
}

impl<T> core::ops::Deref for Shared<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.counted().value
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // Release and acquire: what each owner did to the value was done before it is dropped.
        if self.counted().others.fetch_sub(1, Ordering::Release) != 0 {
            return;
        }
        fence(Ordering::Acquire);
        // SAFETY: this was the last owner. The value is dropped once, and the memory then given back as it was asked for.
        unsafe { self.counted.drop_in_place() };
        // SAFETY: as above.
        unsafe { std::alloc::dealloc(self.counted.as_ptr().cast(), Layout::new::<Counted<T>>()) };
    }
}

impl<T: core::fmt::Debug> core::fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        (**self).fmt(f)
    }
}

/// A [`Shared`] that handlers of signals may look into while its owner takes it away.
///
/// A handler counts itself in, then loads the pointer; the owner removes the pointer, then waits until nobody is counted.
pub(crate) struct Lent<T> {
    pointer: AtomicPtr<Counted<T>>,
    borrowers: AtomicUsize,
}

/// Counts one borrower, however it ends.
struct Borrower<'a>(&'a AtomicUsize);

impl<'a> Borrower<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        // SeqCst, see `Lent::take`.
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Borrower<'_> {
    fn drop(&mut self) {
        // Release: what the borrower read, it read before the owner sees the count.
        self.0.fetch_sub(1, Ordering::Release);
    }
}

impl<T: Send + Sync> Lent<T> {
    pub(crate) const fn empty() -> Self {
        Self { pointer: AtomicPtr::new(ptr::null_mut()), borrowers: AtomicUsize::new(0) }
    }

    /// Lends `value`. Another one that was lent is leaked: it is to be taken before.
    pub(crate) fn lend(&self, value: Shared<T>) {
        self.pointer.store(value.into_raw(), Ordering::SeqCst);
    }

    /// Whether someone looks into it now, or looked into an earlier value when the process was forked.
    pub(crate) fn is_borrowed(&self) -> bool {
        self.borrowers.load(Ordering::SeqCst) != 0
    }

    /// Looks into it, if something is lent. Async-signal-safe where `look` is.
    pub(crate) fn with(&self, look: impl FnOnce(&T)) {
        let _borrower = Borrower::new(&self.borrowers);
        let pointer = self.pointer.load(Ordering::SeqCst);
        // SAFETY: null, or the pointer of a `Shared` whose count `lend` has kept. `take` gives the count up only when it has
        // seen no borrower after it removed the pointer, and this one has been counted since before it loaded it.
        if let Some(counted) = unsafe { pointer.as_ref() } {
            look(&counted.value);
        }
    }

    /// Takes it back, when nobody looks into it any more: those who begin now find nothing, and `pause` is called while
    /// there are others. `None`: nothing was lent, or `pause` has answered that it waits no longer, and the value is leaked.
    pub(crate) fn take(&self, mut pause: impl FnMut() -> bool) -> Option<Shared<T>> {
        // This swap, the load below and the two operations of a borrower have one order, the sequentially consistent one. A
        // borrower that loaded the pointer before this swap counted itself before, so the load below sees it.
        let counted = NonNull::new(self.pointer.swap(ptr::null_mut(), Ordering::SeqCst))?;
        while self.is_borrowed() {
            if !pause() {
                return None;
            }
        }
        // It came from `into_raw`, the swap has given it to this thread alone, and no borrower is left.
        Some(Shared { counted })
    }
}

/// Whether this program has rights that whoever started it has not: set-user-id and the like.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn is_privileged() -> bool {
    // SAFETY: the call takes a number, and looks at what the kernel gave the process at its start.
    let answer = unsafe { libc::getauxval(libc::AT_SECURE) };
    answer != 0
}

/// Whether this program has rights that whoever started it has not: set-user-id and the like.
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
