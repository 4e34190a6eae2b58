//! Numbers that are too large for a backend, and descriptors that are closed while registered.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use evcore::{Error, Event, Fd, Interest, Ready, Wait};

use crate::backend::{Backend, Make, Rest, base, readable, turn, wait};
use crate::sys;

on_each_backend! {
    a_high_number_is_watched_or_refused_by_an_error_of_its_own
    a_closed_descriptor_hits_its_own_event_only
}

/// `FD_SETSIZE` and larger.
fn a_high_number_is_watched_or_refused_by_an_error_of_its_own<B: Backend>(make: Make<B>) {
    sys::limit_descriptors(5_200);
    let (near, _far) = readable();
    let mut base = base(make);
    for least in [1_023, 1_024, 1_025, 1_500, 5_000] {
        let high = sys::duplicate(&near, least);
        let number = high.as_raw_fd();
        let added = base.insert(Fd::of(&high), Interest::READ, 1);
        if base.method() != "select" || number < 1_024 {
            assert_eq!(base.remove(added.unwrap()), Some(1));
            let event = base.insert(Fd::of(&high), Interest::READ, 1).unwrap();
            assert_eq!(wait(&mut base), [(1, Ready::READ)], "{number}");
            assert_eq!(base.remove(event), Some(1));
        } else {
            let rejected = added.unwrap_err();
            let expected = evplat_posix::Error::TooLarge { number, limit: 1_024 };
            assert_eq!((rejected.error, rejected.data), (Error::Backend(expected), 1));
            assert_eq!(base.counts().events, 0);
            // Its interest is empty until the change, so the change returns the error.
            let event = base.create(Event::io(Fd::of(&high), Interest::READ), 2).unwrap();
            assert_eq!(base.add(event, None), Err(Error::Backend(expected)));
            assert_eq!(base.remove(event), Some(2));
        }
        assert!(base.is_empty());
        Rest::of(&mut base, Duration::from_millis(20)).assert_idle("nothing is registered");
    }
    base.insert(Fd::of(&near), Interest::READ, 3).unwrap();
    assert_eq!(wait(&mut base), [(3, Ready::READ)]);
    assert!(base.check());
}

/// Its own event gets ERROR, once, or nothing. No other event is affected, and the loop does not spin.
fn a_closed_descriptor_hits_its_own_event_only<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    let reader = |fd| Event::io(fd, Interest::READ).persist();
    let mut events = Vec::new();
    let (good, _good_far) = readable();
    let file = File::open("/dev/null").unwrap();
    // Several are closed at once, and others stay open.
    let gone: Vec<_> = (0..3).map(|_| UnixStream::pair().unwrap()).collect();
    for (number, (near, _)) in (1..).zip(&gone) {
        events.push(base.start(reader(Fd::of(near)), number).unwrap());
    }
    let good_event = base.start(reader(Fd::of(&good)), 8).unwrap();
    let file_event = base.start(reader(Fd::of(&file)), 9).unwrap();
    assert_eq!(turn(&mut base, Wait::None), [(8, Ready::READ), (9, Ready::READ)]);
    let fars: Vec<_> = gone.into_iter().map(|(_, far)| far).collect();

    let mut errors = Vec::new();
    for turns in 0..4 {
        let (own, found): (Vec<_>, Vec<_>) =
            turn(&mut base, Wait::None).into_iter().partition(|(number, _)| *number < 8);
        errors.extend(own);
        // If the whole wait fails, the others are reported a turn later.
        assert!(turns == 0 && found.is_empty() || found == [(8, Ready::READ), (9, Ready::READ)], "{found:?}");
    }
    let expected = if base.method() == "epoll" { Vec::new() } else { (1..4).map(|n| (n, Ready::ERROR)).collect() };
    assert_eq!(errors, expected);

    assert_eq!((base.remove(good_event), base.remove(file_event)), (Some(8), Some(9)));
    Rest::of(&mut base, Duration::from_millis(100)).assert_idle("three descriptors that are closed");
    for (number, event) in (1..).zip(events) {
        assert_eq!(base.remove(event), Some(number));
    }
    drop(fars);
    let rejected = base.insert(Fd::of(&good), Interest::READ, 1);
    assert!(rejected.is_ok());
    assert_eq!(turn(&mut base, Wait::None), [(1, Ready::READ)]);
    assert!(base.check());
}
