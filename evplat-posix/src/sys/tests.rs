//! System calls of the tests.

use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use core::ffi::{c_int, c_void};
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::signals::{blocked, set_of};
use super::*;

/// Runs `body` in a forked child and returns its exit status: 0 for `true`. The child is killed after 20 s.
pub(crate) fn in_child(body: impl FnOnce() -> bool) -> i32 {
    // SAFETY: the child has only this thread; the C library keeps its allocator usable, and in the child the tests
    // take no lock that another thread of the parent may hold.
    run_in_child(|| unsafe { libc::fork() }, body)
}

/// The same, without the handlers of `pthread_atfork`.
#[cfg(target_os = "linux")]
pub(crate) fn in_child_without_handlers(body: impl FnOnce() -> bool) -> i32 {
    // SAFETY: as above; `body` does not depend on the allocator's locks. All arguments except the signal are zero.
    let fork = || unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    run_in_child(|| libc::pid_t::try_from(fork()).unwrap(), body)
}

fn run_in_child(fork: impl FnOnce() -> libc::pid_t, body: impl FnOnce() -> bool) -> i32 {
    match fork() {
        0 => {
            // SAFETY: it takes a number.
            unsafe { libc::alarm(20) };
            let status = match catch_unwind(AssertUnwindSafe(body)) {
                Ok(true) => 0,
                Ok(false) => 1,
                Err(_) => 2,
            };
            // SAFETY: it ends the process and runs no code of the parent.
            unsafe { libc::_exit(status) }
        }
        pid => {
            let mut status = 0;
            // SAFETY: the pointer is to one number.
            while unsafe { libc::waitpid(pid, &mut status, 0) } < 0 {
                assert_eq!(io::Error::last_os_error().kind(), io::ErrorKind::Interrupted);
            }
            if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -libc::WTERMSIG(status) }
        }
    }
}

pub(crate) fn is_cloexec(fd: &impl AsFd) -> bool {
    // SAFETY: the descriptor is borrowed; the command takes nothing.
    let flags = unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), libc::F_GETFD) };
    flags >= 0 && flags & libc::FD_CLOEXEC != 0
}

pub(crate) fn is_readable(fd: &impl AsFd) -> bool {
    wait_readable(fd, 0)
}

#[cfg(target_os = "linux")]
pub(crate) fn eventfd() -> OwnedFd {
    // SAFETY: the call takes numbers.
    let fd = checked(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) }).unwrap();
    // SAFETY: it has just been opened, and nothing else owns it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Closes a number while its owner still uses it.
pub(crate) fn close(number: RawFd) {
    // SAFETY: the tests do it only where the owner of the number is the code under test.
    assert_eq!(unsafe { libc::close(number) }, 0);
}

/// Whether `fd` becomes readable within `milliseconds`.
pub(crate) fn wait_readable(fd: &impl AsFd, milliseconds: c_int) -> bool {
    let mut entry = libc::pollfd { fd: fd.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: the pointer is to one entry.
    unsafe { libc::poll(&mut entry, 1, milliseconds) == 1 }
}

/// The number of bytes that `read(2)` returns.
pub(crate) fn read(fd: &impl AsFd, bytes: &mut [u8]) -> Result<usize, i32> {
    // SAFETY: the pointer and the length are those of a slice.
    let read = unsafe { libc::read(fd.as_fd().as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len()) };
    usize::try_from(read).map_err(|_| io::Error::last_os_error().raw_os_error().unwrap())
}

/// Sends `signum` to this thread.
pub(crate) fn raise(signum: c_int) {
    // SAFETY: it takes a number.
    assert_eq!(unsafe { libc::raise(signum) }, 0);
}

/// Sends `signum` to the whole process.
pub(crate) fn kill_self(signum: c_int) {
    // SAFETY: it takes two numbers.
    assert_eq!(unsafe { libc::kill(std::process::id().try_into().unwrap(), signum) }, 0);
}

pub(crate) fn this_thread() -> usize {
    // SAFETY: it takes nothing.
    unsafe { libc::pthread_self() as usize }
}

/// Sends `signum` to a thread that is still running.
pub(crate) fn raise_in(thread: usize, signum: c_int) {
    // SAFETY: the caller's thread got the identifier itself and waits for this one.
    assert_eq!(unsafe { libc::pthread_kill(thread as libc::pthread_t, signum) }, 0);
}

/// Sends a byte of urgent data.
pub(crate) fn send_urgent(socket: &impl AsFd) {
    // SAFETY: the pointer and the length are those of an array.
    let sent = unsafe { libc::send(socket.as_fd().as_raw_fd(), b"!".as_ptr().cast(), 1, libc::MSG_OOB) };
    assert_eq!(sent, 1);
}

/// A duplicate whose number is at least `least`.
pub(crate) fn duplicate(fd: &impl AsFd, least: c_int) -> OwnedFd {
    // SAFETY: the descriptor is borrowed; the command takes a number.
    let copy = unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) };
    assert!(copy >= least);
    // SAFETY: it was just made.
    unsafe { OwnedFd::from_raw_fd(copy) }
}

