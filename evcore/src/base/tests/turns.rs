//! The result of a turn, and the end of the loop.

use super::*;
use crate::backend::Sleep;

/// A loop that waits by other means must come back to retry.
#[test]
fn next_sleep_ends_when_the_backend_is_asked_again_for_what_it_has_refused() {
    let mut base = base();
    let event = base.insert(3, Interest::READ, 0).unwrap();
    base.modify(event, Interest::WRITE).unwrap();
    base.backend_mut().refuse_for_now(1);
    assert!(base.poll(Wait::None).unwrap().is_running());
    let retry = base.next_deadline().unwrap();
    assert_eq!(base.next_sleep(Wait::Forever), Sleep::Until(retry));
    base.backend_mut().set_now(retry);
    for _ in 0..2 {
        assert!(base.poll(Wait::None).unwrap().is_running());
    }
    assert_eq!(base.backend().watched(3), Some(Interest::WRITE));
    assert_eq!(base.next_sleep(Wait::Forever), Sleep::Forever);
}

/// The end of the wait is the time of the exit, which `ended` must show at once.
#[test]
fn next_event_tells_of_an_exit_whose_time_comes_with_the_end_of_its_wait() {
    for (delay, wait) in [(0, Wait::None), (5, Wait::For(Duration::from_nanos(5))), (5, Wait::Forever)] {
        let mut base = base();
        base.loop_exit_after(Duration::from_nanos(delay));
        assert!(base.next_event(wait).unwrap().is_none());
        assert_eq!(base.ended(), Some(End::Exit), "{wait:?}");
        assert!(base.next_event(Wait::None).unwrap().is_none());
        assert_eq!(base.ended(), None, "it is told once");
    }
}

/// A loop with nothing left ends without a wait; asleep, that is an error.
#[test]
fn run_of_an_empty_base_is_refused_while_it_is_asleep_and_so_is_next_event() {
    let mut base = base();
    base.loop_exit();
    assert!(base.next_event(Wait::None).unwrap().is_none());
    let asleep = base.begin_sleep(Wait::Until(Instant::from_nanos(5))).unwrap();
    assert_eq!(base.run(Mode::empty(), |_, _| {}), Err(Error::Backend(ManualError::Asleep)));
    assert!(base.next_event(Wait::None).is_err());
    assert_eq!(base.ended(), Some(End::Exit), "nothing has changed");
    assert!(base.end_sleep(asleep).unwrap().is_running());
    assert_eq!(base.run(Mode::empty(), |_, _| {}), Ok(End::Empty));
}

/// For a wake, its timeout, or an activation.
#[test]
fn a_wake_event_that_comes_is_a_hand_out_of_a_run_of_one_turn() {
    static FLAG: WakeFlag = WakeFlag::new();
    for mode in [Mode::ONCE, Mode::NONBLOCK] {
        let mut base = Base::new(Manual::new().with_flag(&FLAG));
        let event = base.start(Event::wake().timeout(Duration::from_millis(5)), 0).unwrap();
        for round in 0..3 {
            match round {
                0 => base.waker().unwrap().wake(),
                1 => base.activate(event, Ready::READ).unwrap(),
                _ => base.backend_mut().advance(Duration::from_millis(5)),
            }
            let mut calls = 0;
            let end = base.run(mode, |base, _| {
                calls += 1;
                // Otherwise it would not come back.
                if calls == 2 {
                    base.loop_break();
                }
            });
            assert_eq!((calls, end), (1, Ok(End::Once)), "{mode:?} {round}");
        }
        assert_eq!(base.run(Mode::NONBLOCK, |_, _| {}), Ok(End::NotReady));
    }
}

/// The next poll does the wait that failed.
#[test]
fn prepare_events_come_once_though_their_wait_fails() {
    let mut base: EventBase<Silent, Fixed<2>, ()> = EventBase::new(Silent::new());
    base.start(Event::prepare(), ()).unwrap();
    for _ in 0..2 {
        assert_eq!(base.poll(Wait::None), Ok(Turn::Prepare));
        assert!(base.next_active().is_some() && base.next_active().is_none());
        base.backend_mut().can_wait = false;
        for _ in 0..2 {
            assert_eq!(base.poll(Wait::None), Err(ManualError::Refused));
            assert!(base.next_active().is_none());
        }
        base.backend_mut().can_wait = true;
        assert_eq!(base.poll(Wait::None), Ok(Turn::Running));
        assert!(base.next_active().is_none());
    }
}

/// The turn that failed is done once more, without prepare events.
#[test]
fn a_prepare_event_does_not_come_before_a_wait_that_is_repeated_if_the_others_are_gone() {
    let mut base: EventBase<Silent, Fixed<2>, ()> = EventBase::new(Silent::new());
    let first = base.start(Event::prepare(), ()).unwrap();
    assert_eq!(base.poll(Wait::None), Ok(Turn::Prepare));
    assert!(base.next_active().is_some());
    base.remove(first).unwrap();
    assert!(base.next_active().is_none());
    base.backend_mut().can_wait = false;
    assert_eq!(base.poll(Wait::None), Err(ManualError::Refused));
    base.start(Event::prepare(), ()).unwrap();
    base.backend_mut().can_wait = true;
    assert_eq!(base.poll(Wait::None), Ok(Turn::Running));
    assert_eq!(base.poll(Wait::None), Ok(Turn::Prepare));
}

/// The sleeper would wait with the old interest.
#[test]
fn begin_sleep_makes_the_changes_that_are_due_first() {
    let mut base = base();
    let event = base.insert(3, Interest::READ, 0).unwrap();
    base.modify(event, Interest::WRITE).unwrap();
    let asleep = base.begin_sleep(Wait::Forever).unwrap();
    assert_eq!(base.backend().watched(3), Some(Interest::WRITE));
    drop(asleep);
}
