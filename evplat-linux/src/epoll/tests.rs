use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use evcore::{Ready, Wake};

use super::*;
use crate::EventBase;
use crate::sink::{Found, NoInfos, token};
use crate::sys::tests::{
    alarm_every, close_all, in_child, is_cloexec, is_readable, limit_descriptors, open_descriptors, pipe, raise, refuse,
};

const READ: Interest = Interest::READ;
const WRITE: Interest = Interest::WRITE;
const EDGE: Interest = Interest::EDGE;

fn add(epoll: &mut Epoll, source: &impl AsFd, bits: u64, interest: Interest) {
    try_add(epoll, source, bits, interest).unwrap();
}

fn try_add(epoll: &mut Epoll, source: &impl AsFd, bits: u64, interest: Interest) -> Result<(), Error> {
    epoll.add(Fd::of(source), token(bits), interest, &mut NoInfos)
}

fn modify(epoll: &mut Epoll, source: &impl AsFd, bits: u64, new: Interest) -> Result<Modified, Error> {
    epoll.modify(Fd::of(source), token(bits), READ, new, &mut NoInfos)
}

fn del(epoll: &mut Epoll, source: &impl AsFd) {
    epoll.del(Fd::of(source), token(0), READ, &mut NoInfos);
}

fn watch(epoll: &mut Epoll, signum: i32) -> Result<(), Error> {
    epoll.signals().unwrap().add(signum)
}

fn unwatch(epoll: &mut Epoll, signum: i32) {
    epoll.signals().unwrap().del(signum);
}

/// Ends `old` and gives its number to `new`: what `close` and then `open` do.
fn reopen(old: &impl AsFd, new: impl Into<OwnedFd>) {
    sys::replace(&new.into(), old.as_fd()).unwrap();
}

fn pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().unwrap()
}

/// A stream that has a byte to read.
fn readable() -> (UnixStream, UnixStream) {
    let (mut near, far) = pair();
    near.write_all(b"x").unwrap();
    (far, near)
}

fn after(epoll: &Epoll, delay: Duration) -> Wait {
    Wait::Until(epoll.now().saturating_add(delay))
}

/// Whether a wait finds nothing and is as long as it was asked for.
fn sleeps(epoll: &mut Epoll) -> bool {
    let deadline = epoll.now().saturating_add(Duration::from_millis(5));
    Found::of(epoll, Wait::Until(deadline)).ready.is_empty() && epoll.now() >= deadline
}

fn errno<T: fmt::Debug>(answer: Result<T, Error>) -> Option<i32> {
    answer.unwrap_err().errno()
}

// What is ready.

#[test]
fn each_state_has_its_bits() {
    let mut epoll = Epoll::new().unwrap();
    let (reader, writer) = pipe();
    drop(writer);
    add(&mut epoll, &reader, 1, READ);
    let (reader, blocked) = pipe();
    drop(reader);
    add(&mut epoll, &blocked, 2, WRITE);
    let (half_closed, peer) = pair();
    peer.shutdown(Shutdown::Write).unwrap();
    add(&mut epoll, &half_closed, 3, READ | Interest::CLOSED);
    let (closed, peer) = pair();
    drop(peer);
    add(&mut epoll, &closed, 4, Interest::CLOSED);
    let (quiet, _peer) = pair();
    add(&mut epoll, &quiet, 5, READ | Interest::CLOSED | Interest::PRIORITY);
    assert_eq!(
        Found::now(&mut epoll),
        [
            (1, Ready::HANGUP),
            (2, Ready::WRITE | Ready::ERROR),
            (3, Ready::READ | Ready::CLOSED),
            (4, Ready::CLOSED | Ready::HANGUP),
        ]
    );
}

#[test]
fn urgent_data_is_priority_and_not_read() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    let mut epoll = Epoll::new().unwrap();
    add(&mut epoll, &far, 1, READ | Interest::PRIORITY);
    sys::tests::send_urgent(&near);
    assert_eq!(
        Found::of(&mut epoll, after(&Epoll::new().unwrap(), Duration::from_secs(5))).ready,
        [(1, Ready::PRIORITY)]
    );
}

