//! Masks, and what happens when a signal arrives.

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::io;

use super::errno::checked;

/// One more than the highest number that a signal can have; no system counts further.
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

/// What this thread blocks; `None` where the system does not say.
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
pub(crate) struct Disposition(pub(super) libc::sigaction);

impl Disposition {
    /// What the system does by itself.
    // SAFETY: the structure is made of numbers, sets and optional pointers, for all of which zeros are a value; and a handler
    // of zero is the default.
    pub(crate) const DEFAULT: Self = Self(unsafe { MaybeUninit::zeroed().assume_init() });

    /// To call `handler`, which does only what a handler may, with all signals blocked. On the alternate stack of a thread that
    /// has one: its own may be too small.
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
        // SAFETY: both pointers are to one structure. The first is that of a handler of this crate, or the
        // default, or was the system's answer for this signal; so its handler is one that may run there.
        checked(unsafe { libc::sigaction(signum, &self.0, &mut found.0) })?;
        Ok(found)
    }

    /// Puts it in the place of `expected`. Answers whether that was there: another owner who installs his handler in the same
    /// moment keeps it. Async-signal-safe.
    pub(crate) fn put_over(&self, signum: c_int, expected: &Self) -> bool {
        let Ok(found) = self.exchange(signum) else { return false };
        if found.does_the_same_as(expected) {
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

/// So many installations of others are stepped aside for while a disposition is put in a place.
const MOST_OWNERS: u32 = 16;

/// A handler of signals, with all arguments that the system gives it.
pub(crate) type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

/// What a disposition does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// What the system does by itself.
    Default,
    Ignore,
    Call(Address),
}

/// Where a handler is that the system has named.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address(libc::sighandler_t);

impl Address {
    /// Calls the handler, from another one of the same signal.
    pub(crate) fn call(self, signum: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
        // SAFETY: the system has named this address as that of the handler of a signal. One that takes fewer arguments
        // ignores the others, in each calling convention of C; the kernel itself relies on it.
        let handler = unsafe { core::mem::transmute::<libc::sighandler_t, Handler>(self.0) };
        handler(signum, info, context);
    }
}

/// A disposition as far as a handler can tell, without its mask and flags: where handlers read it, and others write.
pub(crate) struct Origin(AtomicUsize);

impl Origin {
    /// The default.
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

/// Has the system do at once what it does for `signum` now. For a handler of it, which has every signal blocked. Answers
/// whether it could: otherwise it is done when the handler returns.
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
