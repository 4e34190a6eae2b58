//! The table of the differences between epoll, poll and select: for each row, a base behaves the same on all of them.
//! What select(2) cannot report is missing in its features.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use evcore::backend::Features;
use evcore::{Error, Event, Fd, Interest, Ready, Wait};

use crate::backend::{Backend, Base, Make, Rest, base, readable, turn, visible, wait};
use crate::sys::{self, Ending};

on_each_backend! {
    what_never_blocks_is_always_ready
    a_pipe_without_a_writer_is_silent_when_nobody_asks
    a_socket_without_a_peer_is_silent_when_nobody_asks
    a_pipe_without_a_writer_is_readable_and_hung_up
    a_pipe_without_a_reader_is_writable_and_an_error
    a_peer_that_has_shut_down_is_readable_and_closed
    peer_shutdown_reaches_closed_alone_or_is_refused
    a_reset_wakes_both_directions
    urgent_data_is_priority_alone
    closed_descriptor_with_a_twin_is_silent_once_removed
    reused_number_is_an_error_for_the_old_event
    a_timer_between_two_milliseconds_is_not_early_and_costs_two_waits
    what_a_child_removes_stays_with_the_parent
    wakes_beyond_count_are_a_wake
}

fn watch<B: Backend>(base: &mut Base<B>, fd: Fd, interest: Interest, number: u32) -> evcore::EventId {
    base.start(Event::io(fd, interest).persist(), number).unwrap()
}

/// `/dev/null`, a regular file, `/dev/urandom`.
fn what_never_blocks_is_always_ready<B: Backend>(make: Make<B>) {
    let path = std::env::temp_dir().join(format!("evcore-{}", std::process::id()));
    let regular = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let open = |path| File::options().read(true).write(true).open(path).unwrap();
    for (file, name) in [(open("/dev/null"), "null"), (regular, "regular"), (open("/dev/urandom"), "urandom")] {
        let mut base = base(make);
        let event = watch(&mut base, Fd::of(&file), Interest::READ, 1);
        for _ in 0..3 {
            assert_eq!(turn(&mut base, Wait::Forever), [(1, Ready::READ)], "{name}");
        }
        // Another event of the same file, for the other direction.
        let writer = watch(&mut base, Fd::of(&file), Interest::WRITE, 2);
        assert_eq!(turn(&mut base, Wait::Forever), [(1, Ready::READ), (2, Ready::WRITE)], "{name}");
        assert_eq!(base.remove(event), Some(1));
        assert_eq!(turn(&mut base, Wait::Forever), [(2, Ready::WRITE)], "{name}");
        base.modify(writer, Interest::READ | Interest::URGENT).unwrap();
        assert_eq!(turn(&mut base, Wait::Forever), [(2, Ready::READ)], "{name}");
        base.modify(writer, Interest::empty()).unwrap();
        Rest::of(&mut base, Duration::from_millis(50)).assert_idle(name);
        assert_eq!(base.remove(writer), Some(2));
        Rest::of(&mut base, Duration::from_millis(50)).assert_idle(name);
        assert!(base.check());
    }
}

/// The source hangs up before or after the interest becomes empty. While it is empty, the loop must not spin.
fn assert_silent_without_interest<B: Backend, S: std::os::fd::AsFd>(
    make: Make<B>,
    pair: fn() -> (S, S),
    expected: Ready,
) {
    for hangs_up_first in [true, false] {
        let mut base = base(make);
        let (near, far) = pair();
        let event = watch(&mut base, Fd::of(&near), Interest::READ, 1);
        assert_eq!(turn(&mut base, Wait::None), []);
        let mut far = Some(far);
        if hangs_up_first {
            far = None;
            assert_eq!(wait(&mut base), [(1, visible(&base, expected))]);
        }
        base.modify(event, Interest::empty()).unwrap();
        drop(far);
        Rest::of(&mut base, Duration::from_millis(200)).assert_idle("a hung-up descriptor with empty interest");
        // The hang-up is reported when the event waits again.
        base.modify(event, Interest::READ).unwrap();
        assert_eq!(wait(&mut base), [(1, visible(&base, expected))]);

        // An event that is created with an empty interest.
        let mut base = crate::backend::base(make);
        base.insert(Fd::of(&near), Interest::empty(), 2).unwrap();
        Rest::of(&mut base, Duration::from_millis(100)).assert_idle("an event without interest");
    }
}

fn a_pipe_without_a_writer_is_silent_when_nobody_asks<B: Backend>(make: Make<B>) {
    assert_silent_without_interest(make, sys::pipe, Ready::READ | Ready::HANGUP);
}