#[test]
fn level_repeats_and_edge_does_not() {
    let mut epoll = Epoll::new().unwrap();
    let (level, _level_peer) = readable();
    let (edge, mut edge_peer) = readable();
    add(&mut epoll, &level, 1, READ);
    add(&mut epoll, &edge, 2, READ | EDGE);
    assert_eq!(Found::now(&mut epoll), [(1, Ready::READ), (2, Ready::READ)]);
    assert_eq!(Found::now(&mut epoll), [(1, Ready::READ)]);
    edge_peer.write_all(b"y").unwrap();
    assert_eq!(Found::now(&mut epoll), [(1, Ready::READ), (2, Ready::READ)]);
}

#[test]
fn interest_changes_in_place_and_ends() {
    let mut epoll = Epoll::new().unwrap();
    let (near, mut far) = pair();
    add(&mut epoll, &near, 1, READ);
    assert_eq!(modify(&mut epoll, &near, 1, READ | WRITE), Ok(Modified::Kept));
    assert_eq!(Found::now(&mut epoll), [(1, Ready::WRITE)]);
    assert_eq!(modify(&mut epoll, &near, 1, READ), Ok(Modified::Kept));
    assert_eq!(Found::now(&mut epoll), []);
    far.write_all(b"x").unwrap();
    del(&mut epoll, &near);
    assert_eq!(Found::now(&mut epoll), []);
}

/// Each ready descriptor has its turn before any has a second one.
#[test]
fn more_than_the_buffer_holds_come_in_turns() {
    const COUNT: u64 = 2_500;
    let mut epoll = Epoll::new().unwrap();
    limit_descriptors(COUNT + 500);
    let sources: Vec<_> = (0..COUNT).map(|_| sys::eventfd().unwrap()).collect();
    for (bits, source) in (0..).zip(&sources) {
        add(&mut epoll, source, bits, WRITE);
    }
    assert_eq!(epoll.reports.room(), REPORTS_MAX);
    let mut times = vec![0; sources.len()];
    for wait in 1..=6 {
        let found = Found::now(&mut epoll);
        assert_eq!(found.len(), REPORTS_MAX);
        for (bits, _) in found {
            times[usize::try_from(bits).unwrap()] += 1;
        }
        let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
        assert!(most - least <= 1, "after {wait} waits, one was served {least} times and one {most}");
    }
    assert!(times.iter().all(|times| *times >= 2));
}

// Files.

fn files() -> Vec<File> {
    let open = |path| OpenOptions::new().read(true).write(true).open(path).unwrap();
    let regular =
        std::env::temp_dir().join(format!("evplat-linux-{}-{:?}", std::process::id(), thread::current().id()));
    let file = File::create_new(&regular).unwrap();
    std::fs::remove_file(&regular).unwrap();
    vec![file, open("/dev/null"), open("/dev/urandom")]
}

#[test]
fn a_file_is_always_ready_for_what_is_asked() {
    for file in files() {
        let mut epoll = Epoll::new().unwrap();
        add(&mut epoll, &file, 1, READ | Interest::CLOSED);
        assert_eq!(Found::of(&mut epoll, Wait::Forever).ready, [(1, Ready::READ)]);
        assert_eq!(Found::of(&mut epoll, Wait::Forever).ready, [(1, Ready::READ)]);
        assert_eq!(modify(&mut epoll, &file, 1, READ | WRITE), Ok(Modified::Kept));
        assert_eq!(Found::of(&mut epoll, Wait::Forever).ready, [(1, Ready::READ | Ready::WRITE)]);
        del(&mut epoll, &file);
        assert_eq!(Found::now(&mut epoll), []);
    }
}

#[test]
fn an_edge_of_a_file_is_its_registration_and_each_change() {
    let file = &files()[0];
    let mut epoll = Epoll::new().unwrap();
    add(&mut epoll, file, 1, READ | EDGE);
    assert_eq!(Found::now(&mut epoll), [(1, Ready::READ)]);
    assert_eq!(Found::now(&mut epoll), []);
    assert_eq!(modify(&mut epoll, file, 1, READ | EDGE), Ok(Modified::Kept));
    assert_eq!(Found::now(&mut epoll), [(1, Ready::READ)]);
    assert!(sleeps(&mut epoll), "what was told keeps the base awake");
}

#[test]
fn a_file_that_can_never_be_ready_does_not_keep_the_base_awake() {
    let file = &files()[0];
    let mut epoll = Epoll::new().unwrap();
    add(&mut epoll, file, 1, Interest::PRIORITY | Interest::CLOSED);
    assert!(sleeps(&mut epoll));
}

