//! Watching signals: any number of bases, any number of signals.

use core::fmt;

use evcore::backend::Signum;

use crate::account;
use crate::error::Error;
use crate::fork::ForkGuard;
use crate::inbox::{self, Inbox};
use crate::registry;
use crate::sys::{self, SIGNALS};
use crate::waker::Waker;

/// The signals that one base watches.
///
/// ```text
///   kill(2) ──▶ the one handler ──┬─▶ inbox of base A ──▶ wake A ──▶ A: drain
///   (any thread)                  └─▶ inbox of base B ──▶ wake B ──▶ B: drain
/// ```
///
/// There is one registry of signals in a process, shared by all backends, so that any number of bases may watch one signal
/// and end in any order.
///
/// **What the signal did before.** While a base watches a signal, a handler that was installed before is not called. The last
/// watcher restores what the signal did before the first, unless another owner has installed a handler over ours since: that
/// one stays. If he puts ours back later, when nobody watches the signal any more, ours does what the signal did before: it
/// calls the earlier handler, or does nothing, or has the system take its default action. (It calls it with every signal
/// blocked.) A handler that is installed over ours while a base watches keeps the signals for itself, until another base begins
/// to watch the signal, or this one does so again ([`del`](Signals::del) and [`add`](Signals::add)).
///
/// **The mask.** [`add`](Signals::add) unblocks the signal in the calling thread, and so does [`reinit`](Signals::reinit); it
/// stays so. Other threads keep their masks. No call blocks a signal.
///
/// **The handler** counts, marks and wakes; it takes no lock, allocates nothing and keeps `errno`. It runs on the thread's
/// alternate stack where there is one (`SA_ONSTACK`). The count of an inbox is raised *before* the loop is woken and stops at
/// `u32::MAX`: however many signals storm in, none that was sent after the last [`drain`](Signals::drain) is forgotten.
/// Interrupted system calls are restarted (`SA_RESTART`).
///
/// **A fork.** In the child, a signal does what it did before any base watched it: `SIGTERM` ends a worker that has no use for
/// its parent's loop. From [`reinit`](Signals::reinit) on it is counted there, with an inbox of the child's own. A child that
/// must not miss a signal, nor be ended by it, blocks it before the fork; `reinit` unblocks it. In both processes, the other
/// is never affected. A program that is executed finds a watched signal at its default action, also where it was ignored before:
/// so it is with every handler. Ignore it again between the fork and the `exec`, where that matters.
///
/// ```
/// use evplat_posix::Waker;
/// use evplat_posix::backend::{Doorbell, Signals, WakeState};
///
/// let waker = Waker::new(WakeState::new(Doorbell::pipe()?))?;
/// let mut signals = Signals::new(&waker)?;
/// signals.add(10)?;
/// assert!(!signals.is_pending());
/// signals.drain(|signum, count| println!("signal {signum} came {count} times"));
/// # Ok::<(), evplat_posix::Error>(())
/// ```
pub struct Signals {
    inbox: &'static Inbox,
    wake: Waker,
    fork: ForkGuard,
}

impl Signals {
    /// Watches nothing yet; later arrivals will wake the loop of `waker`.
    ///
    /// # Errors
    ///
    /// When there is no memory.
    pub fn new(waker: &Waker) -> Result<Self, Error> {
        let fork = ForkGuard::new()?;
        let inbox = inbox::claim(&mut account::lock(), waker.share())?;
        Ok(Self { inbox, wake: waker.clone(), fork })
    }

