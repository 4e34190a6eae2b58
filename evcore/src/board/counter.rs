//! A hardware counter that overflows, extended to 64 bits.

use core::sync::atomic::{AtomicU32, Ordering};

/// Extends a hardware counter of at most 32 bits (`BITS`) to 64, by counting overflows in their interrupt.
///
/// The part must remember an overflow whose interrupt is held back, as a pending bit or status flag. Then a read with
/// interrupts [masked](super::Board::masked) is right too, up to a second overflow. A read masks nothing, uses no
/// compare-and-swap, and reads the counter once, or twice near an overflow.
///
/// Read it from the loop, and from interrupts that cannot preempt the overflow interrupt.
///
/// ```
/// use core::cell::Cell;
/// use evcore::board::Counter;
///
/// static CLOCK: Counter<24> = Counter::new();
///
/// // What stands for the registers of a part.
/// let (count, is_pending) = (Cell::new(0xff_ffff), Cell::new(false));
/// let now = || CLOCK.read(|| count.get(), || is_pending.get());
///
/// assert_eq!(now(), 0xff_ffff);
/// (count.set(3), is_pending.set(true)); // it has overflowed, with interrupts masked
/// assert_eq!(now(), 0x100_0003);
/// (CLOCK.on_overflow(), is_pending.set(false)); // the interrupt, later
/// assert_eq!(now(), 0x100_0003);
/// ```
#[derive(Debug)]
pub struct Counter<const BITS: u32> {
    overflows: AtomicU32,
    /// How often `overflows` has overflowed: 203 days each for 16 bits at 16 MHz.
    rounds: AtomicU32,
}

impl<const BITS: u32> Counter<BITS> {
    /// A counter that has not overflowed. More than 32 bits do not compile.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(BITS >= 1 && BITS <= 32, "a counter has 1 to 32 bits") };
        Self { overflows: AtomicU32::new(0), rounds: AtomicU32::new(0) }
    }

    /// Counts an overflow. Call it in the overflow interrupt, which also clears the pending bit or status flag.
    pub fn on_overflow(&self) {
        // Only this interrupt writes it, so no compare-and-swap is needed.
        let overflows = self.overflows.load(Ordering::Relaxed).wrapping_add(1);
        if overflows == 0 {
            self.rounds.store(self.rounds.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
        self.overflows.store(overflows, Ordering::Release);
    }

    /// The count in 64 bits. `count` reads the counter, which must count up from 0; `is_pending` says whether it has
    /// overflowed without a call of [`on_overflow`](Counter::on_overflow).
    ///
    /// ```
    /// use evcore::board::Counter;
    ///
    /// assert_eq!(Counter::<32>::new().read(|| 5, || true), 0x1_0000_0005);
    /// ```
    pub fn read(&self, count: impl Fn() -> u32, is_pending: impl Fn() -> bool) -> u64 {
        loop {
            let overflows = self.overflows.load(Ordering::Acquire);
            // Bits beyond 64 are dropped.
            let rounds = if BITS < 32 { self.rounds.load(Ordering::Relaxed) } else { 0 };
            let mut low = count();
            let mut high = u64::from(rounds) << 32 | u64::from(overflows);
            if is_pending() {
                // Certainly after the overflow, unlike the first count.
                low = count();
                high = high.wrapping_add(1);
            }
            // Otherwise the interrupt came in between, and the two may not match.
            if self.overflows.load(Ordering::Acquire) == overflows {
                return high << BITS | u64::from(low);
            }
        }
    }
}

impl<const BITS: u32> Default for Counter<BITS> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use super::*;

    /// A three-bit counter whose ticks and interrupts follow a script.
    struct Part {
        clock: Counter<3>,
        time: Cell<u64>,
        is_pending: Cell<bool>,
        is_masked: bool,
        script: Cell<u32>,
    }

    impl Part {
        /// Between two instructions: serves the interrupt, now or later, or lets a tick pass.
        fn step(&self) {
            let script = self.script.get();
            self.script.set(script >> 2);
            if script & 1 == 1 {
                self.time.set(self.time.get() + 1);
                if self.time.get() % 8 == 0 {
                    self.is_pending.set(true);
                }
            }
            if script & 2 == 2 && !self.is_masked && self.is_pending.take() {
                self.clock.on_overflow();
            }
        }

        fn read(&self) -> u64 {
            self.clock.read(
                || {
                    self.step();
                    let count = (self.time.get() % 8) as u32;
                    self.step();
                    count
                },
                || {
                    self.step();
                    let is_pending = self.is_pending.get();
                    self.step();
                    is_pending
                },
            )
        }
    }

    /// 16 bits at 16 MHz, after 203 days.
    #[test]
    fn counter_does_not_begin_again_when_its_overflows_do() {
        let clock = Counter::<16>::new();
        clock.overflows.store(u32::MAX, Ordering::Relaxed);
        let last = clock.read(|| 0xffff, || false);
        assert_eq!(last, (1 << 48) - 1);
        assert_eq!(clock.read(|| 0, || true), last + 1, "the overflow is held back");
        clock.on_overflow();
        assert_eq!(clock.read(|| 0, || false), last + 1);
        clock.on_overflow();
        assert_eq!(clock.read(|| 0, || false), last + 1 + (1 << 16));
    }

    #[test]
    fn counter_says_a_time_between_begin_and_end_however_the_overflow_comes() {
        let mut at_an_overflow = 0;
        for is_masked in [false, true] {
            for start in 4..8u64 {
                for script in 0..1u32 << 16 {
                    let part = Part {
                        clock: Counter::new(),
                        time: Cell::new(start),
                        is_pending: Cell::new(false),
                        is_masked,
                        script: Cell::new(script),
                    };
                    let said = part.read();
                    let end = part.time.get();
                    assert!(said >= start && said <= end, "{script:#x} from {start}: {said}, and it is {end}");
                    at_an_overflow += u32::from(end >= 8);
                    // Serving what was held back does not set the clock back.
                    if part.is_pending.take() {
                        part.clock.on_overflow();
                    }
                    assert!(part.read() >= said);
                }
            }
        }
        assert!(at_an_overflow > 1_000, "hardly any overflow was tried");
    }
}