#[test]
fn a_file_that_is_registered_again_has_no_past() {
    let mut epoll = Epoll::new().unwrap();
    let number = File::open("/dev/null").unwrap();
    add(&mut epoll, &number, 1, READ);
    add(&mut epoll, &number, 2, READ);
    assert_eq!(Found::now(&mut epoll), [(2, Ready::READ)]);
    let (socket, _peer) = pair();
    reopen(&number, socket);
    add(&mut epoll, &number, 3, READ);
    assert_eq!(Found::now(&mut epoll), []);
    reopen(&number, File::open("/dev/null").unwrap());
    add(&mut epoll, &number, 4, READ);
    epoll.reinit().unwrap();
    assert!(sleeps(&mut epoll), "a file is left from before");
}

#[test]
fn sockets_are_served_beside_a_file() {
    let (file, (socket, _peer)) = (&files()[1], readable());
    let mut epoll = Epoll::new().unwrap();
    add(&mut epoll, file, 1, READ);
    add(&mut epoll, &socket, 2, READ);
    assert_eq!(Found::now(&mut epoll), [(1, Ready::READ), (2, Ready::READ)]);
}

#[test]
fn a_number_that_is_no_file_any_more_is_noticed() {
    let mut epoll = Epoll::new().unwrap();
    let number = File::open("/dev/null").unwrap();
    add(&mut epoll, &number, 1, READ);
    let (socket, mut peer) = pair();
    reopen(&number, socket);
    assert_eq!(modify(&mut epoll, &number, 1, READ), Ok(Modified::Replaced));
    assert_eq!(Found::now(&mut epoll), []);
    peer.write_all(b"x").unwrap();
    assert_eq!(Found::now(&mut epoll), [(1, Ready::READ)]);
    reopen(&number, File::open("/dev/null").unwrap());
    assert_eq!(modify(&mut epoll, &number, 2, READ), Ok(Modified::Replaced));
    // The core follows up under another token, as reports for this one might be the socket's.
    assert_eq!(modify(&mut epoll, &number, 3, READ), Ok(Modified::Kept));
    assert_eq!(Found::now(&mut epoll), [(3, Ready::READ)]);
}

// Numbers that were closed or given out again.

#[test]
fn a_descriptor_that_is_registered_already_is_taken_over() {
    let mut epoll = Epoll::new().unwrap();
    let (near, _far) = readable();
    add(&mut epoll, &near, 1, READ);
    // Its number comes back from a duplicate, so the kernel's entry has never gone: EEXIST.
    reopen(&near, near.try_clone().unwrap());
    add(&mut epoll, &near, 2, READ | WRITE);
    assert_eq!(Found::now(&mut epoll), [(2, Ready::READ | Ready::WRITE)]);
}

#[test]
fn a_number_that_is_another_descriptor_now_is_registered_anew() {
    let mut epoll = Epoll::new().unwrap();
    let (near, _far) = pair();
    add(&mut epoll, &near, 1, READ);
    let (other, _peer) = readable();
    reopen(&near, other);
    assert_eq!(Found::now(&mut epoll), []);
    assert_eq!(modify(&mut epoll, &near, 1, READ), Ok(Modified::Replaced));
    assert_eq!(Found::now(&mut epoll), [(1, Ready::READ)]);
    assert_eq!(modify(&mut epoll, &near, 1, READ), Ok(Modified::Kept));
}

#[test]
fn a_closed_descriptor_is_an_error_and_leaves_nothing() {
    let status = in_child(|| {
        let mut epoll = Epoll::new().unwrap();
        let (near, _far) = pair();
        let closed = Fd::of(&near);
        epoll.add(closed, token(1), READ, &mut NoInfos).unwrap();
        drop(near);
        let modified = epoll.modify(closed, token(1), READ, WRITE, &mut NoInfos);
        epoll.del(closed, token(1), READ, &mut NoInfos);
        let added = epoll.add(closed, token(2), READ, &mut NoInfos);
        let found = Found::of(&mut epoll, Wait::Poll);
        assert!(found.ready.is_empty() && found.rebuilds == 0);
        errno(modified) == Some(libc::EBADF) && errno(added) == Some(libc::EBADF)
    });
    assert_eq!(status, 0);
}

