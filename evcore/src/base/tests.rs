//! Tests of a base, for what the random programs of the model test rarely reach.

use core::time::Duration;
use std::string::ToString;

use super::*;
use crate::backend::{Features, Manual, ManualError, WakeFlag};
use crate::bounds::Silent;
use crate::options::{Fairness, Limits};
use crate::{Error, Event, Interest, Ready};

mod changes;
mod fast;
mod parts;
mod timeouts;
mod turns;

type Base = EventBase<Manual, Fixed<8>, u32>;

fn base() -> Base {
    Base::new(Manual::new())
}

/// It is removed when the next event is asked for, even by a loop inside its handler, which would wait for ever
/// otherwise.
#[test]
fn the_loop_ends_without_another_wait_when_its_last_event_came_once() {
    for by_hand in [false, true] {
        let mut base = base();
        base.start(Event::io(3, Interest::READ).once().persist(), 0).unwrap();
        base.backend_mut().set_ready(3, Ready::READ);
        if by_hand {
            assert!(base.poll(Wait::None).unwrap().is_running());
            assert!(base.next_active().is_some());
        }
        assert_eq!(base.run(Mode::empty(), |_, _| {}), Ok(End::Empty));
        assert_eq!((base.backend().waits(), base.counts().events), (1, 0), "{by_hand}");
    }
}

#[test]
fn now_stands_still_while_an_event_is_handed_out_and_only_then() {
    let step = Duration::from_millis(1);
    let mut base = base();
    base.insert(3, Interest::READ, 0).unwrap();
    base.backend_mut().set_ready(3, Ready::READ);
    assert!(base.poll(Wait::None).unwrap().is_running());
    let passes = |base: &mut Base| {
        let before = base.now();
        base.backend_mut().advance(step);
        base.now().saturating_since(before)
    };
    assert_eq!(passes(&mut base), step, "in the turn, before its first hand-out");
    assert!(base.next_active().is_some());
    assert_eq!(passes(&mut base), Duration::ZERO, "in the handler");
    assert!(base.next_active().is_none());
    assert_eq!(passes(&mut base), step, "after the last hand-out");
}

#[test]
fn a_wait_that_a_waker_has_ended_ends_a_run_of_one_turn_alone() {
    static FLAG: WakeFlag = WakeFlag::new();
    // A wake ends one turn; otherwise the loop goes on to the timer.
    for (mode, end, expected) in [(Mode::empty(), End::Empty, (1, 2)), (Mode::ONCE, End::Once, (0, 1))] {
        let mut base = Base::new(Manual::new().with_flag(&FLAG));
        base.insert_timer(Duration::from_secs(1), 0).unwrap();
        base.waker().unwrap().wake();
        let mut calls = 0;
        assert_eq!(base.run(mode, |_, _| calls += 1), Ok(end));
        assert_eq!((calls, base.backend().waits()), expected);
    }
}

#[test]
fn what_the_backend_has_refused_is_asked_again_when_it_reports_what_nobody_wants() {
    let mut base = base();
    let event = base.insert(3, Interest::READ | Interest::WRITE, 0).unwrap();
    base.modify(event, Interest::READ).unwrap();
    base.backend_mut().refuse(1);
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!(base.backend().watched(3), Some(Interest::READ | Interest::WRITE));
    // Without this the loop would spin from here on.
    base.backend_mut().set_ready(3, Ready::WRITE);
    for _ in 0..2 {
        assert!(base.poll(Wait::None).unwrap().is_running());
        assert!(base.next_active().is_none());
    }
    assert_eq!(base.backend().watched(3), Some(Interest::READ));
}

#[test]
fn a_timer_that_is_handed_out_when_its_next_period_ends_stands_for_both() {
    for (late, count, next) in [(9, 1, 20), (10, 2, 30), (11, 2, 30), (20, 3, 40)] {
        let mut base = base();
        base.insert_interval(Duration::from_nanos(10), 0).unwrap();
        base.backend_mut().advance(Duration::from_nanos(10 + late));
        assert!(base.poll(Wait::None).unwrap().is_running());
        assert_eq!(base.next_active().map(|fired| fired.count), Some(count), "{late} ns late");
        assert_eq!(base.next_deadline(), Some(Instant::from_nanos(next)), "{late} ns late");
    }
}

