//! Intervals start at the hand-out or later, never at an outdated time.

use core::time::Duration;

use evcore::backend::EventOp;
use evcore::options::Missed;
use evcore::storage::Storage;
use evcore::{Event, EventId, Instant, Interest, Ready, Wait};

use crate::{Fixture, Proof, World};

const IDLE: Duration = Duration::from_millis(40);

/// The backend's clock, read without updating the base's time.
fn clock<F: Fixture, S: Storage>(world: &World<F, S>) -> Instant {
    world.base.backend().now()
}

/// Runs a turn whose first handler takes longer than `IDLE`. Returns when each event was handed out.
fn slow_turn<F: Fixture, S: Storage, const N: usize>(world: &mut World<F, S>) -> [Option<Instant>; N] {
    let mut handed_out = [None; N];
    world.wait_with(|world, _, number| {
        if handed_out.iter().all(Option::is_none) {
            world.pass(IDLE * 3 / 2);
        }
        handed_out[number as usize] = Some(clock(world));
    });
    assert!(handed_out.iter().all(Option::is_some), "one turn: {handed_out:?}");
    handed_out
}

/// Waits for the TIMEOUT of each event, which must not be reported before `IDLE` has passed since its hand-out.
fn assert_none_early<F: Fixture, S: Storage, const N: usize>(
    world: &mut World<F, S>,
    handed_out: [Option<Instant>; N],
) {
    let mut left = handed_out;
    while left.iter().any(Option::is_some) {
        let seen = world.wait_with(|world, id, number| {
            let Some(began) = left[number as usize].take() else { return };
            assert!(clock(world) >= began.saturating_add(IDLE), "event {number} timed out too early");
            assert!(world.base.del(id).is_ok());
        });
        assert!(!seen.is_empty(), "a timeout is missing: {left:?}");
    }
}

/// Connections that have data at once: no idle timeout is early because the first handler takes long.
pub fn idle_timeout_counts_from_hand_out<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut sources = [world.source(), world.source(), world.source(), world.source()];
    for (number, source) in (0..).zip(&sources) {
        let fd = world.fd(source);
        world.start(Event::io(fd, Interest::READ).persist().timeout(IDLE), number);
    }
    for source in &mut sources {
        world.feed(source);
    }
    let handed_out = slow_turn::<_, _, 4>(&mut world);
    for source in &mut sources {
        world.drain(source);
    }
    assert_none_early(&mut world, handed_out);
    Proof::Shown
}

/// The same if the events are activated by `activate`.
pub fn activated_restarts_at_hand_out<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    for number in 0..3 {
        let id = world.start(Event::timer().persist().timeout(IDLE), number);
        assert!(world.base.activate(id, Ready::READ).is_ok());
    }
    let handed_out = slow_turn::<_, _, 3>(&mut world);
    assert_none_early(&mut world, handed_out);
    Proof::Shown
}

/// Missed periods, policy delay: the next period begins at the hand-out, however long earlier handlers took.
pub fn delay_period_counts_from_hand_out<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    for number in 0..3 {
        world.start(Event::timer().persist().missed(Missed::Delay).timeout(IDLE), number);
    }
    world.pass(IDLE * 2);
    let handed_out = slow_turn::<_, _, 3>(&mut world);
    assert_none_early(&mut world, handed_out);
    Proof::Shown
}

/// `add` in a handler ends a pause: the event's timeout restarts at that moment.
pub fn add_ends_pause_and_restarts_now<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let source = world.source();
    let fd = world.fd(&source);
    let paused = world.start(Event::io(fd, Interest::READ).persist().timeout(IDLE), 1);
    assert!(world.pause_for(paused, Duration::from_secs(3_600)).is_ok());
    world.timer(Duration::ZERO, 2);
    let mut resumed = Instant::ZERO;
    world.wait_with(|world, _, _| {
        world.pass(IDLE);
        resumed = clock(world);
        assert!(world.base.add(paused, None).is_ok());
    });
    let deadline = world.base.pending(paused).and_then(|pending| pending.deadline);
    assert!(deadline >= Some(resumed.saturating_add(IDLE)), "{deadline:?} for {resumed:?}");
    Proof::Shown
}

/// A timeout that this turn has restarted has all its time left, and `next_deadline` is no later.
pub fn pending_shows_restarted_timeout<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let id = world.start(Event::timer().persist().timeout(Duration::from_secs(3_600)), 1);
    world.pass(IDLE);
    assert!(world.base.activate(id, Ready::READ).is_ok());
    let seen = world.wait_with(|world, id, _| {
        let pending = world.base.pending(id).unwrap_or_default();
        assert!(pending.remaining >= Some(Duration::from_secs(3_600)), "{pending:?}");
        assert!(world.base.next_deadline().is_some_and(|first| Some(first) <= pending.deadline));
    });
    assert_eq!(seen.order(), [1]);
    Proof::Shown
}

