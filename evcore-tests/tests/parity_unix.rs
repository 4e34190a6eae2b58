//! What libevent's own tests check and no other test here does, on real descriptors and in real time, on each
//! backend.
//!
//! `docs/parity.md` names the libevent tests that each of these corresponds to.

#![cfg(target_os = "linux")]

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use evcore::backend::{Features, Wake};
use evcore::{End, Event, EventBase, Fd, Growable, Interest, Mode, Ready, Wait};
use evplat_posix::{Error, Waker};

/// Expands to one test per case and backend.
macro_rules! on_each_backend {
    ($($case:ident)*) => { $(
        mod $case {
            #[test]
            fn epoll() {
                super::$case(evplat_linux::Epoll::new);
            }

            #[test]
            fn poll() {
                super::$case(evplat_posix::Poll::new);
            }

            #[test]
            fn select() {
                super::$case(evplat_posix::Select::new);
            }
        }
    )* };
}

on_each_backend! {
    a_reader_gets_the_data_and_then_the_end
    writer_without_peer_is_woken_at_each_add
    the_end_of_a_peer_comes_in_each_mode
    what_is_written_at_both_ends_arrives_at_both
    each_of_many_comes_in_each_turn_since_it_was_added
    deleted_added_and_deleted_in_its_handler_it_comes_once
    what_is_left_of_a_delay_is_never_more_than_the_delay
    ten_thousand_timers_asked_for_by_a_hundred_threads_all_come
    a_loop_without_events_works_on_what_a_thread_sends
}

trait Backend: Wake<Fd = Fd, Error = Error, Waker = Waker> {}
impl<B: Wake<Fd = Fd, Error = Error, Waker = Waker>> Backend for B {}

type Make<B> = fn() -> Result<B, Error>;
type Base<B, T> = EventBase<B, Growable, T>;

/// A base with a background timer that no handler here expects: it fails a test that would otherwise sleep for ever,
/// and does not keep the loop running.
fn base<B: Backend, T: Default>(make: Make<B>) -> Base<B, T> {
    let mut base = Base::new(make().unwrap());
    let guard = base.start(Event::timer().background().timeout(Duration::from_secs(20)), T::default());
    assert!(guard.is_ok());
    base
}

fn pair() -> (UnixStream, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    far.set_nonblocking(true).unwrap();
    (near, far)
}

/// One-shot and added again in its handler, with a timeout and without, or persistent.
fn a_reader_gets_the_data_and_then_the_end<B: Backend>(make: Make<B>) {
    for (is_persistent, timeout) in [(false, None), (false, Some(Duration::from_secs(5))), (true, None)] {
        let mut base = base(make);
        let (mut near, mut far) = pair();
        let mut event = Event::io(Fd::of(&near), Interest::READ);
        if is_persistent {
            event = event.persist();
        }
        if let Some(timeout) = timeout {
            event = event.timeout(timeout);
        }
        base.start(event, ()).unwrap();
        far.write_all(b"it is a pleasure").unwrap();
        drop(far);
        let (mut calls, mut text) = (0, Vec::new());
        let end = base.run(Mode::empty(), |base, event| {
            assert!(event.ready.contains(Ready::READ) && !event.ready.contains(Ready::TIMEOUT), "{:?}", event.ready);
            calls += 1;
            let mut bytes = [0; 256];
            match near.read(&mut bytes).unwrap() {
                0 if is_persistent => base.loop_exit(),
                0 => {}
                len => {
                    text.extend_from_slice(&bytes[..len]);
                    base.add(event.id, timeout).unwrap();
                }
            }
        });
        assert_eq!(end, Ok(if is_persistent { End::Exit } else { End::Empty }));
        assert_eq!((calls, text.as_slice()), (2, &b"it is a pleasure"[..]));
    }
}

fn writer_without_peer_is_woken_at_each_add<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    let (mut near, far) = pair();
    drop(far);
    base.start(Event::io(Fd::of(&near), Interest::WRITE), ()).unwrap();
    let mut calls = 0;
    let end = base.run(Mode::empty(), |base, event| {
        assert!(event.ready.contains(Ready::WRITE), "{:?}", event.ready);
        assert_eq!(near.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
        calls += 1;
        if calls < 2 {
            base.add(event.id, None).unwrap();
        }
    });
    assert_eq!((end, calls), (Ok(End::Empty), 2));
}