pub(crate) fn fd_limit() -> libc::rlim_t {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to one structure.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) }, 0);
    limit.rlim_cur
}

pub(crate) fn set_fd_limit(soft: libc::rlim_t) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to one structure.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) }, 0);
    limit.rlim_cur = soft;
    // SAFETY: as above.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
}

/// The handler of `signum`, or its default action, or that it is ignored.
pub(crate) fn handler_of(signum: c_int) -> libc::sighandler_t {
    Disposition::of(signum).unwrap().0.sa_sigaction
}

/// The flags of the handler of `signum`.
pub(crate) fn flags_of(signum: c_int) -> c_int {
    Disposition::of(signum).unwrap().0.sa_flags
}

/// Whether the handler of `signum` runs with `other` blocked.
pub(crate) fn blocks(signum: c_int, other: c_int) -> bool {
    // SAFETY: the pointer is to one set.
    unsafe { libc::sigismember(&Disposition::of(signum).unwrap().0.sa_mask, other) == 1 }
}

pub(crate) fn ignore(signum: c_int) {
    handle(signum, libc::SIG_IGN);
}

pub(crate) fn handle(signum: c_int, handler: libc::sighandler_t) {
    let mut action = Disposition::DEFAULT;
    action.0.sa_sigaction = handler;
    action.exchange(signum).unwrap();
}

/// A counting handler, like that of a program that does not use event bases.
pub(crate) extern "C" fn count(_: c_int) {
    COUNTED.fetch_add(1, Ordering::SeqCst);
}
pub(crate) static COUNTED: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn count_handler() -> libc::sighandler_t {
    count as extern "C" fn(c_int) as libc::sighandler_t
}

/// Calls a handler, as one that was installed over it does.
pub(crate) fn call(handler: libc::sighandler_t, signum: c_int) {
    // SAFETY: the system returned this address as that of a handler.
    let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = unsafe { core::mem::transmute(handler) };
    handler(signum, ptr::null_mut(), ptr::null_mut());
}

/// Blocks a signal in this thread.
pub(crate) fn block(signum: c_int) {
    // SAFETY: the first pointer is to one set, the second may be null.
    assert_eq!(unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set_of(signum), ptr::null_mut()) }, 0);
}

/// How many signals this thread blocks.
pub(crate) fn blocked_signals() -> usize {
    let mask = blocked().unwrap();
    // SAFETY: the pointer is to one set.
    (1..65).filter(|&signum| unsafe { libc::sigismember(&mask, signum) } == 1).count()
}

/// Makes these calls of this thread fail as interrupted from now on.
#[cfg(target_os = "linux")]
pub(crate) fn interrupt(calls: &[core::ffi::c_long]) {
    let step = |code: u32, jt: usize, k: u32| libc::sock_filter {
        code: code.try_into().unwrap(),
        jt: jt.try_into().unwrap(),
        jf: 0,
        k,
    };
    let mut filter = vec![step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0)];
    for (index, call) in calls.iter().enumerate() {
        let to_refusal = calls.len() - index;
        filter.push(step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, to_refusal, (*call).try_into().unwrap()));
    }
    filter.push(step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW));
    filter.push(step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ERRNO | libc::EINTR as u32));
    install(filter);
}

/// From now on this thread may block signals and read its mask, but not unblock any.
#[cfg(target_os = "linux")]
pub(crate) fn refuse_to_unblock() {
    let step = |code: u32, jf: u8, k: u32| libc::sock_filter { code: code.try_into().unwrap(), jt: 0, jf, k };
    // The offset of the first argument.
    let low = if cfg!(target_endian = "little") { 16 } else { 20 };
    install(vec![
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 3, libc::SYS_rt_sigprocmask.try_into().unwrap()),
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, low),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, libc::SIG_UNBLOCK.try_into().unwrap()),
        step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
    ]);
}

#[cfg(target_os = "linux")]
fn install(mut filter: Vec<libc::sock_filter>) {
    let program = libc::sock_fprog { len: filter.len().try_into().unwrap(), filter: filter.as_mut_ptr() };
    // SAFETY: this option takes numbers.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: the pointer is to a program whose steps outlive the call.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) }, 0);
}
