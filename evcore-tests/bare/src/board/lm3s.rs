//! Stellaris LM3S6965 (Cortex-M3), as QEMU's `lm3s6965evb`. SysTick counts down in steps of 50 ns, in 24 bits; timer 0 is the alarm.

use core::sync::atomic::{AtomicU32, Ordering};

use crate::sys::{masked, read, write};
use crate::{latency, lines};

pub const NANOS_PER_TICK: u64 = 50;
/// 2^32 ns, rounded up.
pub const TICKS_PER_4S: u64 = 85_899_346;

/// The clock configuration: its value after a reset, but divided by 10.
const CLOCK: (usize, u32) = (0x400f_e060, 0x078e_3ad1 & !(0xf << 23) | 9 << 23);
const GATES: (usize, u32) = (0x400f_e104, 1 << 16 | 1);

const TIMER: usize = 0x4003_0000;
const TIMER_CONTROL: usize = TIMER + 0x00c;
const TIMER_CLEAR: usize = TIMER + 0x024;
const TIMER_TICKS: usize = TIMER + 0x028;

const SYSTICK: usize = 0xe000_e010;
const SYSTICK_COUNT: usize = 0xe000_e018;
const PENDING: usize = 0xe000_ed04;
const IS_SYSTICK_PENDING: u32 = 1 << 26;
/// The registers that enable interrupts and that raise them in software: one bit for each.
const LET_IN: usize = 0xe000_e100;
const RAISE: usize = 0xe000_e200;
const ALARM: i16 = 19;
const PRESS: i16 = 17;

#[cfg(feature = "latency")]
const PRESSES: usize = 0x4003_1000;
#[cfg(feature = "latency")]
const PRESSES_IRQ: i16 = 21;

/// How many times SysTick has wrapped.
static ROUNDS: AtomicU32 = AtomicU32::new(0);

pub fn init() {
    write(CLOCK.0, CLOCK.1);
    write(GATES.0, GATES.1);
    write(SYSTICK + 4, 0xff_ffff);
    write(SYSTICK_COUNT, 0);
    write(SYSTICK, 7);
    write(TIMER + 0x004, 1);
    write(TIMER + 0x018, 1);
    write(LET_IN, 1 << ALARM | 1 << PRESS);
}

/// Ticks since the start.
pub fn now() -> u64 {
    masked(|| {
        let (mut rounds, mut count) = (ROUNDS.load(Ordering::Relaxed), read(SYSTICK_COUNT));
        // It wrapped while its interrupt was masked: its value belongs to the next round.
        if read(PENDING) & IS_SYSTICK_PENDING != 0 {
            (rounds, count) = (rounds.wrapping_add(1), read(SYSTICK_COUNT));
        }
        // It counts down, and interrupts when it reaches 0.
        u64::from(rounds) << 24 | u64::from(count.wrapping_neg() & 0xff_ffff)
    })
}

/// A tick count that wraps at 24 bits, for short durations.
#[cfg(feature = "latency")]
pub fn count() -> u32 {
    read(SYSTICK_COUNT).wrapping_neg()
}

/// Sets the alarm for that time, or earlier if that is too far off.
pub fn set_alarm(at: u64) {
    let left = at.saturating_sub(now());
    let left = if left >> 31 == 0 { left as u32 } else { 1 << 31 };
    write(TIMER_CONTROL, 0);
    write(TIMER_TICKS, left.max(2));
    write(TIMER_CONTROL, 1);
}

/// Makes a second timer raise a line's interrupt every `millis` milliseconds.
#[cfg(feature = "latency")]
pub fn press_every(millis: u64) {
    write(GATES.0, GATES.1 | 1 << 17);
    write(PRESSES + 0x004, 2);
    write(PRESSES + 0x018, 1);
    write(PRESSES + 0x028, super::millis(millis) as u32);
    write(PRESSES + 0x00c, 1);
    write(LET_IN, 1 << PRESSES_IRQ);
}

/// Raises an interrupt in software, in place of a line's.
pub fn raise() {
    write(RAISE, 1 << PRESS);
}

#[cortex_m_rt::exception]
fn SysTick() {
    // Only this interrupt changes it, so a load and a store are enough.
    ROUNDS.store(ROUNDS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

#[cortex_m_rt::exception]
unsafe fn DefaultHandler(irq: i16) {
    latency::enter();
    if irq == ALARM {
        // The interrupt has ended the sleep; nothing else is needed.
        write(TIMER_CLEAR, 1);
        return crate::on_alarm();
    }
    on_line(irq);
}

// Not inlined: otherwise the compiler checks for the line first, and the alarm's instruction count would include
// that.
#[inline(never)]
#[cfg_attr(not(feature = "latency"), expect(unused_variables, reason = "no other line is counted"))]
fn on_line(irq: i16) {
    #[cfg(feature = "latency")]
    if irq == PRESSES_IRQ {
        write(PRESSES + 0x024, 1);
    }
    lines::on_press();
}
