//! The system calls of these tests that the standard library lacks. All their `unsafe` is here.

use std::fs::File;
use std::io::{self, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// Runs a case in a process of its own, which is killed after 20 s.
#[track_caller]
pub(crate) fn alone(case: impl FnOnce()) {
    assert_eq!(in_child(case), Ending::Exit(0), "it has said why");
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    Exit(i32),
    Signal(i32),
}

/// Whether this process is such a child.
static IS_CHILD: AtomicBool = AtomicBool::new(false);

/// Makes a child print its panic at once: what the test harness captures to print later is lost with the child.
fn show_panics_of_children() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if IS_CHILD.load(Ordering::Relaxed) {
                let _ = writeln!(io::stderr(), "{info}");
            } else {
                hook(info);
            }
        }));
    });
}

/// Runs `work` in a child of this process. Its exit status is 0, or 1 if it panics.
pub(crate) fn in_child(work: impl FnOnce()) -> Ending {
    show_panics_of_children();
    // SAFETY: the child has only this thread. The C library keeps its allocator usable, and `work` takes no lock that
    // another thread of the parent may hold.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork: {}", io::Error::last_os_error());
    if pid == 0 {
        // SAFETY: it takes a number.
        unsafe { libc::alarm(20) };
        IS_CHILD.store(true, Ordering::Relaxed);
        let failed = catch_unwind(AssertUnwindSafe(work)).is_err();
        // SAFETY: it ends the process, and runs no code of the parent.
        unsafe { libc::_exit(failed.into()) }
    }
    let mut status = 0;
    // SAFETY: the pointer is to a number.
    while unsafe { libc::waitpid(pid, &mut status, 0) } < 0 {
        assert_eq!(io::Error::last_os_error().kind(), io::ErrorKind::Interrupted);
    }
    if libc::WIFEXITED(status) {
        Ending::Exit(libc::WEXITSTATUS(status))
    } else {
        Ending::Signal(libc::WTERMSIG(status))
    }
}

/// The processor time that all threads of this process have used.
pub(crate) fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to one structure.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) }, 0);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// The read end and the write end of a pipe.
pub(crate) fn pipe() -> (File, File) {
    let mut ends = [0; 2];
    // SAFETY: the pointer is to two numbers.
    assert_eq!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) }, 0);
    let [reader, writer] = ends.map(|end| {
        // SAFETY: the system has just made this descriptor, and nothing else owns it.
        unsafe { OwnedFd::from_raw_fd(end) }
    });
    (reader.into(), writer.into())
}

/// Another descriptor of the same file, with the lowest free number that is at least `least`.
pub(crate) fn duplicate(of: &impl AsFd, least: i32) -> OwnedFd {
    // SAFETY: the descriptor is borrowed; the command takes a number.
    let fd = unsafe { libc::fcntl(of.as_fd().as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) };
    assert!(fd >= least, "fcntl: {}", io::Error::last_os_error());
    // SAFETY: the system has just made this descriptor, and nothing else owns it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Makes the number `old` refer to the file of `new`, while `old` is in use.
pub(crate) fn dup2(new: i32, old: i32) {
    // SAFETY: it takes numbers; the owner of `old` stays its owner.
    assert_eq!(unsafe { libc::dup2(new, old) }, old);
}

/// A disarmed timer.
pub(crate) fn timerfd() -> OwnedFd {
    // SAFETY: it takes numbers.
    let fd = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC | libc::TFD_NONBLOCK) };
    assert!(fd >= 0, "timerfd_create: {}", io::Error::last_os_error());
    // SAFETY: the system has just made this descriptor, and nothing else owns it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// An event counter, readable when it is not zero.
pub(crate) fn eventfd(count: u32) -> OwnedFd {
    // SAFETY: it takes numbers.
    let fd = unsafe { libc::eventfd(count, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    assert!(fd >= 0, "eventfd: {}", io::Error::last_os_error());
    // SAFETY: the system has just made this descriptor, and nothing else owns it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Sends one byte of urgent data.
pub(crate) fn send_urgent(socket: &TcpStream) {
    // SAFETY: the pointer is to one byte.
    let sent = unsafe { libc::send(socket.as_raw_fd(), b"!".as_ptr().cast(), 1, libc::MSG_OOB) };
    assert_eq!(sent, 1);
}

/// Sets how many descriptors this process may have, up to the system's limit.
pub(crate) fn limit_descriptors(limit: u64) {
    let mut limits = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to one pair of limits.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limits) }, 0);
    assert!(limit <= limits.rlim_max, "the test needs {limit} descriptors: ulimit -Hn");
    limits.rlim_cur = limit;
    // SAFETY: the pointer is to one pair of limits.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limits) }, 0);
}

/// Sends `signum` to this thread: it has arrived when this returns.
pub(crate) fn raise(signum: i32) {
    // SAFETY: it takes a number.
    assert_eq!(unsafe { libc::raise(signum) }, 0);
}

/// How many times the handler of [`handle_by_counting`] has run.
pub(crate) static HANDLED: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_: i32) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

/// Installs a counting handler, like that of a program that does not use event bases.
pub(crate) fn handle_by_counting(signum: i32) {
    // SAFETY: the handler adds to an atomic number, which is async-signal-safe.
    let before = unsafe { libc::signal(signum, count as extern "C" fn(i32) as libc::sighandler_t) };
    assert_ne!(before, libc::SIG_ERR);
}