#[test]
fn a_set_inside_itself_is_an_error() {
    let mut epoll = Epoll::new().unwrap();
    let set = epoll.set.try_clone().unwrap();
    assert_eq!(errno(try_add(&mut epoll, &set, 1, READ)), Some(libc::EINVAL));
    let nest = epoll.nest().unwrap().try_clone_to_owned().unwrap();
    assert_eq!(errno(try_add(&mut epoll, &nest, 1, READ)), Some(libc::ELOOP));
    assert_eq!(Found::now(&mut epoll), []);
}

/// An entry that cannot be removed: its number was closed before `del`, and a duplicate lives.
#[test]
fn an_entry_that_nobody_can_remove_leads_to_a_new_set() {
    let mut base: EventBase<&str> = EventBase::new(Epoll::new().unwrap());
    let (orphan, _far) = readable();
    let _duplicate = orphan.try_clone().unwrap();
    let (other, _other_far) = readable();
    let gone = base.insert(Fd::of(&orphan), READ, "orphan").unwrap();
    base.insert(Fd::of(&other), READ, "other").unwrap();
    reopen(&orphan, File::open("/dev/null").unwrap());
    base.remove(gone);

    let mut served = 0;
    for _ in 0..40 {
        assert!(base.poll(Wait::Forever).unwrap().is_running());
        while let Some(fired) = base.next_active() {
            assert_eq!(*fired.data, "other");
            served += 1;
        }
    }
    let stats = base.stats();
    assert_eq!((served, stats.rebuilds), (40, 1));
    assert!(stats.stale >= 16 && stats.stale <= 18, "{stats:?}");
}

#[test]
fn what_the_kernel_refuses_changes_nothing_and_a_refused_end_leads_to_a_new_set() {
    let status = in_child(|| {
        let mut epoll = Epoll::new().unwrap();
        let (near, _far) = readable();
        let (other, _peer) = readable();
        add(&mut epoll, &near, 1, READ);
        refuse(&[libc::SYS_epoll_ctl], libc::ENOMEM);
        assert_eq!(errno(try_add(&mut epoll, &other, 2, READ)), Some(libc::ENOMEM));
        assert_eq!(errno(modify(&mut epoll, &near, 1, WRITE)), Some(libc::ENOMEM));
        assert_eq!(errno(epoll.waker().map(|_| ())), Some(libc::ENOMEM));
        assert!(epoll.bell.interrupts.doorbell().is_none());
        assert_eq!(Found::now(&mut epoll), [(1, Ready::READ)]);
        del(&mut epoll, &near);
        Found::of(&mut epoll, Wait::Forever).rebuilds == 1
    });
    assert_eq!(status, 0);
}

/// It looks while the last wait has found something, and only then.
#[test]
fn a_look_is_made_while_the_set_is_busy() {
    let mut epoll = Epoll::new().unwrap();
    let (mut near, _far) = readable();
    add(&mut epoll, &near, 1, READ);
    let mut found = Found::default();
    assert!(!epoll.look(&mut found), "no wait has been made");
    assert_eq!(Found::now(&mut epoll), [(1, Ready::READ)]);
    assert!(epoll.look(&mut found));
    assert_eq!(found.ready, [(1, Ready::READ)]);
    near.read_exact(&mut [0]).unwrap();
    assert!(!epoll.look(&mut found), "nothing is ready");
    assert!(!epoll.look(&mut found));
    assert_eq!(found.ready.len(), 1);
}

/// A wake that came meanwhile, while nobody slept, does not ring the bell: the look leaves it to the wait.
#[test]
fn a_look_that_finds_nothing_leaves_a_wake_to_the_wait() {
    let mut epoll = Epoll::new().unwrap();
    let (mut near, _far) = readable();
    add(&mut epoll, &near, 1, READ);
    let waker = epoll.waker().unwrap();
    assert_eq!(Found::now(&mut epoll), [(1, Ready::READ)]);
    near.read_exact(&mut [0]).unwrap();
    waker.wake();
    assert!(!epoll.look(&mut Found::default()));
    assert!(Found::of(&mut epoll, Wait::Forever).ready.is_empty(), "it does not sleep");
}

#[test]
fn new_sets_do_not_make_the_buffer_longer() {
    let mut epoll = Epoll::new().unwrap();
    let (near, _far) = pair();
    for bits in 0..200 {
        epoll.reinit().unwrap();
        add(&mut epoll, &near, bits, READ);
    }
    assert_eq!((epoll.registered, epoll.reports.room()), (1, REPORTS));
}

