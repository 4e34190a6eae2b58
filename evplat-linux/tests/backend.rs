//! Event bases on epoll: differences between the kernel's interfaces, descriptors that are closed too early, forks,
//! threads, signals, and nested bases.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant as Clock};

use evcore::{Event, Fd, Interest, Ready, Wait};
use evplat_linux::{Epoll, Error, EventBase};

const READ: Interest = Interest::READ;
const WRITE: Interest = Interest::WRITE;

fn base<T>() -> EventBase<T> {
    EventBase::new(Epoll::new().unwrap())
}

/// Runs one turn without waiting. Returns the data and readiness of each hand-out, sorted by data.
fn turn(base: &mut EventBase<u32>) -> Vec<(u32, Ready)> {
    turn_until(base, Wait::None)
}

fn turn_until(base: &mut EventBase<u32>, wait: Wait) -> Vec<(u32, Ready)> {
    assert!(base.poll(wait).unwrap().is_running());
    let mut handed_out = Vec::new();
    while let Some(fired) = base.next_active() {
        handed_out.push((*fired.data, fired.ready));
    }
    handed_out.sort_by_key(|(data, _)| *data);
    handed_out
}

/// Runs turns for this long, and returns their number.
fn turns_in(base: &mut EventBase<u32>, time: Duration) -> u64 {
    let before = base.stats().turns;
    let end = base.update_now().saturating_add(time);
    while base.update_now() < end {
        turn_until(base, Wait::Until(end));
    }
    base.stats().turns - before
}

fn pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().unwrap()
}

fn readable() -> (UnixStream, UnixStream) {
    let (mut near, far) = pair();
    near.write_all(b"x").unwrap();
    (far, near)
}

fn pipe() -> (OwnedFd, OwnedFd) {
    let mut ends = [0; 2];
    // SAFETY: the pointer is to two numbers.
    assert_eq!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) }, 0);
    // SAFETY: the kernel has just made it, nothing else owns it.
    let reader = unsafe { OwnedFd::from_raw_fd(ends[0]) };
    // SAFETY: as above.
    let writer = unsafe { OwnedFd::from_raw_fd(ends[1]) };
    (reader, writer)
}

