//! The clock: when a delay starts, and how long a wait lasts.

use core::time::Duration;

use evcore::backend::EventOp;
use evcore::storage::Storage;
use evcore::{Event, Instant, Interest, Ready, Wait};

use crate::{Fixture, Proof, World};

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A wait whose milliseconds overflow 31 or 32 bits is legal: the loop sleeps and does not spin.
pub fn wait_longer_than_i32_ms<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let delays = [1 << 31, (1 << 32) + 1, 1 << 40, 1 << 43].map(ms);
    if F::IS_VIRTUAL {
        for delay in delays {
            let due = world.now().saturating_add(delay);
            world.timer(delay, 1);
            assert_eq!(world.turn(Wait::Forever, |_, _, _| {}).of(1), Ready::TIMEOUT);
            assert_eq!(world.now(), due);
        }
        return Proof::Shown;
    }
    let events = delays.map(|delay| world.timer(delay, 1));
    for event in events {
        let Some(waker) = world.waker() else {
            super::readiness::assert_quiet(&mut world);
            return world.without("way to end so long a wait");
        };
        let before = world.stats().waits;
        let begin = world.now();
        assert!(world.fixture.wake_later(&waker, ms(20)));
        while world.now() < begin.saturating_add(ms(20)) {
            assert!(world.turn(Wait::Forever, |_, _, _| {}).is_empty());
        }
        assert!(world.stats().waits - before <= 4);
        world.base.remove(event);
    }
    Proof::Shown
}

/// A delay starts at the call, even late in a slow handler, and not at the beginning of the turn.
pub fn delay_counts_from_the_call<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    world.timer(Duration::ZERO, 1);
    let timer = world.create(Event::timer(), 2);
    let mut due = Instant::ZERO;
    world.wait_with(|world, _, _| {
        let turn = world.base.now();
        world.pass(ms(20));
        assert_eq!(world.base.now(), turn, "the turn's clock has moved");
        assert!(world.base.add(timer, Some(ms(10))).is_ok());
        due = turn.saturating_add(ms(30));
    });
    assert_eq!(world.wait().of(2), Ready::TIMEOUT);
    assert!(world.now() >= due);
    Proof::Shown
}

/// A delay with a starting point is due that long after the point, even if the clock has advanced; and it is the
/// period of a persistent timer, to the nanosecond.
pub fn delay_counts_from_a_point<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let once = world.create(Event::timer(), 1);
    let period = world.create(Event::timer().persist(), 2);
    let start = world.now();
    world.pass(ms(5));
    assert!(world.base.add_from(once, start, ms(20)).is_ok());
    assert!(world.base.add_from(period, start, ms(10)).is_ok());
    let deadline = |world: &World<F, S>, id| world.base.pending(id).and_then(|pending| pending.deadline);
    assert_eq!(deadline(&world, once), Some(start.saturating_add(ms(20))));
    assert_eq!(deadline(&world, period), Some(start.saturating_add(ms(10))));
    while world.wait().of(2) != Ready::TIMEOUT {}
    let next = deadline(&world, period).map(|next| next.saturating_since(start).as_nanos() % ms(10).as_nanos());
    assert_eq!(next, Some(0), "not the period that was given");
    Proof::Shown
}

/// The turn's cached time does not change between its hand-outs, and is updated on request.
pub fn cached_clock_stands_still<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    for number in 0..3 {
        world.timer(Duration::ZERO, number);
    }
    let mut times: heapless::Vec<Instant, 4> = heapless::Vec::new();
    world.wait_with(|world, _, number| {
        assert!(times.push(world.base.now()).is_ok());
        world.pass(ms(1));
        if number == 1 {
            assert!(world.base.update_now() >= times[1].saturating_add(ms(2)));
        }
    });
    assert_eq!(times.len(), 3);
    assert_eq!(times[0], times[1]);
    assert!(times[2] > times[1]);
    Proof::Shown
}