#[test]
fn a_new_set_that_cannot_be_made_is_asked_for_again() {
    let mut epoll = Epoll::new().unwrap();
    epoll.note_damage();
    assert_eq!(Found::of(&mut epoll, Wait::Forever).rebuilds, 1);
    assert_eq!(Found::of(&mut epoll, Wait::Forever).rebuilds, 1);
    epoll.reinit().unwrap();
    assert_eq!(Found::of(&mut epoll, Wait::Poll).rebuilds, 0);
}

// Waits.

#[test]
fn no_wait_is_early_and_none_is_repeated() {
    for timed_wait in [sys::epoll_pwait2 as TimedWait, sys::epoll_pwait] {
        for clock in [Clock::Monotonic, Clock::Boottime] {
            let mut epoll = Epoll::with_clock(clock).unwrap();
            epoll.timed_wait = timed_wait;
            for nanos in [1, 999, 100_000, 999_999, 1_000_001, 10_500_000] {
                let deadline = epoll.now().saturating_add(Duration::from_nanos(nanos));
                assert_eq!(Found::of(&mut epoll, Wait::Until(deadline)).ready, []);
                assert!(epoll.now() >= deadline, "{nanos} ns: early");
            }
        }
    }
}

#[test]
fn a_point_in_the_past_is_no_wait_and_the_farthest_is_no_error() {
    for timed_wait in [sys::epoll_pwait2 as TimedWait, sys::epoll_pwait] {
        let mut epoll = Epoll::new().unwrap();
        epoll.timed_wait = timed_wait;
        assert_eq!(Found::of(&mut epoll, Wait::Until(Instant::ZERO)).ready, []);
        let (near, _far) = readable();
        add(&mut epoll, &near, 1, READ);
        let now = epoll.now().as_nanos();
        let days = |days: u64| now + days * 24 * 3_600 * 1_000_000_000;
        for point in [u64::MAX, u64::MAX - 1, i64::MAX as u64, days(25), days(50), days(100_000)] {
            assert_eq!(Found::of(&mut epoll, Wait::Until(Instant::from_nanos(point))).ready, [(1, Ready::READ)]);
        }
    }
}

#[test]
fn a_wait_that_is_too_long_for_a_count_of_milliseconds_sleeps() {
    for timed_wait in [sys::epoll_pwait2 as TimedWait, sys::epoll_pwait] {
        let mut epoll = Epoll::new().unwrap();
        epoll.timed_wait = timed_wait;
        let waker = epoll.waker().unwrap();
        let begin = epoll.now();
        let thread = thread::spawn(move || {
            thread::sleep(Duration::from_millis(5));
            waker.wake();
        });
        Found::of(&mut epoll, Wait::Until(begin.saturating_add(Duration::from_secs(50 * 24 * 3_600))));
        assert!(epoll.now().saturating_since(begin) >= Duration::from_millis(5));
        thread.join().unwrap();
    }
}

#[test]
fn a_refused_wait_is_made_in_another_way_and_that_is_remembered() {
    fn refused<const ERRNO: i32>(_: BorrowedFd<'_>, _: &mut Reports, _: u64) -> io::Result<()> {
        Err(io::Error::from_raw_os_error(ERRNO))
    }
    for refusal in
        [refused::<{ libc::ENOSYS }> as TimedWait, refused::<{ libc::EPERM }>, refused::<{ libc::EOPNOTSUPP }>]
    {
        let mut epoll = Epoll::new().unwrap();
        epoll.timed_wait = refusal;
        let deadline = epoll.now().saturating_add(Duration::from_micros(1_500));
        assert_eq!(Found::of(&mut epoll, Wait::Until(deadline)).ready, []);
        assert!(epoll.now() >= deadline, "the wait was not made again");
        assert!(std::ptr::fn_addr_eq(epoll.timed_wait, sys::epoll_pwait as TimedWait));
    }
    let mut epoll = Epoll::new().unwrap();
    epoll.timed_wait = refused::<{ libc::EBADF }>;
    let wait = after(&epoll, Duration::from_millis(1));
    assert_eq!(errno(epoll.dispatch(wait, &mut Found::default())), Some(libc::EBADF));
}

