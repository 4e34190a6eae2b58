//! The array of a table of fixed size.

use core::ptr;

/// An array of `N + 1` elements, which a const parameter cannot express.
#[repr(C)]
pub(crate) struct OneMore<T, const N: usize> {
    first: T,
    rest: [T; N],
}

impl<T: Copy, const N: usize> OneMore<T, N> {
    pub(crate) const fn new(value: T) -> Self {
        Self { first: value, rest: [value; N] }
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        // SAFETY: `repr(C)` puts the array directly behind the first element, since both have the same alignment, and
        // the pointer is that of the whole structure.
        unsafe { core::slice::from_raw_parts(ptr::from_ref(self).cast(), N.saturating_add(1)) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: as above; the structure is borrowed as long as the slice.
        unsafe { core::slice::from_raw_parts_mut(ptr::from_mut(self).cast(), N.saturating_add(1)) }
    }
}
