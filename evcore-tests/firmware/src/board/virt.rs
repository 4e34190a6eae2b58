//! QEMU's `virt` with one RISC-V hart: a 64-bit clock with an alarm, and a 16550 UART.

use evcore::Instant;
use evcore::board::Ticks;

use crate::lines::{self, FLAGS, UART as UART_LINE};
use crate::sys::{Register, unmask};

pub const NAME: &str = "virt";

const SOFT: Register<u32> = Register::at(0x0200_0000);
const ALARM_LOW: Register<u32> = Register::at(0x0200_4000);
const ALARM_HIGH: Register<u32> = Register::at(0x0200_4004);
const TIME_LOW: Register<u32> = Register::at(0x0200_bff8);
const TIME_HIGH: Register<u32> = Register::at(0x0200_bffc);

const UART: u32 = 10;
const UART_PRIORITY: Register<u32> = Register::at(0x0c00_0000 + 4 * UART as usize);
const ENABLE: Register<u32> = Register::at(0x0c00_2000);
const THRESHOLD: Register<u32> = Register::at(0x0c20_0000);
const CLAIM: Register<u32> = Register::at(0x0c20_0004);

const UART_DATA: Register<u8> = Register::at(0x1000_0000);
const UART_INTERRUPTS: Register<u8> = Register::at(0x1000_0001);
const UART_CAUSE: Register<u8> = Register::at(0x1000_0002);
const UART_STATE: Register<u8> = Register::at(0x1000_0005);
const HAS_RECEIVED: u8 = 1;
const HAS_ROOM: u8 = 1 << 5;

pub type Clock = Ticks<10_000_000>;

pub fn init() {
    set_alarm_ticks(u64::MAX);
    UART_PRIORITY.write(1);
    ENABLE.write(1 << UART);
    THRESHOLD.write(0);
    UART_INTERRUPTS.write(3);
    FLAGS.set_writable(UART_LINE);
    unmask();
}

pub fn now() -> Instant {
    Clock::instant(time())
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

/// Sets the alarm for that time, or earlier if that is too far off.
pub fn set_alarm(at: Instant) {
    let time = time();
    set_alarm_ticks(time.wrapping_add(Clock::between(Clock::instant(time), at).into()));
}

/// The upper half is set to the maximum while the lower one changes.
fn set_alarm_ticks(at: u64) {
    ALARM_HIGH.write(u32::MAX);
    ALARM_LOW.write(at as u32);
    ALARM_HIGH.write((at >> 32) as u32);
}

pub fn transmit(byte: u8) {
    UART_DATA.write(byte);
}

/// Raises an interrupt in software.
pub fn raise() {
    SOFT.write(1);
    // The interrupt comes a few instructions later, at the latest when this is read back.
    while SOFT.read() != 0 {}
}

pub fn on_soft() {
    lines::on_press();
    SOFT.write(0);
}

pub fn on_timer() {
    set_alarm_ticks(u64::MAX);
    lines::on_alarm();
}

pub fn on_external() {
    let claimed = CLAIM.read();
    if claimed == UART {
        // Reading the cause clears the interrupt for room to send.
        UART_CAUSE.read();
        while UART_STATE.read() & HAS_RECEIVED != 0 {
            lines::on_byte(UART_DATA.read());
        }
        if UART_STATE.read() & HAS_ROOM != 0 {
            lines::on_sent();
        }
    }
    #[cfg(feature = "suite")]
    if claimed == crate::later::CLOCK {
        crate::later::interrupt();
    }
    CLAIM.write(claimed);
}
