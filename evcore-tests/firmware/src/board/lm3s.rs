//! Stellaris LM3S6965 (Cortex-M3), as QEMU's `lm3s6965evb`.
//!
//! SysTick runs continuously and is the clock; timer 0 counts down once and is the alarm.

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{NVIC, Peripherals, SCB, SYST};
use cortex_m_rt::exception;
use evcore::Instant;
use evcore::board::{Counter, Ticks};

use crate::lines::{self, FLAGS, UART as UART_LINE};
use crate::sys::{Irq, Register, unmask};

pub const NAME: &str = "lm3s6965evb";

const CLOCKS_1: Register<u32> = Register::at(0x400f_e104);
const CLOCKS_2: Register<u32> = Register::at(0x400f_e108);

const ALARM: Irq = Irq(19);
const ALARM_MODE: Register<u32> = Register::at(0x4003_0004);
const ALARM_CONTROL: Register<u32> = Register::at(0x4003_000c);
const ALARM_INTERRUPTS: Register<u32> = Register::at(0x4003_0018);
const ALARM_CLEAR: Register<u32> = Register::at(0x4003_0024);
const ALARM_TICKS: Register<u32> = Register::at(0x4003_0028);

const UART: Irq = Irq(5);
const UART_DATA: Register<u32> = Register::at(0x4000_c000);
const UART_FLAGS: Register<u32> = Register::at(0x4000_c018);
const UART_DIVISOR: Register<u32> = Register::at(0x4000_c024);
const UART_FORMAT: Register<u32> = Register::at(0x4000_c02c);
const UART_CONTROL: Register<u32> = Register::at(0x4000_c030);
const UART_INTERRUPTS: Register<u32> = Register::at(0x4000_c038);
const UART_PENDING: Register<u32> = Register::at(0x4000_c040);
const UART_CLEAR: Register<u32> = Register::at(0x4000_c044);
const IS_EMPTY: u32 = 1 << 4;
const RECEIVED: u32 = 1 << 4;
const SENT: u32 = 1 << 5;

/// The interrupt of a converter that these programs do not use: raised in software in place of a pin's.
const PRESS: Irq = Irq(17);

/// 12.5 MHz after a reset.
pub type Clock = Ticks<12_500_000>;

/// SysTick has 24 bits.
static COUNTER: Counter<24> = Counter::new();

pub fn init() {
    CLOCKS_1.write(1 << 16 | 1);
    CLOCKS_2.write(1);
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
    UART_INTERRUPTS.write(RECEIVED | SENT);
    FLAGS.set_writable(UART_LINE);
    [ALARM, UART, PRESS].into_iter().for_each(unmask);
}

pub fn now() -> Instant {
    // It counts down, and interrupts when it reaches 0.
    let count = || SYST::get_current().wrapping_neg() & 0xff_ffff;
    Clock::instant(COUNTER.read(count, SCB::is_pendst_pending))
}

#[exception]
fn SysTick() {
    COUNTER.on_overflow();
}

/// Sets the alarm for that time, or earlier if that is too far off.
pub fn set_alarm(at: Instant) {
    ALARM_CONTROL.write(0);
    ALARM_TICKS.write(Clock::between(now(), at));
    ALARM_CONTROL.write(1);
}

pub fn transmit(byte: u8) {
    UART_DATA.write(byte.into());
}

/// Raises an interrupt in software.
pub fn raise() {
    NVIC::pend(PRESS);
    cortex_m::asm::dsb();
    cortex_m::asm::isb();
}

pub fn interrupt(irq: i16) {
    match u16::try_from(irq).map(Irq) {
        // The interrupt has ended the sleep; nothing else is needed.
        Ok(ALARM) => {
            ALARM_CLEAR.write(1);
            lines::on_alarm();
        }
        Ok(UART) => on_uart(),
        Ok(PRESS) => lines::on_press(),
        _ => {}
    }
}

fn on_uart() {
    let pending = UART_PENDING.read();
    UART_CLEAR.write(pending);
    while UART_FLAGS.read() & IS_EMPTY == 0 {
        lines::on_byte(UART_DATA.read() as u8);
    }
    if pending & SENT != 0 {
        lines::on_sent();
    }
}
