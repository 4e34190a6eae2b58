//! The one module with `unsafe` for registers. A crate of your part (a PAC, a HAL) takes its place.

/// A register of a device.
#[derive(Clone, Copy)]
pub struct Register<T>(*mut T);

// SAFETY: it is an address, which the same register has for everybody.
unsafe impl<T> Sync for Register<T> {}

impl<T: Copy> Register<T> {
    /// # Safety
    ///
    /// At `address` there is a register of a device of that size, and nothing that Rust knows of.
    pub const unsafe fn at(address: usize) -> Self {
        Self(address as *mut T)
    }

    pub fn read(self) -> T {
        // SAFETY: `at` was promised that it is a register, so it may be read as an integer of any value.
        unsafe { self.0.read_volatile() }
    }

    pub fn write(self, value: T) {
        // SAFETY: as above; a device's register is no memory of Rust's.
        unsafe { self.0.write_volatile(value) }
    }
}

/// Names registers: `registers! { u32 { DATA = 0x4000_c000 } }`.
#[macro_export]
macro_rules! registers {
    ($($size:ty { $($name:ident = $address:literal)* })*) => { $($(
        // SAFETY: the part's manual has a register of this size there.
        const $name: $crate::register::Register<$size> = unsafe { $crate::register::Register::at($address) };
    )*)* };
}