/// Closes `old` and gives its number to `new`, like `close` followed by `open`.
fn reopen(old: &impl AsFd, new: impl Into<OwnedFd>) {
    let (old, new) = (old.as_fd().as_raw_fd(), new.into());
    // SAFETY: both numbers are open and keep their owners.
    assert_eq!(unsafe { libc::dup3(new.as_raw_fd(), old, libc::O_CLOEXEC) }, old);
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

/// Runs `body` in a forked child and returns its result. The child is killed after 20 s.
fn in_child(body: impl FnOnce() -> bool) -> bool {
    show_panics_of_children();
    // SAFETY: the child has only this thread, and takes no lock that another thread of the parent may hold.
    match unsafe { libc::fork() } {
        0 => {
            // SAFETY: it takes a number.
            unsafe { libc::alarm(20) };
            IS_CHILD.store(true, Ordering::Relaxed);
            let content = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or(false);
            // SAFETY: it ends the process and runs no code of the parent.
            unsafe { libc::_exit((!content).into()) }
        }
        pid => {
            let mut status = 0;
            // SAFETY: the pointer is to one number.
            while unsafe { libc::waitpid(pid, &mut status, 0) } < 0 {
                assert_eq!(io::Error::last_os_error().kind(), io::ErrorKind::Interrupted);
            }
            status == 0
        }
    }
}

fn raise(signum: i32) {
    // SAFETY: it takes a number.
    assert_eq!(unsafe { libc::raise(signum) }, 0);
}

/// Signals affect the whole process, and tests run in its threads, so each test takes this lock.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

// Where epoll, poll and select differ, an event must get the same on all of them.

#[test]
fn new_event_on_a_closed_descriptor_is_refused() {
    let (near, _far) = pair();
    let fd = Fd::of(&near);
    let mut base = base();
    base.insert(fd, READ, 1).unwrap();
    assert_eq!(turn(&mut base), []);
    drop(near);
    base.insert(fd, READ, 2).unwrap();
    // When asked, the kernel answers that it no longer watches the descriptor. Both events must get an error instead
    // of waiting for ever.
    assert_eq!(turn(&mut base), [(1, Ready::ERROR), (2, Ready::ERROR)]);
    assert_eq!(base.stats().refused, 1);
    assert_eq!(turn(&mut base), []);
}

#[test]
fn end_or_error_wakes_readers_and_writers() {
    let mut base = base();
    let (hung_up, writer) = pipe();
    drop(writer);
    base.insert(Fd::of(&hung_up), READ, 1).unwrap();
    let (reader, broken) = pipe();
    drop(reader);
    base.insert(Fd::of(&broken), WRITE, 2).unwrap();
    let (half_closed, peer) = pair();
    peer.shutdown(Shutdown::Write).unwrap();
    base.insert(Fd::of(&half_closed), READ | Interest::CLOSED, 3).unwrap();
    base.insert(Fd::of(&half_closed), READ, 4).unwrap();
    assert_eq!(
        turn(&mut base),
        [
            (1, Ready::READ | Ready::HANGUP),
            (2, Ready::WRITE | Ready::ERROR),
            (3, Ready::READ | Ready::CLOSED),
            (4, Ready::READ),
        ]
    );
}

#[test]
fn nobody_is_woken_for_what_nobody_waits_for() {
    let mut base = base();
    let (reader, writer) = pipe();
    drop(writer);
    base.insert(Fd::of(&reader), Interest::empty(), 1).unwrap();
    let (socket, peer) = pair();
    let event = base.insert(Fd::of(&socket), READ, 2).unwrap();
    drop(peer);
    base.modify(event, Interest::empty()).unwrap();
    assert!(turns_in(&mut base, Duration::from_millis(20)) <= 3);
}

#[test]
fn b3_closed_alone_gets_a_reset() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    let mut base = base();
    base.insert(Fd::of(&far), Interest::CLOSED, 1).unwrap();
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let length = size_of::<libc::linger>().try_into().unwrap();
    let (socket, option) = (near.as_raw_fd(), (&raw const linger).cast());
    // SAFETY: the pointer and the length are those of a `linger`.
    assert_eq!(unsafe { libc::setsockopt(socket, libc::SOL_SOCKET, libc::SO_LINGER, option, length) }, 0);
    drop(near);
    let found = turn_until(&mut base, Wait::Forever);
    assert!(matches!(found[..], [(1, ready)] if ready.contains(Ready::CLOSED | Ready::HANGUP)), "{found:?}");
}

#[test]
fn a_file_is_ready_and_leaves_time_for_others() {
    let open = |path| OpenOptions::new().read(true).write(true).open(path).unwrap();
    let regular = std::env::temp_dir().join(format!("evplat-linux-backend-{}", std::process::id()));
    let sources = [File::create_new(&regular).unwrap(), open("/dev/null"), open("/dev/urandom")];
    std::fs::remove_file(&regular).unwrap();
    let (socket, _peer) = readable();
    let mut base = base();
    let ids: Vec<_> =
        (0..).zip(&sources).map(|(data, source)| base.insert(Fd::of(source), READ, data).unwrap()).collect();
    base.insert(Fd::of(&socket), READ, 3).unwrap();
    base.insert_timer(Duration::from_millis(1), 4).unwrap();
    assert_eq!(turn(&mut base), [(0, Ready::READ), (1, Ready::READ), (2, Ready::READ), (3, Ready::READ)]);
    thread::sleep(Duration::from_millis(1));
    assert_eq!(turn(&mut base).len(), 5);
    for id in ids {
        base.remove(id);
    }
    assert_eq!(turn(&mut base), [(3, Ready::READ)]);
}

#[test]
fn a_timer_costs_one_wait_or_two() {
    for nanos in [1, 1_000, 999_999, 10_500_000] {
        let mut base = base();
        let delay = Duration::from_nanos(nanos);
        let begin = Clock::now();
        base.insert_timer(delay, 1).unwrap();
        while turn_until(&mut base, Wait::Forever).is_empty() {}
        assert!(begin.elapsed() >= delay, "{nanos} ns: early");
        assert!(base.stats().waits <= 2, "{nanos} ns: {} waits", base.stats().waits);
    }
}

#[test]
fn three_changes_of_one_descriptor_are_one_call_or_none() {
    let mut base = base();
    let (socket, _peer) = readable();
    let event = base.insert(Fd::of(&socket), READ, 1).unwrap();
    turn(&mut base);
    let changes = base.stats().changes;
    for interest in [WRITE, READ | WRITE, READ] {
        base.modify(event, interest).unwrap();
    }
    assert_eq!(turn(&mut base), [(1, Ready::READ)]);
    assert_eq!(base.stats().changes, changes);
    base.modify(event, READ | WRITE).unwrap();
    base.modify(event, WRITE).unwrap();
    assert_eq!(turn(&mut base), [(1, Ready::WRITE)]);
    assert_eq!(base.stats().changes, changes + 1);
}

