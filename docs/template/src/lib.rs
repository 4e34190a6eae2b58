//! What the programs of this firmware share: the board, and what its interrupts say.

#![no_std]

pub mod board;
mod register;

#[cfg(target_arch = "arm")]
pub use cortex_m_rt::entry;
#[cfg(target_arch = "riscv32")]
pub use riscv_rt::entry;

/// What happens when the program panics. evcore never does, so this is for your code alone.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
