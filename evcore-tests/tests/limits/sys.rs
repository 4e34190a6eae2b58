//! The system calls of these tests that the standard library lacks. All their `unsafe` is here.

use std::env;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

fn done(answer: i32) -> io::Result<i32> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

/// Whether this process is a child of the test's.
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

/// The variable that a process has which runs one test alone.
const ONLY: &str = "EVCORE_TESTS_ONLY";

/// Runs a case in a child of this process, which is killed after 20 s.
///
/// The first child is a process of its own, which runs this test alone: if another test's thread began or ended at the fork,
/// the child would have the standard library's list of threads locked, and could start none.
#[track_caller]
pub(crate) fn alone(case: impl FnOnce()) {
    if !IS_CHILD.load(Ordering::Relaxed) && env::var_os(ONLY).is_none() {
        return in_a_process_of_its_own();
    }
    show_panics_of_children();
    // SAFETY: the child has only this thread. The C library keeps its allocator usable, and the parent's other thread waits
    // for this one.
    let pid = done(unsafe { libc::fork() }).unwrap();
    if pid == 0 {
        // SAFETY: it takes a number.
        unsafe { libc::alarm(20) };
        IS_CHILD.store(true, Ordering::Relaxed);
        let failed = catch_unwind(AssertUnwindSafe(case)).is_err();
        // SAFETY: it ends the process, and runs no code of the parent.
        unsafe { libc::_exit(failed.into()) }
    }
    let mut status = 0;
    // SAFETY: the pointer is to a number.
    while let Err(error) = done(unsafe { libc::waitpid(pid, &mut status, 0) }) {
        assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    }
    assert_eq!(status, 0, "it has said why");
}

/// Runs the present test, and no other, in a new process of this program.
#[track_caller]
fn in_a_process_of_its_own() {
    let test = thread::current().name().unwrap().to_owned();
    let mut program = Command::new(env::current_exe().unwrap());
    let ended = program.args([&test, "--exact", "--nocapture"]).env(ONLY, "").output().unwrap();
    let [out, errors] = [&ended.stdout, &ended.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(ended.status.success() && out.contains(" 1 passed"), "{out}{errors}");
    for line in out.lines().filter(|line| line.starts_with("not run")) {
        println!("{line}");
    }
}

/// Closes all but the standard streams, for a case that needs small numbers.
pub(crate) fn close_all() {
    // The limit may be lower than the open numbers, so it says nothing about them.
    for entry in open_descriptors().into_iter().filter(|number| *number > 2) {
        // SAFETY: for a child that uses no descriptor of its parent.
        unsafe { libc::close(entry) };
    }
}

/// The open descriptors below 256. Needs no descriptor itself.
pub(crate) fn open_descriptors() -> Vec<RawFd> {
    // SAFETY: the command takes numbers, and changes nothing.
    (0..256).filter(|number| unsafe { libc::fcntl(*number, libc::F_GETFD) } >= 0).collect()
}

/// Limits how many descriptors this process may have.
pub(crate) fn limit_descriptors(limit: u64) {
    let mut limits = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to one pair of limits.
    done(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limits) }).unwrap();
    limits.rlim_cur = limit;
    // SAFETY: the pointer is to one pair of limits.
    done(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limits) }).unwrap();
}

/// Sends `signum` to this thread: it has arrived when this returns.
pub(crate) fn raise(signum: i32) {
    // SAFETY: it takes a number.
    done(unsafe { libc::raise(signum) }).unwrap();
}

/// The processor time that all threads of this process have used.
pub(crate) fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to one structure.
    done(unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) }).unwrap();
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// A descriptor that is always readable.
pub(crate) fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: it takes numbers.
    let fd = done(unsafe { libc::eventfd(1, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
    // SAFETY: the system has just made this descriptor, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Adds a descriptor to an epoll set, for READ, with these 64 bits of user data.
pub(crate) fn enter(set: RawFd, fd: &impl AsFd, bits: u64) {
    let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: bits };
    // SAFETY: the pointer is to one event, which is only read.
    done(unsafe { libc::epoll_ctl(set, libc::EPOLL_CTL_ADD, fd.as_fd().as_raw_fd(), &mut event) }).unwrap();
}

/// Makes the number `old` refer to the file of `new`. The number's owner does not change.
pub(crate) fn usurp(new: &impl AsFd, old: RawFd) {
    // SAFETY: both are open; the file that `old` referred to is not memory, so nothing dangles.
    done(unsafe { libc::dup2(new.as_fd().as_raw_fd(), old) }).unwrap();
}

/// Makes these system calls of this thread, and of threads it starts later, fail with `errno` from now on, like a
/// sandbox. Returns an error if the kernel has no such filters.
pub(crate) fn refuse(calls: &[libc::c_long], errno: i32) -> io::Result<()> {
    let step = |code: u32, jt: usize, k: u32| libc::sock_filter {
        code: code.try_into().unwrap(),
        jt: jt.try_into().unwrap(),
        jf: 0,
        k,
    };
    // The call's number is the first word of the filter's input.
    let mut filter = vec![step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0)];
    for (index, call) in calls.iter().enumerate() {
        let to_refusal = calls.len() - index;
        filter.push(step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, to_refusal, (*call).try_into().unwrap()));
    }
    filter.push(step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW));
    filter.push(step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ERRNO | errno as u32));
    let program = libc::sock_fprog { len: filter.len().try_into().unwrap(), filter: filter.as_mut_ptr() };
    // SAFETY: this option takes numbers.
    done(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    // SAFETY: the pointer is to a program whose steps outlive the call.
    done(unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) }).map(drop)
}
