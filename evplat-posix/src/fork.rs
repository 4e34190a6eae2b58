//! Noticing a fork, without a system call to ask.

use core::cell::Cell;
use core::mem::ManuallyDrop;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::error::Error;
use crate::registry::{self, Locked};
use crate::sys;

/// How many forks lie between this process and the one that the first guard was made in.
static EPOCH: AtomicU32 = AtomicU32::new(0);

/// Whether `pthread_atfork` has been told of the functions below.
static WATCHING: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The registry's lock while this thread forks. Without a destructor, so that nothing has to be allocated for it.
    static HELD: Cell<Option<ManuallyDrop<Locked>>> = const { Cell::new(None) };
}

/// Tells whether this process is a forked child of the one that the guard was made (or last renewed) in.
///
/// The answer is one load: a handler of `pthread_atfork` counts the forks. So a child that was not made by `fork`, but by a
/// system call of its own (`clone`, `vfork`), is not noticed.
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
        // Two threads that both get here are harmless: a fork then counts twice.
        if !WATCHING.load(Ordering::Acquire) {
            sys::pthread_atfork(before, in_parent, in_child).map_err(Error::during("pthread_atfork"))?;
            WATCHING.store(true, Ordering::Release);
        }
        // Relaxed, here and below: the count changes in a process of one thread only, the child that has just begun, and
        // every thread that it starts later is started after that.
        Ok(Self { epoch: AtomicU32::new(EPOCH.load(Ordering::Relaxed)) })
    }

    /// Whether the process was forked since: this one is the child.
    #[inline]
    #[must_use]
    pub fn forked(&self) -> bool {
        self.epoch.load(Ordering::Relaxed) != EPOCH.load(Ordering::Relaxed)
    }

    /// From now on this process is the one that is guarded.
    pub fn renew(&self) {
        self.epoch.store(EPOCH.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

#[cfg(test)]
impl ForkGuard {
    /// A guard such as this process's parent has.
    pub(crate) fn before_the_last_fork() -> Self {
        Self { epoch: AtomicU32::new(EPOCH.load(Ordering::Relaxed).wrapping_sub(1)) }
    }
}

/// Takes the registry's lock, so that the child does not begin with one that a thread which it has not got would hold.
extern "C" fn before() {
    // Where two threads registered these functions (see `new`), each runs twice: the second finds the work done.
    let held = HELD.take().unwrap_or_else(|| ManuallyDrop::new(registry::lock()));
    HELD.set(Some(held));
}

extern "C" fn in_parent() {
    drop(HELD.take().map(ManuallyDrop::into_inner));
}

extern "C" fn in_child() {
    EPOCH.fetch_add(1, Ordering::Relaxed);
    drop(HELD.take().map(ManuallyDrop::into_inner));
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

    #[test]
    fn the_child_can_use_the_registry_that_another_thread_was_changing() {
        let _guard = ForkGuard::new().unwrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    drop(registry::lock());
                }
            });
            let good = (0..50).all(|_| {
                sys::tests::in_child(|| {
                    drop(registry::lock());
                    true
                }) == 0
            });
            stop.store(true, Ordering::Relaxed);
            assert!(good);
        });
    }
}