    /// Begins to watch `signum`, and unblocks it in the calling thread. Does nothing if it is watched already.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the number is no signal's, or a signal's that cannot be watched: `SIGKILL`, `SIGSTOP`, those that the
    /// C library keeps for itself, and those that tell of a fault (`SIGSEGV`, `SIGBUS`, `SIGFPE`, `SIGILL`, `SIGTRAP`): after a
    /// fault the instruction is tried again, for ever. [`Error::Forked`] in the child of a fork. When the signal is blocked, and
    /// the system refuses to unblock it.
    #[doc(alias = "evsignal_add")]
    pub fn add(&mut self, signum: Signum) -> Result<(), Error> {
        if self.fork.forked() {
            return Err(Error::Forked);
        }
        // Zero is no signal, though there is a row for it.
        if signum == 0 || !usize::try_from(signum).is_ok_and(|number| number < SIGNALS) || FAULTS.contains(&signum) {
            return Err(Error::system("sigaction", libc::EINVAL));
        }
        let mut accounts = account::lock();
        if self.inbox.watches(signum) {
            return Ok(());
        }
        // The inbox first: as soon as the handler stands, a signal may come.
        self.inbox.watch(signum);
        let watched = registry::watch(&mut accounts, signum).map_err(Error::during("sigaction"));
        let outcome = watched.and_then(|()| {
            // Now, when what waits behind the mask is counted.
            sys::unblock(signum).map_err(|error| {
                registry::unwatch(&mut accounts, signum, self.inbox);
                Error::during("pthread_sigmask")(error)
            })
        });
        outcome.inspect_err(|_| self.inbox.unwatch(signum))
    }

    /// Watches `signum` no more. Answers how often it has arrived and was not drained; nothing else will tell.
    #[doc(alias = "evsignal_del")]
    pub fn del(&mut self, signum: Signum) -> u32 {
        let mut accounts = account::lock();
        if !self.inbox.watches(signum) {
            return 0;
        }
        // The handler first: until it is gone, what comes is this base's.
        registry::unwatch(&mut accounts, signum, self.inbox);
        self.inbox.unwatch(signum);
        let late = self.inbox.forget(signum);
        // In the child of a fork these are the parent's.
        if self.fork.forked() { 0 } else { late }
    }

    /// Whether anything has arrived since it was last drained. One load.
    #[inline]
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.inbox.is_pending()
    }

    /// Reports each signal that has arrived, with its count, and resets the count. In ascending order; the count
    /// is never zero and stops at `u32::MAX`.
    pub fn drain(&mut self, report: impl FnMut(Signum, u32)) {
        self.inbox.drain(report);
    }

    /// For the child of a fork, after its doorbell was replaced: forgets what had arrived at the parent, and watches the same
    /// signals, also where the child has changed what they do. Does nothing in a process that was not forked since.
    ///
    /// # Errors
    ///
    /// When there is no memory, or the system refuses; to be called again then.
    pub fn reinit(&mut self) -> Result<(), Error> {
        if !self.fork.forked() {
            return Ok(());
        }
        let mut accounts = account::lock();
        if self.inbox.is_borrowed() {
            // Another thread was in a handler when this one forked. There is no such thread here, and its count in this
            // inbox will never go: leave the inbox for good and take another.
            let fresh = inbox::claim(&mut accounts, self.wake.share())?;
            for signum in self.inbox.watched() {
                fresh.watch(signum);
                self.inbox.unwatch(signum);
            }
            self.inbox = fresh;
        }
        for signum in self.inbox.watched() {
            self.inbox.forget(signum);
        }
        self.inbox.adopt();
        for signum in self.inbox.watched() {
            // The child may have set its signals back, or have been forked by a thread that blocks them.
            registry::watch_again(&mut accounts, signum).map_err(Error::during("sigaction"))?;
            sys::unblock(signum).map_err(Error::during("pthread_sigmask"))?;
        }
        self.fork.renew();
        Ok(())
    }
}

/// Signals that tell of a fault. When their handler returns, the instruction that was at fault is tried again: an event for
/// one would come again and again, and never be handed out.
const FAULTS: [Signum; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP];

impl Drop for Signals {
    /// Ends every watch, and waits until the handlers that were on their way to this base, in other threads, are through:
    /// microseconds, as a handler takes no lock. New signals do not prolong it. So it must not be dropped in a handler.
    fn drop(&mut self) {
        {
            let mut accounts = account::lock();
            for signum in self.inbox.watched() {
                registry::unwatch(&mut accounts, signum, self.inbox);
                self.inbox.unwatch(signum);
            }
        }
        let mut turns = 0u32;
        self.inbox.release(account::lock, || {
            sys::pause(turns);
            turns = turns.saturating_add(1);
            // In the child of a fork the thread may be one of the parent's, and never come through.
            !self.fork.forked()
        });
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals").field("watched", &self.inbox.watched().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "signal/tests.rs"]
mod tests;
