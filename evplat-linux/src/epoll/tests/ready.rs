//! What is reported, and how often.

use std::net::Shutdown;

use super::*;

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
    add(&mut epoll, &quiet, 5, READ | Interest::CLOSED | Interest::URGENT);
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
    add(&mut epoll, &far, 1, READ | Interest::URGENT);
    sys::tests::send_urgent(&near);
    assert_eq!(
        Found::of(&mut epoll, after(&Epoll::new().unwrap(), Duration::from_secs(5))).ready,
        [(1, Ready::URGENT)]
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

/// Each ready descriptor is reported before any is reported a second time.
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
