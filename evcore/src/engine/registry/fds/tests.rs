//! Tests of the fd map by itself: what a base does not show, because it only costs time.

use super::*;
use crate::storage::Fixed;

type Map = Fds<u32, u8, Fixed<4>>;

/// An event that watches an fd, which the backend has been registered of.
fn watching(fds: &mut Map, index: u16, fd: u32, interest: Interest) -> Token {
    fds.reserve().unwrap();
    fds.create(index);
    let row = fds.attach(fd).unwrap();
    fds.bind(index, row, interest);
    if fds.try_join(index) == Joining::Register {
        let (_, _, interest) = fds.begin_registration(index).unwrap();
        fds.registered(index, interest);
    }
    fds.registration_of(fd).unwrap()
}

#[test]
fn the_short_way_is_for_one_event_that_waits_for_all_that_is_reported() {
    let mut fds = Map::new();
    let token = watching(&mut fds, 0, 7, Interest::READ | Interest::WRITE);
    assert_eq!(fds.sole_watcher(token, Ready::READ), Some(0));
    assert_eq!(fds.sole_watcher(token, Ready::READ | Ready::WRITE), Some(0));
    for more in [Ready::PRIORITY, Ready::CLOSED, Ready::ERROR, Ready::HANGUP] {
        assert_eq!(fds.sole_watcher(token, Ready::READ | more), None, "{more:?}");
    }
    watching(&mut fds, 1, 7, Interest::READ);
    assert_eq!(fds.sole_watcher(token, Ready::READ), None, "two of them");
    fds.leave(0);
    assert_eq!(fds.sole_watcher(token, Ready::READ), Some(1), "the other one is left");
    assert_eq!(fds.sole_watcher(token, Ready::WRITE), None);
    fds.leave(1);
    assert_eq!(fds.sole_watcher(token, Ready::READ), None, "nobody is left");
}

#[test]
fn what_a_backend_keeps_of_a_registration_is_not_found_by_the_token_of_an_earlier_one() {
    let mut fds = Map::new();
    let first = watching(&mut fds, 0, 7, Interest::READ);
    *fds.info(first).unwrap() = 5;
    assert_eq!(fds.info(first), Some(&mut 5));
    fds.leave(0);
    let change = fds.next_change().unwrap();
    fds.applied(&change);
    assert_eq!(fds.info(first), None, "it has ended");
    let second = watching(&mut fds, 1, 7, Interest::READ);
    assert!(fds.info(first).is_none() && fds.info(second).is_some());
}
