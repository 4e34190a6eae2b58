//! Former bugs, on `Manual`; each test is named for one.

use core::time::Duration;

use evcore::backend::Manual;
use evcore::{End, Event, EventBase, Fixed, Interest, Mode, Ready, Turn, Wait};

type Base = EventBase<Manual, Fixed<8>, &'static str>;

fn base() -> Base {
    EventBase::new(Manual::new())
}

fn turn(base: &mut Base) -> Vec<(&'static str, Ready)> {
    assert!(base.poll(Wait::None).unwrap().is_running());
    let mut handed_out = Vec::new();
    while let Some(fired) = base.next_active() {
        handed_out.push((*fired.data, fired.ready));
    }
    handed_out
}

#[test]
fn a_turn_of_watchers_alone_ended_a_run_that_waits_for_events() {
    let mut base = base();
    base.start(Event::check(), "check").unwrap();
    base.insert_timer(Duration::from_millis(60), "timer").unwrap();
    // The first wait finds what no event waits for any more.
    let event = base.insert(3, Interest::READ | Interest::WRITE, "reader").unwrap();
    base.modify(event, Interest::READ).unwrap();
    base.backend_mut().refuse(1);
    base.backend_mut().set_ready(3, Ready::WRITE);
    let mut order = Vec::new();
    let end = base.run(Mode::ONCE, |base, event| order.extend(base.get(event.id).copied()));
    assert_eq!(end, Ok(End::Once));
    assert_eq!(order, ["check", "check", "timer"]);
    assert_eq!(base.run(Mode::NONBLOCK | Mode::NO_EXIT_ON_EMPTY, |_, _| {}), Ok(End::NotReady));
}

#[test]
fn an_end_in_a_prepare_turn_ate_the_next_one() {
    let mut base = base();
    base.start(Event::prepare(), "prepare").unwrap();
    base.insert_interval(Duration::from_secs(1), "tick").unwrap();
    assert_eq!(turn(&mut base), [("prepare", Ready::empty())]);
    base.loop_exit();
    assert_eq!(base.poll(Wait::None), Ok(Turn::Ended(End::Exit)));
    assert_eq!(turn(&mut base), [("prepare", Ready::empty())]);
}

#[test]
fn what_was_found_on_the_old_fd_was_handed_out_for_the_new_one() {
    let mut base = base();
    base.insert(3, Interest::READ, "first").unwrap();
    let moved = base.insert(4, Interest::READ, "moved").unwrap();
    base.backend_mut().set_ready(3, Ready::READ);
    base.backend_mut().set_ready(4, Ready::READ);
    assert_eq!(base.poll(Wait::None), Ok(Turn::Running));
    assert_eq!(base.next_active().map(|fired| *fired.data), Some("first"));
    base.replace_fd(moved, 5).unwrap();
    assert!(base.next_active().is_none());
}

#[test]
fn event_without_interest_got_a_hang_up() {
    let mut base = base();
    base.insert(3, Interest::READ, "first").unwrap();
    let silent = base.insert(4, Interest::READ, "silent").unwrap();
    base.backend_mut().set_ready(3, Ready::READ);
    base.backend_mut().set_ready(4, Ready::HANGUP);
    assert_eq!(base.poll(Wait::None), Ok(Turn::Running));
    assert_eq!(base.next_active().map(|fired| *fired.data), Some("first"));
    base.modify(silent, Interest::empty()).unwrap();
    assert!(base.next_active().is_none());
}

#[test]
fn an_event_whose_registration_is_refused_waited_for_ever() {
    let mut base = base();
    let event = base.insert(3, Interest::READ, "refused").unwrap();
    base.backend_mut().refuse(1);
    base.reinit().unwrap();
    assert!(!base.pending(event).unwrap().registered);
    assert_eq!(turn(&mut base), [("refused", Ready::ERROR)]);
    base.add(event, None).unwrap();
    base.backend_mut().set_ready(3, Ready::READ);
    assert_eq!(turn(&mut base), [("refused", Ready::READ)]);
}

