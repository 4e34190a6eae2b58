//! Tests of what a base does not show, because it only costs time.

use super::*;
use crate::storage::Fixed;

type Map = Fds<u32, u8, Fixed<4>>;

fn watching(fds: &mut Map, index: u16, fd: u32, interest: Interest) -> Token {
    fds.reserve(index).unwrap();
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
    for more in [Ready::URGENT, Ready::CLOSED, Ready::ERROR, Ready::HANGUP] {
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

/// Between two waits events come and go; only what is left of that is a change.
#[test]
fn the_union_of_several_events_is_narrowed_to_what_they_wait_for() {
    let mut fds = Map::new();
    for (index, interest) in [(0, Interest::READ), (1, Interest::READ | Interest::URGENT), (2, Interest::WRITE)] {
        watching(&mut fds, index, 7, interest);
    }
    let mut narrowed = |index, interest| {
        assert!(matches!(fds.change(index, interest, true), Changed::Done(_)) && fds.check());
        let change = fds.next_change();
        if let Some(change) = &change {
            fds.applied(change);
        }
        assert!(fds.check() && !fds.has_changes());
        change.map(|change| change.wanted)
    };
    assert_eq!(narrowed(0, Interest::READ), Some(Interest::READ | Interest::URGENT | Interest::WRITE));
    assert_eq!(narrowed(0, Interest::WRITE), None, "the next one waits for READ, too");
    assert_eq!(narrowed(1, Interest::READ), Some(Interest::READ | Interest::WRITE));
    assert_eq!(narrowed(2, Interest::empty()), None, "the first one waits for WRITE, too");
    assert_eq!(narrowed(1, Interest::empty()), Some(Interest::WRITE), "one is left");
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

#[test]
fn a_registration_that_is_ending_or_refused_has_no_fd_to_verify() {
    let mut fds = Map::new();
    let token = watching(&mut fds, 0, 7, Interest::READ);
    assert_eq!((fds.fd_of(token), fds.next_registration(Token::NONE)), (Some(7), Some((token, 7))));
    fds.leave(0);
    assert_eq!((fds.fd_of(token), fds.next_registration(Token::NONE)), (None, None), "it is ending");
    fds.begin_registration(0).unwrap();
    fds.join_unregistered(0);
    let token = fds.registration_of(7).unwrap();
    assert_eq!((fds.fd_of(token), fds.next_registration(Token::NONE)), (None, None), "it is refused");
    assert!(fds.check());
}

/// The backend has refused to verify: the event got ERROR, and each of its own changes asks again.
#[test]
fn an_event_whose_verification_was_refused_is_verified_with_its_next_change() {
    let mut fds = Map::new();
    for index in [0, 1] {
        watching(&mut fds, index, 7, Interest::READ);
    }
    assert!(fds.next_change().is_some_and(|change| change.verify));
    assert!(matches!(fds.change(0, Interest::WRITE, true), Changed::Done(_)));
    let change = fds.next_change().filter(|change| !change.verify).unwrap();
    fds.applied(&change);
    fds.leave(0);
    assert!(!fds.change_alone(1, Interest::WRITE));
    assert!(matches!(fds.change(1, Interest::WRITE, true), Changed::Done(_)));
    assert!(fds.next_change().is_some_and(|change| change.verify));
}

/// The listed changes, the latest first.
fn changes(fds: &mut Map) -> std::vec::Vec<u32> {
    core::iter::from_fn(|| fds.next_change().map(|change| change.fd)).collect()
}

#[test]
fn a_row_that_is_freed_leaves_the_list_of_changes_whole() {
    for gone in [[0, 1], [1, 0], [1, 2], [2, 1], [3, 2], [0, 3]] {
        let mut fds = Map::new();
        for index in 0..4 {
            watching(&mut fds, index, index.into(), Interest::READ);
        }
        for index in 0..4 {
            assert_eq!(fds.change(index, Interest::WRITE, true), Changed::Done(Interest::READ));
        }
        for index in gone {
            let row = fds.row_of(index).unwrap();
            fds.leave(index);
            assert!(fds.detach(index).is_some());
            fds.release(row);
        }
        // Their rows are reused, and no others.
        assert!(fds.attach(10).is_ok() && fds.attach(11).is_ok() && fds.attach(12).is_err());
        let left: std::vec::Vec<u32> = (0..4).rev().filter(|fd| !gone.contains(&u16::try_from(*fd).unwrap())).collect();
        assert_eq!(changes(&mut fds), left, "{gone:?}");
    }
}

#[test]
fn a_row_that_is_freed_and_reused_is_listed_once() {
    let mut fds = Map::new();
    for index in 0..3 {
        watching(&mut fds, index, index.into(), Interest::READ);
        fds.leave(index);
    }
    let row = fds.row_of(1).unwrap();
    assert!(fds.detach(1).is_some());
    fds.release(row);
    watching(&mut fds, 1, 7, Interest::READ);
    assert_eq!(fds.row_of(1), Some(row));
    assert_eq!(fds.change(1, Interest::WRITE, true), Changed::Done(Interest::READ));
    assert_eq!(changes(&mut fds), [2, 7, 0]);
}

#[test]
fn a_free_row_is_no_change() {
    let mut fds = Map::new();
    let row = {
        watching(&mut fds, 0, 7, Interest::READ);
        // Listed for verification, and removed before that.
        watching(&mut fds, 1, 7, Interest::READ);
        fds.row_of(0).unwrap()
    };
    for index in [0, 1] {
        fds.leave(index);
        fds.detach(index);
    }
    fds.release(row);
    fds.forget_all();
    assert_eq!((fds.next_change(), fds.has_changes()), (None, false));
    assert_eq!(fds.attach(8), Ok(row));
}

#[test]
fn a_registration_that_is_made_anew_has_another_token() {
    let mut fds = Map::new();
    let old = watching(&mut fds, 0, 7, Interest::READ);
    fds.renew(old);
    let new = fds.registration_of(7).unwrap();
    assert_ne!(new, old);
    assert_eq!((fds.sole_watcher(old, Ready::READ), fds.sole_watcher(new, Ready::READ)), (None, Some(0)));
}

#[test]
fn what_a_backend_keeps_goes_with_its_registration() {
    let mut fds = Fds::<u32, std::rc::Rc<u8>, Fixed<4>>::new();
    fds.reserve(0).unwrap();
    let row = fds.attach(7).unwrap();
    fds.bind(0, row, Interest::READ);
    let (_, token, _) = fds.begin_registration(0).unwrap();
    fds.registered(0, Interest::READ);
    let kept = std::rc::Rc::new(5);
    *fds.info(token).unwrap() = kept.clone();
    fds.forget_all();
    assert_eq!(std::rc::Rc::strong_count(&kept), 1, "all registrations have ended");

    let token = fds.begin_registration(0).map(|(_, token, _)| token).unwrap();
    *fds.info(token).unwrap() = kept.clone();
    fds.leave(0);
    fds.detach(0);
    fds.release(row);
    assert_eq!(std::rc::Rc::strong_count(&kept), 1, "its fd has been given up");
}

/// Otherwise it would be taken for one that means the new file.
#[test]
fn an_event_that_was_refused_is_verified_when_another_has_registered_its_fd() {
    let mut fds = Map::new();
    fds.reserve(0).unwrap();
    let row = fds.attach(7).unwrap();
    fds.bind(0, row, Interest::READ);
    assert_eq!(fds.try_join(0), Joining::Register);
    fds.begin_registration(0).unwrap();
    fds.join_unregistered(0);
    let refused = fds.next_change().unwrap();
    fds.refused(&refused);
    watching(&mut fds, 1, 7, Interest::READ);
    let change = fds.next_change().unwrap();
    assert!(change.verify && !fds.has_changes());
    fds.applied(&change);
    assert_eq!([0, 1].map(|index| fds.is_unverified(index)), [false; 2]);
}
