//! Event bases on poll and select behave alike, and like those on any other backend.

use std::fs::File;
use std::io::{self, Read, Write};
use std::num::NonZeroU32;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use evcore::backend::{EventOp, Wake};
use evcore::options::Limits;
use evcore::{EventBase, Fd, Fixed, Growable, Interest, Ready, Wait};
use evplat_posix::{Clock, Error, Poll, Select};

/// Expands to one test per case and backend.
macro_rules! on_each_backend {
    ($($case:ident)*) => { $(
        mod $case {
            #[test]
            fn poll() {
                super::alone(|| super::$case(evplat_posix::Poll::new));
            }

            #[test]
            fn select() {
                super::alone(|| super::$case(evplat_posix::Select::new));
            }
        }
    )* };
}

/// If an event was deleted and its descriptor closed, its entry stays until the next wait. A refused registration of
/// the same number in between invalidates it.
fn refused_registrations_leave_nothing_behind<B: EventOp<Fd = Fd, Error = Error>>(backend: B) {
    let mut base: EventBase<B, Fixed<4>, ()> = EventBase::new(backend);
    for _ in 0..6 {
        let (near, _far) = UnixStream::pair().unwrap();
        let fd = Fd::of(&near);
        let old = base.insert(fd, Interest::READ, ()).unwrap();
        base.del(old).unwrap();
        drop(near);
        assert!(matches!(base.insert(fd, Interest::READ, ()).unwrap_err().error, evcore::Error::Backend(_)));
        base.remove(old);
    }
}

#[test]
fn refused_registrations_leave_nothing_behind_in_poll() {
    alone(|| {
        refused_registrations_leave_nothing_behind(Poll::<Fixed<4>>::with_clock(Clock::Monotonic).unwrap());
    });
}

#[test]
fn refused_registrations_leave_nothing_behind_in_select() {
    alone(|| {
        refused_registrations_leave_nothing_behind(Select::<Fixed<4>>::with_clock(Clock::Monotonic).unwrap());
    });
}

on_each_backend! {
    a_closed_descriptor_ends_its_own_event_only
    a_number_given_out_again_is_its_new_events
    a_wake_leaves_the_process_idle
    a_hang_up_that_nobody_waits_for_leaves_the_process_idle
    child_has_its_own_base_after_reinit
    of_many_ready_ones_none_starves
}

trait Backend: Wake<Fd = Fd, Error = Error, Waker = evplat_posix::Waker> {}
impl<B: Wake<Fd = Fd, Error = Error, Waker = evplat_posix::Waker>> Backend for B {}

type Base<B> = EventBase<B, Growable, u32>;

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

/// Runs a case in a process of its own, which is killed after 20 s.
fn alone(case: impl FnOnce()) {
    assert_eq!(in_child(case), 0, "it has said why");
}

fn in_child(case: impl FnOnce()) -> i32 {
    show_panics_of_children();
    // SAFETY: the child uses nothing that another thread of the parent may hold.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: it takes a number.
        unsafe { libc::alarm(20) };
        IS_CHILD.store(true, Ordering::Relaxed);
        let failed = catch_unwind(AssertUnwindSafe(case)).is_err();
        // SAFETY: it ends the process and runs no code of the parent.
        unsafe { libc::_exit(failed.into()) }
    }
    let mut status = 0;
    // SAFETY: the pointer is to a number.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    status
}

/// The processor time that this process has used.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to one structure.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) }, 0);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// Sends `signum` to this thread.
fn raise(signum: i32) {
    // SAFETY: it takes a number.
    assert_eq!(unsafe { libc::raise(signum) }, 0);
}

fn turn<B: Backend>(base: &mut Base<B>, wait: Wait) -> Vec<(u32, Ready)> {
    assert!(base.poll(wait).unwrap().is_running());
    let mut found = Vec::new();
    while let Some(fired) = base.next_active() {
        found.push((*fired.data, fired.ready));
    }
    found.sort_by_key(|(data, _)| *data);
    found
}

fn readable() -> (UnixStream, UnixStream) {
    let (near, mut far) = UnixStream::pair().unwrap();
    far.write_all(b"x").unwrap();
    (near, far)
}

