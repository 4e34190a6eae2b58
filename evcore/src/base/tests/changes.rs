//! Events that move to another fd or change their interest.

use super::*;

/// An fd has room for 65,535 events.
#[cfg(feature = "alloc")]
#[test]
fn an_event_that_finds_no_room_on_another_fd_stays_on_its_own() {
    let mut base: EventBase<Manual, crate::Growable, ()> = EventBase::new(Manual::new());
    for _ in 0..u16::MAX {
        base.create(Event::io(4, Interest::READ), ()).unwrap();
    }
    let event = base.insert(3, Interest::READ, ()).unwrap();
    let moved = base.replace_fd(event, 4);
    assert_eq!(moved, Err(crate::Error::Full));
    assert_eq!((base.fd(event), base.backend().watched(3)), (Some(3), Some(Interest::READ)));

    base.pause_for(event, Duration::from_secs(1)).unwrap();
    assert_eq!(base.replace_fd(event, 4), Err(crate::Error::Full));
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!((base.fd(event), base.backend().watched(3)), (Some(3), None), "the pause goes on");
    base.backend_mut().set_ready(3, Ready::READ);
    while base.now() < Instant::from_nanos(1_000_000_000) {
        assert!(base.poll(Wait::Forever).unwrap().is_running());
        assert!(base.next_active().is_none());
    }
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!(base.next_active().map(|fired| (fired.id, fired.ready)), Some((event, Ready::READ)));
}

/// The new fd is refused, and the old one, too, when the event comes back, but only for now.
#[test]
fn replace_fd_that_finds_its_way_back_later_keeps_the_event() {
    let mut base: EventBase<Manual, Fixed<4>, ()> = EventBase::new(Manual::new());
    let event = base.insert(3, Interest::READ, ()).unwrap();
    base.backend_mut().refuse_for_now(2);
    assert_eq!(base.replace_fd(event, 4), Err(Error::Backend(ManualError::Busy)));
    assert_eq!((base.fd(event), base.backend().watched(3)), (Some(3), None));
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert!(base.next_active().is_none());
    assert_eq!(base.backend().watched(3), Some(Interest::READ));
}

/// The new fd is refused, and the old one, too, when the event comes back.
#[test]
fn replace_fd_that_finds_no_way_back_reports_an_error() {
    let mut base: EventBase<Manual, Fixed<4>, ()> = EventBase::new(Manual::new());
    let event = base.insert(3, Interest::READ, ()).unwrap();
    base.backend_mut().refuse(2);
    assert_eq!(base.replace_fd(event, 4), Err(Error::Backend(ManualError::Refused)));
    let pending = base.pending(event).unwrap();
    assert_eq!((pending.registered, pending.active), (false, Some(Ready::ERROR)));
    assert!(base.check());
}

#[test]
fn modify_from_silence_that_is_refused_leaves_the_event_silent() {
    let mut base = base();
    let event = base.insert(3, Interest::empty(), 0).unwrap();
    base.backend_mut().refuse(1);
    assert_eq!(base.modify(event, Interest::READ), Err(Error::Backend(ManualError::Refused)));
    assert_eq!((base.interest(event), base.backend().watched(3)), (Some(Interest::empty()), None));
    assert_eq!(base.pending(event).map(|pending| pending.registered), Some(true));
    assert!(base.check());
}

#[test]
fn modify_to_what_the_backend_cannot_watch_is_refused() {
    let mut base: EventBase<Silent, Fixed<8>, ()> = EventBase::new(Silent::new());
    let event = base.insert(3, Interest::READ, ()).unwrap();
    for interest in [Interest::READ | Interest::EDGE, Interest::CLOSED, Interest::URGENT] {
        assert_eq!(base.modify(event, interest), Err(Error::Unsupported), "{interest:?}");
        assert_eq!(base.interest(event), Some(Interest::READ));
    }
    base.backend_mut().features = Features::all();
    assert_eq!(base.modify(event, Interest::CLOSED), Ok(()));
}

#[test]
fn nothing_changes_while_the_backend_is_unusable() {
    let mut base: EventBase<Silent, Fixed<8>, ()> = EventBase::new(Silent::new());
    let event = base.insert(3, Interest::READ, ()).unwrap();
    base.backend_mut().is_usable = false;
    let refused = Err(Error::Backend(ManualError::Refused));
    assert_eq!(base.add(event, Some(Duration::ZERO)), refused);
    assert_eq!(base.modify(event, Interest::WRITE), refused);
    assert_eq!(base.replace_fd(event, 4), refused);
    assert_eq!(base.pause_for(event, Duration::from_secs(1)), refused);
    assert_eq!(base.poll(Wait::None), Err(ManualError::Refused));
    assert_eq!((base.fd(event), base.interest(event), base.next_deadline()), (Some(3), Some(Interest::READ), None));
    base.backend_mut().is_usable = true;
    assert_eq!(base.poll(Wait::None), Ok(Turn::Running));
}

/// It was not, if the backend still had the fd registered for the event's earlier interest.
#[test]
fn unsupported_interest_is_refused_where_the_fd_is_still_registered() {
    fn test<const N: usize>() {
        for interest in [Interest::CLOSED, Interest::URGENT, Interest::READ | Interest::EDGE] {
            let mut base: EventBase<Silent, Fixed<N>, ()> = EventBase::new(Silent::new());
            let event = base.insert(3, Interest::READ, ()).unwrap();
            base.del(event).unwrap();
            base.modify(event, interest).unwrap();
            assert_eq!(base.add(event, None), Err(Error::Unsupported), "{interest:?}, {N} events");
            base.modify(event, Interest::READ | Interest::CLOSED).unwrap();
            base.add(event, None).unwrap();
            assert!(base.check());
        }
    }
    test::<4>();
    test::<128>();
}
