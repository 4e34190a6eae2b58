//! Signal masks and dispositions.

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::io;

use super::errno::checked;

/// One more than the highest signal number of any system.
pub(crate) const SIGNALS: usize = 128;

fn every_signal() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the pointer is to room for one set. The call cannot fail.
    unsafe { libc::sigfillset(set.as_mut_ptr()) };
    // SAFETY: `sigfillset` has written all of it.
    unsafe { set.assume_init() }
}

pub(super) fn set_of(signum: c_int) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the pointer is to room for one set. The call cannot fail.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: `sigemptyset` has written all of it.
    let mut set = unsafe { set.assume_init() };
    // SAFETY: the pointer is to one set; a number that is no signal's is refused.
    unsafe { libc::sigaddset(&mut set, signum) };
    set
}

/// The signals that this thread blocks; `None` if the system does not say.
pub(super) fn blocked() -> Option<libc::sigset_t> {
    let mut mask = every_signal();
    // SAFETY: the second pointer may be null, the third is to one set.
    let failed = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), &mut mask) };
    (failed == 0).then_some(mask)
}

/// Unblocks a signal in this thread.
///
/// # Errors
///
/// When the system refuses and the signal is blocked. (If a sandbox hides the mask too, the signal is assumed to be
/// unblocked.)
pub(crate) fn unblock(signum: c_int) -> io::Result<()> {
    // SAFETY: the first pointer is to one set, the second may be null.
    let errno = unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &set_of(signum), ptr::null_mut()) };
    // SAFETY: the pointer is to one set.
    let is_blocked = errno != 0 && blocked().is_some_and(|mask| unsafe { libc::sigismember(&mask, signum) } == 1);
    if is_blocked { Err(io::Error::from_raw_os_error(errno)) } else { Ok(()) }
}

/// What happens when a signal arrives.
#[derive(Clone, Copy)]
pub(crate) struct Disposition(pub(super) libc::sigaction);

impl Disposition {
    /// The system's default action.
    // SAFETY: the structure consists of numbers, sets and optional pointers, for all of which zero is a valid value;
    // and a handler of zero is the default.
    pub(crate) const DEFAULT: Self = Self(unsafe { MaybeUninit::zeroed().assume_init() });

    /// Calls `handler`, which must be async-signal-safe, with all signals blocked. It runs on the alternate stack of
    /// a thread that has one, as the thread's own stack may be too small.
    pub(crate) fn calling(handler: Handler) -> Self {
        let mut calling = Self::DEFAULT;
        calling.0.sa_sigaction = handler as *const () as libc::sighandler_t;
        calling.0.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK | libc::SA_SIGINFO;
        calling.0.sa_mask = every_signal();
        calling
    }

    pub(crate) fn does_the_same_as(&self, other: &Self) -> bool {
        self.0.sa_sigaction == other.0.sa_sigaction
    }

    pub(crate) fn action(&self) -> Action {
        match self.0.sa_sigaction {
            libc::SIG_DFL => Action::Default,
            libc::SIG_IGN => Action::Ignore,
            address => Action::Call(Address(address)),
        }
    }

    /// The current disposition of `signum`.
    pub(crate) fn of(signum: c_int) -> io::Result<Self> {
        let mut now = Self::DEFAULT;
        // SAFETY: the second pointer may be null, the third is to one structure.
        checked(unsafe { libc::sigaction(signum, ptr::null(), &mut now.0) })?;
        Ok(now)
    }

    /// Installs this disposition for `signum`. Atomically returns the one it replaced. Async-signal-safe.
    pub(crate) fn exchange(&self, signum: c_int) -> io::Result<Self> {
        let mut found = Self::DEFAULT;
        // SAFETY: both pointers are to one structure. The first is that of a handler of this crate, or the default,
        // or was the system's answer for this signal; so its handler is one that may run there.
        checked(unsafe { libc::sigaction(signum, &self.0, &mut found.0) })?;
        Ok(found)
    }

    /// Replaces `expected` with this disposition. Returns whether `expected` was there; a handler that another owner
    /// installs at the same moment stays. Async-signal-safe.
    pub(crate) fn put_over(&self, signum: c_int, expected: &Self) -> bool {
        let Ok(found) = self.exchange(signum) else { return false };
        if found.does_the_same_as(expected) {
            return true;
        }
        // The handler that another owner installed last must be the one that remains.
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

/// How many concurrent installations by others are given way to while a disposition is replaced.
const MOST_OWNERS: u32 = 16;

/// A signal handler with all arguments that the system passes.
pub(crate) type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

/// What a disposition does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// The system's default action.
    Default,
    Ignore,
    Call(Address),
}

/// The address of a handler, as the system returned it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address(libc::sighandler_t);

impl Address {
    /// Calls the handler from another handler of the same signal.
    pub(crate) fn call(self, signum: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
        // SAFETY: the system returned this address as that of a signal handler. One that takes fewer arguments
        // ignores the others, in each calling convention of C; the kernel itself relies on it.
        let handler = unsafe { core::mem::transmute::<libc::sighandler_t, Handler>(self.0) };
        handler(signum, info, context);
    }
}

/// A disposition without its mask and flags, which handlers can read while others write it.
pub(crate) struct Origin(AtomicUsize);

impl Origin {
    pub(crate) const fn new() -> Self {
        Self(AtomicUsize::new(libc::SIG_DFL))
    }

    pub(crate) fn set(&self, disposition: &Disposition) {
        self.0.store(disposition.0.sa_sigaction, Ordering::Release);
    }

    /// Async-signal-safe.
    pub(crate) fn get(&self) -> Disposition {
        let mut origin = Disposition::DEFAULT;
        origin.0.sa_sigaction = self.0.load(Ordering::Acquire);
        origin
    }
}

/// Makes the system take its current action for `signum` at once. For a handler of that signal, which runs with every
/// signal blocked. Returns `false` if that was not possible; the action then happens when the handler returns.
pub(crate) fn raise_unblocked(signum: c_int) -> bool {
    let mut blocked = every_signal();
    // SAFETY: it takes a number. The signal is blocked, so it is pending until it is unblocked below.
    unsafe { libc::raise(signum) };
    // SAFETY: both pointers are to one set each.
    if unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &set_of(signum), &mut blocked) } != 0 {
        return false;
    }
    // SAFETY: the first pointer is to a set that the system filled in, the second may be null.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &blocked, ptr::null_mut()) };
    true
}
