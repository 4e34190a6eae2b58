//! Detects forks without a system call.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};

use crate::error::Error;
use crate::sys;

/// The number of forks between the process of the first guard and this one, and the number of this process's own
/// forks under way.
///
/// ```text
///   bits   31 … 12 │ 11 … 0
///          epoch   │ under way: between `before` and `in_parent` or `in_child`
/// ```
static STATE: AtomicU32 = AtomicU32::new(0);
const UNDER_WAY: u32 = (1 << 12) - 1;
const ONE_EPOCH: u32 = UNDER_WAY + 1;

/// The process that `STATE` describes, while a fork of it is under way.
static OWNER: AtomicU32 = AtomicU32::new(0);

/// These bits of a guard's number say that the base is asleep. That many forks are never under way at once.
const ASLEEP: u32 = UNDER_WAY;

/// Whether the functions below are registered with `pthread_atfork`.
static WATCHING: AtomicBool = AtomicBool::new(false);

/// A number that differs between this process, its parent and its children. One load, except while a fork is under
/// way. Async-signal-safe.
#[inline]
pub(crate) fn epoch() -> u32 {
    // Relaxed, here and below: the epoch changes only in a child that has just started and has one thread; all its
    // later threads start after the change.
    let state = STATE.load(Ordering::Relaxed);
    if state & UNDER_WAY == 0 { state } else { epoch_during_fork(state) }
}

/// In the child the program's own fork handlers run before ours; in the parent other threads continue meanwhile. So
/// only the system can say which of the two processes this is.
#[cold]
fn epoch_during_fork(state: u32) -> u32 {
    // `before` wrote the owner before it counted the fork.
    fence(Ordering::Acquire);
    if sys::process_id() == OWNER.load(Ordering::Relaxed) { state & !UNDER_WAY } else { enter_child(state) }
}

/// In a new child: sets an epoch of its own, with no forks under way.
fn enter_child(state: u32) -> u32 {
    let fresh = (state & !UNDER_WAY).wrapping_add(ONE_EPOCH);
    match STATE.compare_exchange(state, fresh, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => {
            OWNER.store(sys::process_id(), Ordering::Relaxed);
            fresh
        }
        // Another thread, started by one of the program's fork handlers, did it first.
        Err(now) => now & !UNDER_WAY,
    }
}

/// Detects whether this process is a forked child of the process that the guard was made (or last renewed) in.
///
/// The check is one load, because `pthread_atfork` handlers count the forks. These take no lock and block no signal,
/// so the program's own fork handlers may use its bases freely, whatever the order of registration; in the child they
/// see the fork too. A child made by a direct system call (`clone`, `vfork`) instead of `fork` is not detected.
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
    /// Creates a guard for this process.
    ///
    /// # Errors
    ///
    /// When the system has no memory for another `pthread_atfork`. Only the first guard of a process can fail.
    pub fn new() -> Result<Self, Error> {
        // It is harmless if two threads get here at once: handlers that run twice at a fork change nothing the second
        // time.
        if !WATCHING.load(Ordering::Acquire) {
            OWNER.store(sys::process_id(), Ordering::Relaxed);
            sys::pthread_atfork(before, in_parent, in_child).map_err(Error::during("pthread_atfork"))?;
            WATCHING.store(true, Ordering::Release);
        }
        Ok(Self { epoch: AtomicU32::new(epoch()) })
    }

    /// Whether this process is a forked child of the guard's.
    #[inline]
    #[must_use]
    pub fn forked(&self) -> bool {
        let own = self.epoch.load(Ordering::Relaxed) & !ASLEEP;
        // A guard's epoch never has forks under way, so if both are equal no further check is needed.
        STATE.load(Ordering::Relaxed) != own && epoch() != own
    }

    /// Whether this process is not a forked child and the base is not [asleep](ForkGuard::set_asleep): one comparison
    /// for what nearly every call checks.
    #[inline]
    #[must_use]
    pub fn is_usual(&self) -> bool {
        self.epoch.load(Ordering::Relaxed) == STATE.load(Ordering::Relaxed)
    }

    /// Records whether the guarded base is asleep, for [`is_usual`](ForkGuard::is_usual). Only the guard's owner
    /// calls it.
    pub fn set_asleep(&self, is_asleep: bool) {
        let epoch = self.epoch.load(Ordering::Relaxed) & !ASLEEP;
        self.epoch.store(if is_asleep { epoch | ASLEEP } else { epoch }, Ordering::Relaxed);
    }

    /// Makes the current process the guarded one. Whether the base is asleep does not change.
    pub fn renew(&self) {
        let asleep = self.epoch.load(Ordering::Relaxed) & ASLEEP;
        self.epoch.store(epoch() | asleep, Ordering::Relaxed);
    }
}

#[cfg(test)]
impl ForkGuard {
    /// A guard like those of this process's parent.
    pub(crate) fn before_the_last_fork() -> Self {
        Self { epoch: AtomicU32::new(epoch().wrapping_sub(ONE_EPOCH)) }
    }
}

extern "C" fn before() {
    // The program's fork handler may fork again in the child, so this can be the child's first call.
    let _ = epoch();
    OWNER.store(sys::process_id(), Ordering::Relaxed);
    STATE.fetch_add(1, Ordering::Release);
}

extern "C" fn in_parent() {
    // Some systems call it even for a fork that began before it was registered.
    let end = |state: u32| (state & UNDER_WAY != 0).then(|| state.wrapping_sub(1));
    let _ = STATE.fetch_update(Ordering::Relaxed, Ordering::Relaxed, end);
}

extern "C" fn in_child() {
    let state = STATE.load(Ordering::Relaxed);
    // Unless an earlier handler has already entered the child.
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

    /// In a process of one thread: while another test forks, `is_usual` is false.
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

    /// Runs a test in a process of its own. A child without handlers would inherit the forks that other tests have
    /// under way, and the locks of their threads.
    #[cfg(target_os = "linux")]
    fn alone(test: impl FnOnce(&ForkGuard)) {
        crate::cases::alone(|| test(&ForkGuard::new().unwrap()));
    }

    /// Like a handler that the program registered before ours: it runs before ours in the child and may fork.
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

    /// Our handlers were registered after the fork had begun, so only the last of them runs.
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

    /// The child remains the process that its guards know when it forks in turn.
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
            // As in a process that has forked no child.
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