#[test]
fn a_sandbox_without_pwait2_and_eventfd_has_all_it_needs() {
    for reason in [libc::ENOSYS, libc::EPERM] {
        let status = in_child(|| {
            refuse(&[libc::SYS_epoll_pwait2, libc::SYS_eventfd2], reason);
            let mut epoll = Epoll::new().unwrap();
            let deadline = epoll.now().saturating_add(Duration::from_micros(1_500));
            Found::of(&mut epoll, Wait::Until(deadline));
            let waited = epoll.now() >= deadline;
            let waker = epoll.waker().unwrap();
            let woken = (0..10).all(|_| {
                assert!(epoll.bell.interrupts.prepare(Wait::Forever) == Wait::Forever);
                waker.wake();
                let found = Found::of(&mut epoll, Wait::Forever);
                // Left as it is, the pipe would be full one day, and a ring no edge any more.
                found.ready.is_empty() && !is_readable(epoll.bell.interrupts.doorbell().unwrap(), 0)
            });
            // A ring that comes late, when the base has been awake for other reasons.
            epoll.bell.interrupts.doorbell().unwrap().ring();
            Found::of(&mut epoll, Wait::Forever);
            let quiet = !is_readable(epoll.bell.interrupts.doorbell().unwrap(), 0);
            waited && woken && quiet && sleeps(&mut epoll)
        });
        assert_eq!(status, 0, "errno {reason}");
    }
}

#[test]
fn an_interrupted_wait_is_no_error() {
    let status = in_child(|| {
        let mut other = Epoll::new().unwrap();
        watch(&mut other, libc::SIGALRM).unwrap();
        let mut epoll = Epoll::new().unwrap();
        alarm_every(1_000);
        let deadline = epoll.now().saturating_add(Duration::from_secs(15));
        let nothing = (0..5).all(|_| Found::of(&mut epoll, Wait::Until(deadline)).ready.is_empty());
        alarm_every(0);
        nothing && epoll.now() < deadline
    });
    assert_eq!(status, 0);
}

// Wakers and signals.

#[test]
fn a_wake_from_another_thread_ends_the_wait_and_only_that() {
    let mut epoll = Epoll::new().unwrap();
    let waker = epoll.waker().unwrap();
    let thread = thread::spawn(move || {
        thread::sleep(Duration::from_millis(5));
        (0..100).for_each(|_| waker.wake());
    });
    assert_eq!(Found::of(&mut epoll, Wait::Forever).ready, []);
    thread.join().unwrap();
    // What may still be on its way: one wake after the loop was awake, and the ring of an earlier one.
    Found::of(&mut epoll, Wait::Poll);
    Found::of(&mut epoll, Wait::Poll);
    assert!(sleeps(&mut epoll), "the wake was not over");
}

#[test]
fn a_wake_before_the_wait_is_not_lost_and_costs_no_system_call() {
    let mut epoll = Epoll::new().unwrap();
    let waker = epoll.waker().unwrap();
    waker.wake();
    assert!(!is_readable(epoll.bell.interrupts.doorbell().unwrap(), 0));
    assert_eq!(Found::of(&mut epoll, Wait::Forever).ready, []);
}

#[test]
fn a_waker_outlives_its_base() {
    let waker = Epoll::new().unwrap().waker().unwrap();
    waker.wake();
}

#[test]
fn each_signal_is_counted_and_none_is_lost() {
    let status = in_child(|| {
        let mut epoll = Epoll::new().unwrap();
        watch(&mut epoll, libc::SIGUSR1).unwrap();
        watch(&mut epoll, libc::SIGTERM).unwrap();
        (0..100_000).for_each(|_| raise(libc::SIGUSR1));
        raise(libc::SIGTERM);
        let first = Found::of(&mut epoll, Wait::Forever).signals;
        unwatch(&mut epoll, libc::SIGTERM);
        raise(libc::SIGUSR1);
        let second = Found::of(&mut epoll, Wait::Forever).signals;
        first == [(libc::SIGUSR1, 100_000), (libc::SIGTERM, 1)] && second == [(libc::SIGUSR1, 1)]
    });
    assert_eq!(status, 0);
}

#[test]
fn what_is_no_signal_is_refused_and_leaves_nothing() {
    let mut epoll = Epoll::new().unwrap();
    for signum in [0, -1, 65, i32::MAX, libc::SIGKILL, libc::SIGSTOP] {
        assert_eq!(errno(watch(&mut epoll, signum)), Some(libc::EINVAL), "signal {signum}");
    }
    assert!(epoll.bell.interrupts.doorbell().is_none());
}

// Nesting.