/// Closed or shut down, reported once or repeatedly, level- or edge-triggered: with exactly these bits.
fn the_end_of_a_peer_comes_in_each_mode<B: Backend>(make: Make<B>) {
    for mode in 0..8 {
        let (is_closed, is_persistent, is_edge) = (mode & 1 != 0, mode & 2 != 0, mode & 4 != 0);
        let mut base = base(make);
        let (near, far) = pair();
        let interest = if is_edge { Interest::CLOSED | Interest::EDGE } else { Interest::CLOSED };
        let mut event = Event::io(Fd::of(&near), interest);
        if is_persistent {
            event = event.persist();
        }
        let needed = if is_edge { Features::CLOSED | Features::EDGE } else { Features::CLOSED };
        if !base.features().contains(needed) {
            assert!(matches!(base.start(event, ()).unwrap_err().error, evcore::Error::Unsupported));
            continue;
        }
        base.start(event, ()).unwrap();
        assert_eq!(base.run(Mode::NONBLOCK, |_, _| panic!("too soon")), Ok(End::NotReady));
        let mut far = Some(far);
        let expected = if is_closed {
            far = None;
            Ready::CLOSED | Ready::HANGUP
        } else {
            far.as_ref().unwrap().shutdown(Shutdown::Write).unwrap();
            Ready::CLOSED
        };
        let mut found = Vec::new();
        for _ in 0..2 {
            base.run(Mode::NONBLOCK, |_, event| found.push(event.ready)).unwrap();
        }
        let times = if is_persistent && !is_edge { 2 } else { 1 };
        assert_eq!(found, vec![expected; times], "closed {is_closed}, persist {is_persistent}, edge {is_edge}");
        assert_eq!(base.is_empty(), !is_persistent);
        drop(far);
    }
}

/// One end of a connection, with what is still to be written and what was read there.
struct Side {
    stream: UnixStream,
    to_write: Vec<u8>,
    read: Vec<u8>,
}

/// A reader and a writer at each end of one connection, one-shot or persistent.
fn what_is_written_at_both_ends_arrives_at_both<B: Backend>(make: Make<B>) {
    let pattern = |len: usize| (0..len).map(|at| (at * 7 % 251) as u8).collect::<Vec<_>>();
    for is_persistent in [false, true] {
        let mut base = base(make);
        let (near, far) = pair();
        let lens = [8_192, 4_096];
        let [near, far] = [(near, lens[0]), (far, lens[1])].map(|(stream, len)| Side {
            stream,
            to_write: pattern(len),
            read: Vec::new(),
        });
        let mut ends = [near, far];
        for (number, end) in ends.iter().enumerate() {
            for interest in [Interest::READ, Interest::WRITE] {
                let event = Event::io(Fd::of(&end.stream), interest);
                base.start(if is_persistent { event.persist() } else { event }, number).unwrap();
            }
        }
        let ended = base.run(Mode::empty(), |base, event| {
            let end = &mut ends[*base.get(event.id).unwrap()];
            let goes_on = if event.ready.contains(Ready::WRITE) {
                let len = end.stream.write(&end.to_write[..end.to_write.len().min(1_000)]).unwrap();
                end.to_write.drain(..len);
                if end.to_write.is_empty() {
                    end.stream.shutdown(Shutdown::Write).unwrap();
                }
                !end.to_write.is_empty()
            } else {
                let mut bytes = [0; 700];
                let len = end.stream.read(&mut bytes).unwrap();
                end.read.extend_from_slice(&bytes[..len]);
                len > 0
            };
            match goes_on {
                true => base.add(event.id, None).unwrap(),
                false => base.del(event.id).unwrap(),
            }
        });
        assert_eq!(ended, Ok(End::Empty));
        assert!(ends[0].read == pattern(lens[1]) && ends[1].read == pattern(lens[0]), "not what was written");
    }
}

