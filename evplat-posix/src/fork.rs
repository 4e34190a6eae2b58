//! Noticing a fork, without a system call to ask.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};

use crate::error::Error;
use crate::sys;

/// How many forks lie between this process and the one that the first guard was made in, and how many of its own are under
/// way.
///
/// ```text
///   bits   31 … 12 │ 11 … 0
///          epoch   │ under way: between `before` and `in_parent` or `in_child`
/// ```
static STATE: AtomicU32 = AtomicU32::new(0);
const UNDER_WAY: u32 = (1 << 12) - 1;
const ONE_EPOCH: u32 = UNDER_WAY + 1;

/// The process that `STATE` is true of, while a fork of it is under way.
static OWNER: AtomicU32 = AtomicU32::new(0);

/// The bits of a guard's number that say that the base is asleep. So many forks are never under way at once.
const ASLEEP: u32 = UNDER_WAY;

/// Whether the functions below are registered with `pthread_atfork`.
static WATCHING: AtomicBool = AtomicBool::new(false);

/// A number that this process has, and its parent and its children have not. One load, but for the moments of a fork.
/// Async-signal-safe.
#[inline]
pub(crate) fn epoch() -> u32 {
    // Relaxed, here and below: the epoch changes in a process of one thread only, the child that has just begun, and every
    // thread that it starts later is started after that.
    let state = STATE.load(Ordering::Relaxed);
    if state & UNDER_WAY == 0 { state } else { epoch_during_fork(state) }
}

/// A program's own handlers of the fork run before ours in the child, and in the parent other threads run on: which of the
/// two processes this is, only the system can tell.
#[cold]
fn epoch_during_fork(state: u32) -> u32 {
    // `before` has written the owner first.
    fence(Ordering::Acquire);
    if sys::process_id() == OWNER.load(Ordering::Relaxed) { state & !UNDER_WAY } else { enter_child(state) }
}

/// The child begins: an epoch of its own, in which none of its forks is under way.
fn enter_child(state: u32) -> u32 {
    let fresh = (state & !UNDER_WAY).wrapping_add(ONE_EPOCH);
    match STATE.compare_exchange(state, fresh, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => {
            OWNER.store(sys::process_id(), Ordering::Relaxed);
            fresh
        }
        // Another thread was first, one that a program's handler has started.
        Err(now) => now & !UNDER_WAY,
    }
}

/// Tells whether this process is a forked child of the one that the guard was made (or last renewed) in.
///
/// The answer is one load: handlers of `pthread_atfork` count the forks. They take no lock and block no signal, so a program's
/// own handlers may do to its bases what they like, in whichever order they were registered; in the child they see the fork
/// too. A child that was not made by `fork`, but by a system call of its own (`clone`, `vfork`), is not noticed.
///
/// ```
/// let guard = evplat_posix::backend::ForkGuard::new()?;
/// assert!(!guard.forked());
/// # Ok::<(), evplat_posix::Error>(())
/// ```
#[derive(Debug)]
pub struct ForkGuard {
    epoch: AtomicU32,
}

impl ForkGuard {
    /// A guard of this process.
    ///
    /// # Errors
    ///
    /// When the system has no memory for one more `pthread_atfork`; only the first guard of a process asks it.
    pub fn new() -> Result<Self, Error> {
        // Two threads that both get here are harmless: what runs twice at a fork finds its work done.
        if !WATCHING.load(Ordering::Acquire) {
            OWNER.store(sys::process_id(), Ordering::Relaxed);
            sys::pthread_atfork(before, in_parent, in_child).map_err(Error::during("pthread_atfork"))?;
            WATCHING.store(true, Ordering::Release);
        }
        Ok(Self { epoch: AtomicU32::new(epoch()) })
    }

    /// Whether the process was forked since: this one is the child.
    #[inline]
    #[must_use]
    pub fn forked(&self) -> bool {
        let own = self.epoch.load(Ordering::Relaxed) & !ASLEEP;
        // A guard's epoch has no fork under way, so when they are equal there is no more to ask.
        STATE.load(Ordering::Relaxed) != own && epoch() != own
    }

    /// Neither a forked child's nor [asleep](ForkGuard::set_asleep): one comparison for what nearly every call asks.
    #[inline]
    #[must_use]
    pub fn is_usual(&self) -> bool {
        self.epoch.load(Ordering::Relaxed) == STATE.load(Ordering::Relaxed)
    }

    /// Notes whether the base that is guarded is asleep, for [`is_usual`](ForkGuard::is_usual). The guard's owner alone calls it.
    pub fn set_asleep(&self, is_asleep: bool) {
        let epoch = self.epoch.load(Ordering::Relaxed) & !ASLEEP;
        self.epoch.store(if is_asleep { epoch | ASLEEP } else { epoch }, Ordering::Relaxed);
    }

    /// From now on this process is the one that is guarded. Asleep is what was asleep.
    pub fn renew(&self) {
        let asleep = self.epoch.load(Ordering::Relaxed) & ASLEEP;
        self.epoch.store(epoch() | asleep, Ordering::Relaxed);
    }
}

#[cfg(test)]
impl ForkGuard {
    /// A guard such as this process's parent has.
    pub(crate) fn before_the_last_fork() -> Self {
        Self { epoch: AtomicU32::new(epoch().wrapping_sub(ONE_EPOCH)) }
    }
}