#[test]
fn another_loop_sees_what_is_ready_inside_also_after_a_new_set() {
    let mut inner = Epoll::new().unwrap();
    let mut outer = Epoll::new().unwrap();
    let nest = inner.nest().unwrap();
    add(&mut outer, &nest, 9, READ);
    let (mut near, mut far) = pair();
    add(&mut inner, &near, 1, READ);
    for _ in 0..3 {
        assert_eq!(Found::now(&mut outer), []);
        far.write_all(b"x").unwrap();
        assert_eq!(Found::now(&mut outer), [(9, Ready::READ)]);
        assert_eq!(Found::now(&mut inner), [(1, Ready::READ)]);
        near.read_exact(&mut [0]).unwrap();
        inner.reinit().unwrap();
        add(&mut inner, &near, 1, READ);
    }
}

/// As the child of a fork may hold it.
#[test]
fn another_loop_does_not_see_an_old_set_that_someone_else_holds() {
    let mut inner = Epoll::new().unwrap();
    let (near, _far) = readable();
    add(&mut inner, &near, 1, READ);
    inner.nest().unwrap();
    let _held = inner.set.try_clone().unwrap();
    inner.reinit().unwrap();
    assert!(!is_readable(&inner.nest().unwrap(), 0));
}

#[test]
fn another_loop_sees_each_wake_and_signal() {
    let status = in_child(|| {
        let mut inner = Epoll::new().unwrap();
        let early = inner.waker().unwrap();
        early.wake();
        let nest = inner.nest().unwrap().try_clone_to_owned().unwrap();
        assert!(is_readable(&nest, 0), "a wake from before is not seen");
        Found::of(&mut inner, Wait::Poll);
        watch(&mut inner, libc::SIGUSR1).unwrap();
        for _ in 0..3 {
            assert!(!is_readable(&nest, 0));
            early.wake();
            assert!(is_readable(&nest, 0), "a wake is not seen");
            Found::of(&mut inner, Wait::Forever);
            assert!(!is_readable(&nest, 0));
            raise(libc::SIGUSR1);
            assert!(is_readable(&nest, 0), "a signal is not seen");
            assert_eq!(Found::of(&mut inner, Wait::Forever).signals, [(libc::SIGUSR1, 1)]);
        }
        let mut late = Epoll::new().unwrap();
        let nest = late.nest().unwrap().try_clone_to_owned().unwrap();
        late.waker().unwrap().wake();
        is_readable(&nest, 0)
    });
    assert_eq!(status, 0);
}

// Fork, and descriptors.

#[test]
fn a_child_can_do_nothing_until_it_starts_anew() {
    let mut epoll = Epoll::new().unwrap();
    let (near, _far) = readable();
    add(&mut epoll, &near, 1, READ);
    let status = in_child(|| {
        let forked = Err(Error::Forked);
        assert_eq!(try_add(&mut epoll, &near, 2, READ), forked);
        assert_eq!(modify(&mut epoll, &near, 1, WRITE), Err(Error::Forked));
        assert_eq!(epoll.usable(), forked);
        assert_eq!(epoll.nest().map(|_| ()), forked);
        assert_eq!(epoll.waker().map(|_| ()), forked);
        assert_eq!(watch(&mut epoll, libc::SIGUSR1), forked);
        del(&mut epoll, &near);
        true
    });
    assert_eq!(status, 0);
    assert_eq!(Found::now(&mut epoll), [(1, Ready::READ)], "the child has removed what is the parent's");
}

#[test]
fn a_child_that_starts_anew_has_everything_to_itself() {
    let mut epoll = Epoll::new().unwrap();
    let (near, _far) = readable();
    add(&mut epoll, &near, 1, READ);
    let waker = epoll.waker().unwrap();
    let nest = Fd::of(&epoll.nest().unwrap());
    let status = in_child(|| {
        epoll.reinit().unwrap();
        assert_eq!(Found::now(&mut epoll), []);
        add(&mut epoll, &near, 2, READ);
        assert_eq!(Found::now(&mut epoll), [(2, Ready::READ)]);
        assert_eq!(Fd::of(&epoll.nest().unwrap()), nest);
        assert!(is_readable(&epoll.nest().unwrap(), 0));
        del(&mut epoll, &near);
        assert!(!is_readable(&epoll.nest().unwrap(), 0), "the nest is still the parent's");
        waker.wake();
        assert!(is_readable(&epoll.nest().unwrap(), 0));
        Found::of(&mut epoll, Wait::Forever).ready.is_empty()
    });
    assert_eq!(status, 0);
    assert!(is_readable(&epoll.nest().unwrap(), 0));
    assert_eq!(Found::now(&mut epoll), [(1, Ready::READ)]);
    del(&mut epoll, &near);
    assert!(!is_readable(&epoll.nest().unwrap(), 0), "the child's wake has come to the parent");
}

