//! QEMU's virt with one RISC-V hart: the CLINT's clock of 64 bits and its alarm, and a 16550 behind the PLIC.

use evcore::Instant;
use evcore::board::{Board, Flags, Ticks};
use riscv::interrupt::Interrupt;
use riscv_rt::core_interrupt;

use super::{Chip, FLAGS, LINES, RECEIVED, UART};

crate::registers! {
    u32 {
        ALARM_LOW = 0x0200_4000
        ALARM_HIGH = 0x0200_4004
        TIME_LOW = 0x0200_bff8
        TIME_HIGH = 0x0200_bffc
        PLIC_UART_PRIORITY = 0x0c00_0028
        PLIC_ENABLE = 0x0c00_2000
        PLIC_THRESHOLD = 0x0c20_0000
        PLIC_CLAIM = 0x0c20_0004
    }
    u8 {
        UART_DATA = 0x1000_0000
        UART_INTERRUPTS = 0x1000_0001
        UART_STATE = 0x1000_0005
    }
}
const HAS_RECEIVED: u8 = 1;
const CAN_SEND: u8 = 1 << 5;

type Clock = Ticks<10_000_000>;

/// It is read in two halves: again, if the upper one has changed meanwhile.
fn time() -> u64 {
    loop {
        let (high, low) = (TIME_HIGH.read(), TIME_LOW.read());
        if high == TIME_HIGH.read() {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}

/// The upper half is out of reach while the lower one changes.
fn set_alarm_ticks(at: u64) {
    ALARM_HIGH.write(u32::MAX);
    ALARM_LOW.write(at as u32);
    ALARM_HIGH.write((at >> 32) as u32);
}

impl Board<LINES> for Chip {
    fn flags(&self) -> &'static Flags<LINES> {
        &FLAGS
    }

    fn now(&self) -> Instant {
        Clock::instant(time())
    }

    fn set_alarm(&self, at: Instant) {
        let time = time();
        set_alarm_ticks(time.wrapping_add(Clock::between(Clock::instant(time), at).into()));
    }

    fn wait_for_interrupt(&self) {
        riscv::asm::wfi();
    }
}

/// The alarm: that it came has ended the sleep. It is pending until its time is changed.
#[core_interrupt(Interrupt::MachineTimer)]
fn timer() {
    set_alarm_ticks(u64::MAX);
}

#[core_interrupt(Interrupt::MachineExternal)]
fn external() {
    let claimed = PLIC_CLAIM.read();
    while UART_STATE.read() & HAS_RECEIVED != 0 {
        FLAGS.push(UART, &RECEIVED, UART_DATA.read());
    }
    PLIC_CLAIM.write(claimed);
}

/// Sends a byte, as soon as the one before is gone.
pub fn send(byte: u8) {
    while UART_STATE.read() & CAN_SEND == 0 {}
    UART_DATA.write(byte);
}

/// Switches on what the board uses.
pub fn init() {
    set_alarm_ticks(u64::MAX);
    PLIC_UART_PRIORITY.write(1);
    PLIC_ENABLE.write(1 << 10);
    PLIC_THRESHOLD.write(0);
    UART_INTERRUPTS.write(1);
    for source in [Interrupt::MachineTimer, Interrupt::MachineExternal] {
        // SAFETY: nothing is masked by it now.
        unsafe { riscv::interrupt::enable_interrupt(source) }
    }
    // SAFETY: as above.
    unsafe { riscv::interrupt::enable() }
}
