//! Waking a loop from another thread.

use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::doorbell::Doorbell;
use crate::error::Error;
use crate::sys::Shared;

/// The loop is running, or checks for readiness without sleeping.
const AWAKE: u32 = 0;
/// The loop is asleep or about to sleep: a wake must ring.
const SLEEPING: u32 = 1;
/// A wake has come: the loop must notice it before it sleeps.
const NOTIFIED: u32 = 2;

/// The wake protocol between one loop and the threads and handlers that may wake it.
///
/// ```text
///            prepare_sleep                   wake: rings
///   AWAKE ─────────────────────▶ SLEEPING ─────────────────▶ NOTIFIED ──┐ wake, prepare_sleep: false
///   ▲ ▲ └──────────── wake: no system call ────────────────────▲ │ ▲────┘
///   │ └─────── awake ───────────────┘                            │
///   └───────── awake ────────────────────────────────────────────┘
/// ```
///
/// Each arrow is one atomic read-modify-write of the same word, so all of them have one order: `awake` acquires what
/// every `wake` before it in that order released. Nothing else is read between `prepare_sleep` and the wait, so no
/// stronger ordering is needed.
///
/// A wake that saw the loop asleep may ring late, after the loop has woken for another reason and gone back to sleep.
/// That costs one wait that finds nothing. It is also why a loop that waits for the doorbell level-triggered must
/// drain it whenever the wait *reports* it, whatever the state is.
#[derive(Debug)]
pub struct WakeState {
    state: AtomicU32,
    /// A wake failed to ring, so the next one must.
    is_unrung: AtomicBool,
    doorbell: Doorbell,
}

impl WakeState {
    /// Creates the state of a loop that is awake and that waits on `doorbell` when it sleeps.
    #[must_use]
    pub const fn new(doorbell: Doorbell) -> Self {
        Self { state: AtomicU32::new(AWAKE), is_unrung: AtomicBool::new(false), doorbell }
    }

    /// For the loop: announces that it is about to sleep; it must then wait on the doorbell too. Returns `false` if a
    /// wake has come since the last [`awake`](WakeState::awake): then it must not sleep.
    #[inline]
    #[must_use]
    pub fn prepare_sleep(&self) -> bool {
        self.state.compare_exchange(AWAKE, SLEEPING, Ordering::AcqRel, Ordering::Acquire) != Err(NOTIFIED)
    }

    /// For the loop: announces that it is awake. Call it directly after each wait, even one that did not sleep.
    /// Returns whether a wake has come; if the loop was asleep, the doorbell has been rung or is being rung.
    #[inline]
    pub fn awake(&self) -> bool {
        // The load saves the locked instruction if the loop did not sleep and no wake has come. It may miss a wake
        // that comes at this moment, but the next `prepare_sleep` does not.
        self.state.load(Ordering::Relaxed) != AWAKE && self.state.swap(AWAKE, Ordering::AcqRel) == NOTIFIED
    }

    /// Wakes the loop: O(1), takes no lock, and makes a system call only if the loop is asleep and this is the first
    /// wake. Async-signal-safe, except that it may change `errno`.
    #[inline]
    pub fn wake(&self) {
        // A swap even if the state is already NOTIFIED: a load would not release what this thread wrote before.
        let is_to_ring = self.state.swap(NOTIFIED, Ordering::AcqRel) == SLEEPING;
        if is_to_ring || self.is_unrung.load(Ordering::Relaxed) {
            self.ring();
        }
    }

    #[inline(never)]
    fn ring(&self) {
        // Relaxed: a superfluous ring only costs a wait that finds nothing.
        self.is_unrung.store(!self.doorbell.ring(), Ordering::Relaxed);
    }

    /// The doorbell that the loop waits on.
    #[must_use]
    pub const fn doorbell(&self) -> &Doorbell {
        &self.doorbell
    }

    /// For the child of a fork: takes the ends of `fresh`, see [`Doorbell::replace`]. The loop becomes awake; an
    /// earlier wake stays noted.
    ///
    /// # Errors
    ///
    /// As [`Doorbell::replace`].
    pub fn reinit(&self, fresh: &Doorbell) -> Result<(), Error> {
        self.doorbell.replace(fresh)?;
        // Only the sleeping loop leaves this state, and that loop is the parent's.
        let _ = self.state.compare_exchange(SLEEPING, AWAKE, Ordering::AcqRel, Ordering::Relaxed);
        Ok(())
    }
}

/// Wakes a base from any thread.
///
/// A wake ends the base's current wait, or makes the next one return at once. Any number of wakes before that count
/// as one. It costs a system call only if the base is asleep. After the base was dropped it does nothing; the
/// doorbell's descriptor stays open until the last waker is dropped.
#[derive(Clone)]
pub struct Waker {
    state: Shared<WakeState>,
}