/// Two events on two fds that are ready at once, at priorities `first` and 0.
fn two_readers(first: u8) -> Base {
    let mut base = base();
    base.set_priorities(first + 1).unwrap();
    for (fd, priority) in [(3, first), (4, 0)] {
        base.start(Event::io(fd, Interest::READ).persist().priority(priority), fd).unwrap();
        base.backend_mut().set_ready(fd, Ready::READ);
    }
    base
}

#[test]
fn a_turn_says_that_there_is_none_when_nothing_is_left() {
    let mut base = base();
    base.insert_timer(Duration::ZERO, 0).unwrap();
    let turns = [(); 2].map(|()| {
        let is_running = base.poll(Wait::Forever).unwrap().is_running();
        (is_running, base.next_active().is_some())
    });
    assert_eq!(turns, [(true, true), (false, false)]);
}

#[test]
fn there_are_as_many_priorities_as_were_asked_for_last() {
    let mut base = base();
    for priorities in [3, 1, 2] {
        base.set_priorities(priorities).unwrap();
        assert_eq!(base.priorities(), priorities);
        let none = Event::user().priority(priorities);
        assert_eq!(base.create(none, 0).map_err(|rejected| rejected.error), Err(crate::Error::NoSuchPriority));
    }
}

#[cfg(feature = "alloc")]
#[test]
fn next_active_with_255_priorities_finds_none() {
    let mut base: EventBase<Manual, crate::Growable, ()> = EventBase::new(Manual::new());
    base.set_priorities(255).unwrap();
    let event = base.create(Event::user().priority(254), ()).unwrap();
    base.activate(event, Ready::READ).unwrap();
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert!(base.next_active().is_some_and(|fired| fired.id == event));
    // It waits for the next turn, so this one searches every level.
    base.activate(event, Ready::READ).unwrap();
    assert!(base.next_active().is_none());
    assert!(base.check());
}

#[test]
fn what_is_found_ready_comes_in_the_order_of_its_priority() {
    let mut base = two_readers(1);
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!(base.next_active().map(|fired| *fired.data), Some(4));
    assert_eq!(base.next_active().map(|fired| *fired.data), Some(3));
}

#[test]
fn an_edge_triggered_event_that_is_changed_there_and_back_hears_of_what_is_ready_now() {
    for events in [1, 2] {
        let mut base = base();
        let mut last = None;
        for data in 0..events {
            last = base.insert(3, Interest::READ | Interest::EDGE, data).ok();
        }
        base.backend_mut().set_ready(3, Ready::READ);
        for interest in [Interest::empty(), Interest::WRITE] {
            assert!(base.poll(Wait::None).unwrap().is_running());
            for data in 0..events {
                assert_eq!(base.next_active().map(|fired| (*fired.data, fired.ready)), Some((data, Ready::READ)));
            }
            assert!(base.poll(Wait::None).unwrap().is_running());
            assert!(base.next_active().is_none(), "nothing new");
            base.modify(last.unwrap(), interest | Interest::EDGE).unwrap();
            base.modify(last.unwrap(), Interest::READ | Interest::EDGE).unwrap();
        }
        assert!(base.poll(Wait::None).unwrap().is_running());
        assert_eq!(base.next_active().map(|fired| fired.ready), Some(Ready::READ), "{events}");
    }
}

/// The hand-outs of each level with eight active events at level 2 and three at level 3, when the first handler
/// activates `activated` of level 1.
fn served(fairness: Fairness, hand_outs: u32, activated: u32) -> [u32; 4] {
    let mut base: EventBase<Manual, Fixed<32>, usize> = EventBase::new(Manual::new());
    base.set_priorities(4).unwrap();
    base.set_fairness(fairness);
    base.set_limits(Limits { hand_outs: core::num::NonZeroU32::new(hand_outs), ..Limits::DEFAULT });
    let mut idle = std::vec::Vec::new();
    for (level, count) in [(1, activated), (2, 8), (3, 3)] {
        for _ in 0..count {
            let event = base.create(Event::user().priority(level), level.into()).unwrap();
            if level == 1 {
                idle.push(event);
            } else {
                base.activate(event, Ready::empty()).unwrap();
            }
        }
    }
    assert!(base.poll(Wait::None).unwrap().is_running());
    let mut served = [0; 4];
    while let Some(fired) = base.next_active() {
        served[*fired.data] += 1;
        for event in idle.drain(..) {
            base.activate(event, Ready::empty()).unwrap();
        }
    }
    served
}