/// A signal's disposition: the address of its handler, and its flags.
pub(crate) fn disposition(signum: i32) -> (usize, i32) {
    // SAFETY: the structure is made of numbers and of an address that may be null.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to one structure; nothing is changed.
    assert_eq!(unsafe { libc::sigaction(signum, std::ptr::null(), &mut action) }, 0);
    (action.sa_sigaction, action.sa_flags)
}

/// Exchanges the disposition, like another library that restores what it found.
pub(crate) fn exchange_disposition(signum: i32, new: &libc::sigaction) -> libc::sigaction {
    // SAFETY: the structure is made of numbers and of an address that may be null.
    let mut old: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: the pointers are to one structure each, the first of which was the system's answer, or ignores the signal.
    assert_eq!(unsafe { libc::sigaction(signum, new, &mut old) }, 0);
    old
}

/// The disposition that ignores a signal.
pub(crate) fn ignoring() -> libc::sigaction {
    // SAFETY: the structure is made of numbers and of an address that may be null.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = libc::SIG_IGN;
    action
}

/// Blocks a signal in this thread.
pub(crate) fn block(signum: i32) {
    // SAFETY: a set is made of numbers.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to one set.
    assert_eq!(unsafe { libc::sigaddset(&mut set, signum) }, 0);
    // SAFETY: the first pointer is to one set, the second may be null.
    assert_eq!(unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) }, 0);
}

/// Sends `SIGUSR1` to this thread while it runs on a stack that has no room for the kernel's frame, such as a
/// coroutine's or a goroutine's, and has an alternate stack.
#[cfg(target_env = "gnu")]
pub(crate) fn raise_on_a_small_stack() {
    extern "C" fn coroutine() {
        raise(libc::SIGUSR1);
    }
    const PAGE: usize = 4096;
    // SAFETY: it takes a number.
    let frame = usize::try_from(unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) }).unwrap();
    let size = if frame == 0 { 2048 } else { frame.clamp(1024, PAGE) };
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: new memory, which nothing else uses; it is never freed.
    let pages = unsafe { libc::mmap(std::ptr::null_mut(), 64 * PAGE, access, kind, -1, 0) };
    assert_ne!(pages, libc::MAP_FAILED);
    // SAFETY: the second page of it.
    let stack = unsafe { pages.byte_add(PAGE) };
    // SAFETY: the first page of it, below the stack.
    assert_eq!(unsafe { libc::mprotect(pages, PAGE, libc::PROT_NONE) }, 0);
    // SAFETY: the rest of it.
    let alternate = libc::stack_t { ss_sp: unsafe { pages.byte_add(4 * PAGE) }, ss_flags: 0, ss_size: 60 * PAGE };
    // SAFETY: the memory is never freed.
    assert_eq!(unsafe { libc::sigaltstack(&alternate, std::ptr::null_mut()) }, 0);
    // SAFETY: the structures are made of numbers and addresses; `getcontext` fills them in.
    let [mut here, mut there]: [libc::ucontext_t; 2] = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to one structure.
    assert_eq!(unsafe { libc::getcontext(&mut there) }, 0);
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = size;
    there.uc_link = &mut here;
    // SAFETY: the context has a stack and a successor, and the function takes nothing.
    unsafe { libc::makecontext(&mut there, coroutine, 0) };
    // SAFETY: both contexts exist until the coroutine has ended.
    assert_eq!(unsafe { libc::swapcontext(&mut here, &there) }, 0);
}

static FORKS_LEFT: AtomicU32 = AtomicU32::new(0);

extern "C" fn fork_now(_: i32) {
    let left = FORKS_LEFT.load(Ordering::SeqCst);
    if left == 0 {
        return;
    }
    FORKS_LEFT.store(left - 1, Ordering::SeqCst);
    // SAFETY: the C library lets a program of one thread fork anywhere.
    if unsafe { libc::fork() } == 0 {
        FORKS_LEFT.store(0, Ordering::SeqCst);
        // SAFETY: it takes a number.
        unsafe { libc::alarm(20) };
    }
}

/// Forks this many times from a signal handler, wherever this process is at that moment.
pub(crate) fn fork_by_alarm(period: Duration, times: u32) {
    FORKS_LEFT.store(times, Ordering::SeqCst);
    // SAFETY: the program has one thread, and the handler forks.
    let before = unsafe { libc::signal(libc::SIGVTALRM, fork_now as extern "C" fn(i32) as libc::sighandler_t) };
    assert_ne!(before, libc::SIG_ERR);
    let time = libc::timeval { tv_sec: 0, tv_usec: period.subsec_micros().into() };
    let timer = libc::itimerval { it_interval: time, it_value: time };
    // SAFETY: the pointer is to one timer; the old one is not requested.
    assert_eq!(unsafe { libc::setitimer(libc::ITIMER_VIRTUAL, &timer, std::ptr::null_mut()) }, 0);
}

pub(crate) fn is_done_forking() -> bool {
    FORKS_LEFT.load(Ordering::SeqCst) == 0
}

/// Ends this process, and runs no code of its parent.
pub(crate) fn end(status: i32) -> ! {
    // SAFETY: it takes a number.
    unsafe { libc::_exit(status) }
}

/// Waits for all children. Returns how many failed.
pub(crate) fn reap_all() -> u32 {
    let (mut status, mut failed) = (0, 0);
    loop {
        // SAFETY: the pointer is to a number.
        match unsafe { libc::waitpid(-1, &mut status, 0) } {
            0.. => failed += u32::from(status != 0),
            _ if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            _ => return failed,
        }
    }
}