#[test]
fn every_descriptor_is_closed_on_exec() {
    let status = in_child(|| {
        close_all();
        let before = open_descriptors();
        let mut epoll = Epoll::new().unwrap();
        let _waker = epoll.waker().unwrap();
        epoll.nest().unwrap();
        for _ in 0..2 {
            for number in open_descriptors().into_iter().filter(|number| !before.contains(number)) {
                let flags = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap();
                let flags = flags.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim().to_owned();
                let flags = i32::from_str_radix(&flags, 8).unwrap();
                assert!(flags & libc::O_CLOEXEC != 0, "descriptor {number}: {flags:o}");
            }
            epoll.reinit().unwrap();
        }
        open_descriptors().len() == before.len() + 3
    });
    assert_eq!(status, 0);
    let status = in_child(|| {
        let mut epoll = Epoll::new().unwrap();
        let waker = epoll.waker().unwrap();
        epoll.nest().unwrap();
        in_child(|| {
            epoll.reinit().unwrap();
            waker.wake();
            let doorbell = is_cloexec(epoll.bell.interrupts.doorbell().unwrap());
            doorbell && is_cloexec(&epoll.set) && is_cloexec(&epoll.nest().unwrap())
        }) == 0
    });
    assert_eq!(status, 0, "in a child");
}

#[test]
fn a_base_without_descriptors_left_is_an_error_that_leaves_nothing() {
    let status = in_child(|| {
        close_all();
        let before = open_descriptors();
        let lowest = (0..).find(|number| !before.contains(number)).unwrap();
        for spare in 0..6 {
            limit_descriptors(u64::try_from(lowest + spare).unwrap());
            let made = (|| {
                let mut epoll = Epoll::new()?;
                let _waker = epoll.waker()?;
                epoll.nest()?;
                watch(&mut epoll, libc::SIGUSR1)?;
                // A new set needs a descriptor while the old one is there.
                epoll.reinit()
            })();
            let errno = made.err().and_then(|error| error.errno());
            assert_eq!(errno, (spare < 4).then_some(libc::EMFILE), "{spare} to spare");
            assert_eq!(open_descriptors(), before, "{spare} to spare");
        }
        true
    });
    assert_eq!(status, 0);
}

/// What a failure takes away is only what failed.
#[test]
fn a_base_that_cannot_have_a_waker_works_without() {
    let status = in_child(|| {
        close_all();
        let mut epoll = Epoll::new().unwrap();
        let (near, _far) = readable();
        add(&mut epoll, &near, 1, READ);
        let limit = u64::try_from(open_descriptors().len()).unwrap();
        limit_descriptors(limit);
        for _ in 0..2 {
            assert_eq!(errno(epoll.waker().map(|_| ())), Some(libc::EMFILE));
            assert_eq!(errno(watch(&mut epoll, libc::SIGUSR1)), Some(libc::EMFILE));
            assert_eq!(errno(epoll.nest().map(|_| ())), Some(libc::EMFILE));
            assert_eq!(errno(epoll.reinit()), Some(libc::EMFILE));
            assert_eq!(Found::now(&mut epoll), [(1, Ready::READ)]);
        }
        limit_descriptors(limit + 3);
        epoll.waker().unwrap().wake();
        watch(&mut epoll, libc::SIGUSR1).unwrap();
        epoll.nest().unwrap();
        epoll.reinit().unwrap();
        Found::now(&mut epoll).is_empty()
    });
    assert_eq!(status, 0);
}

#[test]
fn a_thousand_bases_leave_no_descriptor_behind() {
    let status = in_child(|| {
        close_all();
        let before = open_descriptors();
        for _ in 0..1_000 {
            let mut epoll = Epoll::new().unwrap();
            let _waker = epoll.waker().unwrap();
            epoll.nest().unwrap();
            epoll.reinit().unwrap();
        }
        open_descriptors() == before
    });
    assert_eq!(status, 0);
}