extern "C" fn before() {
    // A handler that runs before ours in a child may fork itself: then this is the child's first look.
    let _ = epoch();
    OWNER.store(sys::process_id(), Ordering::Relaxed);
    STATE.fetch_add(1, Ordering::Release);
}

extern "C" fn in_parent() {
    // Some systems call it for a fork that began before it was registered.
    let end = |state: u32| (state & UNDER_WAY != 0).then(|| state.wrapping_sub(1));
    let _ = STATE.fetch_update(Ordering::Relaxed, Ordering::Relaxed, end);
}

extern "C" fn in_child() {
    let state = STATE.load(Ordering::Relaxed);
    // Unless a handler before this one has asked already.
    if state & UNDER_WAY != 0 || OWNER.load(Ordering::Relaxed) != sys::process_id() {
        enter_child(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_child_is_forked_until_it_renews() {
        let guard = ForkGuard::new().unwrap();
        let status = sys::tests::in_child(|| {
            let noticed = guard.forked();
            guard.renew();
            noticed && !guard.forked() && !ForkGuard::new().unwrap().forked()
        });
        assert_eq!(status, 0);
        assert!(!guard.forked());
    }

    /// In a process of one thread: while another test forks, nothing is usual.
    #[test]
    fn asleep_is_not_forked() {
        let status = sys::tests::in_child(|| {
            let guard = ForkGuard::new().unwrap();
            assert!(guard.is_usual());
            guard.set_asleep(true);
            assert!(!guard.is_usual() && !guard.forked());
            let status = sys::tests::in_child(|| {
                let noticed = guard.forked();
                guard.renew();
                let is_asleep = !guard.forked() && !guard.is_usual();
                guard.set_asleep(false);
                noticed && is_asleep && guard.is_usual()
            });
            assert_eq!(status, 0);
            guard.set_asleep(false);
            guard.is_usual()
        });
        assert_eq!(status, 0);
    }

    #[test]
    fn a_fork_in_a_fork_is_noticed() {
        let guard = ForkGuard::new().unwrap();
        let status = sys::tests::in_child(|| {
            guard.renew();
            sys::tests::in_child(|| guard.forked()) == 0 && !guard.forked()
        });
        assert_eq!(status, 0);
    }

    #[test]
    fn a_second_registration_neither_blocks_nor_confuses() {
        let guard = ForkGuard::new().unwrap();
        sys::pthread_atfork(before, in_parent, in_child).unwrap();
        assert_eq!(sys::tests::in_child(|| guard.forked()), 0);
        assert!(!guard.forked());
    }

    /// Runs a test in a process of its own: a child without handlers has what forks of other tests have begun, and the locks of
    /// their threads.
    #[cfg(target_os = "linux")]
    fn alone(test: impl FnOnce(&ForkGuard)) {
        crate::cases::alone(|| test(&ForkGuard::new().unwrap()));
    }

    /// As in a handler of the program's that was registered before ours: it runs before ours in the child, and it may fork.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_child_is_noticed_before_its_handler_has_run() {
        alone(|guard| {
            before();
            let status = sys::tests::in_child_without_handlers(|| {
                let noticed = guard.forked();
                guard.renew();
                let grandchild = sys::tests::in_child(|| guard.forked());
                in_child();
                noticed && grandchild == 0 && !guard.forked()
            });
            assert!(!guard.forked(), "in the parent, while it forks");
            in_parent();
            assert_eq!(status, 0);
            assert!(!guard.forked());
        });
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_child_that_forks_before_it_has_noticed_has_a_noticed_child() {
        alone(|guard| {
            before();
            let status = sys::tests::in_child_without_handlers(|| {
                let grandchild = sys::tests::in_child(|| guard.forked());
                let is_noticed = guard.forked();
                in_child();
                grandchild == 0 && is_noticed && guard.forked()
            });
            in_parent();
            assert_eq!(status, 0);
        });
    }

    /// Our handlers were registered after the fork had begun: only the last of them runs.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_fork_that_began_before_the_first_guard_is_noticed_in_the_child() {
        alone(|guard| {
            let status = sys::tests::in_child_without_handlers(|| {
                let is_unnoticed = !guard.forked();
                in_child();
                is_unnoticed && guard.forked()
            });
            assert_eq!(status, 0);
        });
    }

    /// It is the process that its guards know, also when it forks in its turn.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_child_without_handlers_is_its_own_process_while_it_forks() {
        alone(|guard| {
            let status = sys::tests::in_child_without_handlers(|| {
                before();
                let is_unnoticed = !guard.forked();
                in_parent();
                is_unnoticed && !guard.forked()
            });
            assert_eq!(status, 0);
        });
    }

    #[test]
    fn the_process_of_the_first_guard_is_no_child() {
        let status = sys::tests::in_child(|| {
            // As in a process that has made none.
            OWNER.store(0, Ordering::Relaxed);
            WATCHING.store(false, Ordering::Relaxed);
            let guard = ForkGuard::new().unwrap();
            in_child();
            !guard.forked()
        });
        assert_eq!(status, 0);
    }

    #[test]
    fn handlers_that_run_for_no_fork_of_ours_change_nothing() {
        let guard = ForkGuard::new().unwrap();
        let status = sys::tests::in_child(|| {
            guard.renew();
            in_parent();
            in_child();
            in_child();
            !guard.forked() && STATE.load(Ordering::Relaxed) & UNDER_WAY == 0
        });
        assert_eq!(status, 0);
    }
}