// Descriptors that are closed while registered.

#[test]
fn b11_a_number_that_was_given_out_again_is_watched_for_its_new_owner_only() {
    let mut base = base();
    let (old, _old_peer) = readable();
    let first = base.insert(Fd::of(&old), READ, 1).unwrap();
    assert_eq!(turn(&mut base), [(1, Ready::READ)]);
    let _duplicate = old.try_clone().unwrap();
    let (new, mut new_peer) = pair();
    reopen(&old, new);
    base.insert(Fd::of(&old), READ, 2).unwrap();

    // The first event gets ERROR; the second is not handed out for the readiness of the duplicate.
    let mut got = Vec::new();
    for _ in 0..100 {
        got.extend(turn(&mut base));
    }
    assert!(got.iter().all(|(data, ready)| *data == 1 && ready.contains(Ready::ERROR)), "{got:?}");
    assert!(!got.is_empty(), "the first got nothing");
    base.remove(first);
    assert!(turns_in(&mut base, Duration::from_millis(20)) <= 3, "what nobody can remove keeps the base awake");
    assert!(base.stats().stale <= 32, "{} stale reports", base.stats().stale);
    new_peer.write_all(b"x").unwrap();
    assert_eq!(turn(&mut base), [(2, Ready::READ)]);
}

#[test]
fn an_entry_that_cannot_be_removed_disturbs_nobody() {
    let mut base = base();
    let (orphan, _orphan_peer) = readable();
    let (other, mut other_peer) = pair();
    let event = base.insert(Fd::of(&orphan), READ, 1).unwrap();
    base.insert(Fd::of(&other), READ, 2).unwrap();
    let _duplicate = orphan.try_clone().unwrap();
    reopen(&orphan, File::open("/dev/null").unwrap());
    base.remove(event);
    assert!(turns_in(&mut base, Duration::from_millis(20)) <= 20);
    assert_eq!(base.stats().rebuilds, 1);
    other_peer.write_all(b"x").unwrap();
    assert_eq!(turn(&mut base), [(2, Ready::READ)]);
}

#[test]
fn safe_code_that_closes_a_registered_socket_harms_only_itself() {
    let mut base: EventBase<Option<UnixStream>> = base();
    let (first, _first_peer) = readable();
    let (second, _second_peer) = readable();
    base.insert(Fd::of(&first), READ, Some(first)).unwrap();
    base.insert(Fd::of(&second), READ, Some(second)).unwrap();
    for _ in 0..3 {
        assert!(base.poll(Wait::None).unwrap().is_running());
        let mut handed_out = 0;
        while let Some(fired) = base.next_active() {
            assert!(fired.data.is_some(), "what was closed is still reported");
            handed_out += 1;
            if handed_out == 1 {
                fired.data.take();
            }
        }
    }
}

#[test]
fn a_closed_descriptor_is_refused_and_the_data_given_back() {
    let content = in_child(|| {
        let mut base = base();
        let (near, _far) = pair();
        let closed = Fd::of(&near);
        drop(near);
        let rejected = base.insert(closed, READ, 7).unwrap_err();
        assert_eq!(rejected.data, 7);
        assert!(matches!(rejected.error, evcore::Error::Backend(error) if error.errno() == Some(libc::EBADF)));
        base.is_empty()
    });
    assert!(content);
}

// Threads and signals.

#[test]
fn b2_a_wake_is_one_turn_and_then_all_is_quiet() {
    let mut base = base();
    let waker = base.waker().unwrap();
    let thread = thread::spawn({
        let waker = waker.clone();
        move || {
            thread::sleep(Duration::from_millis(5));
            waker.wake();
        }
    });
    let begin = Clock::now();
    let far = base.update_now().saturating_add(Duration::from_secs(10));
    assert_eq!(turn_until(&mut base, Wait::Until(far)), []);
    assert!(begin.elapsed() < Duration::from_secs(10), "the wake was lost");
    thread.join().unwrap();
    assert!(turns_in(&mut base, Duration::from_millis(20)) <= 3);
    drop(base);
    waker.wake();
}