fn each_of_many_comes_in_each_turn_since_it_was_added<B: Backend>(make: Make<B>) {
    const MANY: usize = 70;
    for is_slow in [false, true] {
        let mut base = base(make);
        let pairs: Vec<_> = (0..MANY).map(|_| pair()).collect();
        let mut times = [0; MANY];
        let mut turn = |base: &mut Base<B, usize>| {
            base.run(Mode::NONBLOCK, |base, event| times[*base.get(event.id).unwrap()] += 1).unwrap();
        };
        for (number, (near, _)) in pairs.iter().enumerate() {
            base.insert(Fd::of(near), Interest::WRITE, number).unwrap();
            if is_slow {
                turn(&mut base);
            }
        }
        if !is_slow {
            turn(&mut base);
        }
        for (number, times) in times.into_iter().enumerate() {
            assert_eq!(times, if is_slow { MANY - number } else { 1 }, "{number}");
        }
    }
}

fn deleted_added_and_deleted_in_its_handler_it_comes_once<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    let (near, _far) = pair();
    let event = base.insert(Fd::of(&near), Interest::WRITE, ()).unwrap();
    base.insert_timer(Duration::from_millis(100), ()).unwrap();
    let mut calls = 0;
    let end = base.run(Mode::empty(), |base, occurrence| {
        if occurrence.id != event {
            return base.loop_break();
        }
        calls += 1;
        base.del(event).unwrap();
        base.add(event, None).unwrap();
        base.del(event).unwrap();
    });
    assert_eq!((end, calls), (Ok(End::Break), 1));
    assert!(base.stats().waits <= 5, "{} waits in 100 ms", base.stats().waits);
}

fn what_is_left_of_a_delay_is_never_more_than_the_delay<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    let delay = Duration::from_micros(100);
    let timer = base.create(Event::timer(), ()).unwrap();
    for _ in 0..1_000 {
        base.add(timer, Some(delay)).unwrap();
        let left = base.pending(timer).unwrap().remaining.unwrap();
        assert!(left <= delay, "{left:?}");
        base.run(Mode::ONCE, |_, _| {}).unwrap();
    }
}

/// A base belongs to one thread: other threads send it requests, and wake it.
fn ten_thousand_timers_asked_for_by_a_hundred_threads_all_come<B: Backend>(make: Make<B>) {
    const EACH: u64 = 100;
    let mut base: Base<B, ()> = Base::new(make().unwrap());
    base.loop_exit_after(Duration::from_secs(20));
    let waker = base.waker().unwrap();
    let (sender, receiver) = mpsc::channel();
    let threads: Vec<_> = (0..100)
        .map(|number| {
            let (sender, waker) = (sender.clone(), waker.clone());
            thread::spawn(move || {
                for timer in 0..EACH {
                    sender.send(Duration::from_micros((number * 31 + timer * 17) % 5_000)).unwrap();
                    waker.wake();
                }
            })
        })
        .collect();
    drop(sender);
    let (mut added, mut handed_out) = (0, 0);
    while handed_out < 100 * EACH {
        assert!(base.poll(Wait::Until(evcore::Instant::MAX)).unwrap().is_running(), "{added} added, {handed_out} came");
        while base.next_active().is_some() {
            handed_out += 1;
        }
        for delay in receiver.try_iter() {
            base.start(Event::timer().once().timeout(delay), ()).unwrap();
            added += 1;
        }
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!((added, handed_out), (100 * EACH, 100 * EACH));
}

/// It sleeps without events; a watcher receives what a thread sends, and hands it out.
fn a_loop_without_events_works_on_what_a_thread_sends<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    let waker = base.waker().unwrap();
    let (sender, receiver) = mpsc::channel();
    let check = base.start(Event::check(), 0).unwrap();
    let user = base.create(Event::user(), 0).unwrap();
    let begin = Instant::now();
    let thread = thread::spawn(move || {
        for work in 1..=3 {
            thread::sleep(Duration::from_millis(20));
            sender.send(work).unwrap();
            waker.wake();
        }
    });
    let mut done = Vec::new();
    let end = base.run(Mode::NO_EXIT_ON_EMPTY, |base, event| {
        if event.id == check {
            for work in receiver.try_iter() {
                base.insert_timer(Duration::from_millis(1), work).unwrap();
            }
            return;
        }
        if event.id == user {
            return base.loop_break();
        }
        done.push(base.remove(event.id).unwrap());
        if done.len() == 3 {
            base.activate(user, Ready::READ).unwrap();
        }
    });
    thread.join().unwrap();
    assert_eq!((end, done.as_slice()), (Ok(End::Break), &[1, 2, 3][..]));
    assert!(begin.elapsed() >= Duration::from_millis(61));
    assert!(base.stats().waits < 50, "{} waits", base.stats().waits);
}
