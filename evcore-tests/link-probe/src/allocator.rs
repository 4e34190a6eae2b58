//! The C library's allocator.

use core::alloc::{GlobalAlloc, Layout};
use core::ffi::c_void;

struct Malloc;

#[global_allocator]
static MALLOC: Malloc = Malloc;

unsafe extern "C" {
    safe fn aligned_alloc(align: usize, size: usize) -> *mut c_void;
    fn free(place: *mut c_void);
}

// SAFETY: `aligned_alloc` and `free` are an allocator.
unsafe impl GlobalAlloc for Malloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        aligned_alloc(layout.align(), layout.pad_to_align().size()).cast()
    }

    unsafe fn dealloc(&self, place: *mut u8, _: Layout) {
        // SAFETY: the caller got it from `alloc`.
        unsafe { free(place.cast()) }
    }
}
