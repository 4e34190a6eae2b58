//! QEMU's `virt` with one RISC-V hart: a clock of 64 bits with an alarm.

use riscv::interrupt::Interrupt;
use riscv_rt::core_interrupt;

use crate::sys::{read, write};
use crate::{latency, lines};

pub const NANOS_PER_TICK: u64 = 100;
/// 2^32 ns, rounded up.
pub const TICKS_PER_4S: u64 = 42_949_673;

const SOFT: usize = 0x0200_0000;
const ALARM: usize = 0x0200_4000;
const TIME: usize = 0x0200_bff8;

pub fn init() {
    set_alarm(u64::MAX);
    // SAFETY: the program is starting, and no code has masked interrupts yet.
    unsafe {
        riscv::interrupt::enable_interrupt(Interrupt::MachineSoft);
        riscv::interrupt::enable_interrupt(Interrupt::MachineTimer);
        riscv::interrupt::enable();
    }
}

/// Ticks since the start. The clock is read in two halves, and again if the upper one has changed meanwhile.
pub fn now() -> u64 {
    loop {
        let (high, low) = (read(TIME + 4), read(TIME));
        if high == read(TIME + 4) {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}

/// Sets the alarm for that time. The upper half is set to the maximum while the lower one changes.
pub fn set_alarm(at: u64) {
    write(ALARM + 4, u32::MAX);
    write(ALARM, at as u32);
    write(ALARM + 4, (at >> 32) as u32);
}

/// Raises an interrupt in software, in place of a line's.
pub fn raise() {
    write(SOFT, 1);
    // The interrupt comes a few instructions later, at the latest when this is read back.
    while read(SOFT) != 0 {}
}

#[core_interrupt(Interrupt::MachineSoft)]
fn soft() {
    latency::enter();
    lines::on_press();
    write(SOFT, 0);
}

#[core_interrupt(Interrupt::MachineTimer)]
fn timer() {
    latency::enter();
    // The interrupt has ended the sleep; nothing else is needed.
    set_alarm(u64::MAX);
    crate::on_alarm();
}