#[test]
fn what_a_handler_activates_has_a_part_in_the_share_that_is_served() {
    // A quarter of eight is kept for level 3.
    assert_eq!(served(Fairness::Fair, 8, 0), [0, 0, 6, 2]);
    assert_eq!(served(Fairness::Fair, 8, 1), [0, 1, 5, 2]);
    assert_eq!(served(Fairness::Fair, 8, 9), [0, 5, 1, 2]);
    assert_eq!(served(Fairness::Strict, 100, 1), [0, 1, 8, 0]);
    assert_eq!(served(Fairness::Strict, 4, 9), [0, 3, 1, 0]);
}

/// It began with one empty level, which was no share.
#[test]
fn a_strict_turn_serves_the_first_level_that_it_is_given() {
    let mut base = base();
    base.set_fairness(Fairness::Strict);
    base.create(Event::user(), 0).unwrap();
    assert!(base.poll(Wait::None).unwrap().is_running());
    base.set_priorities(2).unwrap();
    let event = base.create(Event::user().priority(1), 1).unwrap();
    base.activate(event, Ready::empty()).unwrap();
    assert_eq!(base.next_active().map(|fired| *fired.data), Some(1));
}

#[test]
fn a_one_shot_deadline_does_not_come_when_a_pause_ends() {
    let mut base = base();
    let event = base.create(Event::io(3, Interest::READ), 0).unwrap();
    base.add_at(event, Instant::from_nanos(1_000)).unwrap();
    base.pause_for(event, Duration::from_nanos(1)).unwrap();
    assert!(base.poll(Wait::Forever).unwrap().is_running());
    assert!(base.next_active().is_none());
    assert!(base.poll(Wait::Forever).unwrap().is_running());
    assert_eq!(base.next_active().map(|fired| fired.ready), Some(Ready::TIMEOUT));
    assert_eq!(base.now(), Instant::from_nanos(1_001));
}

#[test]
fn a_strict_turn_serves_no_level_that_comes_after_its_first_hand_out() {
    let mut base = base();
    base.set_fairness(Fairness::Strict);
    let event = base.create(Event::user(), 0).unwrap();
    base.activate(event, Ready::empty()).unwrap();
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!(base.next_active().map(|fired| *fired.data), Some(0));
    base.set_priorities(2).unwrap();
    let event = base.create(Event::user().priority(1), 1).unwrap();
    base.activate(event, Ready::empty()).unwrap();
    assert!(base.next_active().is_none());
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!(base.next_active().map(|fired| *fired.data), Some(1));
}

#[test]
fn what_a_handler_activates_comes_next_where_it_is_more_urgent() {
    let mut base = base();
    base.set_priorities(2).unwrap();
    let urgent = base.create(Event::user().priority(0), 0).unwrap();
    for data in [1, 2] {
        let event = base.create(Event::user().priority(1), data).unwrap();
        base.activate(event, Ready::empty()).unwrap();
    }
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!(base.next_active().map(|fired| *fired.data), Some(1));
    base.activate(urgent, Ready::empty()).unwrap();
    assert_eq!(base.next_active().map(|fired| *fired.data), Some(0));
    assert_eq!(base.next_active().map(|fired| *fired.data), Some(2));
}

#[test]
fn the_interval_of_a_turn_ends_it_for_what_was_found_ready_as_well() {
    let mut base = two_readers(0);
    base.set_limits(Limits { interval: Some(Duration::from_secs(1)), ..Limits::DEFAULT });
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!(base.next_active().map(|fired| *fired.data), Some(3));
    base.backend_mut().advance(Duration::from_secs(1));
    assert!(base.next_active().is_none());
}

