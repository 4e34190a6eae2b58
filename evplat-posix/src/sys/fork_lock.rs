//! The lock of what all bases of a process share.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, Ordering};

/// A lock that is free in the child of a fork even if the parent held it, because a holder in another process does
/// not count. The value may then be half written, so it must tolerate that.
///
/// It is not held across the fork, so the program's own fork handlers run without it. It is held for microseconds at
/// a time.
pub(crate) struct ForkLock<T> {
    /// 0, or one more than the epoch of the holder's process.
    holder: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through a guard only, of which there is one at a time in a process.
unsafe impl<T: Send> Sync for ForkLock<T> {}

pub(crate) struct ForkLockGuard<'a, T>(&'a ForkLock<T>);

impl<T> ForkLock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { holder: AtomicU32::new(0), value: UnsafeCell::new(value) }
    }

    /// `epoch` returns a number that is different for each process.
    pub(crate) fn lock(&self, epoch: impl Fn() -> u32) -> ForkLockGuard<'_, T> {
        let mut turns = 0u32;
        loop {
            let own = epoch() | 1;
            let holder = self.holder.load(Ordering::Relaxed);
            // All threads of one process, waiting or holding, use the same number.
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

/// Yields to another thread that needs microseconds to finish.
pub(crate) fn pause(turns: u32) {
    match turns {
        0..64 => core::hint::spin_loop(),
        64..128 => std::thread::yield_now(),
        // That thread may have a lower priority than this one and need the processor.
        _ => std::thread::sleep(core::time::Duration::from_micros(50)),
    }
}
