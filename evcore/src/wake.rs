//! A waker without an operating system: a flag in a `static`.

use core::sync::atomic::{AtomicBool, Ordering, fence};

/// Wakes a base on bare metal: an interrupt sets it, and the backend checks it before it sleeps.
///
/// It needs no lock or compare-and-swap. Waking is a fence and a store, checking an unset one a load.
///
/// ```
/// use evcore::backend::WakeFlag;
///
/// static UART: WakeFlag = WakeFlag::new();
///
/// UART.wake(); // in the interrupt handler
/// assert!(UART.take()); // in the backend's dispatch, with interrupts masked until it sleeps
/// assert!(!UART.take());
/// ```
#[derive(Debug)]
pub struct WakeFlag(AtomicBool);

impl WakeFlag {
    /// A flag that is not set.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Sets the flag, from anywhere.
    pub fn wake(&self) {
        // With the fence in `take`: the taker sees what was written before, or the flag stays set.
        fence(Ordering::SeqCst);
        self.0.store(true, Ordering::Release);
    }

    /// Takes the flag; returns whether it was set.
    pub fn take(&self) -> bool {
        if !self.0.load(Ordering::Acquire) {
            return false;
        }
        self.0.store(false, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        true
    }

    /// Whether the flag is set.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Default for WakeFlag {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_is_seen_until_it_is_taken_and_taken_once() {
        let flag = WakeFlag::default();
        assert!(!flag.is_set() && !flag.take());
        flag.wake();
        flag.wake();
        assert!(flag.is_set() && flag.is_set());
        assert!(flag.take());
        assert!(!flag.is_set() && !flag.take());
    }
}
