//! Former bugs that the model test has found.

use std::num::NonZeroU32;
use std::time::Duration;

use evcore::backend::{Manual, ManualError, WakeFlag};
use evcore::options::{Fairness, Limits};
use evcore::{End, Error, Event, EventBase, Fixed, Instant, Interest, Mode, Ready, Turn, Wait};

use crate::call::World;
use crate::stage::Stage;

type Base = EventBase<Manual, Fixed<8>, &'static str>;

fn base() -> Base {
    Base::new(Manual::new())
}

/// The hand-outs of this turn.
fn handed_out(base: &mut Base) -> Vec<&'static str> {
    std::iter::from_fn(|| base.next_active().map(|fired| *fired.data)).collect()
}

/// Runs a turn, and returns its hand-outs.
fn turn(base: &mut Base) -> Vec<&'static str> {
    assert!(base.poll(Wait::None).unwrap().is_running());
    handed_out(base)
}

fn limits(hand_outs: u32) -> Limits {
    Limits { hand_outs: NonZeroU32::new(hand_outs), ..Limits::DEFAULT }
}

#[test]
fn max_active_is_not_summed_over_turns() {
    let mut base = base();
    base.insert(3, Interest::READ, "reader").unwrap();
    let user = base.create(Event::user(), "user").unwrap();
    base.activate(user, Ready::READ).unwrap();
    assert_eq!(turn(&mut base), ["user"]);
    base.backend_mut().set_ready(3, Ready::READ);
    assert_eq!(turn(&mut base), ["reader"]);
    assert_eq!(base.max_counts().active, 1);
}

#[test]
fn events_that_get_an_error_count_as_active() {
    let mut base = base();
    let event = base.insert(3, Interest::READ, "reader").unwrap();
    base.backend_mut().refuse(2);
    assert_eq!(base.replace_fd(event, 4), Err(Error::Backend(ManualError::Refused)));
    assert_eq!((base.counts().active, base.max_counts().active), (1, 1));
}

#[test]
fn watchers_before_the_wait_are_counted_as_active() {
    let mut base = base();
    base.start(Event::prepare(), "prepare").unwrap();
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!((base.counts().active, base.max_counts().active), (1, 1));
}

#[test]
fn a_refused_registration_leaves_nothing_of_the_one_before() {
    let mut base = base();
    let old = base.insert(3, Interest::READ, "old").unwrap();
    base.backend_mut().set_ready(3, Ready::READ);
    base.del(old).unwrap();
    let new = base.create(Event::io(3, Interest::READ), "new").unwrap();
    base.backend_mut().refuse(1);
    assert_eq!(base.add(new, None), Err(Error::Backend(ManualError::Refused)));
    assert_eq!(base.backend().watched(3), None);
    // A report without a waiting event would keep virtual time from advancing.
    base.insert_timer(Duration::from_secs(1), "timer").unwrap();
    assert!(base.poll(Wait::Forever).unwrap().is_running());
    assert_eq!(handed_out(&mut base), ["timer"]);
}

#[test]
fn once_event_removes_no_other() {
    let mut base = base();
    base.start(Event::io(3, Interest::READ).once(), "once").unwrap();
    base.insert(4, Interest::READ, "reader").unwrap();
    base.backend_mut().set_ready(3, Ready::READ);
    base.backend_mut().set_ready(4, Ready::READ);
    assert_eq!(turn(&mut base), ["once", "reader"]);
    assert_eq!(base.iter().map(|(_, data)| *data).collect::<Vec<_>>(), ["reader"]);
    assert_eq!(turn(&mut base), ["reader"]);
}

#[test]
fn a_base_is_not_empty_while_a_background_event_is_ready() {
    let mut base = base();
    base.start(Event::io(3, Interest::READ).persist().background(), "reader").unwrap();
    base.backend_mut().set_ready(3, Ready::READ);
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert!(!base.is_empty());
    assert_eq!(base.counts().active, 1);
}

#[test]
fn a_report_of_an_ended_registration_is_stale_while_its_event_exists() {
    static FLAG: WakeFlag = WakeFlag::new();
    let mut base: EventBase<Stage, Fixed<4>, ()> = EventBase::new(Stage::new(&FLAG));
    let event = base.insert(3, Interest::READ, ()).unwrap();
    base.del(event).unwrap();
    let _ = base.poll(Wait::None).unwrap();
    base.backend_mut().happens(World::ReportStale(Ready::READ));
    let _ = base.poll(Wait::None).unwrap();
    assert_eq!(base.stats().stale, 1);
}

