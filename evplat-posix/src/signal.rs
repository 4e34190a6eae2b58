//! Watching signals: any number of bases, any number of signals.

use core::fmt;

use evcore::backend::Signum;

use crate::error::Error;
use crate::fork::ForkGuard;
use crate::inbox::{self, Inbox, SIGNALS};
use crate::registry;
use crate::sys;
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
        let inbox = inbox::claim(&mut registry::lock(), waker.share())?;
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
        let mut registry = registry::lock();
        if self.inbox.watches(signum) {
            return Ok(());
        }
        // The inbox first: as soon as the handler stands, a signal may come.
        self.inbox.watch(signum);
        let watched = registry.watch(signum).map_err(Error::during("sigaction"));
        let outcome = watched.and_then(|()| {
            // Now, when what waits behind the mask is counted.
            sys::unblock(signum).map_err(|error| {
                registry.unwatch(signum, self.inbox);
                Error::during("pthread_sigmask")(error)
            })
        });
        outcome.inspect_err(|_| self.inbox.unwatch(signum))
    }

    /// Watches `signum` no more. Answers how often it has arrived and was not drained; nothing else will tell.
    #[doc(alias = "evsignal_del")]
    pub fn del(&mut self, signum: Signum) -> u32 {
        let mut registry = registry::lock();
        if !self.inbox.watches(signum) {
            return 0;
        }
        // The handler first: until it is gone, what comes is this base's.
        registry.unwatch(signum, self.inbox);
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

    /// Reports each signal that has arrived, with how often it did, and starts counting anew. In ascending order; the count
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
        let mut registry = registry::lock();
        if self.inbox.is_borrowed() {
            // Another thread was in a handler when this one forked. There is no such thread here, and its count in this
            // inbox will never go: leave the inbox for good and take another.
            let fresh = inbox::claim(&mut registry, self.wake.share())?;
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
            registry.watch_again(signum).map_err(Error::during("sigaction"))?;
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
            let mut registry = registry::lock();
            for signum in self.inbox.watched() {
                registry.unwatch(signum, self.inbox);
                self.inbox.unwatch(signum);
            }
        }
        let mut turns = 0u32;
        self.inbox.release(registry::lock, || {
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
mod tests {
    use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    use core::time::Duration;
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::process::Command;
    use std::sync::{Mutex, MutexGuard, PoisonError};
    use std::thread;

    use libc::{SIGCONT, SIGHUP, SIGKILL, SIGSTOP, SIGTERM, SIGURG, SIGUSR1, SIGUSR2, SIGWINCH};

    use super::*;
    use crate::doorbell::Doorbell;
    use crate::sys::tests::{
        COUNTED, block, blocked_signals, count_handler, flags_of, handle, handler_of, ignore, in_child, is_readable,
        kill_self, raise, raise_in, read, this_thread,
    };
    use crate::waker::WakeState;

    /// Signals belong to the process, the tests run in threads of it.
    fn alone() -> MutexGuard<'static, ()> {
        static ALONE: Mutex<()> = Mutex::new(());
        ALONE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake() -> Waker {
        Waker::new(WakeState::new(Doorbell::pipe().unwrap())).unwrap()
    }

    fn signals() -> Signals {
        Signals::new(&wake()).unwrap()
    }

    fn drained(signals: &mut Signals) -> Vec<(Signum, u32)> {
        let mut all = Vec::new();
        signals.drain(|signum, count| all.push((signum, count)));
        all
    }

    #[test]
    fn each_arrival_is_counted_and_wakes() {
        let _alone = alone();
        let wake = wake();
        let mut signals = Signals::new(&wake).unwrap();
        signals.add(SIGUSR1).unwrap();
        signals.add(SIGUSR2).unwrap();
        assert!(!signals.is_pending() && wake.state().prepare_sleep());
        raise(SIGUSR2);
        assert!(signals.is_pending() && is_readable(wake.state().doorbell()));
        raise(SIGUSR1);
        raise(SIGUSR2);
        assert_eq!(drained(&mut signals), [(SIGUSR1, 1), (SIGUSR2, 2)]);
        assert!(!signals.is_pending());
        assert_eq!(drained(&mut signals), []);
        assert_eq!(blocked_signals(), 0);
    }

    #[test]
    fn two_bases_share_a_signal_and_end_in_any_order() {
        let _alone = alone();
        for first_ends_first in [true, false] {
            let before = handler_of(SIGUSR1);
            let (mut a, mut b) = (signals(), signals());
            a.add(SIGUSR1).unwrap();
            b.add(SIGUSR1).unwrap();
            raise(SIGUSR1);
            assert_eq!((drained(&mut a), drained(&mut b)), (vec![(SIGUSR1, 1)], vec![(SIGUSR1, 1)]));
            let (gone, mut left) = if first_ends_first { (a, b) } else { (b, a) };
            drop(gone);
            raise(SIGUSR1);
            assert_eq!(drained(&mut left), [(SIGUSR1, 1)], "deaf after the other base had gone");
            drop(left);
            assert_eq!(handler_of(SIGUSR1), before);
        }
    }

    #[test]
    fn the_disposition_from_before_comes_back() {
        let _alone = alone();
        ignore(SIGHUP);
        let (mut a, mut b) = (signals(), signals());
        a.add(SIGHUP).unwrap();
        b.add(SIGHUP).unwrap();
        a.add(SIGHUP).unwrap();
        a.del(SIGHUP);
        assert_ne!(handler_of(SIGHUP), libc::SIG_IGN);
        b.del(SIGHUP);
        assert_eq!(handler_of(SIGHUP), libc::SIG_IGN);
        // Ends that were no beginnings change nothing.
        b.del(SIGHUP);
        b.add(SIGHUP).unwrap();
        a.del(SIGHUP);
        raise(SIGHUP);
        assert_eq!(drained(&mut b), [(SIGHUP, 1)]);
        drop(b);
        assert_eq!(handler_of(SIGHUP), libc::SIG_IGN);
    }

    #[test]
    fn a_handler_installed_over_ours_is_not_replaced() {
        let _alone = alone();
        let before = handler_of(SIGCONT);
        let mut signals = signals();
        signals.add(SIGCONT).unwrap();
        let ours = crate::sys::Disposition::of(SIGCONT).unwrap();
        ignore(SIGCONT);
        signals.del(SIGCONT);
        assert_eq!(handler_of(SIGCONT), libc::SIG_IGN);
        // The other owner ends, and puts back what it found: ours. It still leads to what was there first.
        ours.exchange(SIGCONT).unwrap();
        signals.add(SIGCONT).unwrap();
        signals.del(SIGCONT);
        assert_eq!(handler_of(SIGCONT), before);
    }

    #[test]
    fn what_is_no_signal_is_refused_and_leaves_nothing() {
        let _alone = alone();
        let mut signals = signals();
        let faults = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP];
        for signum in [0, -1, i32::MIN, i32::MAX, 65, 127, 128, 4096, SIGKILL, SIGSTOP].into_iter().chain(faults) {
            assert_eq!(signals.add(signum).map_err(|e| e.errno()), Err(Some(libc::EINVAL)), "{signum}");
            assert!(!signals.inbox.watches(signum));
            signals.del(signum);
        }
        assert_eq!(signals.inbox.watched().count(), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn real_time_signals_work_up_to_the_last() {
        let _alone = alone();
        let mut signals = signals();
        for signum in [libc::SIGRTMIN(), libc::SIGRTMAX()] {
            signals.add(signum).unwrap();
            raise(signum);
            assert_eq!(drained(&mut signals), [(signum, 1)]);
        }
    }

    #[test]
    fn a_storm_loses_no_last_signal() {
        let _alone = alone();
        let mut signals = signals();
        signals.add(SIGUSR1).unwrap();
        signals.add(SIGTERM).unwrap();
        for _ in 0..1_000_000 {
            raise(SIGUSR1);
        }
        raise(SIGTERM);
        assert_eq!(drained(&mut signals), [(SIGUSR1, 1_000_000), (SIGTERM, 1)]);
    }

    #[test]
    fn a_storm_from_other_threads_is_counted_to_the_last() {
        let _alone = alone();
        let mut signals = signals();
        signals.add(SIGUSR1).unwrap();
        let mut counted = 0u32;
        thread::scope(|scope| {
            let storms = [(); 2].map(|()| scope.spawn(|| (0..50_000).for_each(|_| raise(SIGUSR1))));
            while !storms.iter().all(thread::ScopedJoinHandle::is_finished) {
                signals.drain(|_, count| counted += count);
            }
        });
        signals.drain(|_, count| counted += count);
        assert_eq!(counted, 100_000);
    }

    #[test]
    fn what_came_before_del_is_not_reported_after_a_new_add() {
        let _alone = alone();
        let mut signals = signals();
        signals.add(SIGURG).unwrap();
        raise(SIGURG);
        signals.del(SIGURG);
        signals.add(SIGURG).unwrap();
        assert_eq!(drained(&mut signals), []);
    }

    /// Handlers run in two threads all the while: none may touch a base that is gone, and they must not hold one back.
    #[test]
    fn bases_come_and_go_in_a_storm() {
        let _alone = alone();
        let stop = AtomicBool::new(false);
        let mut steady = signals();
        steady.add(SIGWINCH).unwrap();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        raise(SIGWINCH);
                    }
                });
            }
            for _ in 0..2_000 {
                let mut passing = signals();
                passing.add(SIGWINCH).unwrap();
                passing.drain(|signum, count| assert!(signum == SIGWINCH && count > 0));
            }
            stop.store(true, Ordering::Relaxed);
        });
        assert_eq!(drained(&mut steady).len(), 1);
    }

    #[test]
    fn a_handler_in_the_dropping_thread_does_not_lock_it_up() {
        let _alone = alone();
        let mut signals = signals();
        // A signal that does nothing where nobody watches it.
        signals.add(SIGURG).unwrap();
        thread::scope(|scope| {
            let dropper = scope.spawn(move || {
                for _ in 0..1_000 {
                    signals.del(SIGURG);
                    signals.add(SIGURG).unwrap();
                }
                drop(signals);
            });
            while !dropper.is_finished() {
                kill_self(SIGURG);
            }
        });
    }

    #[test]
    fn children_inherit_no_mask() {
        let _alone = alone();
        let mut signals = signals();
        signals.add(SIGUSR1).unwrap();
        if !cfg!(target_os = "linux") {
            return;
        }
        let status = Command::new("cat").arg("/proc/self/status").output().unwrap();
        let status = String::from_utf8(status.stdout).unwrap();
        let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap();
        assert_eq!(u64::from_str_radix(blocked.trim(), 16), Ok(0));
    }

    #[test]
    fn a_child_has_an_inbox_of_its_own() {
        let _alone = alone();
        let wake = wake();
        let mut signals = Signals::new(&wake).unwrap();
        signals.add(SIGUSR1).unwrap();
        raise(SIGUSR1);
        let status = in_child(|| {
            wake.state().reinit(&Doorbell::pipe().unwrap()).unwrap();
            signals.reinit().unwrap();
            let clean = drained(&mut signals).is_empty();
            raise(SIGUSR1);
            clean && drained(&mut signals) == [(SIGUSR1, 1)]
        });
        assert_eq!(status, 0);
        assert_eq!(drained(&mut signals), [(SIGUSR1, 1)], "the child took the parent's");
    }

    /// A thread that was in a handler at the fork does not exist in the child, and must not be waited for there.
    #[test]
    fn a_fork_during_a_handler_does_not_lock_up_the_child() {
        let _alone = alone();
        let mut signals = signals();
        signals.add(SIGUSR1).unwrap();
        let stage = AtomicU32::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                signals.inbox.lent_to_a_test(|| {
                    stage.store(1, Ordering::SeqCst);
                    while stage.load(Ordering::SeqCst) == 1 {
                        thread::yield_now();
                    }
                });
            });
            while stage.load(Ordering::SeqCst) == 0 {
                thread::yield_now();
            }
            let renewed = in_child(|| {
                let mut copy =
                    Signals { inbox: signals.inbox, wake: signals.wake.clone(), fork: ForkGuard::new().unwrap() };
                copy.fork = crate::fork::ForkGuard::before_the_last_fork();
                copy.reinit().unwrap();
                raise(SIGUSR1);
                let well = drained(&mut copy) == [(SIGUSR1, 1)];
                drop(copy);
                well && handler_of(SIGUSR1) == libc::SIG_DFL
            });
            let dropped = in_child(|| {
                let fork = ForkGuard::before_the_last_fork();
                drop(Signals { inbox: signals.inbox, wake: signals.wake.clone(), fork });
                true
            });
            stage.store(2, Ordering::SeqCst);
            assert_eq!((renewed, dropped), (0, 0));
        });
        raise(SIGUSR1);
        assert_eq!(drained(&mut signals), [(SIGUSR1, 1)]);
    }

    #[test]
    fn a_system_call_that_was_interrupted_goes_on() {
        let _alone = alone();
        let mut signals = signals();
        signals.add(SIGUSR1).unwrap();
        let (near, mut far) = UnixStream::pair().unwrap();
        let reader = this_thread();
        let writer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            raise_in(reader, SIGUSR1);
            thread::sleep(Duration::from_millis(20));
            far.write_all(b"x").unwrap();
        });
        assert_eq!(read(&near, &mut [0; 8]), Ok(1));
        writer.join().unwrap();
        assert_eq!(drained(&mut signals), [(SIGUSR1, 1)]);
    }

    #[test]
    fn the_count_stops_at_the_top() {
        let _alone = alone();
        let mut signals = signals();
        signals.add(SIGUSR1).unwrap();
        signals.inbox.pretend(SIGUSR1, u32::MAX - 1);
        for _ in 0..3 {
            raise(SIGUSR1);
        }
        assert_eq!(drained(&mut signals), [(SIGUSR1, u32::MAX)]);
    }

    /// A handler that has counted one more, after `work`.
    fn counts_one(work: impl FnOnce()) -> bool {
        let before = COUNTED.load(Ordering::SeqCst);
        work();
        COUNTED.load(Ordering::SeqCst) == before + 1
    }

    #[test]
    fn a_handler_put_back_after_the_last_watcher_does_what_was_done_before() {
        let _alone = alone();
        let status = in_child(|| {
            handle(SIGUSR1, count_handler());
            let mut signals = signals();
            for signum in [SIGUSR1, SIGTERM, SIGURG] {
                signals.add(signum).unwrap();
                let ours = crate::sys::Disposition::of(signum).unwrap();
                ignore(signum);
                signals.del(signum);
                ours.exchange(signum).unwrap();
            }
            drop(signals);
            let handled = counts_one(|| raise(SIGUSR1));
            raise(SIGURG);
            // Not called while a base watches.
            let mut again = super::tests::signals();
            again.add(SIGUSR1).unwrap();
            raise(SIGUSR1);
            let handled = handled && drained(&mut again) == [(SIGUSR1, 1)];
            drop(again);
            if !handled || handler_of(SIGUSR1) != count_handler() || !counts_one(|| raise(SIGUSR1)) {
                return false;
            }
            raise(SIGTERM);
            false
        });
        assert_eq!(status, -SIGTERM);
    }

    /// Their handler, installed over ours, calls ours for its own reasons, and stands below the next watcher's.
    #[test]
    fn a_handler_that_leads_to_ours_and_stands_below_it_is_no_circle() {
        let _alone = alone();
        extern "C" fn leads_on(signum: i32) {
            if LED.fetch_add(1, Ordering::SeqCst) < 10 {
                crate::sys::tests::call(LEADS_TO.load(Ordering::SeqCst), signum);
            }
        }
        static LED: AtomicU32 = AtomicU32::new(0);
        static LEADS_TO: core::sync::atomic::AtomicUsize = core::sync::atomic::AtomicUsize::new(0);
        let status = in_child(|| {
            handle(SIGUSR1, count_handler());
            let mut signals = signals();
            signals.add(SIGUSR1).unwrap();
            LEADS_TO.store(handler_of(SIGUSR1), Ordering::SeqCst);
            let theirs = leads_on as extern "C" fn(i32) as libc::sighandler_t;
            handle(SIGUSR1, theirs);
            signals.del(SIGUSR1);
            signals.add(SIGUSR1).unwrap();
            raise(SIGUSR1);
            let heard = drained(&mut signals) == [(SIGUSR1, 1)] && LED.load(Ordering::SeqCst) == 0;
            signals.del(SIGUSR1);
            heard && handler_of(SIGUSR1) == theirs && counts_one(|| raise(SIGUSR1)) && LED.load(Ordering::SeqCst) == 1
        });
        assert_eq!(status, 0);
    }

    /// The second watch finds it over ours, which the first one has installed.
    #[test]
    fn a_handler_that_leads_to_ours_is_no_circle_under_a_second_watch() {
        let _alone = alone();
        extern "C" fn leads_on(signum: i32) {
            if LED.fetch_add(1, Ordering::SeqCst) < 10 {
                crate::sys::tests::call(LEADS_TO.load(Ordering::SeqCst), signum);
            }
        }
        static LED: AtomicU32 = AtomicU32::new(0);
        static LEADS_TO: core::sync::atomic::AtomicUsize = core::sync::atomic::AtomicUsize::new(0);
        let theirs = leads_on as extern "C" fn(i32) as libc::sighandler_t;
        let leads_once = || {
            LED.store(0, Ordering::SeqCst);
            counts_one(|| raise(SIGUSR1)) && LED.load(Ordering::SeqCst) <= 1
        };
        let status = in_child(|| {
            handle(SIGUSR1, count_handler());
            let (mut first, mut second) = (signals(), signals());
            first.add(SIGUSR1).unwrap();
            LEADS_TO.store(handler_of(SIGUSR1), Ordering::SeqCst);
            handle(SIGUSR1, theirs);
            second.add(SIGUSR1).unwrap();
            let in_a_child = in_child(leads_once) == 0;
            let in_a_child_of_its_own = in_child(|| {
                handle(SIGUSR1, theirs);
                first.reinit().unwrap();
                drop((first, second));
                handler_of(SIGUSR1) == theirs && leads_once()
            }) == 0;
            in_a_child && in_a_child_of_its_own
        });
        assert_eq!(status, 0);
        let status = in_child(|| {
            handle(SIGUSR1, count_handler());
            let (mut first, mut second) = (signals(), signals());
            first.add(SIGUSR1).unwrap();
            LEADS_TO.store(handler_of(SIGUSR1), Ordering::SeqCst);
            handle(SIGUSR1, theirs);
            second.add(SIGUSR1).unwrap();
            drop((first, second));
            handler_of(SIGUSR1) == theirs && leads_once()
        });
        assert_eq!(status, 0);
    }

    /// Theirs stands below ours; a second watch finds ours on top, which says nothing of theirs.
    #[test]
    fn a_handler_below_ours_comes_back_after_a_second_watch() {
        let _alone = alone();
        let status = in_child(|| {
            let (mut first, mut second, mut third) = (signals(), signals(), signals());
            for is_watched in [false, true] {
                handle(SIGUSR1, libc::SIG_DFL);
                first.add(SIGUSR1).unwrap();
                let ours = crate::sys::Disposition::of(SIGUSR1).unwrap();
                handle(SIGUSR1, count_handler());
                if !is_watched {
                    first.del(SIGUSR1);
                }
                second.add(SIGUSR1).unwrap();
                third.add(SIGUSR1).unwrap();
                raise(SIGUSR1);
                assert_eq!((drained(&mut second), drained(&mut third)), (vec![(SIGUSR1, 1)], vec![(SIGUSR1, 1)]));
                [&mut first, &mut second, &mut third].into_iter().for_each(|signals| {
                    signals.del(SIGUSR1);
                });
                assert_eq!(handler_of(SIGUSR1), count_handler());
                // And when it goes, and puts ours back, what was there before both does.
                ours.exchange(SIGUSR1).unwrap();
                first.add(SIGUSR1).unwrap();
                first.del(SIGUSR1);
                assert_eq!(handler_of(SIGUSR1), libc::SIG_DFL);
            }
            true
        });
        assert_eq!(status, 0);
    }

    #[test]
    fn a_second_base_hears_though_another_handler_stands_over_ours() {
        let _alone = alone();
        let status = in_child(|| {
            let (mut first, mut second) = (signals(), signals());
            first.add(SIGUSR1).unwrap();
            ignore(SIGUSR1);
            second.add(SIGUSR1).unwrap();
            raise(SIGUSR1);
            let heard = (drained(&mut first), drained(&mut second)) == (vec![(SIGUSR1, 1)], vec![(SIGUSR1, 1)]);
            drop((first, second));
            heard && handler_of(SIGUSR1) == libc::SIG_IGN
        });
        assert_eq!(status, 0);
    }

    /// Between the look at what stands there and the exchange.
    #[test]
    fn a_handler_installed_while_the_old_one_is_put_back_stands() {
        let _alone = alone();
        let status = in_child(|| {
            handle(SIGUSR1, count_handler());
            !crate::sys::Disposition::DEFAULT.put_back(SIGUSR1) && handler_of(SIGUSR1) == count_handler()
        });
        assert_eq!(status, 0);
    }

    #[test]
    fn the_handler_runs_on_an_alternate_stack() {
        let _alone = alone();
        let mut signals = signals();
        signals.add(SIGUSR1).unwrap();
        assert_ne!(flags_of(SIGUSR1) & libc::SA_ONSTACK, 0);
    }

    #[test]
    fn a_signal_that_the_inherited_mask_blocks_is_heard() {
        let _alone = alone();
        thread::spawn(|| {
            block(SIGUSR1);
            // One that waits behind the mask is heard as well.
            raise(SIGUSR1);
            let mut signals = signals();
            signals.add(SIGUSR1).unwrap();
            raise(SIGUSR1);
            assert_eq!(drained(&mut signals), [(SIGUSR1, 2)]);
            assert_eq!(blocked_signals(), 0);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_child_whose_thread_blocks_a_signal_hears_it_after_reinit() {
        let _alone = alone();
        let wake = wake();
        let mut signals = Signals::new(&wake).unwrap();
        signals.add(SIGUSR1).unwrap();
        block(SIGUSR1);
        let status = in_child(|| {
            // And that has set its signals back, as daemons do.
            handle(SIGUSR1, libc::SIG_DFL);
            wake.state().reinit(&Doorbell::pipe().unwrap()).unwrap();
            signals.reinit().unwrap();
            raise(SIGUSR1);
            drained(&mut signals) == [(SIGUSR1, 1)]
        });
        crate::sys::unblock(SIGUSR1).unwrap();
        assert_eq!(status, 0);
    }

    #[test]
    fn a_child_that_never_touches_its_base_gets_its_signals() {
        let _alone = alone();
        let mut signals = signals();
        signals.add(SIGTERM).unwrap();
        assert_eq!(
            in_child(|| {
                raise(SIGTERM);
                true
            }),
            -SIGTERM
        );
        assert!(!signals.is_pending());
        handle(SIGUSR1, count_handler());
        signals.add(SIGUSR1).unwrap();
        assert_eq!(in_child(|| counts_one(|| raise(SIGUSR1))), 0);
        signals.del(SIGUSR1);
        ignore(SIGUSR1);
        signals.add(SIGUSR1).unwrap();
        assert_eq!(
            in_child(|| {
                raise(SIGUSR1);
                true
            }),
            0
        );
        drop(signals);
        handle(SIGUSR1, libc::SIG_DFL);
    }

    /// One of two bases is the child's own; the other one is the parent's for ever.
    #[test]
    fn a_child_that_reinits_one_base_hears_it_there_and_nowhere_else() {
        let _alone = alone();
        let wake = wake();
        let mut own = Signals::new(&wake).unwrap();
        let mut other = signals();
        own.add(SIGTERM).unwrap();
        other.add(SIGTERM).unwrap();
        let status = in_child(|| {
            wake.state().reinit(&Doorbell::pipe().unwrap()).unwrap();
            own.reinit().unwrap();
            raise(SIGTERM);
            if drained(&mut own) != [(SIGTERM, 1)] || other.is_pending() {
                return false;
            }
            drop(own);
            raise(SIGTERM);
            false
        });
        assert_eq!(status, -SIGTERM);
    }

    #[test]
    fn inboxes_are_used_again() {
        let _alone = alone();
        let held = signals();
        let inbox: *const Inbox = { signals().inbox };
        for _ in 0..100 {
            assert!(core::ptr::eq(signals().inbox, inbox));
        }
        drop(held);
    }
}
