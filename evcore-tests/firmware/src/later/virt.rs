//! The Goldfish clock: nanoseconds in 64 bits, with an alarm.

use core::time::Duration;

use super::on_time;
use crate::sys::Register;

/// Its interrupt's number, to be claimed.
pub const CLOCK: u32 = 11;
const PRIORITY: Register<u32> = Register::at(0x0c00_0000 + 4 * CLOCK as usize);
const ENABLE: Register<u32> = Register::at(0x0c00_2000);

const TIME_LOW: Register<u32> = Register::at(0x0010_1000);
const TIME_HIGH: Register<u32> = Register::at(0x0010_1004);
const ALARM_LOW: Register<u32> = Register::at(0x0010_1008);
const ALARM_HIGH: Register<u32> = Register::at(0x0010_100c);
const INTERRUPTS: Register<u32> = Register::at(0x0010_1010);
const CLEAR: Register<u32> = Register::at(0x0010_101c);

pub fn init() {
    PRIORITY.write(1);
    ENABLE.write(ENABLE.read() | 1 << CLOCK);
    INTERRUPTS.write(1);
}

pub(super) fn set_timer(delay: Duration) {
    let at = time().wrapping_add(delay.as_nanos() as u64);
    ALARM_HIGH.write((at >> 32) as u32);
    // Writing the lower half sets the alarm.
    ALARM_LOW.write(at as u32);
}

/// The clock is read in two halves, and again if the upper one has changed meanwhile.
fn time() -> u64 {
    loop {
        let (high, low) = (TIME_HIGH.read(), TIME_LOW.read());
        if high == TIME_HIGH.read() {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}

pub fn interrupt() {
    CLEAR.write(1);
    on_time();
}
