//! LM3S6965 (Cortex-M3). SysTick is the clock, timer 0 the alarm.

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{NVIC, Peripherals, SCB, SYST};
use cortex_m_rt::exception;
use evcore::Instant;
use evcore::board::{Board, Counter, Flags, Ticks};
use lm3s6965::{Interrupt, interrupt};

use super::{Chip, FLAGS, LINES, RECEIVED, UART};

crate::registers! { u32 {
    CLOCKS_TIMERS = 0x400f_e104
    CLOCKS_UARTS = 0x400f_e108
    ALARM_MODE = 0x4003_0004
    ALARM_CONTROL = 0x4003_000c
    ALARM_INTERRUPTS = 0x4003_0018
    ALARM_CLEAR = 0x4003_0024
    ALARM_TICKS = 0x4003_0028
    UART_DATA = 0x4000_c000
    UART_FLAGS = 0x4000_c018
    UART_DIVISOR = 0x4000_c024
    UART_FORMAT = 0x4000_c02c
    UART_CONTROL = 0x4000_c030
    UART_INTERRUPTS = 0x4000_c038
    UART_CLEAR = 0x4000_c044
} }
const NOTHING_RECEIVED: u32 = 1 << 4;
const CANNOT_SEND: u32 = 1 << 5;

/// 12.5 MHz after a reset.
type Clock = Ticks<12_500_000>;
/// SysTick has 24 bits: it overflows each 1.3 s.
static COUNTER: Counter<24> = Counter::new();

impl Board<LINES> for Chip {
    fn flags(&self) -> &'static Flags<LINES> {
        &FLAGS
    }

    fn now(&self) -> Instant {
        // It counts down, and its interrupt comes when it reaches 0.
        Clock::instant(COUNTER.read(|| SYST::get_current().wrapping_neg() & 0xff_ffff, SCB::is_pendst_pending))
    }

    fn set_alarm(&self, at: Instant) {
        ALARM_CONTROL.write(0);
        ALARM_TICKS.write(Clock::between(self.now(), at));
        ALARM_CONTROL.write(1);
    }

    fn wait_for_interrupt(&self) {
        cortex_m::asm::wfi();
    }
}

#[exception]
fn SysTick() {
    COUNTER.on_overflow();
}

/// The alarm: that it came has ended the sleep, and that is all.
#[interrupt]
fn TIMER_0A() {
    ALARM_CLEAR.write(1);
}

#[interrupt]
fn UART0() {
    UART_CLEAR.write(1 << 4);
    while UART_FLAGS.read() & NOTHING_RECEIVED == 0 {
        FLAGS.push(UART, &RECEIVED, UART_DATA.read() as u8);
    }
}

/// Sends a byte, as soon as the one before is gone.
pub fn send(byte: u8) {
    while UART_FLAGS.read() & CANNOT_SEND != 0 {}
    UART_DATA.write(byte.into());
}

/// Switches on what the board uses.
pub fn init() {
    CLOCKS_TIMERS.write(1 << 16);
    CLOCKS_UARTS.write(1);
    if let Some(mut core) = Peripherals::take() {
        core.SYST.set_clock_source(SystClkSource::Core);
        core.SYST.set_reload(0xff_ffff);
        core.SYST.clear_current();
        core.SYST.enable_interrupt();
        core.SYST.enable_counter();
    }
    ALARM_MODE.write(1);
    ALARM_INTERRUPTS.write(1);
    UART_DIVISOR.write(6);
    UART_FORMAT.write(3 << 5);
    UART_CONTROL.write(1 << 9 | 1 << 8 | 1);
    UART_INTERRUPTS.write(1 << 4);
    for interrupt in [Interrupt::TIMER_0A, Interrupt::UART0] {
        // SAFETY: nothing is masked by it now.
        unsafe { NVIC::unmask(interrupt) }
    }
}
