//! Small programs on bare boards: the cost of an event loop with nothing beside it.
//!
//! ```text
//!   bin/blink · two · four · full      on evcore ──▶ lines   the backend
//!   bin/hand_blink · hand_eight        by hand       board   clock, alarm, sleep
//!   bin/embassy_blink · embassy_four   on embassy    sys     registers, masked interrupts
//! ```

#![no_std]

pub mod board;
#[cfg(feature = "embassy")]
pub mod driver;
pub mod latency;
pub mod lines;
pub mod programs;
pub mod sys;

#[cfg(target_arch = "arm")]
pub use cortex_m_rt::entry;
#[cfg(target_arch = "riscv32")]
pub use riscv_rt::entry;

/// Called by the alarm's interrupt. Only one loop here has timers of its own to check.
#[inline(always)]
fn on_alarm() {
    #[cfg(feature = "embassy")]
    driver::on_alarm();
}