#[test]
fn a_more_urgent_activation_gives_its_level_no_second_share() {
    let mut base = base();
    base.set_priorities(3).unwrap();
    base.set_limits(limits(2));
    let urgent = base.create(Event::user().priority(0), "urgent").unwrap();
    for (priority, name) in [(1, "a"), (1, "b"), (1, "c"), (2, "least")] {
        let event = base.create(Event::user().priority(priority), name).unwrap();
        base.activate(event, Ready::READ).unwrap();
    }
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!(base.next_active().map(|fired| *fired.data), Some("a"));
    base.activate(urgent, Ready::READ).unwrap();
    // Priority 1 has used its share: the rest is for the most urgent one, or for the least.
    assert_ne!(base.next_active().map(|fired| *fired.data), Some("b"));
}

#[test]
fn a_level_gets_no_second_share_by_the_priority_of_an_idle_event() {
    let mut base = base();
    base.set_priorities(3).unwrap();
    base.set_limits(limits(2));
    let idle = base.create(Event::user().priority(1), "idle").unwrap();
    for (priority, name) in [(1, "a"), (1, "b"), (2, "least")] {
        let event = base.create(Event::user().priority(priority), name).unwrap();
        base.activate(event, Ready::READ).unwrap();
    }
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!(base.next_active().map(|fired| *fired.data), Some("a"));
    base.set_priority(idle, 0).unwrap();
    assert_eq!(handed_out(&mut base), ["least"]);
}

#[test]
fn a_level_that_has_had_its_share_is_not_opened_again_by_an_activation() {
    let mut base: EventBase<Manual, Fixed<10>, &'static str> = EventBase::new(Manual::new());
    base.set_priorities(2).unwrap();
    base.set_limits(limits(8));
    let mut last = None;
    for (priority, name) in (0..8).map(|_| (0, "urgent")).chain([(1, "x"), (1, "y")]) {
        let event = base.create(Event::user().priority(priority), name).unwrap();
        base.activate(event, Ready::READ).unwrap();
        last = if priority == 0 { Some(event) } else { last };
    }
    assert!(base.poll(Wait::None).unwrap().is_running());
    // Two of eight are reserved for priority 1.
    for name in ["urgent", "urgent", "urgent", "urgent", "urgent", "urgent", "x"] {
        assert_eq!(base.next_active().map(|fired| *fired.data), Some(name));
    }
    base.activate(last.unwrap(), Ready::WRITE).unwrap();
    assert_eq!(base.next_active().map(|fired| *fired.data), Some("y"));
    assert!(base.next_active().is_none());
}

#[test]
fn a_strict_turn_goes_on_when_an_idle_event_becomes_more_urgent() {
    let mut base = base();
    base.set_priorities(2).unwrap();
    base.set_fairness(Fairness::Strict);
    let idle = base.create(Event::user().priority(1), "idle").unwrap();
    for name in ["a", "b"] {
        let event = base.create(Event::user().priority(1), name).unwrap();
        base.activate(event, Ready::READ).unwrap();
    }
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!(base.next_active().map(|fired| *fired.data), Some("a"));
    base.set_priority(idle, 0).unwrap();
    assert_eq!(handed_out(&mut base), ["b"]);
}

#[test]
fn an_exempt_level_is_exempt_when_a_handler_activates_it() {
    let mut base = base();
    base.set_priorities(2).unwrap();
    base.set_limits(Limits { from_priority: 1, ..limits(1) });
    let urgent = base.create(Event::user().priority(0), "urgent").unwrap();
    let usual = base.create(Event::user().priority(1), "usual").unwrap();
    base.activate(usual, Ready::READ).unwrap();
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!(base.next_active().map(|fired| *fired.data), Some("usual"));
    base.activate(urgent, Ready::READ).unwrap();
    assert_eq!(handed_out(&mut base), ["urgent"]);
}

#[test]
fn an_exempt_level_is_exempt_from_the_interval() {
    let mut base = base();
    base.set_priorities(2).unwrap();
    base.set_limits(Limits { interval: Some(Duration::from_secs(1)), from_priority: 1, ..Limits::DEFAULT });
    for name in ["slow", "next"] {
        let event = base.create(Event::user().priority(0), name).unwrap();
        base.activate(event, Ready::READ).unwrap();
    }
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!(base.next_active().map(|fired| *fired.data), Some("slow"));
    base.backend_mut().advance(Duration::from_secs(2));
    assert_eq!(handed_out(&mut base), ["next"]);
}

