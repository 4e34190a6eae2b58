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

/// Registers the program's own handlers of a fork.
pub(crate) fn register() {
    // SAFETY: the functions stay where they are as long as the program, and catch what panics in them.
    assert_eq!(unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) }, 0);
}

/// Runs `work` in a child of this process: `true` when it ended well, within 20 s.
pub(crate) fn in_child(work: impl FnOnce()) -> bool {
    // SAFETY: the child has this thread alone, and takes no lock that another one may hold.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork: {}", io::Error::last_os_error());
    if pid == 0 {
        // SAFETY: it takes a number.
        unsafe { libc::alarm(20) };
        let failed = catch_unwind(AssertUnwindSafe(work)).is_err();
        // SAFETY: it ends the process, and runs nothing of the parent's.
        unsafe { libc::_exit(failed.into()) }
    }
    let mut status = 0;
    // SAFETY: the pointer is to a number.
    while unsafe { libc::waitpid(pid, &mut status, 0) } < 0 {
        assert_eq!(io::Error::last_os_error().kind(), io::ErrorKind::Interrupted);
    }
    status == 0
}

/// Ends this process, with a word, if `work` takes longer than a minute.
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
