//! The system calls of the program itself. They differ from those of the backends, so that faults, which are selected
//! by the call's name, affect the backends only.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::atomic::{AtomicIsize, Ordering};

/// How many bytes are allocated.
static BYTES: AtomicIsize = AtomicIsize::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(bytes: usize) -> isize {
    isize::try_from(bytes).unwrap_or(isize::MAX)
}

// SAFETY: everything is passed on to the system's allocator, whose contract is the same.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(count(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller's guarantees are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.fetch_sub(count(layout.size()), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

pub(crate) fn bytes_allocated() -> isize {
    BYTES.load(Ordering::Relaxed)
}

/// A set of descriptor numbers below 256.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbers([u64; 4]);

impl Numbers {
    pub(crate) fn len(self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

/// Which descriptors are open, determined with lseek(2), which no backend uses.
pub(crate) fn open_descriptors() -> Numbers {
    let mut open = [0; 4];
    for number in 0..256 {
        // SAFETY: it takes numbers, and changes no position.
        let moved = unsafe { libc::lseek(number, 0, libc::SEEK_CUR) };
        if moved >= 0 || io::Error::last_os_error().raw_os_error() != Some(libc::EBADF) {
            open[number as usize / 64] |= 1 << (number % 64);
        }
    }
    Numbers(open)
}

/// A call that the driver finds in the trace: faults count from a thread's first mark to its second.
pub(crate) fn mark() {
    // SAFETY: it takes nothing.
    unsafe { libc::getppid() };
}

pub(crate) fn raise(signum: i32) {
    // SAFETY: it takes a number.
    unsafe { libc::raise(signum) };
}

/// Sends one byte.
pub(crate) fn send(socket: &impl AsFd) {
    // SAFETY: the pointer is to one byte.
    unsafe { libc::send(socket.as_fd().as_raw_fd(), b"x".as_ptr().cast(), 1, libc::MSG_DONTWAIT) };
}

/// Reads what has arrived. Returns whether there was anything.
pub(crate) fn receive(socket: &impl AsFd) -> bool {
    let mut bytes = [0u8; 64];
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the pointer and the length are those of an array.
    unsafe { libc::recv(fd, bytes.as_mut_ptr().cast(), bytes.len(), libc::MSG_DONTWAIT) > 0 }
}

/// Makes the number of `old` refer to the file of `new`, which closes its former file while it is in use.
pub(crate) fn usurp(new: &impl AsFd, old: &impl AsFd) {
    let (new, old): (RawFd, RawFd) = (new.as_fd().as_raw_fd(), old.as_fd().as_raw_fd());
    // SAFETY: both are open, and the number's owner does not change.
    unsafe { libc::dup2(new, old) };
}

/// Whether a descriptor is readable now.
pub(crate) fn is_readable(fd: &impl AsFd) -> bool {
    let mut entry = libc::pollfd { fd: fd.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: the pointer is to one entry.
    (0..4).any(|_| unsafe { libc::poll(&mut entry, 1, 0) == 1 })
}

/// Runs `body` in a forked child, which is killed after four seconds. Returns whether it succeeded.
pub(crate) fn in_child(body: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child has only this thread, and takes no lock that the bystander may hold.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: it takes a number.
        unsafe { libc::alarm(4) };
        let status =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).map_or(101, |good| 3 * i32::from(!good));
        // SAFETY: it ends the process, and runs no code of the parent.
        unsafe { libc::_exit(status) }
    }
    let mut status = -1;
    // SAFETY: the pointer is to a number.
    while unsafe { libc::waitpid(pid, &mut status, 0) } < 0 {
        if io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            return false;
        }
    }
    status == 0
}

/// Prints a line, unbuffered.
pub(crate) fn print(line: &str) {
    let part = libc::iovec { iov_base: line.as_ptr().cast_mut().cast(), iov_len: line.len() };
    // SAFETY: the pointer is to one part, which lives as long as the call and is only read.
    unsafe { libc::writev(1, &part, 1) };
}
