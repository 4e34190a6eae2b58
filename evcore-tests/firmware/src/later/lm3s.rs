//! Timer 1 counts down once.

use core::time::Duration;

use super::{on_time, ticks};
use crate::sys::{Irq, Register, unmask};

const TIMER: Irq = Irq(21);
const CLOCKS: Register<u32> = Register::at(0x400f_e104);
const MODE: Register<u32> = Register::at(0x4003_1004);
const CONTROL: Register<u32> = Register::at(0x4003_100c);
const INTERRUPTS: Register<u32> = Register::at(0x4003_1018);
const CLEAR: Register<u32> = Register::at(0x4003_1024);
const TICKS: Register<u32> = Register::at(0x4003_1028);

pub fn init() {
    CLOCKS.write(CLOCKS.read() | 1 << 17);
    MODE.write(1);
    INTERRUPTS.write(1);
    unmask(TIMER);
}

pub(super) fn set_timer(delay: Duration) {
    CONTROL.write(0);
    TICKS.write(ticks(delay));
    CONTROL.write(1);
}

pub fn interrupt(irq: i16) {
    if u16::try_from(irq) == Ok(TIMER.0) {
        CLEAR.write(1);
        on_time();
    }
}