fn a_socket_without_a_peer_is_silent_when_nobody_asks<B: Backend>(make: Make<B>) {
    let pair = || UnixStream::pair().unwrap();
    assert_silent_without_interest(make, pair, Ready::READ | Ready::HANGUP);
}

/// epoll and poll report HUP without IN.
fn a_pipe_without_a_writer_is_readable_and_hung_up<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    let (mut reader, writer) = sys::pipe();
    watch(&mut base, Fd::of(&reader), Interest::READ, 1);
    assert_eq!(turn(&mut base, Wait::None), []);
    drop(writer);
    for _ in 0..3 {
        assert_eq!(wait(&mut base), [(1, visible(&base, Ready::READ | Ready::HANGUP))]);
    }
    assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
}

fn a_pipe_without_a_reader_is_writable_and_an_error<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    let (reader, writer) = sys::pipe();
    // Full, so that only the error makes it writable.
    while (&writer).write(&[0; 4096]).is_ok() {}
    watch(&mut base, Fd::of(&writer), Interest::WRITE, 1);
    assert_eq!(turn(&mut base, Wait::None), []);
    drop(reader);
    for _ in 0..3 {
        assert_eq!(wait(&mut base), [(1, visible(&base, Ready::WRITE | Ready::ERROR))]);
    }
}

fn a_peer_that_has_shut_down_is_readable_and_closed<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    let (near, far) = UnixStream::pair().unwrap();
    watch(&mut base, Fd::of(&near), Interest::READ | Interest::CLOSED, 1);
    watch(&mut base, Fd::of(&near), Interest::READ, 2);
    assert_eq!(turn(&mut base, Wait::None), []);
    far.shutdown(Shutdown::Write).unwrap();
    for _ in 0..3 {
        assert_eq!(wait(&mut base), [(1, visible(&base, Ready::READ | Ready::CLOSED)), (2, Ready::READ)]);
    }
}

fn peer_shutdown_reaches_closed_alone_or_is_refused<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    let (near, far) = UnixStream::pair().unwrap();
    far.shutdown(Shutdown::Write).unwrap();
    let added = base.insert(Fd::of(&near), Interest::CLOSED, 1).map_err(|rejected| (rejected.error, rejected.data));
    if base.features().contains(Features::CLOSED) {
        assert!(added.is_ok());
        assert_eq!(wait(&mut base), [(1, Ready::CLOSED)]);
    } else {
        assert!(matches!(added, Err((Error::Unsupported, 1))), "{added:?}");
        assert!(base.is_empty());
        Rest::of(&mut base, Duration::from_millis(50)).assert_idle("an event that was refused");
    }
}

fn a_reset_wakes_both_directions<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut far, _) = listener.accept().unwrap();
    watch(&mut base, Fd::of(&near), Interest::READ, 1);
    watch(&mut base, Fd::of(&near), Interest::WRITE, 2);
    // Closing with unread data resets the connection. The second byte follows the first.
    near.write_all(b"x").unwrap();
    assert_eq!(far.read(&mut [0; 1]).unwrap(), 1);
    near.write_all(b"y").unwrap();
    while far.peek(&mut [0; 1]).unwrap() == 0 {}
    drop(far);
    let found = loop {
        let found = wait(&mut base);
        if found.first().is_some_and(|(number, _)| *number == 1) {
            break found;
        }
    };
    let broken = Ready::ERROR | Ready::HANGUP;
    let expected = [(1, visible(&base, Ready::READ | broken)), (2, visible(&base, Ready::WRITE | broken))];
    assert_eq!(found, expected);
}

/// No backend reports it as readable data.
fn urgent_data_is_priority_alone<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (near, _) = listener.accept().unwrap();
    watch(&mut base, Fd::of(&near), Interest::READ, 1);
    watch(&mut base, Fd::of(&near), Interest::URGENT, 2);
    sys::send_urgent(&far);
    assert_eq!(wait(&mut base), [(2, Ready::URGENT)]);
    assert_eq!(wait(&mut base), [(2, Ready::URGENT)]);
}

