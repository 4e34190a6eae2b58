//! The interface of a part, and the sleep made from it.

use core::time::Duration;

use super::Flags;
use crate::time::Instant;
use crate::wake::WakeFlag;

/// The port to a part without an operating system: its clock, alarm, sleep and `N` lines.
///
/// Implement it for a type without fields that names the registers and the [`Flags`] itself: then a base is all zeros,
/// lies in `.bss` and takes no flash.
///
/// # Contract
///
/// 1. [`now`](Board::now) MUST be monotonic. It SHOULD be no coarser than the alarm: until it reaches the deadline, the
///    loop does not sleep.
/// 2. After [`set_alarm`](Board::set_alarm) an interrupt MUST come by the given time, or earlier.
/// 3. [`masked`](Board::masked) MUST either hold an interrupt back, or have it end a
///    [`wait_for_interrupt`](Board::wait_for_interrupt) that begins afterwards. An interrupt held back MUST end that
///    wait at once.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a board with {N} lines",
    label = "`Lines` sleeps by a type that implements `evcore::board::Board<{N}>`",
    note = "the number is that of `Flags<N>`; docs/embedded.md in evcore's repository has boards to begin with"
)]
pub trait Board<const N: usize> {
    /// The flags that the board's interrupts set.
    fn flags(&self) -> &'static Flags<N>;

    /// The time since any fixed point, such as power-on.
    fn now(&self) -> Instant;

    /// Requests an interrupt at `at`, or earlier if the timer does not reach that far; the loop then sets it again.
    /// [`Instant::MAX`] requests none. Replaces the earlier alarm.
    ///
    /// The interrupt need not set a flag: any interrupt ends the wait.
    fn set_alarm(&self, at: Instant);

    /// Sleeps until an interrupt is pending: WFI. It may return earlier.
    fn wait_for_interrupt(&self);

    /// Runs `work` with interrupts masked: PRIMASK on Cortex-M (not BASEPRI, which keeps WFI from returning),
    /// `mstatus.MIE` on RISC-V. With the feature `critical-section` the default is a critical section.
    ///
    /// If an interrupt since the last wait ends the next wait at once, as with WFE on Cortex-M, `masked` may just call
    /// `work`.
    #[cfg(not(feature = "critical-section"))]
    fn masked<R>(&self, work: impl FnOnce() -> R) -> R;

    /// Runs `work` with interrupts masked, by default in a section of the crate `critical-section`. Override it if that
    /// masks by other means than PRIMASK or `mstatus.MIE`, or holds up another core.
    #[cfg(feature = "critical-section")]
    fn masked<R>(&self, work: impl FnOnce() -> R) -> R {
        critical_section::with(|_| work())
    }

    /// Sleeps for at least `time`, and a few steps of the clock longer, while no event is handed out: for a device that
    /// needs a pause. It uses the loop's alarm: do not call it from an interrupt.
    fn delay(&self, time: Duration)
    where
        Self: Sized,
    {
        let nobody = WakeFlag::new();
        // How much of the current clock step has passed is unknown.
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
/// - An interrupt between the look at `news` and the wait is pending, and ends the wait at once.
/// - The alarm is set before the clock is read: the clock shows a deadline that passed in between, the alarm ends the
///   wait for a later one.
/// - After any other interrupt the next round waits again.
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