#[test]
fn nothing_is_handed_out_once_the_interval_is_over() {
    let mut base = base();
    base.set_limits(Limits { interval: Some(Duration::from_secs(1)), ..Limits::DEFAULT });
    for name in ["slow", "next"] {
        let event = base.create(Event::user(), name).unwrap();
        base.activate(event, Ready::READ).unwrap();
    }
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!(base.next_active().map(|fired| *fired.data), Some("slow"));
    base.backend_mut().advance(Duration::from_secs(2));
    assert_eq!(base.next_active().map(|fired| *fired.data), None);
}

#[test]
fn a_slow_watcher_leaves_the_turn_one_hand_out_at_least() {
    let mut base = base();
    base.set_limits(Limits { interval: Some(Duration::from_secs(1)), ..Limits::DEFAULT });
    base.start(Event::check(), "check").unwrap();
    let event = base.create(Event::user(), "user").unwrap();
    base.activate(event, Ready::READ).unwrap();
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!(base.next_active().map(|fired| *fired.data), Some("check"));
    base.backend_mut().advance(Duration::from_secs(2));
    assert_eq!(handed_out(&mut base), ["user"]);
}

#[test]
fn an_exempt_level_takes_nothing_of_the_bound_when_a_watcher_activates_it() {
    let mut base = base();
    base.set_priorities(2).unwrap();
    base.set_limits(Limits { from_priority: 1, ..limits(1) });
    base.start(Event::check(), "check").unwrap();
    let exempt = base.create(Event::user().priority(0), "exempt").unwrap();
    let bounded = base.create(Event::user().priority(1), "bounded").unwrap();
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!(base.next_active().map(|fired| *fired.data), Some("check"));
    base.activate(exempt, Ready::READ).unwrap();
    base.activate(bounded, Ready::READ).unwrap();
    assert_eq!(handed_out(&mut base), ["exempt", "bounded"]);
}

#[test]
fn a_strict_turn_that_begins_with_nothing_serves_one_level() {
    let mut base = base();
    base.set_priorities(2).unwrap();
    base.set_fairness(Fairness::Strict);
    base.start(Event::check(), "check").unwrap();
    let urgent = base.create(Event::user().priority(0), "urgent").unwrap();
    let usual = base.create(Event::user().priority(1), "usual").unwrap();
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!(base.next_active().map(|fired| *fired.data), Some("check"));
    base.activate(urgent, Ready::READ).unwrap();
    base.activate(usual, Ready::READ).unwrap();
    assert_eq!(handed_out(&mut base), ["urgent"]);
}

#[test]
fn limits_are_those_of_the_next_turn() {
    let mut base = base();
    base.set_priorities(2).unwrap();
    base.set_limits(limits(2));
    for (priority, name) in [(0, "a"), (1, "b"), (1, "c")] {
        let event = base.create(Event::user().priority(priority), name).unwrap();
        base.activate(event, Ready::READ).unwrap();
    }
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!(base.next_active().map(|fired| *fired.data), Some("a"));
    base.set_limits(Limits { from_priority: 2, ..limits(2) });
    assert_eq!(handed_out(&mut base), ["b"]);
}

#[test]
fn an_error_does_not_bring_an_event_twice_in_a_turn() {
    for (round, expected) in [(0, Ok(())), (1, Err(Error::Backend(ManualError::Refused)))] {
        let mut base = base();
        let event = base.insert(3, Interest::READ, "reader").unwrap();
        base.backend_mut().set_ready(3, Ready::READ);
        assert!(base.poll(Wait::None).unwrap().is_running());
        assert!(base.next_active().is_some());
        base.backend_mut().refuse(2);
        let answer = if round == 0 { base.reinit().map_err(Error::Backend) } else { base.replace_fd(event, 4) };
        assert_eq!(answer, expected);
        assert_eq!(handed_out(&mut base), [""; 0], "round {round}");
        base.backend_mut().refuse(0);
        assert!(base.poll(Wait::None).unwrap().is_running());
        assert!(base.next_active().is_some_and(|fired| fired.ready.contains(Ready::ERROR)));
    }
}