/// While it is registered, epoll still reports its open file, and poll and select report that it is closed. Its own
/// event gets one or the other. Once that event is removed, no event does, though the entry cannot be removed from
/// epoll.
fn closed_descriptor_with_a_twin_is_silent_once_removed<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    let (near, mut far) = UnixStream::pair().unwrap();
    let (other, mut other_far) = UnixStream::pair().unwrap();
    let event = watch(&mut base, Fd::of(&near), Interest::READ, 1);
    watch(&mut base, Fd::of(&other), Interest::READ, 2);
    let twin = near.try_clone().unwrap();
    assert_eq!(turn(&mut base, Wait::None), []);
    drop(near);
    far.write_all(b"x").unwrap();
    for _ in 0..3 {
        let found = turn(&mut base, Wait::None);
        assert!(matches!(found[..], [] | [(1, Ready::READ | Ready::ERROR)]), "{found:?}");
    }
    assert_eq!(base.remove(event), Some(1));
    // Up to sixteen of its reports are dropped; then the backend is rebuilt without it.
    for _ in 0..40 {
        assert_eq!(turn(&mut base, Wait::None), []);
    }
    assert!(base.stats().rebuilds <= 1);
    Rest::of(&mut base, Duration::from_millis(100)).assert_idle("what cannot be removed");
    other_far.write_all(b"y").unwrap();
    assert_eq!(wait(&mut base), [(2, Ready::READ)]);
    drop(twin);
}

fn reused_number_is_an_error_for_the_old_event<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    let (old, mut old_far) = UnixStream::pair().unwrap();
    let number = old.as_raw_fd();
    let old_event = watch(&mut base, Fd::of(&old), Interest::READ, 1);
    assert_eq!(turn(&mut base, Wait::None), []);
    // The old socket is still open under another number, and readable.
    let _twin = old.try_clone().unwrap();
    drop(old);
    old_far.write_all(b"x").unwrap();
    let (new, mut new_far) = UnixStream::pair().unwrap();
    assert_eq!(new.as_raw_fd(), number);
    watch(&mut base, Fd::of(&new), Interest::READ, 2);
    assert_eq!(wait(&mut base), [(1, Ready::ERROR)]);
    for _ in 0..40 {
        assert_eq!(turn(&mut base, Wait::None), [], "one of them gets the old socket's readiness");
    }
    assert_eq!(base.remove(old_event), Some(1));
    new_far.write_all(b"y").unwrap();
    assert_eq!(wait(&mut base), [(2, Ready::READ)]);
    let (mut reader, mut byte) = (&new, [0]);
    assert_eq!(reader.read(&mut byte).unwrap(), 1);
    Rest::of(&mut base, Duration::from_millis(50)).assert_idle("after its socket was drained");
}

fn a_timer_between_two_milliseconds_is_not_early_and_costs_two_waits<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    let (near, _far) = UnixStream::pair().unwrap();
    watch(&mut base, Fd::of(&near), Interest::READ, 1);
    for nanos in [1, 400_000, 999_999, 10_500_000, 20_000_001] {
        let delay = Duration::from_nanos(nanos);
        let (waits, start) = (base.stats().waits, base.update_now());
        let timer = base.start(Event::timer().timeout(delay), 2).unwrap();
        assert_eq!(wait(&mut base), [(2, Ready::TIMEOUT)]);
        let took = base.update_now().saturating_since(start);
        assert!(took >= delay, "{delay:?}: early, after {took:?}");
        assert!(base.stats().waits - waits <= 2, "{delay:?}: {} waits", base.stats().waits - waits);
        assert_eq!(base.remove(timer), Some(2));
    }
}

/// On epoll, the set is shared with the parent, too.
fn what_a_child_removes_stays_with_the_parent<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    let (near, _far) = readable();
    let event = watch(&mut base, Fd::of(&near), Interest::READ, 1);
    let (silent, mut silent_far) = UnixStream::pair().unwrap();
    watch(&mut base, Fd::of(&silent), Interest::READ, 2);
    assert_eq!(turn(&mut base, Wait::None), [(1, Ready::READ)]);
    let ending = sys::in_child(|| {
        assert_eq!(base.remove(event), Some(1));
        // Like code that does not expect the fork.
        assert!(base.poll(Wait::None).is_err());
    });
    assert_eq!(ending, Ending::Exit(0), "the child");
    assert_eq!(turn(&mut base, Wait::None), [(1, Ready::READ)]);
    silent_far.write_all(b"x").unwrap();
    assert_eq!(wait(&mut base), [(1, Ready::READ), (2, Ready::READ)]);
}

/// However many there are, awake or asleep: a full counter or pipe works like one that has room.
fn wakes_beyond_count_are_a_wake<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    let waker = base.waker().unwrap();
    for _ in 0..3 {
        (0..200_000).for_each(|_| waker.wake());
        let waits = base.stats().waits;
        assert_eq!(turn(&mut base, Wait::Until(evcore::Instant::MAX)), [], "it slept after a wake");
        assert_eq!(base.stats().waits - waits, 1);
    }
    Rest::of(&mut base, Duration::from_millis(100)).assert_idle("after all the wakes");
}
