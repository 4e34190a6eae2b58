//! What is passed to C: bases, static strings, and calls of system functions.

use core::ffi::{CStr, c_char, c_int};
use core::ptr::NonNull;

use crate::base::Base;
use crate::from_c::{BaseRef, Ev};
use crate::memory::{event_mm_free_, put, take};

/// A new base for C.
pub(crate) fn new_base(base: Base) -> Option<BaseRef> {
    put(base).map(BaseRef::of_memory)
}

/// Frees a base: its lock and all events are already gone.
pub(crate) fn free_base(base: BaseRef) {
    if let Some(base) = NonNull::new(base.as_ptr()) {
        take(base);
    }
}

/// Frees an event's memory.
pub(crate) fn free_event(event: Ev) {
    event_mm_free_(event.memory());
}

/// Names of methods as C strings.
#[repr(transparent)]
pub(crate) struct Names<const N: usize>(pub(crate) [*const c_char; N]);

// SAFETY: the pointers are to static strings.
unsafe impl<const N: usize> Sync for Names<N> {}

pub(crate) static METHODS: Names<4> =
    Names([c"epoll".as_ptr(), c"poll".as_ptr(), c"select".as_ptr(), core::ptr::null()]);

pub(crate) fn set_errno(number: c_int) {
    // SAFETY: any thread may call it.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: the place is this thread's.
    unsafe { *place = number }
}

/// Ends the process.
pub(crate) fn exit(code: c_int) -> ! {
    // SAFETY: C's function to end the process, with its `atexit` handlers.
    unsafe { libc::exit(code) }
}

pub(crate) fn abort() -> ! {
    std::process::abort()
}

/// Writes to a C stream.
pub(crate) fn write_to(stream: *mut libc::FILE, text: &str) {
    if !stream.is_null() {
        // SAFETY: the stream is C's, and the pointer and length are those of a string.
        unsafe { libc::fwrite(text.as_ptr().cast(), 1, text.len(), stream) };
    }
}

/// The time of a clock of the system, in nanoseconds.
pub(crate) fn clock(id: libc::clockid_t) -> i128 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the room is for one `timespec`.
    unsafe { libc::clock_gettime(id, &raw mut time) };
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}

// System calls of `evutil`, on descriptors of C's.

pub(crate) fn set_option(fd: c_int, level: c_int, name: c_int, value: c_int) -> c_int {
    let length = libc::socklen_t::try_from(size_of::<c_int>()).unwrap_or(4);
    // SAFETY: the value is a `c_int`, and the length says so.
    unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), length) }
}

/// The flags that `fcntl` reads by one command; `None` when it fails.
pub(crate) fn get_flags(fd: c_int, command: c_int) -> Option<c_int> {
    // SAFETY: a command that takes no argument.
    let flags = unsafe { libc::fcntl(fd, command) };
    (flags >= 0).then_some(flags)
}

pub(crate) fn set_flags(fd: c_int, command: c_int, flags: c_int) -> c_int {
    // SAFETY: a command that takes a number.
    unsafe { libc::fcntl(fd, command, flags) }
}

pub(crate) fn close(fd: c_int) -> c_int {
    // SAFETY: C requests it, and the descriptor is its own.
    unsafe { libc::close(fd) }
}

pub(crate) fn socketpair(family: c_int, kind: c_int, protocol: c_int, pair: *mut c_int) -> c_int {
    // SAFETY: C lends room for two.
    unsafe { libc::socketpair(family, kind, protocol, pair) }
}

pub(crate) fn random(room: &mut [u8]) {
    for part in room.chunks_mut(256) {
        // SAFETY: the pointer and the length are those of a slice. Up to 256 bytes are returned completely.
        let got = unsafe { libc::getrandom(part.as_mut_ptr().cast(), part.len(), 0) };
        if usize::try_from(got) != Ok(part.len()) {
            crate::log::die(1, "evutil_secure_rng_get_bytes: no random numbers");
        }
    }
}

pub(crate) fn interface_index(name: &CStr) -> u32 {
    // SAFETY: the name is zero-terminated.
    unsafe { libc::if_nametoindex(name.as_ptr()) }
}

pub(crate) fn parse_number(text: *const c_char, end: *mut *mut c_char, base: c_int) -> i64 {
    // SAFETY: C's string is zero-terminated, and `end` is null or room for a pointer.
    unsafe { libc::strtoll(text, end, base) }
}

pub(crate) fn lookup(
    node: *const c_char,
    service: *const c_char,
    hints: *const libc::addrinfo,
    out: *mut *mut libc::addrinfo,
) -> c_int {
    // SAFETY: all arguments are C's, as this function requires.
    unsafe { libc::getaddrinfo(node, service, hints, out) }
}

/// libevent's own objects make such lists with C's allocator, too, and mark them.
pub(crate) fn free_addresses(list: *mut libc::addrinfo) {
    const BY_LIBEVENT: c_int = c_int::MIN;
    let Some(first) = NonNull::new(list) else { return };
    // SAFETY: a list of `getaddrinfo` or of libevent's objects.
    if unsafe { first.as_ref() }.ai_flags & BY_LIBEVENT == 0 {
        // SAFETY: `getaddrinfo` made it.
        unsafe { libc::freeaddrinfo(list) };
        return;
    }
    let mut next = Some(first);
    while let Some(entry) = next {
        // SAFETY: an entry of the list, which is freed once, here.
        let &libc::addrinfo { ai_next, ai_canonname, .. } = unsafe { entry.as_ref() };
        next = NonNull::new(ai_next);
        if !ai_canonname.is_null() {
            event_mm_free_(ai_canonname.cast());
        }
        event_mm_free_(entry.as_ptr().cast());
    }
}

pub(crate) fn lookup_error(number: c_int) -> *const c_char {
    // SAFETY: any number is allowed.
    unsafe { libc::gai_strerror(number) }
}

/// The current time in UTC, as its parts.
pub(crate) fn utc_now() -> libc::tm {
    let now = libc::time_t::try_from(crate::time::wall() / 1_000_000_000).unwrap_or(0);
    let mut parts = core::mem::MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: room for one `tm`.
    unsafe { libc::gmtime_r(&raw const now, parts.as_mut_ptr()) };
    // SAFETY: `gmtime_r` has written it, or it is all zeros, which is valid, too.
    unsafe { parts.assume_init() }
}

/// The bytes of a value that is passed to C.
pub(crate) fn bytes_of<T: Copy>(value: &T) -> &[u8] {
    // SAFETY: the socket addresses and parts of time that this is used for have no padding that C may not see.
    unsafe { core::slice::from_raw_parts(core::ptr::from_ref(value).cast(), size_of::<T>()) }
}
