//! Timeouts that restart.

use super::*;

/// A timeout given to `add`, until it is dropped.
#[test]
fn restart_counts_a_timeout_that_was_given_after_the_event_came_or_was_deleted() {
    let delay = Duration::from_millis(5);
    for event in [Event::timer(), Event::timer().persist(), Event::io(3, Interest::READ), Event::signal(15)] {
        let mut base = base();
        let event = base.create(event, 0).unwrap();
        assert_eq!(base.restart(event), Err(Error::WrongKind), "it never had one");
        base.add(event, Some(delay)).unwrap();
        assert!(base.next_event(Wait::Forever).unwrap().is_some());
        for _ in 0..2 {
            base.restart(event).unwrap();
            assert_eq!(base.pending(event).unwrap().remaining, Some(delay));
            base.del(event).unwrap();
        }
        base.add(event, None).unwrap();
        assert_eq!(base.pending(event).unwrap().remaining, None, "`add` starts those alone that events were made with");
        base.clear_timeout(event).unwrap();
        assert_eq!(base.restart(event), Err(Error::WrongKind), "it was dropped");
        base.remove(event).unwrap();
        let next = base.create(Event::timer(), 1).unwrap();
        assert_eq!(base.restart(next), Err(Error::WrongKind), "its slot's event before had one");
        assert!(base.check());
    }
}

#[test]
fn restart_of_a_one_shot_timer_that_was_only_given_a_point_is_refused() {
    let mut base = base();
    let timer = base.create(Event::timer(), 0).unwrap();
    base.add_at(timer, Instant::from_nanos(7)).unwrap();
    assert_eq!(base.restart(timer), Err(Error::WrongKind));
    assert_eq!(base.pending(timer).unwrap().deadline, Some(Instant::from_nanos(7)));
}

/// Its end was taken for that of the 64th turn after it.
#[cfg(feature = "alloc")]
#[test]
fn a_timeout_restarts_at_the_end_of_its_turn_also_if_that_went_on_after_an_end() {
    let long = Duration::from_secs(1_000);
    let mut base: EventBase<Manual, crate::Growable, u32> = EventBase::new(Manual::new());
    base.set_priorities(2).unwrap();
    base.set_fairness(Fairness::Strict);
    let reader = |fd| Event::io(fd, Interest::READ).persist().timeout(long).priority(0);
    let first = base.start(reader(3), 1).unwrap();
    let second = base.start(reader(4), 2).unwrap();
    base.start(reader(5), 3).unwrap();
    let waiting = base.create(Event::user().priority(1), 4).unwrap();
    let hand_out = |base: &mut EventBase<Manual, crate::Growable, u32>| base.next_active().map(|fired| *fired.data);
    for event in [first, waiting] {
        base.activate(event, Ready::READ).unwrap();
    }
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!((hand_out(&mut base), hand_out(&mut base)), (Some(1), None));
    // Its timeout is the first that restarts here.
    base.del(waiting).unwrap();
    base.activate(second, Ready::READ).unwrap();
    assert_eq!((hand_out(&mut base), hand_out(&mut base)), (Some(2), None));
    let due = base.pending(second).unwrap().deadline;
    for turn in 1..=66 {
        base.backend_mut().advance(Duration::from_secs(1));
        if turn == 64 {
            base.backend_mut().set_ready(5, Ready::READ);
        }
        assert!(base.poll(Wait::None).unwrap().is_running());
        assert_eq!(hand_out(&mut base), (turn == 64).then_some(3));
        assert_eq!(hand_out(&mut base), None);
        base.backend_mut().set_ready(5, Ready::empty());
        assert_eq!(base.pending(second).unwrap().deadline, due, "{turn}");
        assert!(base.check());
    }
}

/// The events' fds stay registered until the next wait.
#[cfg(feature = "alloc")]
#[test]
fn max_counts_see_events_that_are_added_again_while_their_fds_are_registered() {
    let mut base = EventBase::<Manual, crate::Growable, u32>::new(Manual::new());
    let first = base.insert(3, Interest::READ, 0).unwrap();
    base.del(first).unwrap();
    let second = base.insert(4, Interest::READ, 0).unwrap();
    base.del(second).unwrap();
    base.clear_max_counts();
    for (added, event) in [(1, first), (2, second)] {
        base.add(event, None).unwrap();
        assert_eq!((base.counts().pending, base.max_counts().pending), (added, added));
    }
}

/// The hand-outs that follow an activation after the end count for their own events alone.
#[cfg(feature = "alloc")]
#[test]
fn a_restart_counts_from_its_own_end_if_the_turn_goes_on_after_it() {
    let mut base = EventBase::<Manual, crate::Growable, u32>::new(Manual::new());
    let idle = |fd| Event::io(fd, Interest::READ).persist().timeout(Duration::from_nanos(10));
    let [first, second] = [3, 4].map(|fd| base.start(idle(fd), fd).unwrap());
    base.backend_mut().set_ready(3, Ready::READ);
    assert!(base.poll(Wait::None).unwrap().is_running());
    for (now, event) in [(1, first), (5, second)] {
        assert_eq!(base.next_active().unwrap().id, event);
        base.backend_mut().set_now(Instant::from_nanos(now));
        assert!(base.next_active().is_none());
        base.activate(second, Ready::READ).unwrap();
    }
    let deadlines = [first, second].map(|event| base.pending(event).unwrap().deadline.unwrap().as_nanos());
    assert_eq!(deadlines, [11, 15]);
}

/// Its entry is in the heap, unlike that of a timeout that has come.
#[test]
fn a_timer_is_disarmed_with_an_event_that_was_activated_for_its_timeout() {
    let mut base = EventBase::<Manual, Fixed<32>, u32>::new(Manual::new());
    let timed = Event::io(3, Interest::READ).timeout(Duration::from_secs(5));
    for disarm in [EventBase::del, EventBase::clear_timeout] {
        let event = base.start(timed, 0).unwrap();
        base.activate(event, Ready::TIMEOUT).unwrap();
        disarm(&mut base, event).unwrap();
        assert!(base.check() && base.next_deadline().is_none());
        base.remove(event).unwrap();
    }
}
