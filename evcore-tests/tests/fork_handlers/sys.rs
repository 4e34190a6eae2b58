//! The system calls of these tests. All their `unsafe` is here.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub(crate) extern "C" fn prepare() {
    crate::handle(crate::Moment::Prepare);
}

pub(crate) extern "C" fn parent() {
    crate::handle(crate::Moment::Parent);
}

pub(crate) extern "C" fn child() {
    crate::handle(crate::Moment::Child);
}

/// Registers the program's own fork handlers.
pub(crate) fn register() {
    // SAFETY: the functions exist as long as the program, and catch their panics.
    assert_eq!(unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) }, 0);
}

/// Runs `work` in a child of this process. Returns `true` if it succeeded within 20 s.
pub(crate) fn in_child(work: impl FnOnce()) -> bool {
    // SAFETY: the child has only this thread, and takes no lock that another thread of the parent may hold.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork: {}", io::Error::last_os_error());
    if pid == 0 {
        // SAFETY: it takes a number.
        unsafe { libc::alarm(20) };
        let failed = catch_unwind(AssertUnwindSafe(work)).is_err();
        // SAFETY: it ends the process, and runs no code of the parent.
        unsafe { libc::_exit(failed.into()) }
    }
    let mut status = 0;
    // SAFETY: the pointer is to a number.
    while unsafe { libc::waitpid(pid, &mut status, 0) } < 0 {
        assert_eq!(io::Error::last_os_error().kind(), io::ErrorKind::Interrupted);
    }
    status == 0
}

/// Kills this process with a message if `work` takes longer than a minute.
pub(crate) fn within_a_minute() {
    // SAFETY: it takes a number.
    unsafe { libc::alarm(60) };
}

/// Sends `signum` to this thread: it has arrived when this returns.
pub(crate) fn raise(signum: i32) {
    // SAFETY: it takes a number.
    assert_eq!(unsafe { libc::raise(signum) }, 0);
}

/// How many signals this thread blocks.
pub(crate) fn blocked_signals() -> usize {
    // SAFETY: a set is made of numbers.
    let mut mask: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the second pointer may be null, the third is to one set.
    assert_eq!(unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut mask) }, 0);
    // SAFETY: the pointer is to one set.
    (1..65).filter(|&signum| unsafe { libc::sigismember(&mask, signum) } == 1).count()
}
