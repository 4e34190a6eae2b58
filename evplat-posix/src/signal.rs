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
/// All backends of a process share one registry of signals, so any number of bases may watch one signal and be
/// dropped in any order.
///
/// **What the signal did before.** While a base watches a signal, a handler that was installed before is not called.
/// The last watcher restores what the signal did before the first, unless another owner has installed a handler over
/// ours since; that one stays. If that owner later reinstalls ours when nobody watches the signal any more, ours does
/// what the signal did before: it calls the earlier handler, does nothing, or lets the system take its default
/// action. (It calls the handler with every signal blocked.) A handler that is installed over ours while a base
/// watches receives the signals instead, until another base starts to watch the signal, or this one does so again
/// ([`del`](Signals::del) and [`add`](Signals::add)).
///
/// **The mask.** [`add`](Signals::add) and [`reinit`](Signals::reinit) unblock the signal in the calling thread,
/// permanently. Other threads keep their masks. No call blocks a signal.
///
/// **The handler** counts, marks and wakes; it takes no lock, allocates nothing and preserves `errno`. It runs on the
/// thread's alternate stack if there is one (`SA_ONSTACK`). The count of an inbox is incremented *before* the loop is
/// woken and saturates at `u32::MAX`: however many signals arrive, none that was sent after the last
/// [`drain`](Signals::drain) is lost. Interrupted system calls are restarted (`SA_RESTART`).
///
/// **A fork.** In the child, a signal does what it did before any base watched it: `SIGTERM` ends a worker that does
/// not use its parent's loop. After [`reinit`](Signals::reinit) the child counts it in an inbox of its own. A child
/// that must neither miss a signal nor be ended by it blocks it before the fork; `reinit` unblocks it. Neither
/// process affects the other. A program that is executed finds a watched signal at its default action, even if it was
/// ignored before; this is so for every handler. If that matters, ignore it again between the fork and the `exec`.
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
    /// Creates an inbox that watches nothing yet; arriving signals will wake the loop of `waker`.
    ///
    /// # Errors
    ///
    /// When there is no memory.
    pub fn new(waker: &Waker) -> Result<Self, Error> {
        let fork = ForkGuard::new()?;
        let inbox = inbox::claim(&mut account::lock(), waker.share())?;
        Ok(Self { inbox, wake: waker.clone(), fork })
    }

    /// Starts watching `signum`, and unblocks it in the calling thread. Does nothing if it is already watched.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the number is no signal, or a signal that cannot be watched: `SIGKILL`, `SIGSTOP`, those that the
    /// C library reserves, and those that report a fault (`SIGSEGV`, `SIGBUS`, `SIGFPE`, `SIGILL`, `SIGTRAP`),
    /// because after a fault the instruction is repeated for ever. [`Error::Forked`] in the child of a fork. An error
    /// of the system if the signal is blocked and cannot be unblocked.
    #[doc(alias = "evsignal_add")]
    pub fn add(&mut self, signum: Signum) -> Result<(), Error> {
        if self.fork.forked() {
            return Err(Error::Forked);
        }
        // Zero is no signal, though the arrays have a row for it.
        if signum == 0 || !usize::try_from(signum).is_ok_and(|number| number < SIGNALS) || FAULTS.contains(&signum) {
            return Err(Error::system("sigaction", libc::EINVAL));
        }
        let mut accounts = account::lock();
        if self.inbox.watches(signum) {
            return Ok(());
        }
        // The inbox first: a signal may arrive as soon as the handler is installed.
        self.inbox.watch(signum);
        let watched = registry::watch(&mut accounts, signum).map_err(Error::during("sigaction"));
        let outcome = watched.and_then(|()| {
            // Last, so that signals pending behind the mask are counted.
            sys::unblock(signum).map_err(|error| {
                registry::unwatch(&mut accounts, signum, self.inbox);
                Error::during("pthread_sigmask")(error)
            })
        });
        outcome.inspect_err(|_| self.inbox.unwatch(signum))
    }

    /// Stops watching `signum`. Returns how many arrivals were not drained; they are not reported any more.
    #[doc(alias = "evsignal_del")]
    pub fn del(&mut self, signum: Signum) -> u32 {
        let mut accounts = account::lock();
        if !self.inbox.watches(signum) {
            return 0;
        }
        // The handler first: signals that arrive until it is removed still belong to this base.
        registry::unwatch(&mut accounts, signum, self.inbox);
        self.inbox.unwatch(signum);
        let late = self.inbox.forget(signum);
        // In the child of a fork the arrivals are the parent's.
        if self.fork.forked() { 0 } else { late }
    }

    /// Whether any signal has arrived since the last `drain`. One load.
    #[inline]
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.inbox.is_pending()
    }

    /// Reports each signal that has arrived with its count, in ascending order, and resets the count. The count is
    /// never zero and saturates at `u32::MAX`.
    pub fn drain(&mut self, report: impl FnMut(Signum, u32)) {
        self.inbox.drain(report);
    }

    /// For the child of a fork, after its doorbell was replaced: discards what had arrived in the parent, and watches
    /// the same signals, even if the child has changed their dispositions. Does nothing in a process that is not a
    /// forked child.
    ///
    /// # Errors
    ///
    /// When there is no memory, or the system refuses; call it again later.
    pub fn reinit(&mut self) -> Result<(), Error> {
        if !self.fork.forked() {
            return Ok(());
        }
        let mut accounts = account::lock();
        if self.inbox.is_borrowed() {
            // Another thread was in a handler when this one forked. That thread does not exist here, so this inbox
            // stays borrowed for ever: abandon it and claim another.
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
            // The child may have reset its signals, or the thread that forked it blocks them.
            registry::watch_again(&mut accounts, signum).map_err(Error::during("sigaction"))?;
            sys::unblock(signum).map_err(Error::during("pthread_sigmask"))?;
        }
        self.fork.renew();
        Ok(())
    }
}

/// Signals that report a fault. When their handler returns, the faulting instruction is repeated, so the signal would
/// arrive again and again and its event would never be handed out.
const FAULTS: [Signum; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP];

impl Drop for Signals {
    /// Stops all watches, then waits until handlers in other threads that have begun with this base are done:
    /// microseconds, as a handler takes no lock. New signals do not prolong the wait. So do not drop it in a handler.
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
            // In the child of a fork the handler may be in a thread of the parent, which never finishes here.
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