fn a_closed_descriptor_ends_its_own_event_only<B: Backend>(make: fn() -> Result<B, Error>) {
    let mut base = Base::new(make().unwrap());
    let ((gone, _far), (good, _other)) = (UnixStream::pair().unwrap(), readable());
    let event = base.insert(Fd::of(&gone), Interest::READ, 1).unwrap();
    base.insert(Fd::of(&good), Interest::READ, 2).unwrap();
    drop(gone);
    let mut found = turn(&mut base, Wait::Forever);
    // If the whole wait fails, the others are reported a turn later.
    found.extend(turn(&mut base, Wait::Forever));
    assert_eq!(found.iter().filter(|(data, _)| *data == 1).collect::<Vec<_>>(), [&(1, Ready::ERROR)]);
    assert!(found.contains(&(2, Ready::READ)));
    assert_eq!(turn(&mut base, Wait::Forever), [(2, Ready::READ)]);
    assert_eq!(base.remove(event), Some(1));
}

fn a_number_given_out_again_is_its_new_events<B: Backend>(make: fn() -> Result<B, Error>) {
    let mut base = Base::new(make().unwrap());
    let (old, _old_far) = UnixStream::pair().unwrap();
    let _copy = old.try_clone().unwrap();
    let number = old.as_raw_fd();
    base.insert(Fd::of(&old), Interest::READ, 1).unwrap();
    assert_eq!(turn(&mut base, Wait::None), []);
    drop(old);
    let (new, _new_far) = readable();
    assert_eq!(new.as_raw_fd(), number);
    base.insert(Fd::of(&new), Interest::READ, 2).unwrap();
    assert_eq!(turn(&mut base, Wait::Forever), [(1, Ready::ERROR), (2, Ready::READ)]);
    assert_eq!(turn(&mut base, Wait::Forever), [(2, Ready::READ)]);
}

fn a_wake_leaves_the_process_idle<B: Backend>(make: fn() -> Result<B, Error>) {
    let mut base = Base::new(make().unwrap());
    let waker = base.waker().unwrap();
    let thread = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        (0..100).for_each(|_| waker.wake());
        // Kept alive: the test is about the idle doorbell of a live waker.
        waker
    });
    let start = cpu_time();
    base.loop_exit_after(Duration::from_secs(1));
    let mut turns = 0;
    while base.poll(Wait::Until(evcore::Instant::MAX)).unwrap().is_running() {
        while base.next_active().is_some() {}
        turns += 1;
    }
    let used = cpu_time() - start;
    assert!(used < Duration::from_millis(10) && turns < 110, "{used:?}, {turns} turns");
    thread.join().unwrap();
}

fn a_hang_up_that_nobody_waits_for_leaves_the_process_idle<B: Backend>(make: fn() -> Result<B, Error>) {
    let mut base = Base::new(make().unwrap());
    let (near, far) = UnixStream::pair().unwrap();
    let event = base.insert(Fd::of(&near), Interest::READ, 1).unwrap();
    base.modify(event, Interest::empty()).unwrap();
    drop(far);
    let waits = base.stats().waits;
    let end = base.update_now().saturating_add(Duration::from_millis(200));
    while base.update_now() < end {
        assert_eq!(turn(&mut base, Wait::Until(end)), []);
    }
    assert!(base.stats().waits - waits <= 2);
    base.modify(event, Interest::READ).unwrap();
    assert!(matches!(turn(&mut base, Wait::Forever)[..], [(1, ready)] if ready.contains(Ready::READ)));
}