impl Waker {
    /// Creates the first waker of a loop with this `state`; the others are its clones.
    ///
    /// # Errors
    ///
    /// [`Error::Full`] when there is no memory.
    pub fn new(state: WakeState) -> Result<Self, Error> {
        Shared::new(state).map(|state| Self { state }).ok_or(Error::Full)
    }

    /// The protocol state that it shares with the loop.
    #[inline]
    #[must_use]
    pub fn state(&self) -> &WakeState {
        &self.state
    }

    pub(crate) fn share(&self) -> Shared<WakeState> {
        self.state.clone()
    }

    /// Wakes the base. What this thread wrote before is visible to the loop after the wake.
    #[doc(alias = "event_active")]
    #[inline]
    pub fn wake(&self) {
        self.state.wake();
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::AtomicU64;
    use std::thread;

    use super::*;
    use crate::sys::tests::{is_readable, wait_readable};

    fn pipe() -> WakeState {
        WakeState::new(Doorbell::pipe().unwrap())
    }

    #[test]
    fn it_goes_to_any_thread() {
        fn anywhere<T: Clone + Send + Sync + fmt::Debug + 'static>() {}
        anywhere::<Waker>();
    }

    #[test]
    fn a_loop_that_is_awake_costs_no_system_call() {
        let state = pipe();
        state.wake();
        assert!(!is_readable(state.doorbell()));
        assert!(!state.prepare_sleep(), "the wake was lost");
        state.awake();
        assert!(state.prepare_sleep());
    }

    #[test]
    fn a_child_of_a_sleeping_loop_is_awake() {
        let state = pipe();
        assert!(state.prepare_sleep());
        let status = crate::sys::tests::in_child(|| {
            state.reinit(&Doorbell::pipe().unwrap()).unwrap();
            state.wake();
            !is_readable(state.doorbell())
        });
        assert_eq!(status, 0);
    }

    #[test]
    fn wakes_of_one_sleep_ring_once() {
        let state = pipe();
        assert!(state.prepare_sleep());
        for _ in 0..1_000 {
            state.wake();
        }
        assert!(is_readable(state.doorbell()));
        let mut bytes = [0; 64];
        assert_eq!(crate::sys::tests::read(state.doorbell(), &mut bytes), Ok(8), "it rang more than once");
    }

    #[test]
    fn a_wake_after_the_base_is_gone_is_harmless() {
        let waker = {
            let state = pipe();
            assert!(state.prepare_sleep());
            Waker::new(state).unwrap()
        };
        waker.wake();
        waker.clone().wake();
    }

    /// Each message is published by a wake and awaited in a real sleep. A lost wake would leave the loop asleep until
    /// the wait's limit, and a reordered one would show an old message.
    #[test]
    fn of_a_hundred_thousand_wakes_none_is_lost() {
        const WAKES: u64 = 100_000;
        let state = pipe();
        let (sent, seen) = (AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            scope.spawn(|| {
                for message in 1..=WAKES {
                    sent.store(message, Ordering::Relaxed);
                    state.wake();
                    // Sometimes the sender runs ahead, sometimes it waits for the loop, so that wakes meet the loop
                    // in each of its states.
                    while message % 3 == 0 && seen.load(Ordering::Relaxed) < message {
                        thread::yield_now();
                    }
                }
            });
            while seen.load(Ordering::Relaxed) < WAKES {
                if state.prepare_sleep() {
                    assert!(wait_readable(state.doorbell(), 10_000), "a wake was lost");
                }
                state.awake();
                if is_readable(state.doorbell()) {
                    state.doorbell().drain().unwrap();
                }
                seen.store(sent.load(Ordering::Relaxed), Ordering::Relaxed);
            }
        });
    }

    /// A sandbox interrupts each write and read, so this wake does not end the wait; the next one does, when calls
    /// succeed again.
    #[cfg(target_os = "linux")]
    #[test]
    fn call_always_interrupted_ends_and_next_wake_rings() {
        let status = crate::sys::tests::in_child(|| {
            let state = WakeState::new(Doorbell::pipe().unwrap());
            assert!(state.prepare_sleep());
            std::thread::scope(|scope| {
                // In another thread, because a seccomp filter cannot be removed.
                scope.spawn(|| {
                    crate::sys::tests::interrupt(&[libc::SYS_write, libc::SYS_read]);
                    state.wake();
                    assert!(!state.doorbell().ring());
                    state.doorbell().drain().unwrap();
                });
            });
            let silent = !is_readable(state.doorbell());
            state.wake();
            silent && is_readable(state.doorbell())
        });
        assert_eq!(status, 0);
    }
}
