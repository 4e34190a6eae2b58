//! Tests of the fd column by itself: what a base does not show, because it only costs time.

use super::*;
use crate::storage::Fixed;

type Map = Fds<u32, (), Fixed<4>>;

/// An event that watches an fd, which the backend has been told of.
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
    assert_eq!(fds.usual(token, Ready::READ), Some(0));
    assert_eq!(fds.usual(token, Ready::READ | Ready::WRITE), Some(0));
    for more in [Ready::PRIORITY, Ready::CLOSED, Ready::ERROR, Ready::HANGUP] {
        assert_eq!(fds.usual(token, Ready::READ | more), None, "{more:?}");
    }
    watching(&mut fds, 1, 7, Interest::READ);
    assert_eq!(fds.usual(token, Ready::READ), None, "two of them");
    fds.leave(0);
    assert_eq!(fds.usual(token, Ready::READ), Some(1), "the other one is left");
    assert_eq!(fds.usual(token, Ready::WRITE), None);
    fds.leave(1);
    assert_eq!(fds.usual(token, Ready::READ), None, "nobody is left");
}
