//! Measures how many instructions run between an interrupt and the program's handler, and the maximum with interrupts
//! masked. QEMU counts time in instructions, 64 ns each; SysTick shows that time.

#[cfg(not(feature = "latency"))]
pub use without::*;

#[cfg(feature = "latency")]
pub use with::*;

#[cfg(not(feature = "latency"))]
mod without {
    #[inline(always)]
    pub fn enter() {}

    #[inline(always)]
    pub fn mask() {}

    #[inline(always)]
    pub fn unmask() {}
}

#[cfg(feature = "latency")]
mod with {
    use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use crate::board::{NANOS_PER_TICK, count};
    use crate::sys;

    static ENTERED: AtomicU32 = AtomicU32::new(0);
    static MASKED: AtomicU32 = AtomicU32::new(0);
    static LONGEST: AtomicU32 = AtomicU32::new(0);
    static DEPTH: AtomicU32 = AtomicU32::new(0);

    /// An interrupt has come.
    #[inline(always)]
    pub fn enter() {
        ENTERED.store(count(), Relaxed);
    }

    /// Interrupts are masked from here on.
    #[inline(always)]
    pub fn mask() {
        if !cfg!(feature = "masked") {
            return;
        }
        let depth = DEPTH.load(Relaxed);
        DEPTH.store(depth + 1, Relaxed);
        if depth == 0 {
            MASKED.store(count(), Relaxed);
        }
    }

    /// Interrupts are unmasked, or end a sleep.
    #[inline(always)]
    pub fn unmask() {
        if !cfg!(feature = "masked") {
            return;
        }
        let depth = DEPTH.load(Relaxed) - 1;
        DEPTH.store(depth, Relaxed);
        if depth == 0 {
            let ticks = since(MASKED.load(Relaxed));
            LONGEST.store(LONGEST.load(Relaxed).max(ticks), Relaxed);
        }
    }

    fn since(begin: u32) -> u32 {
        count().wrapping_sub(begin) & 0xff_ffff
    }

    /// The maximum so far.
    #[derive(Default)]
    pub struct Worst(u32);

    impl Worst {
        /// Must be the first call of a handler.
        #[inline(always)]
        pub fn note(&mut self) {
            let ticks = since(ENTERED.load(Relaxed));
            self.0 = self.0.max(ticks);
        }

        /// Prints the number of instructions from an interrupt to the handler; or, if those are counted, of
        /// instructions with interrupts masked.
        pub fn say(&self) {
            let ticks = if cfg!(feature = "masked") { LONGEST.load(Relaxed) } else { self.0 };
            number(ticks * NANOS_PER_TICK as u32 / 64);
            sys::say(b'\n');
        }
    }

    fn number(value: u32) {
        if value >= 10 {
            number(value / 10);
        }
        sys::say(b'0' + (value % 10) as u8);
    }
}
