//! BBC micro:bit (nRF51822, Cortex-M0), as QEMU's `microbit`. Timer 0 counts microseconds in 32 bits.

use core::sync::atomic::{AtomicU32, Ordering};

use crate::sys::{masked, read, write};
use crate::{latency, lines};

pub const NANOS_PER_TICK: u64 = 1_000;
/// 2^32 ns, rounded up.
pub const TICKS_PER_4S: u64 = 4_294_968;

const TIMER: usize = 0x4000_8000;
const ALARMED: usize = TIMER + 0x140;
const BEGUN: usize = TIMER + 0x148;
const ALARM: usize = TIMER + 0x540;
/// The registers that enable interrupts and that raise them in software: one bit for each.
const LET_IN: usize = 0xe000_e100;
const RAISE: usize = 0xe000_e200;
const PRESS: i16 = 20;

/// How many times the timer has wrapped.
static ROUNDS: AtomicU32 = AtomicU32::new(0);

pub fn init() {
    for (register, value) in [(0x508, 3), (0x510, 4), (0x548, 0), (0x00c, 1), (0x304, 1 << 16 | 1 << 18), (0, 1)] {
        write(TIMER + register, value);
    }
    write(LET_IN, 1 << 8 | 1 << PRESS);
}

/// Ticks since the start.
pub fn now() -> u64 {
    masked(|| {
        let (mut rounds, mut count) = (ROUNDS.load(Ordering::Relaxed), count());
        // It wrapped while its interrupt was masked: its value belongs to the next round.
        if read(BEGUN) != 0 {
            (rounds, count) = (rounds.wrapping_add(1), self::count());
        }
        u64::from(rounds) << 32 | u64::from(count)
    })
}

fn count() -> u32 {
    write(TIMER + 0x044, 1);
    read(TIMER + 0x544)
}

/// Sets the alarm for that time, or earlier if that is too far off.
pub fn set_alarm(at: u64) {
    let left = at.saturating_sub(now());
    let left = if left >> 31 == 0 { left as u32 } else { 1 << 31 };
    write(ALARM, count().wrapping_add(left.max(2)));
}

/// Raises an interrupt in software, in place of a line's.
pub fn raise() {
    write(RAISE, 1 << PRESS);
}

#[cortex_m_rt::exception]
unsafe fn DefaultHandler(irq: i16) {
    latency::enter();
    if irq == PRESS {
        return lines::on_press();
    }
    // The alarm has ended the sleep; nothing else is needed.
    write(ALARMED, 0);
    if read(BEGUN) != 0 {
        write(BEGUN, 0);
        ROUNDS.store(ROUNDS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }
    crate::on_alarm();
}
