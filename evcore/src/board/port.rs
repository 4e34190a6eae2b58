//! What a port to a part brings, and the sleep that is made of it.

use core::time::Duration;

use super::Flags;
use crate::time::Instant;
use crate::wake::WakeFlag;

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
    /// It is never shorter: it begins when the clock counts next. So it is longer by a few steps of the clock.
    ///
    /// It takes the alarm. The loop sets its own before each sleep, so do not call this from an interrupt.
    fn delay(&self, time: Duration)
    where
        Self: Sized,
    {
        let nobody = WakeFlag::new();
        // How much of the present step of the clock has passed is not known.
        for part in [Duration::from_nanos(1).min(time), time] {
            sleep(self, self.now().saturating_add(part), &nobody);
        }
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