/// If the clock runs backwards, no timer is reported twice or lost, and the base's time does not go back.
pub fn clock_backwards_is_harmless<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    world.pass(ms(100));
    world.start(Event::timer().persist().timeout(ms(10)), 1);
    assert_eq!(world.wait().of(1), Ready::TIMEOUT);
    let before = world.now();
    if !world.fixture.turn_back(world.base.backend_mut(), ms(50)) {
        return world.without("clock that runs backwards");
    }
    assert_eq!(world.now(), before);
    assert!(world.look().is_empty());
    assert_eq!(world.wait().of(1), Ready::TIMEOUT);
    Proof::Shown
}

/// The backend's clock never steps back, and advances while sources are ready and the loop does not sleep.
pub fn clock_goes_on<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    world.pass(ms(3));
    let mut last = world.base.backend().now();
    for round in 0..64 {
        if round == 32 {
            world.feed(&mut source);
        }
        if round == 48 {
            assert!(world.base.reinit().is_ok());
        }
        for _ in 0..64 {
            let now = world.base.backend().now();
            assert!(now >= last, "the clock has stepped back");
            last = now;
        }
        world.pass(Duration::from_micros(20));
        world.look();
        let now = world.base.backend().now();
        assert!(now >= last.saturating_add(Duration::from_micros(20)), "the clock has lost 20 µs in round {round}");
        last = now;
    }
    Proof::Shown
}

/// The backend's clock keeps pace with another clock, apart from the time between reading the two.
pub fn clock_keeps_pace<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let (first, begin) = (world.fixture.elapsed(), world.base.backend().now());
    let second = world.fixture.elapsed();
    world.pass(ms(20));
    let (third, end) = (world.fixture.elapsed(), world.base.backend().now());
    let (Some(first), Some(second), Some(third), Some(fourth)) = (first, second, third, world.fixture.elapsed()) else {
        assert!(!F::IS_VIRTUAL || end == begin.saturating_add(ms(20)), "20 ms are not 20 ms");
        return world.without("other clock");
    };
    let passed = end.saturating_since(begin);
    // Two clocks may have different resolutions.
    assert!(passed + ms(4) >= third.saturating_sub(second), "{passed:?} of {:?}", third.saturating_sub(second));
    assert!(passed <= fourth.saturating_sub(first) + ms(4), "{passed:?} of {:?}", fourth.saturating_sub(first));
    Proof::Shown
}

/// A wait of zero, or one whose end has passed, takes no time; both find what is ready.
pub fn wait_that_is_over_only_looks<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    let waits: [fn(Instant) -> Wait; 3] =
        [|_| Wait::None, Wait::Until, |now| Wait::Until(Instant::from_nanos(now.as_nanos().saturating_sub(1)))];
    world.pass(ms(1));
    for wait in waits {
        let mut shortest = Duration::MAX;
        for _ in 0..100 {
            let begin = world.now();
            assert!(world.turn(wait(begin), |_, _, _| {}).is_empty());
            shortest = shortest.min(world.now().saturating_since(begin));
        }
        assert!(shortest <= World::<F, S>::grace(Duration::from_micros(900)), "{shortest:?} each time");
        for _ in 0..3 {
            world.feed(&mut source);
            let now = world.now();
            assert_eq!(world.turn(wait(now), |_, _, _| {}).of(1), Ready::READ, "it did not look");
            world.drain(&mut source);
        }
        // Now with a timer that is due, too.
        world.feed(&mut source);
        world.timer(Duration::ZERO, 2);
        world.pass(Duration::from_nanos(1));
        let now = world.now();
        let seen = world.turn(wait(now), |_, _, _| {});
        assert_eq!((seen.of(1), seen.of(2)), (Ready::READ, Ready::TIMEOUT));
        world.drain(&mut source);
    }
    Proof::Shown
}

/// A wait without an end sleeps until an event is ready.
pub fn wait_without_end_sleeps<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    assert!(world.look().is_empty());
    for _ in 0..2 {
        if F::IS_VIRTUAL || !world.fixture.feed_later(&mut source, ms(20)) {
            return world.without("way to feed a source while the loop sleeps");
        }
        let before = world.stats().waits;
        while world.turn(Wait::Forever, |_, _, _| {}).is_empty() {}
        let waits = world.stats().waits - before;
        assert!(waits <= 4, "{waits} waits for what came once");
        world.fixture.finish();
        world.drain(&mut source);
    }
    Proof::Shown
}
