//! BBC micro:bit (nRF51822, Cortex-M0), as QEMU's `microbit`. No compare-and-swap, no division, 16 KiB of memory.
//!
//! Timer 0 counts microseconds in 32 bits. Of its four compare registers, 0 is the alarm, 1 is for reading the count,
//! 2 detects wrapping.

use cortex_m::peripheral::NVIC;
use evcore::Instant;
use evcore::board::{Counter, Ticks};

use crate::lines::{self, FLAGS, UART as UART_LINE};
use crate::sys::{Irq, Register, unmask};

pub const NAME: &str = "microbit";

const TIMER: Irq = Irq(8);
const TIMER_START: Register<u32> = Register::at(0x4000_8000);
const TIMER_CLEAR: Register<u32> = Register::at(0x4000_800c);
const TIMER_CAPTURE: Register<u32> = Register::at(0x4000_8044);
const TIMER_ALARMED: Register<u32> = Register::at(0x4000_8140);
const TIMER_BEGUN: Register<u32> = Register::at(0x4000_8148);
const TIMER_INTERRUPTS: Register<u32> = Register::at(0x4000_8304);
const TIMER_BITS: Register<u32> = Register::at(0x4000_8508);
const TIMER_PRESCALER: Register<u32> = Register::at(0x4000_8510);
const TIMER_ALARM: Register<u32> = Register::at(0x4000_8540);
const TIMER_COUNT: Register<u32> = Register::at(0x4000_8544);
const TIMER_BEGIN: Register<u32> = Register::at(0x4000_8548);

const UART: Irq = Irq(2);
const UART_START_RECEIVING: Register<u32> = Register::at(0x4000_2000);
const UART_START_SENDING: Register<u32> = Register::at(0x4000_2008);
const UART_RECEIVED: Register<u32> = Register::at(0x4000_2108);
const UART_SENT: Register<u32> = Register::at(0x4000_211c);
const UART_INTERRUPTS: Register<u32> = Register::at(0x4000_2304);
const UART_ENABLE: Register<u32> = Register::at(0x4000_2500);
const UART_SEND_PIN: Register<u32> = Register::at(0x4000_250c);
const UART_RECEIVE_PIN: Register<u32> = Register::at(0x4000_2514);
const UART_INPUT: Register<u32> = Register::at(0x4000_2518);
const UART_OUTPUT: Register<u32> = Register::at(0x4000_251c);
const UART_SPEED: Register<u32> = Register::at(0x4000_2524);

/// One of the interrupts that software can raise, in place of a pin's.
const PRESS: Irq = Irq(20);

pub type Clock = Ticks<1_000_000>;

static COUNTER: Counter<32> = Counter::new();

pub fn init() {
    TIMER_BITS.write(3);
    TIMER_PRESCALER.write(4);
    TIMER_BEGIN.write(0);
    TIMER_CLEAR.write(1);
    TIMER_START.write(1);
    TIMER_BEGUN.write(0);
    TIMER_INTERRUPTS.write(1 << 16 | 1 << 18);
    UART_SEND_PIN.write(24);
    UART_RECEIVE_PIN.write(25);
    UART_SPEED.write(0x01d7_e000);
    UART_ENABLE.write(4);
    UART_START_RECEIVING.write(1);
    UART_START_SENDING.write(1);
    UART_INTERRUPTS.write(1 << 2 | 1 << 7);
    FLAGS.set_writable(UART_LINE);
    [TIMER, UART, PRESS].into_iter().for_each(unmask);
}

pub fn now() -> Instant {
    Clock::instant(COUNTER.read(count, || TIMER_BEGUN.read() != 0))
}

fn count() -> u32 {
    TIMER_CAPTURE.write(1);
    TIMER_COUNT.read()
}

/// Sets the alarm for that time, or earlier if that is too far off.
pub fn set_alarm(at: Instant) {
    let ticks = Clock::between(now(), at);
    TIMER_ALARM.write(count().wrapping_add(ticks));
}

pub fn transmit(byte: u8) {
    UART_OUTPUT.write(byte.into());
}

/// Raises an interrupt in software.
pub fn raise() {
    NVIC::pend(PRESS);
    cortex_m::asm::dsb();
    cortex_m::asm::isb();
}

pub fn interrupt(irq: i16) {
    match u16::try_from(irq).map(Irq) {
        Ok(TIMER) => on_timer(),
        Ok(UART) => on_uart(),
        Ok(PRESS) => lines::on_press(),
        _ => {}
    }
}

fn on_timer() {
    TIMER_ALARMED.write(0);
    if TIMER_BEGUN.read() != 0 {
        TIMER_BEGUN.write(0);
        COUNTER.on_overflow();
    }
    lines::on_alarm();
}

fn on_uart() {
    if UART_RECEIVED.read() != 0 {
        UART_RECEIVED.write(0);
        lines::on_byte(UART_INPUT.read() as u8);
    }
    if UART_SENT.read() != 0 {
        UART_SENT.write(0);
        lines::on_sent();
    }
}
