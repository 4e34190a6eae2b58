//! nRF51822 (Cortex-M0), as on a micro:bit. Timer 0 counts microseconds in 32 bits. Of its registers that compare, 0 is the
//! alarm, 1 is where a count is read from, and 2 tells that it has overflowed.

use cortex_m::peripheral::NVIC;
use evcore::Instant;
use evcore::board::{Board, Counter, Flags, Ticks};
use nrf51_pac::{Interrupt, interrupt};

use super::{Chip, FLAGS, LINES, RECEIVED, UART};

crate::registers! { u32 {
    TIMER_START = 0x4000_8000
    TIMER_CLEAR = 0x4000_800c
    TIMER_CAPTURE = 0x4000_8044
    TIMER_ALARMED = 0x4000_8140
    TIMER_OVERFLOWED = 0x4000_8148
    TIMER_INTERRUPTS = 0x4000_8304
    TIMER_BITS = 0x4000_8508
    TIMER_PRESCALER = 0x4000_8510
    TIMER_ALARM = 0x4000_8540
    TIMER_COUNT = 0x4000_8544
    TIMER_FIRST = 0x4000_8548
    UART_START_RECEIVING = 0x4000_2000
    UART_START_SENDING = 0x4000_2008
    UART_RECEIVED = 0x4000_2108
    UART_SENT = 0x4000_211c
    UART_INTERRUPTS = 0x4000_2304
    UART_ENABLE = 0x4000_2500
    UART_SEND_PIN = 0x4000_250c
    UART_RECEIVE_PIN = 0x4000_2514
    UART_INPUT = 0x4000_2518
    UART_OUTPUT = 0x4000_251c
    UART_SPEED = 0x4000_2524
} }

type Clock = Ticks<1_000_000>;
/// It overflows each 72 minutes.
static COUNTER: Counter<32> = Counter::new();

fn count() -> u32 {
    TIMER_CAPTURE.write(1);
    TIMER_COUNT.read()
}

impl Board<LINES> for Chip {
    fn flags(&self) -> &'static Flags<LINES> {
        &FLAGS
    }

    fn now(&self) -> Instant {
        Clock::instant(COUNTER.read(count, || TIMER_OVERFLOWED.read() != 0))
    }

    fn set_alarm(&self, at: Instant) {
        let ticks = Clock::between(self.now(), at);
        TIMER_ALARM.write(count().wrapping_add(ticks));
    }

    fn wait_for_interrupt(&self) {
        cortex_m::asm::wfi();
    }
}

#[interrupt]
fn TIMER0() {
    // The alarm: that it came has ended the sleep, and that is all.
    TIMER_ALARMED.write(0);
    if TIMER_OVERFLOWED.read() != 0 {
        TIMER_OVERFLOWED.write(0);
        COUNTER.on_overflow();
    }
}

#[interrupt]
fn UART0() {
    if UART_RECEIVED.read() != 0 {
        UART_RECEIVED.write(0);
        FLAGS.push(UART, &RECEIVED, UART_INPUT.read() as u8);
    }
}

/// Sends a byte, and waits until it is gone.
pub fn send(byte: u8) {
    UART_SENT.write(0);
    UART_OUTPUT.write(byte.into());
    while UART_SENT.read() == 0 {}
}

/// Switches on what the board uses.
pub fn init() {
    TIMER_BITS.write(3);
    TIMER_PRESCALER.write(4);
    TIMER_FIRST.write(0);
    TIMER_CLEAR.write(1);
    TIMER_START.write(1);
    TIMER_OVERFLOWED.write(0);
    TIMER_INTERRUPTS.write(1 << 16 | 1 << 18);
    UART_SEND_PIN.write(24);
    UART_RECEIVE_PIN.write(25);
    UART_SPEED.write(0x01d7_e000);
    UART_ENABLE.write(4);
    UART_START_RECEIVING.write(1);
    UART_START_SENDING.write(1);
    UART_INTERRUPTS.write(1 << 2);
    for interrupt in [Interrupt::TIMER0, Interrupt::UART0] {
        // SAFETY: nothing is masked by it now.
        unsafe { NVIC::unmask(interrupt) }
    }
}
