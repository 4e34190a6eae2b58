//! Memory management; all memory comes from the functions of `event_set_mem_functions`.

use core::alloc::{GlobalAlloc, Layout};
use core::ffi::{c_char, c_void};
use core::mem::transmute;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::from_c::export;
use crate::to_c::set_errno;

/// The memory functions of `event_set_mem_functions`; null for the C library's.
static MALLOC: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
static REALLOC: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
static FREE: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

type MallocFn = extern "C" fn(usize) -> *mut c_void;
type ReallocFn = extern "C" fn(*mut c_void, usize) -> *mut c_void;
type FreeFn = extern "C" fn(*mut c_void);

export! {
    fn event_set_mem_functions(malloc: Option<MallocFn>, realloc: Option<ReallocFn>, free: Option<FreeFn>) {
        MALLOC.store(malloc.map_or(null_mut(), |function| function as *mut c_void), Ordering::Release);
        REALLOC.store(realloc.map_or(null_mut(), |function| function as *mut c_void), Ordering::Release);
        FREE.store(free.map_or(null_mut(), |function| function as *mut c_void), Ordering::Release);
    }

    fn event_mm_malloc_(size: usize) -> *mut c_void {
        // SAFETY: null, or stored by `event_set_mem_functions` as a function of this type.
        let replaced = unsafe { transmute::<*mut c_void, Option<MallocFn>>(MALLOC.load(Ordering::Acquire)) };
        match replaced {
            _ if size == 0 => null_mut(),
            Some(malloc) => malloc(size),
            // SAFETY: any size is allowed.
            None => unsafe { libc::malloc(size) },
        }
    }

    fn event_mm_calloc_(count: usize, size: usize) -> *mut c_void {
        let Some(length) = count.checked_mul(size) else {
            set_errno(libc::ENOMEM);
            return null_mut();
        };
        let memory = event_mm_malloc_(length);
        if !memory.is_null() {
            // SAFETY: the allocator has returned this many bytes.
            unsafe { core::ptr::write_bytes(memory.cast::<u8>(), 0, length) };
        }
        memory
    }

    fn event_mm_realloc_(memory: *mut c_void, size: usize) -> *mut c_void {
        // SAFETY: null, or stored by `event_set_mem_functions` as a function of this type.
        let replaced = unsafe { transmute::<*mut c_void, Option<ReallocFn>>(REALLOC.load(Ordering::Acquire)) };
        match replaced {
            Some(realloc) => realloc(memory, size),
            // SAFETY: C passes memory of this allocator.
            None => unsafe { libc::realloc(memory, size) },
        }
    }

    fn event_mm_strdup_(text: *const c_char) -> *mut c_char {
        if text.is_null() {
            set_errno(libc::EINVAL);
            return null_mut();
        }
        let text = crate::from_c::string(text).to_bytes_with_nul();
        let copy = event_mm_malloc_(text.len());
        if !copy.is_null() {
            // SAFETY: there is room for this many bytes, and the memory is new.
            unsafe { core::ptr::copy_nonoverlapping(text.as_ptr(), copy.cast(), text.len()) };
        }
        copy.cast()
    }

    fn event_mm_free_(memory: *mut c_void) {
        // SAFETY: null, or stored by `event_set_mem_functions` as a function of this type.
        let replaced = unsafe { transmute::<*mut c_void, Option<FreeFn>>(FREE.load(Ordering::Acquire)) };
        match replaced {
            Some(free) => free(memory),
            // SAFETY: C passes memory of this allocator, or null.
            None => unsafe { libc::free(memory) },
        }
    }
}

/// Zeroed memory from C's allocator.
pub(crate) fn allocate(size: usize) -> Option<NonNull<c_void>> {
    NonNull::new(event_mm_calloc_(1, size))
}

/// A value in memory from C's allocator.
pub(crate) fn put<T>(value: T) -> Option<NonNull<T>> {
    let memory = allocate(size_of::<T>())?.cast::<T>();
    // SAFETY: it is as large as a `T`, and C's allocators align for all types.
    unsafe { memory.write(value) };
    Some(memory)
}

/// Drops a value that [`put`] has stored, and frees its memory.
pub(crate) fn take<T>(memory: NonNull<T>) {
    // SAFETY: `put` has written it, and nothing uses it any more: it is freed only here.
    unsafe { memory.drop_in_place() };
    event_mm_free_(memory.as_ptr().cast());
}

/// Lends a value that [`put`] has stored, while no callback runs.
pub(crate) fn lend<'a, T>(memory: NonNull<T>) -> &'a mut T {
    // SAFETY: `put` has written it, it has one owner in C, and the caller releases the reference before any call into
    // C.
    unsafe { &mut *memory.as_ptr() }
}

/// The allocator of all Rust code here, including evcore's tables: the program's memory functions.
///
/// ```text
///   block of malloc     padding   Header   what Rust requested
///   ▼──────────────────────────▼─────────▼────────────────────
/// ```
///
/// A block is freed by the function that was set when it was allocated, even if the program has set others since. If
/// the program's `malloc` returns NULL, the C library's allocates the block, because most of Rust's collections end
/// the process if allocation fails.
struct Memory;

#[global_allocator]
static MEMORY: Memory = Memory;

/// Precedes each block of Rust's.
#[derive(Clone, Copy)]
struct Header {
    start: *mut c_void,
    free: Option<FreeFn>,
}

// SAFETY: a block is as large and aligned as its layout says, and has no other owner until it is freed.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let align = layout.align().max(align_of::<Header>());
        let before = align + size_of::<Header>();
        let Some(length) = layout.size().checked_add(before) else { return null_mut() };
        let Header { start, free } = block(length);
        if start.is_null() {
            return null_mut();
        }
        let start = start.cast::<u8>();
        let skipped = before - (start.addr() + before) % align;
        // SAFETY: `skipped` is at most `before`, so the block has the layout's size after it.
        let memory = unsafe { start.add(skipped) };
        let header = memory.cast::<Header>();
        // SAFETY: `skipped` is more than `before - align`, which leaves room for a header.
        let header = unsafe { header.sub(1) };
        // SAFETY: in the block, and aligned, as `memory` is.
        unsafe { header.write(Header { start: start.cast(), free }) };
        memory
    }

    unsafe fn dealloc(&self, memory: *mut u8, _: Layout) {
        let header = memory.cast::<Header>();
        // SAFETY: `alloc` returned this block, with a header before it.
        let header = unsafe { header.sub(1) };
        // SAFETY: `alloc` wrote it.
        let Header { start, free } = unsafe { header.read() };
        match free {
            Some(free) => free(start),
            // SAFETY: the C library's `malloc` returned it.
            None => unsafe { libc::free(start) },
        }
    }
}

/// A new block, and the function that frees it.
fn block(length: usize) -> Header {
    let replaced = functions();
    if let (Some(malloc), free) = replaced {
        let start = malloc(length);
        if !start.is_null() {
            return Header { start, free };
        }
    }
    // SAFETY: any size is allowed.
    Header { start: unsafe { libc::malloc(length) }, free: None }
}

/// The functions that the program has set.
fn functions() -> (Option<MallocFn>, Option<FreeFn>) {
    // SAFETY: null, or stored by `event_set_mem_functions` as a function of this type.
    let malloc = unsafe { transmute::<*mut c_void, Option<MallocFn>>(MALLOC.load(Ordering::Acquire)) };
    // SAFETY: as above.
    let free = unsafe { transmute::<*mut c_void, Option<FreeFn>>(FREE.load(Ordering::Acquire)) };
    (malloc, free)
}
