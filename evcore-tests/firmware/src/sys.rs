//! What Rust cannot check: device registers, unmasking interrupts, ending the program.

/// A device's register. There is one for each `const` of a board's file, and no others.
#[derive(Clone, Copy)]
pub struct Register<T>(usize, core::marker::PhantomData<*mut T>);

/// The addresses where a board has devices, and Rust no objects.
#[cfg(target_arch = "arm")]
const DEVICES: core::ops::Range<usize> = 0x4000_0000..0x6000_0000;
#[cfg(target_arch = "riscv32")]
const DEVICES: core::ops::Range<usize> = 0x0010_0000..0x2000_0000;

impl<T: Copy> Register<T> {
    /// The register at an address. In a `const`, an address that is not a device's does not compile.
    pub const fn at(address: usize) -> Self {
        assert!(address >= DEVICES.start && address < DEVICES.end, "no device is there");
        assert!(address % size_of::<T>() == 0, "a register is aligned");
        Self(address, core::marker::PhantomData)
    }

    #[inline]
    pub fn read(self) -> T {
        // SAFETY: `at` has checked that the address is aligned and a device's, so it may be read as an integer of any
        // value.
        unsafe { (self.0 as *const T).read_volatile() }
    }

    #[inline]
    pub fn write(self, value: T) {
        // SAFETY: as above; no device of these programs writes to memory, so nothing that Rust owns changes.
        unsafe { (self.0 as *mut T).write_volatile(value) }
    }
}

/// A variable in a `static` that belongs to `main` once it was taken.
pub struct Own<T> {
    value: core::cell::UnsafeCell<T>,
    is_taken: core::sync::atomic::AtomicBool,
}

// SAFETY: only the first caller of `take` gets the value, so it is sent there.
unsafe impl<T: Send> Sync for Own<T> {}

impl<T> Own<T> {
    pub const fn new(value: T) -> Self {
        Self { value: core::cell::UnsafeCell::new(value), is_taken: core::sync::atomic::AtomicBool::new(false) }
    }

    /// The value, the first time.
    pub fn take(&'static self) -> Option<&'static mut T> {
        use core::sync::atomic::Ordering::Relaxed;
        let is_first = masked(|| {
            let is_first = !self.is_taken.load(Relaxed);
            self.is_taken.store(true, Relaxed);
            is_first
        });
        // SAFETY: there is one core, and no interrupt between the check and the store: nobody else has it, or ever
        // will.
        is_first.then(|| unsafe { &mut *self.value.get() })
    }
}

/// Runs `work` with interrupts masked.
#[inline]
pub fn masked<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "arm")]
    return cortex_m::interrupt::free(|_| work());
    #[cfg(target_arch = "riscv32")]
    return riscv::interrupt::free(work);
}

/// Sleeps until an interrupt is pending, masked or not. It is handled when interrupts are unmasked.
#[inline]
pub fn wait_for_interrupt() {
    #[cfg(target_arch = "arm")]
    cortex_m::asm::wfi();
    #[cfg(target_arch = "riscv32")]
    riscv::asm::wfi();
}

/// Pending interrupts are handled before this returns.
#[inline]
pub fn serve_interrupts() {
    #[cfg(target_arch = "arm")]
    cortex_m::asm::isb();
}

#[cfg(target_arch = "arm")]
mod arm {
    use cortex_m_rt::{ExceptionFrame, exception};

    /// One of the device's interrupts, by its number in the vector table.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub struct Irq(pub u16);

    // SAFETY: the number is the one in the board's file, and does not change.
    unsafe impl cortex_m::interrupt::InterruptNumber for Irq {
        fn number(self) -> u16 {
            self.0
        }
    }

    /// Unmasks an interrupt.
    pub fn unmask(irq: Irq) {
        // SAFETY: called while the board starts, and never in `masked`.
        unsafe { cortex_m::peripheral::NVIC::unmask(irq) }
    }