#[test]
fn two_bases_watch_one_signal_and_end_in_any_order() {
    let _alone = alone();
    for first_ends_first in [true, false] {
        let (mut first, mut second) = (base(), base());
        first.insert_signal(libc::SIGUSR1, 1).unwrap();
        second.insert_signal(libc::SIGUSR1, 2).unwrap();
        (0..5).for_each(|_| raise(libc::SIGUSR1));
        for (base, data) in [(&mut first, 1), (&mut second, 2)] {
            assert!(base.poll(Wait::Forever).unwrap().is_running());
            let fired = base.next_active().unwrap();
            assert_eq!((*fired.data, fired.ready, fired.count), (data, Ready::SIGNAL, 5));
        }
        let mut left = if first_ends_first { second } else { first };
        raise(libc::SIGUSR1);
        assert_eq!(turn_until(&mut left, Wait::Forever).len(), 1);
    }
}

// Nested bases.

#[test]
fn a_base_runs_inside_another() {
    let mut inner: EventBase<u32> = base();
    let mut outer: EventBase<u32> = base();
    let nest = Fd::of(&inner.backend_mut().nest().unwrap());
    outer.insert(nest, READ, 9).unwrap();
    let (mut near, mut far) = pair();
    inner.insert(Fd::of(&near), READ, 1).unwrap();
    let waker = inner.waker().unwrap();
    for _ in 0..3 {
        assert_eq!(turn(&mut outer), []);
        far.write_all(b"x").unwrap();
        assert_eq!(turn(&mut outer), [(9, Ready::READ)]);
        assert_eq!(turn(&mut inner), [(1, Ready::READ)]);
        near.read_exact(&mut [0]).unwrap();
        turn(&mut inner);
        assert_eq!(turn(&mut outer), []);
        waker.wake();
        assert_eq!(turn(&mut outer), [(9, Ready::READ)]);
        assert_eq!(turn(&mut inner), []);
        // The doorbell in the new set is reported once more.
        inner.reinit().unwrap();
        turn(&mut inner);
    }
}

// Forks.

#[test]
fn a_child_works_after_reinit_and_the_parent_all_the_time() {
    let mut base = base();
    let (near, _far) = readable();
    let event = base.insert(Fd::of(&near), READ, 1).unwrap();
    let waker = base.waker().unwrap();
    let content = in_child(|| {
        assert_eq!(base.poll(Wait::None), Err(Error::Forked));
        let (other, _peer) = pair();
        assert!(base.insert(Fd::of(&other), READ, 2).is_err());
        base.reinit().unwrap();
        assert_eq!(turn(&mut base), [(1, Ready::READ)]);
        base.insert(Fd::of(&other), WRITE, 2).unwrap();
        assert_eq!(turn(&mut base), [(1, Ready::READ), (2, Ready::WRITE)]);
        base.remove(event);
        waker.wake();
        turn(&mut base) == [(2, Ready::WRITE)]
    });
    assert!(content);
    assert_eq!(turn(&mut base), [(1, Ready::READ)], "the child took away what is the parent's");
    base.remove(event);
    base.insert(Fd::of(&near), Interest::URGENT, 3).unwrap();
    assert!(turns_in(&mut base, Duration::from_millis(10)) <= 3, "the child woke the parent");
}

#[test]
fn a_child_that_ends_without_reinit_takes_nothing_with_it() {
    let _alone = alone();
    let mut base = base();
    let (near, _far) = readable();
    base.insert(Fd::of(&near), READ, 1).unwrap();
    base.insert_signal(libc::SIGUSR2, 2).unwrap();
    let mut base = Some(base);
    assert!(in_child(|| {
        drop(base.take());
        true
    }));
    let mut base = base.unwrap();
    raise(libc::SIGUSR2);
    assert_eq!(turn(&mut base), [(1, Ready::READ), (2, Ready::SIGNAL)]);
}

#[test]
fn edge_triggered_events_get_changes_only() {
    let mut base = base();
    let (near, mut far) = readable();
    base.start(Event::io(Fd::of(&near), READ | Interest::EDGE).persist(), 1).unwrap();
    assert_eq!(turn(&mut base).len(), 1);
    assert_eq!(turn(&mut base).len(), 0);
    far.write_all(b"y").unwrap();
    assert_eq!(turn(&mut base).len(), 1);
    assert_eq!(turn(&mut base).len(), 0);
}
