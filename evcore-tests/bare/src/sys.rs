//! What Rust cannot check: device registers, unmasking interrupts, ending the program.

use core::cell::UnsafeCell;

use crate::latency;

/// Reads a device's register.
#[inline(always)]
pub fn read(address: usize) -> u32 {
    // SAFETY: the board files name only registers of their own chip, all of which are 32 bits wide.
    unsafe { (address as *const u32).read_volatile() }
}

/// Writes a device's register.
#[inline(always)]
pub fn write(address: usize, value: u32) {
    // SAFETY: as above; none of these devices writes to memory.
    unsafe { (address as *mut u32).write_volatile(value) }
}

/// A variable that only `main` uses.
pub struct Own<T>(UnsafeCell<T>);

// SAFETY: only `main` calls `take`, and it runs once.
unsafe impl<T: Send> Sync for Own<T> {}

impl<T> Own<T> {
    pub const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// The variable.
    ///
    /// # Safety
    ///
    /// Call it at most once in a program.
    #[allow(clippy::mut_from_ref, reason = "that is what it is for")]
    pub unsafe fn take(&'static self) -> &'static mut T {
        // SAFETY: the caller guarantees that there is no other reference.
        unsafe { &mut *self.0.get() }
    }
}

/// Runs `work` with interrupts masked.
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

/// Sleeps until an interrupt is pending, masked or not. It is handled when interrupts are unmasked.
#[inline(always)]
pub fn wait_for_interrupt() {
    latency::unmask();
    #[cfg(target_arch = "arm")]
    cortex_m::asm::wfi();
    #[cfg(target_arch = "riscv32")]
    riscv::asm::wfi();
    latency::mask();
}

/// Pending interrupts are handled before this returns.
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

/// The function called here is defined nowhere: if a panic is reachable, the program does not link.
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