#[test]
fn nothing_is_handed_out_after_the_end() {
    let mut base = base();
    base.start(Event::prepare(), "prepare").unwrap();
    assert!(base.poll(Wait::None).unwrap().is_running());
    base.loop_break();
    assert_eq!(base.poll(Wait::None), Ok(Turn::Ended(End::Break)));
    assert_eq!(handed_out(&mut base), [""; 0]);
}

#[test]
fn watchers_are_counted_among_the_events_handed_out() {
    let mut base = base();
    base.start(Event::check(), "check").unwrap();
    assert_eq!(turn(&mut base), ["check"]);
    assert_eq!(base.stats().handed_out, 1);
}

#[test]
fn a_timeout_does_not_swallow_the_count_of_a_signal() {
    let mut base = base();
    base.start(Event::signal(1).persist().timeout(Duration::from_secs(1)), "signal").unwrap();
    for _ in 0..3 {
        base.backend_mut().raise(1);
    }
    base.backend_mut().advance(Duration::from_secs(1));
    assert!(base.poll(Wait::None).unwrap().is_running());
    let fired = base.next_active().unwrap();
    assert_eq!((fired.ready, fired.count), (Ready::SIGNAL | Ready::TIMEOUT, 3));
}

#[test]
fn error_reported_by_hand_arrives() {
    let mut base = base();
    base.insert(3, Interest::READ, "reader").unwrap();
    base.activate_fd(3, Ready::ERROR);
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!(base.next_active().unwrap().ready, Ready::ERROR | Ready::READ);
}

#[test]
fn a_refused_change_does_not_reorder_the_events_of_an_fd() {
    let mut base = base();
    let first = base.insert(3, Interest::READ, "first").unwrap();
    base.insert(3, Interest::READ, "second").unwrap();
    assert_eq!(base.modify(first, Interest::READ | Interest::EDGE), Err(Error::EdgeAndLevel));
    base.backend_mut().set_ready(3, Ready::READ);
    assert_eq!(turn(&mut base), ["first", "second"]);
}

#[test]
fn no_bit_says_that_an_event_is_edge_triggered() {
    let mut base = base();
    base.insert(3, Interest::READ | Interest::EDGE, "edge").unwrap();
    base.activate_fd(3, Ready::from_bits_retain(Interest::EDGE.bits()));
    assert_eq!(base.counts().active, 0);
}

#[test]
fn loop_exit_works_with_no_time_left() {
    let mut base = base();
    base.backend_mut().set_now(Instant::MAX);
    base.loop_exit_after(Duration::from_secs(1));
    let mut turns = 0;
    let end = base.run(Mode::NONBLOCK | Mode::NO_EXIT_ON_EMPTY, |_, _| turns += 1);
    assert_eq!((end, turns), (Ok(End::Exit), 0));
}

/// It is armed when the hand-outs end, so it comes after timers that they armed for the same time.
#[test]
fn a_restarted_timeout_comes_after_what_its_turn_has_armed() {
    let mut base = base();
    let idle = base.start(Event::io(3, Interest::READ).persist().timeout(Duration::from_nanos(10)), "idle").unwrap();
    base.backend_mut().advance(Duration::from_nanos(1));
    base.activate(idle, Ready::READ).unwrap();
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert!(base.next_active().is_some_and(|fired| fired.id == idle));
    base.insert_timer(Duration::from_nanos(10), "timer").unwrap();
    assert!(base.next_active().is_none());
    base.backend_mut().advance(Duration::from_nanos(10));
    assert_eq!(turn(&mut base), ["timer", "idle"]);
}

/// The hand-outs of a later turn ended at an earlier time.
#[test]
fn a_restart_does_not_shorten_a_timeout_when_the_clock_was_turned_back() {
    let mut base: EventBase<Manual, evcore::Growable, &str> = EventBase::new(Manual::new());
    let idle =
        base.start(Event::io(3, Interest::READ).persist().timeout(Duration::from_nanos(10_000)), "idle").unwrap();
    base.backend_mut().set_ready(3, Ready::READ);
    for nanos in [1_000, 500] {
        assert!(base.poll(Wait::None).unwrap().is_running());
        assert!(base.next_active().is_some());
        base.backend_mut().set_now(Instant::from_nanos(nanos));
        assert!(base.next_active().is_none());
        base.backend_mut().set_now(Instant::from_nanos(500));
    }
    assert_eq!(base.pending(idle).unwrap().deadline, Some(Instant::from_nanos(11_000)));
}
