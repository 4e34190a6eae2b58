//! MPS2 with the FPGA image AN385 (Cortex-M3): timer 0 is the alarm, timer 1 the clock; both count 32 bits down at 25 MHz.

use super::{Chip, FLAGS, LINES, RECEIVED, UART};
use evcore::Instant;
use evcore::board::{Board, Counter, Flags, Ticks};

crate::registers! { u32 {
    ALARM_CONTROL = 0x4000_0000  ALARM_COUNT = 0x4000_0004  ALARM_CLEAR = 0x4000_000c
    CLOCK_CONTROL = 0x4000_1000  CLOCK_COUNT = 0x4000_1004  CLOCK_RELOAD = 0x4000_1008  CLOCK_OVERFLOW = 0x4000_100c
    UART_DATA = 0x4000_4000  UART_STATE = 0x4000_4004  UART_CONTROL = 0x4000_4008  UART_CLEAR = 0x4000_400c
    UART_DIVISOR = 0x4000_4010  INTERRUPTS = 0xe000_e100
} }

type Clock = Ticks<25_000_000>;
static COUNTER: Counter<32> = Counter::new();

impl Board<LINES> for Chip {
    fn flags(&self) -> &'static Flags<LINES> {
        &FLAGS
    }
    fn now(&self) -> Instant {
        Clock::instant(COUNTER.read(|| CLOCK_COUNT.read().wrapping_neg(), || CLOCK_OVERFLOW.read() != 0))
    }
    fn set_alarm(&self, at: Instant) {
        ALARM_COUNT.write(Clock::between(self.now(), at));
    }
    fn wait_for_interrupt(&self) {
        cortex_m::asm::wfi();
    }
}

#[cortex_m_rt::exception]
unsafe fn DefaultHandler(irq: i16) {
    match irq {
        0 => {
            UART_CLEAR.write(2);
            FLAGS.push(UART, &RECEIVED, UART_DATA.read() as u8);
        }
        8 => ALARM_CLEAR.write(1),
        _ => {
            CLOCK_OVERFLOW.write(1);
            COUNTER.on_overflow();
        }
    }
}

pub fn send(byte: u8) {
    while UART_STATE.read() & 1 != 0 {}
    UART_DATA.write(byte.into());
}

pub fn init() {
    [CLOCK_RELOAD, CLOCK_COUNT].into_iter().for_each(|count| count.write(u32::MAX));
    [CLOCK_CONTROL, ALARM_CONTROL].into_iter().for_each(|control| control.write(1 << 3 | 1));
    UART_DIVISOR.write(16);
    UART_CONTROL.write(1 << 3 | 1 << 1 | 1);
    INTERRUPTS.write(1 << 9 | 1 << 8 | 1);
}