/// An idle timeout starts at its event's last hand-out, however many turns hand out other events after that.
pub fn idle_timeout_stays_while_others_are_busy<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let hour = Duration::from_secs(3_600);
    let mut sources = [world.source(), world.source()];
    let [idle, busy] = [0, 1].map(|place: usize| {
        let fd = world.fd(&sources[place]);
        world.start(Event::io(fd, Interest::READ).persist().timeout(hour), place as u32)
    });
    let deadline = |world: &World<F, S>, id| world.base.pending(id).and_then(|pending| pending.deadline);
    for source in &mut sources {
        world.feed(source);
    }
    assert_eq!(world.wait_for(&[0, 1]).len(), 2);
    let restarted = deadline(&world, idle);
    world.drain(&mut sources[0]);
    for _ in 0..150 {
        world.pass(Duration::from_micros(10));
        let before = clock(&world);
        assert_eq!(world.wait().order(), [1]);
        assert_eq!(deadline(&world, idle), restarted);
        assert!(deadline(&world, busy) >= Some(before.saturating_add(Duration::from_secs(3_600))));
    }
    world.drain(&mut sources[1]);
    // It does not matter either how many turns restart no timeout.
    for turns in [125, 126, 127, 128, 254, 255, 256] {
        world.feed(&mut sources[0]);
        assert_eq!(world.wait().order(), [0]);
        world.drain(&mut sources[0]);
        let restarted = deadline(&world, idle);
        for _ in 0..turns {
            assert!(world.look().is_empty());
        }
        world.pass(Duration::from_micros(10));
        world.feed(&mut sources[1]);
        assert_eq!(world.wait().order(), [1]);
        assert_eq!(deadline(&world, idle), restarted, "after {turns} turns");
        world.drain(&mut sources[1]);
    }
    // After they are moved to the present, they are handed out in the new order.
    for (id, delay) in [(busy, 2), (idle, 1)] {
        assert!(world.base.add(id, Some(Duration::from_millis(delay))).is_ok());
    }
    assert_eq!(world.wait_for(&[0, 1]).order()[0], 0);
    Proof::Shown
}

/// Outside hand-outs `now` is the current time: before the first turn, between turns, and after a turn has handed out
/// everything.
pub fn now_outside_hand_outs_is_now<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let check = |world: &mut World<F, S>| {
        let before = world.base.now();
        world.pass(IDLE);
        assert!(world.base.now() >= before.saturating_add(IDLE));
        let deadline = world.base.now().saturating_add(IDLE);
        let timer = world.create(Event::timer(), 7);
        assert!(world.base.add_at(timer, deadline).is_ok());
        world.wait_with(|world, _, _| assert!(clock(world) >= deadline));
        assert!(world.base.remove(timer).is_some());
    };
    check(&mut world);
    world.timer(Duration::ZERO, 1);
    assert_eq!(world.wait().order(), [1]);
    check(&mut world);
    world.timer(Duration::ZERO, 2);
    assert!(world.base.poll(Wait::None).is_ok_and(|turn| turn.is_running()));
    while world.base.next_active().is_some() {}
    check(&mut world);
    Proof::Shown
}

/// Asserts that an event is handed out once for its timeout and then has none.
fn assert_once<F: Fixture, S: Storage>(world: &mut World<F, S>, id: EventId, number: u32) {
    assert_eq!(world.wait().of(number), Ready::TIMEOUT);
    for _ in 0..3 {
        assert!(world.look().is_empty());
    }
    assert_eq!(world.base.pending(id).map(|pending| pending.deadline), Some(None));
}

/// A persistent event whose deadline is in the past has no period: TIMEOUT is reported once.
pub fn past_deadline_comes_once<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    world.pass(IDLE);
    let past = world.now();
    world.pass(IDLE);
    let timer = world.create(Event::timer().persist(), 1);
    assert!(world.base.add_at(timer, past).is_ok());
    assert_once(&mut world, timer, 1);
    assert!(world.base.is_empty(), "the timer is idle");

    let mut source = world.source();
    let reader = world.watch(&source, Interest::READ, 2);
    assert!(world.base.add_at(reader, past).is_ok());
    assert_once(&mut world, reader, 2);
    world.feed(&mut source);
    assert_eq!(world.wait().of(2), Ready::READ, "it still waits for its fd");
    world.drain(&mut source);
    assert!(world.base.restart(reader).is_ok());
    assert_once(&mut world, reader, 2);
    Proof::Shown
}

/// A timeout of zero is no period, as in libevent: TIMEOUT is reported once, whatever the policy for missed periods.
pub fn zero_timeout_comes_once<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    for missed in [Missed::Skip, Missed::Burst, Missed::Delay] {
        let timer = world.start(Event::timer().persist().missed(missed).timeout(Duration::ZERO), 1);
        for _ in 0..2 {
            assert_once(&mut world, timer, 1);
            assert!(world.base.is_empty() && world.base.contains(timer), "it is idle");
            assert!(world.base.add(timer, None).is_ok());
        }
        assert_once(&mut world, timer, 1);
        assert!(world.base.restart(timer).is_ok());
        assert_once(&mut world, timer, 1);
    }
    let mut source = world.source();
    let fd = world.fd(&source);
    let reader = world.start(Event::io(fd, Interest::READ).persist().timeout(Duration::ZERO), 2);
    assert_once(&mut world, reader, 2);
    world.feed(&mut source);
    assert_eq!(world.wait().of(2), Ready::READ, "it still waits for its fd");
    world.drain(&mut source);
    assert!(world.base.del(reader).is_ok() && world.base.add(reader, None).is_ok());
    assert_once(&mut world, reader, 2);
    Proof::Shown
}
