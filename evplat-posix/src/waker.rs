//! Waking a loop from another thread.

use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::doorbell::Doorbell;
use crate::error::Error;
use crate::sys::Shared;

/// The loop runs, or looks for readiness without sleeping.
const AWAKE: u32 = 0;
/// The loop sleeps, or is about to: a wake has to ring.
const SLEEPING: u32 = 1;
/// A wake has come: the loop will not sleep before it has seen it.
const NOTIFIED: u32 = 2;

/// The wake protocol between one loop and everyone who may wake it.
///
/// ```text
///            prepare_sleep                   wake: rings
///   AWAKE ─────────────────────▶ SLEEPING ─────────────────▶ NOTIFIED ──┐ wake, prepare_sleep: false
///   ▲ ▲ └──────────── wake: no system call ────────────────────▲ │ ▲────┘
///   │ └─────── awake ───────────────┘                            │
///   └───────── awake ────────────────────────────────────────────┘
/// ```
///
/// Every arrow is one atomic read-modify-write of one word. So all of them have one order, and the words of the memory
/// model say the rest: `awake` acquires what each `wake` before it in that order released, be there one or a hundred.
/// Nothing else is looked at between `prepare_sleep` and the wait, so no stronger order is needed.
///
/// A wake that saw the loop sleep may ring late, when the loop has woken for another reason, come back and sleeps again.
/// That costs one wait that finds nothing. It is why a bell that is waited for by level has to be quieted also when it is
/// *found* ringing, whatever the word says.
#[derive(Debug)]
pub struct WakeState {
    state: AtomicU32,
    /// A wake could not ring: the next one has to.
    is_unrung: AtomicBool,
    doorbell: Doorbell,
}

impl WakeState {
    /// The state of a loop that is awake and waits on `doorbell` when it sleeps.
    #[must_use]
    pub const fn new(doorbell: Doorbell) -> Self {
        Self { state: AtomicU32::new(AWAKE), is_unrung: AtomicBool::new(false), doorbell }
    }

    /// For the loop: says that it is about to sleep, after which it must wait on the doorbell too. `false`: it has been
    /// woken since it was last [`awake`](WakeState::awake), and must not sleep.
    #[inline]
    #[must_use]
    pub fn prepare_sleep(&self) -> bool {
        self.state.compare_exchange(AWAKE, SLEEPING, Ordering::AcqRel, Ordering::Acquire) != Err(NOTIFIED)
    }

    /// For the loop: says that it is awake. To be called directly after each wait, slept or not. Answers whether it was
    /// woken; if it slept, the doorbell has rung, or is just being rung.
    #[inline]
    pub fn awake(&self) -> bool {
        // The load spares a loop that does not sleep and is not woken the locked instruction. It may miss a wake that comes
        // at this moment; the next `prepare_sleep` will not.
        self.state.load(Ordering::Relaxed) != AWAKE && self.state.swap(AWAKE, Ordering::AcqRel) == NOTIFIED
    }

    /// Wakes the loop: O(1), takes no lock, and makes a system call only if the loop sleeps and this wake is the first.
    /// Safe in the handler of a signal, but for `errno`, which may change.
    #[inline]
    pub fn wake(&self) {
        // Always a swap, also where the state is NOTIFIED already: a load would not release to the loop what this thread
        // wrote before.
        let is_to_ring = self.state.swap(NOTIFIED, Ordering::AcqRel) == SLEEPING;
        if is_to_ring || self.is_unrung.load(Ordering::Relaxed) {
            self.ring();
        }
    }

    #[inline(never)]
    fn ring(&self) {
        // Relaxed: a ring too many costs a wait that finds nothing.
        self.is_unrung.store(!self.doorbell.ring(), Ordering::Relaxed);
    }

    /// What the loop waits on.
    #[must_use]
    pub const fn doorbell(&self) -> &Doorbell {
        &self.doorbell
    }

    /// For the child of a fork: takes the ends of `fresh`, see [`Doorbell::replace`]. The loop is awake; a wake that came
    /// before stays noticed.
    ///
    /// # Errors
    ///
    /// As [`Doorbell::replace`].
    pub fn reinit(&self, fresh: &Doorbell) -> Result<(), Error> {
        self.doorbell.replace(fresh)?;
        // Only the loop that sleeps leaves this state, and that one is the parent's.
        let _ = self.state.compare_exchange(SLEEPING, AWAKE, Ordering::AcqRel, Ordering::Relaxed);
        Ok(())
    }
}

/// Wakes a base from any thread.
///
/// A wake makes the base's wait end, or the next one not begin; any number of wakes before that are one. It costs a system
/// call only if the base sleeps. After the base is gone it does nothing; its descriptor lives until the last waker is
/// dropped.
#[derive(Clone)]
pub struct Waker {
    state: Shared<WakeState>,
}

impl Waker {
    /// The first waker of a loop that is woken through `state`; the others are its clones.
    ///
    /// # Errors
    ///
    /// [`Error::Full`] when there is no memory.
    pub fn new(state: WakeState) -> Result<Self, Error> {
        Shared::new(state).map(|state| Self { state }).ok_or(Error::Full)
    }

    /// The protocol that it shares with the loop.
    #[inline]
    #[must_use]
    pub fn state(&self) -> &WakeState {
        &self.state
    }

    pub(crate) fn share(&self) -> Shared<WakeState> {
        self.state.clone()
    }

    /// Wakes the base. What this thread wrote before is visible to the loop after it.
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

    /// Each message is published by a wake and waited for in a real sleep: a lost wake would leave the loop there until
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
                    // Sometimes far ahead, sometimes in step, so that the loop is met in each of its states.
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
                    state.doorbell().quiet().unwrap();
                }
                seen.store(sent.load(Ordering::Relaxed), Ordering::Relaxed);
            }
        });
    }

    /// A sandbox that interrupts each write and read. The loop is not woken then; it is by the next wake, when the system has
    /// come to its senses.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_always_interrupted_ends_and_is_made_good() {
        let status = crate::sys::tests::in_child(|| {
            let state = WakeState::new(Doorbell::pipe().unwrap());
            assert!(state.prepare_sleep());
            std::thread::scope(|scope| {
                // In another thread, because nothing takes a sandbox away.
                scope.spawn(|| {
                    crate::sys::tests::interrupt(&[libc::SYS_write, libc::SYS_read]);
                    state.wake();
                    assert!(!state.doorbell().ring());
                    state.doorbell().quiet().unwrap();
                });
            });
            let silent = !is_readable(state.doorbell());
            state.wake();
            silent && is_readable(state.doorbell())
        });
        assert_eq!(status, 0);
    }
}