fn child_has_its_own_base_after_reinit<B: Backend>(make: fn() -> Result<B, Error>) {
    let mut base = Base::new(make().unwrap());
    let (mut near, mut far) = readable();
    base.insert(Fd::of(&near), Interest::READ, 1).unwrap();
    base.insert_signal(libc::SIGUSR1, 2).unwrap();
    let status = in_child(|| {
        assert_eq!(base.poll(Wait::None), Err(Error::Forked));
        base.reinit().unwrap();
        assert_eq!(turn(&mut base, Wait::Forever), [(1, Ready::READ)]);
        assert_eq!(near.read(&mut [0; 8]).unwrap(), 1);
        raise(libc::SIGUSR1);
        assert_eq!(turn(&mut base, Wait::Forever), [(2, Ready::SIGNAL)]);
    });
    assert_eq!(status, 0, "the child");
    // The child has read the byte; its registration and its signal do not affect the parent.
    assert_eq!(turn(&mut base, Wait::None), []);
    far.write_all(b"y").unwrap();
    raise(libc::SIGUSR1);
    assert_eq!(turn(&mut base, Wait::Forever), [(1, Ready::READ), (2, Ready::SIGNAL)]);
}

/// With at most m hand-outs per turn, each of n ready events is handed out within ⌈n/m⌉ + 1 turns.
fn of_many_ready_ones_none_starves<B: Backend>(make: fn() -> Result<B, Error>) {
    const READY: u32 = 900;
    const BATCH: u32 = 64;
    let mut base = Base::new(make().unwrap());
    base.set_limits(Limits { hand_outs: NonZeroU32::new(BATCH), ..Limits::DEFAULT });
    let null = File::open("/dev/null").unwrap();
    let copies: Vec<_> = (0..READY).map(|_| null.try_clone().unwrap()).collect();
    for (data, copy) in (0..).zip(&copies) {
        base.insert(Fd::of(copy), Interest::READ, data).unwrap();
    }
    let mut served = vec![0; copies.len()];
    for _ in 0..READY.div_ceil(BATCH) + 1 {
        let found = turn(&mut base, Wait::Forever);
        assert!(found.len() <= BATCH as usize);
        found.iter().for_each(|(data, _)| served[*data as usize] += 1);
    }
    assert!(served.iter().all(|&times| times > 0), "{served:?}");
}

/// Two backends in one process watch the same signal: both get each burst, whichever ends first.
#[test]
fn two_bases_on_two_backends_share_a_signal() {
    alone(|| {
        for poll_ends_first in [true, false] {
            let mut poll = Base::new(Poll::new().unwrap());
            let mut select = Base::new(Select::new().unwrap());
            poll.insert_signal(libc::SIGUSR1, 1).unwrap();
            select.insert_signal(libc::SIGUSR1, 2).unwrap();
            for burst in 1..4 {
                (0..burst).for_each(|_| raise(libc::SIGUSR1));
                assert!(poll.poll(Wait::Forever).unwrap().is_running());
                assert!(select.poll(Wait::Forever).unwrap().is_running());
                assert_eq!(poll.next_active().unwrap().count, burst);
                assert_eq!(select.next_active().unwrap().count, burst);
            }
            if poll_ends_first {
                drop(poll);
                raise(libc::SIGUSR1);
                assert_eq!(turn(&mut select, Wait::Forever), [(2, Ready::SIGNAL)]);
            } else {
                drop(select);
                raise(libc::SIGUSR1);
                assert_eq!(turn(&mut poll, Wait::Forever), [(1, Ready::SIGNAL)]);
            }
        }
        // With no watcher left, the signal does what it did before, and ends the process.
        let status = in_child(|| raise(libc::SIGUSR1));
        assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGUSR1);
    });
}

/// A descriptor that is too large for select has its own error, and nothing is registered.
#[test]
fn select_refuses_high_numbers() {
    alone(|| {
        let mut base = Base::new(Select::new().unwrap());
        let null = File::open("/dev/null").unwrap();
        let copies: Vec<_> = (0..1_100).map(|_| null.try_clone().unwrap()).collect();
        let last = copies.last().unwrap();
        let rejected = base.insert(Fd::of(last), Interest::READ, 7).unwrap_err();
        let number = last.as_raw_fd();
        assert_eq!(rejected.error, evcore::Error::Backend(Error::TooLarge { number, limit: 1_024 }));
        assert_eq!(rejected.data, 7);
        assert!(base.is_empty());
        base.insert(Fd::of(&null), Interest::READ, 8).unwrap();
        assert_eq!(turn(&mut base, Wait::Forever), [(8, Ready::READ)]);
        assert_eq!(base.method(), base.backend().name());
    });
}