#[test]
fn refused_addition_reported_error_to_the_registered() {
    let mut base = base();
    base.insert(3, Interest::READ, "reader").unwrap();
    base.insert(3, Interest::WRITE, "writer").unwrap();
    base.backend_mut().refuse(1);
    assert_eq!(turn(&mut base), [("writer", Ready::ERROR)]);
}

#[test]
fn a_pause_ended_when_the_event_could_not_be_moved() {
    let mut base: EventBase<Manual<1>, Fixed<2>, &str> = EventBase::new(Manual::with_room());
    let event = base.insert(3, Interest::READ, "paused").unwrap();
    base.pause_for(event, Duration::from_secs(1)).unwrap();
    base.replace_fd(event, 4).unwrap();
    assert!(base.backend().watched(4).is_none());
    assert_eq!(base.poll(Wait::Until(evcore::Instant::from_nanos(1_000_000_000))), Ok(Turn::Running));
    assert_eq!(base.backend().watched(4), Some(Interest::READ));
}

/// Two events that are handed out repeatedly; the handler of the first panics once. The other is handed out in the
/// same turn or the next, the first one with its next period, and the loop continues as if nothing had happened.
mod panics {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use evcore::callback::{Callback, Closure};
    use evcore::{EventId, Growable};

    use super::*;

    const PERIOD: Duration = Duration::from_millis(1);

    /// Checks a way to run one turn, which ends with a panic's error.
    fn check(mut turn: impl FnMut(&mut Vec<u32>)) {
        let mut seen = Vec::new();
        assert!(catch_unwind(AssertUnwindSafe(|| turn(&mut seen))).is_err());
        assert_eq!(seen, [1]);
        for _ in 0..2 {
            turn(&mut seen);
        }
        assert_eq!(seen[..2], [1, 2], "the other event's hand-out is lost");
        turn(&mut seen);
        turn(&mut seen);
        assert!(seen[2..].contains(&1) && seen[2..].contains(&2), "{seen:?}");
    }

    fn handle(seen: &mut Vec<u32>, number: u32) {
        seen.push(number);
        assert!(seen.len() > 1, "on purpose");
    }

    #[test]
    fn in_the_body_of_a_loop() {
        let mut base: EventBase<Manual, Fixed<8>, u32> = EventBase::new(Manual::new());
        for number in [1, 2] {
            base.insert_interval(PERIOD, number).unwrap();
        }
        check(|seen| {
            if let Some(fired) = base.next_event(Wait::Forever).unwrap() {
                handle(seen, *fired.data);
            }
        });
        assert!(base.check());
    }

    #[test]
    fn in_a_handler_of_run() {
        let mut base: EventBase<Manual, Fixed<8>, u32> = EventBase::new(Manual::new());
        for number in [1, 2] {
            base.insert_interval(PERIOD, number).unwrap();
        }
        check(|seen| {
            let handler = |base: &mut EventBase<_, _, u32>, id: EventId| handle(seen, *base.get(id).unwrap());
            let mut handler = handler;
            assert_eq!(base.run(Mode::ONCE, |base, event| handler(base, event.id)), Ok(End::Once));
        });
        assert!(base.check());
    }

    #[test]
    fn in_a_callback() {
        type Base = EventBase<Manual, Fixed<8>, Callback<Manual, Fixed<8>, Vec<u32>>>;
        let mut base = Base::new(Manual::new());
        for number in [1, 2] {
            let callback = Callback::new(|_, seen: &mut Vec<u32>, _, arg| handle(seen, arg as u32), number);
            base.insert_interval(PERIOD, callback).unwrap();
        }
        check(|seen| assert_eq!(base.run_callbacks(Mode::ONCE, seen), Ok(End::Once)));
        assert!(base.check());
    }

    #[test]
    fn in_a_closure() {
        type Base = EventBase<Manual, Growable, Closure<Manual, Growable, Vec<u32>>>;
        let mut base = Base::new(Manual::new());
        for number in [1, 2] {
            let closure = Closure::new(move |_: &mut Base, seen: &mut Vec<u32>, _| handle(seen, number));
            base.insert_interval(PERIOD, closure).unwrap();
        }
        check(|seen| assert_eq!(base.run_closures(Mode::ONCE, seen), Ok(End::Once)));
        assert!(base.check());
    }
}
