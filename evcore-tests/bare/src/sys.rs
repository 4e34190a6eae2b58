//! What Rust cannot check: device registers, interrupts let in, the end of the program.

use core::cell::UnsafeCell;

use crate::latency;

/// Reads a device's register.
#[inline(always)]
pub fn read(address: usize) -> u32 {
    // SAFETY: the board files name registers of their own part alone, all of which are 32 bits wide.
    unsafe { (address as *const u32).read_volatile() }
}

/// Writes a device's register.
#[inline(always)]
pub fn write(address: usize, value: u32) {
    // SAFETY: as above; none of these devices writes to memory.
    unsafe { (address as *mut u32).write_volatile(value) }
}

/// A variable that `main` has for itself.
pub struct Own<T>(UnsafeCell<T>);

// SAFETY: `take` is for `main`, which is one.
unsafe impl<T: Send> Sync for Own<T> {}

impl<T> Own<T> {
    pub const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// The variable.
    ///
    /// # Safety
    ///
    /// Once in a program.
    #[allow(clippy::mut_from_ref, reason = "that is what it is for")]
    pub unsafe fn take(&'static self) -> &'static mut T {
        // SAFETY: the caller promises that nobody else has it.
        unsafe { &mut *self.0.get() }
    }
}

/// Does something that no interrupt comes between.
#[inline(always)]
pub fn masked<R>(work: impl FnOnce() -> R) -> R {
    let work = || {
        latency::mask();
        let result = work();
        latency::unmask();
        result
    };
    #[cfg(target_arch = "arm")]
    return cortex_m::interrupt::free(|_| work());
    #[cfg(target_arch = "riscv32")]
    return riscv::interrupt::free(work);
}

/// Sleeps until an interrupt is pending, masked or not. After the mask is lifted the interrupt is served.
#[inline(always)]
pub fn wait_for_interrupt() {
    latency::unmask();
    #[cfg(target_arch = "arm")]
    cortex_m::asm::wfi();
    #[cfg(target_arch = "riscv32")]
    riscv::asm::wfi();
    latency::mask();
}

/// Interrupts that have become pending are served before this returns.
#[inline(always)]
pub fn serve_interrupts() {
    #[cfg(target_arch = "arm")]
    cortex_m::asm::isb();
}

/// Writes one byte to the debugger, or to QEMU.
pub fn say(byte: u8) {
    semihosting::sys::arm_compat::sys_writec(byte);
}

/// Ends the program.
pub fn exit(status: i32) -> ! {
    semihosting::process::exit(status)
}

/// Nobody defines what this calls: where a panic can be reached, the program does not link.
#[cfg(not(any(feature = "embassy", feature = "latency", feature = "panics")))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    // SAFETY: there is no such function, so nothing is called.
    unsafe extern "C" {
        safe fn a_panic_can_be_reached() -> !;
    }
    a_panic_can_be_reached()
}

#[cfg(any(feature = "embassy", feature = "latency", feature = "panics"))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    exit(101)
}
