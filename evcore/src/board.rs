//! The half of a firmware between interrupts and the loop: a backend for a part without an operating system.
//!
//! ```text
//!   interrupt                                 the loop
//!  ┌───────────────────────────┐             ┌─────────────────────────────────────┐
//!  │ RECEIVED.push(byte)       │    Ring     │ RECEIVED.pop()                      │
//!  │ FLAGS.set_readable(UART)  │────Flags───▶│ EventBase<Lines<Chip, 2>, …>        │
//!  └───────────────────────────┘             │   sleeps by `Chip: Board`           │
//!                                            └─────────────────────────────────────┘
//! ```
//!
//! A port to a part is one type that implements [`Board`]: the time, an alarm, the instruction that waits for an interrupt, and what
//! masks interrupts. [`Lines`] is then the backend. What is not called takes no flash, and a base in a `static` is all zeros where
//! the type has no fields.
//!
//! ```
//! use core::time::Duration;
//! use evcore::board::{Board, Flags, Lines};
//! use evcore::{EventBase, Fixed, Instant, Interest, Wait};
//! # mod timer {
//! #     use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
//! #     static CLOCK: AtomicU32 = AtomicU32::new(0);
//! #     static ALARM: AtomicU32 = AtomicU32::new(0);
//! #     pub fn count() -> u32 { CLOCK.load(Relaxed) }
//! #     pub fn set_alarm(at: u32) { ALARM.store(at, Relaxed) }
//! #     pub fn wfi() { CLOCK.store(ALARM.load(Relaxed), Relaxed); }
//! #     pub fn masked<R>(work: impl FnOnce() -> R) -> R { work() }
//! # }
//!
//! const BUTTON: u8 = 0;
//! static FLAGS: Flags<1> = Flags::new();
//!
//! /// A timer counts microseconds; `timer` stands for the registers of a part.
//! struct Chip;
//!
//! impl Board<1> for Chip {
//!     fn flags(&self) -> &'static Flags<1> {
//!         &FLAGS
//!     }
//!     fn now(&self) -> Instant {
//!         Instant::from_nanos(u64::from(timer::count()) * 1_000)
//!     }
//!     fn set_alarm(&self, at: Instant) {
//!         timer::set_alarm((at.as_nanos() / 1_000) as u32);
//!     }
//!     fn wait_for_interrupt(&self) {
//!         timer::wfi();
//!     }
//!     fn masked<R>(&self, work: impl FnOnce() -> R) -> R {
//!         timer::masked(work)
//!     }
//! }
//!
//! let mut base: EventBase<Lines<Chip, 1>, Fixed<8>, &str> = EventBase::new(Lines::new(Chip));
//! base.insert(BUTTON, Interest::READ, "pressed").unwrap();
//! base.insert_timer(Duration::from_millis(20), "blink").unwrap();
//!
//! assert_eq!(*base.next_event(Wait::Forever).unwrap().unwrap().data, "blink");
//! assert_eq!(base.now().as_nanos(), 20_000_000);
//!
//! FLAGS.set_readable(BUTTON); // in the button's interrupt
//! assert_eq!(*base.next_event(Wait::Forever).unwrap().unwrap().data, "pressed");
//! assert!(FLAGS.take_readable(BUTTON)); // in its handler: else it comes again
//! ```

use core::time::Duration;

use crate::time::Instant;
use crate::wake::WakeFlag;

mod counter;
mod flags;
mod lines;
mod ring;
#[cfg(test)]
mod tests;
mod ticks;

pub use counter::Counter;
pub use flags::Flags;
pub use lines::{Lines, NoSuchLine};
pub use ring::Ring;
pub use ticks::Ticks;

/// What a part without an operating system must bring: its clock, its alarm and its sleep. `N` is how many lines it has.
///
/// Implement it for a type without fields that names the registers and the [`Flags`] itself: then a base on it is all zeros at first,
/// lies in `.bss` and takes no flash.
///
/// # Contract
///
/// 1. [`now`](Board::now) MUST be monotonic. It SHOULD be no coarser than the alarm: where it reaches a deadline later than the alarm
///    does, the loop sets the alarm again, and for so long it does not sleep.
/// 2. After [`set_alarm`](Board::set_alarm) an interrupt MUST come when the time is reached, or earlier.
/// 3. In [`masked`](Board::masked), an interrupt MUST either be held back, or end a [`wait_for_interrupt`](Board::wait_for_interrupt)
///    that begins after it. An interrupt that is held back MUST end that wait at once.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a board with {N} lines",
    label = "`Lines` sleeps by a type that implements `evcore::board::Board<{N}>`",
    note = "the number is that of `Flags<N>`; docs/embedded.md in evcore's repository has boards to begin with"
)]
pub trait Board<const N: usize> {
    /// The flags that the board's interrupts set.
    fn flags(&self) -> &'static Flags<N>;

    /// The time since the part was switched on, or since any other point.
    fn now(&self) -> Instant;

    /// Has an interrupt come at `at`, or earlier where the timer does not reach so far: it is asked again for the rest then.
    /// [`Instant::MAX`] asks for none. It replaces the alarm before it.
    ///
    /// The interrupt has to set no flag: that it came is what ends the sleep.
    fn set_alarm(&self, at: Instant);

    /// Sleeps until an interrupt is pending: WFI. It may return earlier.
    fn wait_for_interrupt(&self);

    /// Does something that no interrupt comes between: PRIMASK on Cortex-M (BASEPRI will not do, as WFI does not return for what
    /// it holds back), `mstatus.MIE` on RISC-V. With the feature `critical-section` it is a critical section, unless you say otherwise.
    ///
    /// A part whose wait does not begin where an interrupt has been served since the last one may just call `work`: WFE on Cortex-M.
    #[cfg(not(feature = "critical-section"))]
    fn masked<R>(&self, work: impl FnOnce() -> R) -> R;

    /// Does something that no interrupt comes between: by default a critical section, of whatever implements those of the crate
    /// `critical-section`. Write it where that does not mask by PRIMASK or `mstatus.MIE`, or holds up another core.
    #[cfg(feature = "critical-section")]
    fn masked<R>(&self, work: impl FnOnce() -> R) -> R {
        critical_section::with(|_| work())
    }

    /// Sleeps for a time, whatever the loop waits for: for a device that wants a pause. No event is handed out meanwhile.
    ///
    /// It takes the alarm. The loop sets its own before each sleep, so do not call this from an interrupt.
    fn delay(&self, time: Duration)
    where
        Self: Sized,
    {
        let nobody = WakeFlag::new();
        sleep(self, self.now().saturating_add(time), &nobody);
    }
}

/// Sleeps until `news` is set or the time has come.
///
/// ```text
///   masked:  news is set? ──yes──────────────────────────────────▶ over
///            set the alarm; the time has come? ──yes─────────────▶ over
///            wait for an interrupt
///   unmasked: the interrupt is served ──▶ once more
/// ```
///
/// - An interrupt between the look at `news` and the wait is held back; as it is pending, the wait ends at once. So none is slept over.
/// - The alarm is set before the clock is read: a deadline that passes in between is seen by the clock, and one that passes later
///   by the alarm.
/// - Whatever else has ended the wait, the next round finds nothing new and waits again.
pub(crate) fn sleep<const N: usize>(board: &impl Board<N>, until: Instant, news: &WakeFlag) {
    let wait = || {
        if news.is_set() {
            return false;
        }
        board.set_alarm(until);
        if board.now() >= until {
            return false;
        }
        board.wait_for_interrupt();
        true
    };
    while board.masked(wait) {}
}