#[test]
fn what_is_found_ready_at_an_exempt_level_is_without_bound() {
    let mut base = two_readers(0);
    base.set_limits(Limits { hand_outs: core::num::NonZeroU32::new(1), from_priority: 1, ..Limits::DEFAULT });
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!(base.next_active().map(|fired| *fired.data), Some(3));
    assert_eq!(base.next_active().map(|fired| *fired.data), Some(4));
}

#[test]
fn a_base_prints_a_line_for_each_event_that_waits_or_is_active() {
    let mut base = base();
    base.set_priorities(2).unwrap();
    let reader = base.insert(3, Interest::READ, 0).unwrap();
    let signal = base.insert_signal(15, 0).unwrap();
    let timer = base.insert_timer(Duration::from_secs(1), 0).unwrap();
    let idle = base.create(Event::user(), 0).unwrap();
    let user = base.create(Event::user().priority(0), 0).unwrap();
    base.activate(reader, Ready::WRITE).unwrap();
    base.activate(user, Ready::empty()).unwrap();
    // In debug builds each base has its own generations.
    let lines = [
        "manual: 5 events, 3 pending, 2 active".to_string(),
        std::format!("  {reader:?} fd 3 Interest(READ) active Ready(WRITE) priority 1"),
        std::format!("  {signal:?} signal 15 priority 1"),
        std::format!("  {timer:?} timeout in 1s priority 1"),
        std::format!("  {user:?} active Ready(0x0) priority 0"),
    ];
    assert_eq!(base.to_string().lines().collect::<std::vec::Vec<_>>(), lines);
    assert!(!base.to_string().contains(&std::format!("{idle:?}")));
    let short = std::format!("{base:?}");
    assert_eq!(
        short,
        "EventBase { method: \"manual\", counts: Counts { events: 5, pending: 3, active: 2 }, \
         next_deadline: Some(Instant(1000000000 ns)), .. }"
    );
}

#[test]
fn set_priority_of_a_queued_event_brings_it_next_where_it_is_more_urgent() {
    let mut base = base();
    base.set_priorities(3).unwrap();
    let events = [1, 1, 2].map(|level| {
        let event = base.create(Event::user().priority(level), level.into()).unwrap();
        base.activate(event, Ready::empty()).unwrap();
        event
    });
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!(base.next_active().map(|fired| fired.id), Some(events[0]));
    base.set_priority(events[2], 0).unwrap();
    assert_eq!(base.next_active().map(|fired| fired.id), Some(events[2]));
    assert_eq!(base.next_active().map(|fired| fired.id), Some(events[1]));
}

#[test]
fn now_of_a_turn_without_timers_is_not_that_of_the_turn_before() {
    let mut base = base();
    let event = base.create(Event::user(), 0).unwrap();
    let mut now_in_turn = || {
        base.backend_mut().advance(Duration::from_nanos(5));
        base.activate(event, Ready::empty()).unwrap();
        assert!(base.poll(Wait::None).unwrap().is_running());
        assert!(base.next_active().is_some());
        base.now().as_nanos()
    };
    assert_eq!([now_in_turn(), now_in_turn()], [5, 10]);
}

#[test]
fn timeouts_that_restart_together_come_in_the_order_of_their_hand_outs() {
    let mut base = base();
    for fd in [5, 3, 7, 4, 6] {
        base.start(Event::io(fd, Interest::READ).persist().timeout(Duration::from_secs(1)), fd).unwrap();
    }
    for fd in [3, 4, 5, 6, 7] {
        base.backend_mut().set_ready(fd, Ready::READ);
    }
    let mut turn = || {
        assert!(base.poll(Wait::Forever).unwrap().is_running());
        let order: std::vec::Vec<_> = core::iter::from_fn(|| base.next_active().map(|fired| *fired.data)).collect();
        for fd in [3, 4, 5, 6, 7] {
            base.backend_mut().set_ready(fd, Ready::empty());
        }
        order
    };
    let handed_out = turn();
    assert_eq!((handed_out.len(), turn()), (5, handed_out));
}