    /// Handles every interrupt of a device: without its own vector table, the chip's number selects it.
    #[exception]
    unsafe fn DefaultHandler(irq: i16) {
        crate::board::interrupt(irq);
        #[cfg(feature = "suite")]
        crate::later::interrupt(irq);
    }

    #[exception]
    unsafe fn HardFault(_: &ExceptionFrame) -> ! {
        crate::report::line("hard fault");
        super::exit(3)
    }
}
#[cfg(target_arch = "arm")]
pub use arm::{Irq, unmask};

#[cfg(target_arch = "riscv32")]
mod riscv32 {
    use riscv::interrupt::Interrupt;
    use riscv_rt::core_interrupt;

    /// Unmasks interrupts.
    pub fn unmask() {
        for source in [Interrupt::MachineSoft, Interrupt::MachineTimer, Interrupt::MachineExternal] {
            // SAFETY: called while the board starts, and never in `masked`.
            unsafe { riscv::interrupt::enable_interrupt(source) }
        }
        // SAFETY: as above.
        unsafe { riscv::interrupt::enable() }
    }

    #[core_interrupt(Interrupt::MachineSoft)]
    fn soft() {
        crate::board::on_soft();
    }

    #[core_interrupt(Interrupt::MachineTimer)]
    fn timer() {
        crate::board::on_timer();
    }

    #[core_interrupt(Interrupt::MachineExternal)]
    fn external() {
        crate::board::on_external();
    }
}
#[cfg(target_arch = "riscv32")]
pub use riscv32::unmask;

/// Measures how much of the stack has never been used. It grows towards the variables, and nothing stops it there.
#[cfg(feature = "suite")]
mod stack {
    const PAINT: u32 = 0x5afe_5afe;
    /// How much of it the two functions below may need themselves. Their frames, which may be larger than the
    /// caller's, are below it.
    const MARGIN: usize = 512;

    unsafe extern "C" {
        /// The linker's name for the end of the variables.
        static __euninit: u32;
    }

    fn words() -> core::ops::Range<usize> {
        let here = 0u32;
        let first = (&raw const __euninit).addr();
        first..(&raw const here).addr().saturating_sub(MARGIN)
    }

    /// Fills what is currently unused with a pattern.
    #[inline(never)]
    pub fn paint_stack() {
        for address in words().step_by(size_of::<u32>()) {
            // SAFETY: aligned, and between the variables and the frames in use, so nothing else uses it.
            unsafe { (address as *mut u32).write_volatile(PAINT) }
        }
    }

    /// The number of bytes at the end that still have the pattern.
    #[inline(never)]
    pub fn unused_stack() -> usize {
        let mut unused = 0;
        for address in words().step_by(size_of::<u32>()) {
            // SAFETY: as above; it is read as an integer of any value.
            if unsafe { (address as *const u32).read_volatile() } != PAINT {
                break;
            }
            unused += size_of::<u32>();
        }
        unused
    }
}
#[cfg(feature = "suite")]
pub use stack::{paint_stack, unused_stack};

/// Sends one byte to the debugger, or to QEMU.
pub fn say(byte: u8) {
    semihosting::sys::arm_compat::sys_writec(byte);
}

/// Ends the program. On a chip without a debugger this would be a reset.
pub fn exit(status: i32) -> ! {
    semihosting::process::exit(status)
}

#[cfg(feature = "panics")]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    report_panic(info)
}

#[cfg(feature = "panics")]
fn report_panic(info: &core::panic::PanicInfo) -> ! {
    use core::fmt::Write;
    let _ = writeln!(crate::report::Report, "{info}");
    exit(101)
}

/// The function called here is defined nowhere: if a panic is reachable, the firmware does not link.
#[cfg(not(feature = "panics"))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    // SAFETY: there is no such function, so nothing is called.
    unsafe extern "C" {
        safe fn a_panic_can_be_reached() -> !;
    }
    a_panic_can_be_reached()
}
