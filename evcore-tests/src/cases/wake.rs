//! Waking a loop from other threads, interrupts and handlers.

use core::time::Duration;

use evcore::backend::Features;
use evcore::storage::Storage;
use evcore::{End, Event, EventBase, Instant, Interest, Mode, Ready, Turn, Wait};

use super::readiness::assert_quiet;
use crate::{Fixture, Proof, World};

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A wake before the wait is not missed.
pub fn wake_before_wait_not_lost<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(waker) = world.waker() else { return world.without("waker") };
    for _ in 0..3 {
        let begin = world.now();
        F::wake(&waker);
        assert!(matches!(world.base.poll(Wait::Until(begin.saturating_add(crate::PATIENCE))), Ok(Turn::Running)));
        assert!(world.base.next_active().is_none());
        assert!(world.now().saturating_since(begin) <= World::<F, S>::grace(crate::BUSY), "missed a wake");
    }
    Proof::Shown
}

/// A thousand wakes cause at least one turn, and leave nothing behind: the next wait sleeps.
pub fn thousand_wakes_coalesce<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(waker) = world.waker() else { return world.without("waker") };
    for _ in 0..1_000 {
        F::wake(&waker);
    }
    let begin = world.now();
    assert!(world.turn(Wait::Until(begin.saturating_add(crate::PATIENCE)), |_, _, _| {}).is_empty());
    assert!(world.now().saturating_since(begin) <= World::<F, S>::grace(crate::BUSY));
    assert_quiet(&mut world);
    Proof::Shown
}

/// B2: a wake ends one wait: no backend spins on what the waker left in its doorbell.
pub fn b2_a_wake_does_not_spin<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(waker) = world.waker() else { return world.without("waker") };
    for _ in 0..3 {
        if !world.fixture.wake_later(&waker, ms(5)) {
            F::wake(&waker);
        }
        let before = world.stats().waits;
        assert!(world.during(ms(30)).is_empty());
        let waits = world.stats().waits - before;
        assert!((1..=5).contains(&waits), "{waits} waits for one wake");
        assert_quiet(&mut world);
    }
    Proof::Shown
}

/// A wake from another thread or an interrupt ends a sleep under way.
pub fn wake_from_elsewhere<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(waker) = world.waker() else { return world.without("waker") };
    for _ in 0..3 {
        let begin = world.now();
        if !world.fixture.wake_later(&waker, ms(10)) {
            return world.without("way to wake the backend later");
        }
        while world.now() < begin.saturating_add(ms(10)) {
            assert!(world.turn(Wait::Until(Instant::MAX), |_, _, _| {}).is_empty());
        }
        assert!(world.now().saturating_since(begin) <= crate::BUSY);
    }
    Proof::Shown
}

/// A waker does not keep a loop running.
pub fn waker_does_not_keep_alive<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(waker) = world.waker() else { return world.without("waker") };
    F::wake(&waker);
    assert!(world.base.is_empty());
    assert!(matches!(world.base.run(Mode::empty(), |_, _| {}), Ok(End::Empty)));
    Proof::Shown
}

/// A wake after the base was dropped does nothing, also with a clone of a waker.
pub fn wake_after_the_base_is_gone<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(waker) = world.waker() else { return world.without("waker") };
    let World { base, mut fixture } = world;
    drop(base);
    let clone = waker.clone();
    let mut next = fixture.backend();
    let mut source = fixture.source(&mut next);
    F::wake(&waker);
    drop(waker);
    F::wake(&clone);
    fixture.drain(&mut next, &mut source);
    let _ = fixture.wake_later(&clone, Duration::ZERO);
    Proof::Shown
}

/// A wake and readiness in one wait are both reported: the wake hides nothing.
pub fn wake_hides_nothing<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(waker) = world.waker() else { return world.without("waker") };
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    world.timer(ms(1), 2);
    world.feed(&mut source);
    world.pass(ms(2));
    F::wake(&waker);
    let seen = world.wait_for(&[1, 2]);
    assert_eq!((seen.of(1), seen.of(2)), (Ready::READ, Ready::TIMEOUT));
    Proof::Shown
}

/// A few hundred wakes from elsewhere, each for a piece of work: a turn after its wake sees the work.
pub fn wakes_are_never_lost<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(waker) = world.waker() else { return world.without("waker") };
    for round in 0..100u64 {
        let begin = world.now();
        if !world.fixture.wake_later(&waker, Duration::from_micros(round % 7 * 30)) {
            return world.without("way to wake the backend later");
        }
        assert!(world.turn(Wait::Until(begin.saturating_add(crate::PATIENCE)), |_, _, _| {}).is_empty());
        assert!(world.now().saturating_since(begin) < crate::PATIENCE, "wake {round} was lost");
    }
    Proof::Shown
}

/// After a wake the next wait does not sleep, whatever came before: readiness, a signal, a timer, a turn without a
/// wait, a rebuild. The wait after that sleeps.
pub fn wake_ends_the_next_wait_after_anything<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let Some(waker) = world.waker() else { return world.without("waker") };
    let (mut source, other) = (world.source(), world.source());
    world.watch(&source, Interest::READ, 1);
    let signum = if world.can(Features::SIGNALS) { world.fixture.signal(0) } else { None };
    if let Some(signum) = signum {
        world.start(Event::signal(signum).persist(), 2);
    }
    for round in 0..24 {
        match round % 6 {
            0 => {
                world.feed(&mut source);
                assert_eq!(world.wait().order(), [1]);
                world.drain(&mut source);
            }
            1 => {
                if let Some(signum) = signum {
                    world.raise(signum);
                    assert_eq!(world.wait().order(), [2]);
                }
            }
            2 => {
                world.timer(Duration::from_micros(10), 3);
                assert_eq!(world.wait().order(), [3]);
            }
            3 => assert!(world.look().is_empty()),
            4 => assert!(world.base.reinit().is_ok()),
            _ => {}
        }
        assert_wakes(&mut world, &waker, round);
        // The next wake is not lost either if the base changes between it and the wait.
        F::wake(&waker);
        let other = world.watch(&other, Interest::READ, 4);
        match round % 4 {
            0 => assert!(
                world.base.modify(other, Interest::READ | Interest::URGENT).is_ok() || !world.can(Features::URGENT)
            ),
            1 => assert_eq!(world.base.remove(other), Some(4)),
            2 => assert!(world.base.del(other).is_ok()),
            _ => {}
        }
        let begin = world.now();
        assert!(world.turn(Wait::Until(begin.saturating_add(crate::PATIENCE)), |_, _, _| {}).is_empty());
        assert!(world.now().saturating_since(begin) <= World::<F, S>::grace(crate::BUSY), "{round}: missed a wake");
        world.base.remove(other);
        if round == 12 {
            assert_quiet(&mut world);
        }
    }
    Proof::Shown
}

/// Wakes, and checks that this ends a wait.
#[track_caller]
fn assert_wakes<F: Fixture, S: Storage>(world: &mut World<F, S>, waker: &F::Waker, what: impl core::fmt::Debug) {
    F::wake(waker);
    let begin = world.now();
    assert!(world.turn(Wait::Until(begin.saturating_add(crate::PATIENCE)), |_, _, _| {}).is_empty());
    let slept = world.now().saturating_since(begin);
    assert!(slept <= World::<F, S>::grace(crate::BUSY), "{what:?}: missed a wake");
}

/// A wake in a handler, while other events are active, ends the next wait.
pub fn wake_by_a_handler_ends_the_next_wait<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(waker) = world.waker() else { return world.without("waker") };
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    for _ in 0..3 {
        world.feed(&mut source);
        let seen = world.wait_with(|world, _, _| {
            world.drain(&mut source);
            F::wake(&waker);
        });
        assert_eq!(seen.order(), [1]);
        let begin = world.now();
        assert!(world.turn(Wait::Until(begin.saturating_add(crate::PATIENCE)), |_, _, _| {}).is_empty());
        assert!(world.now().saturating_since(begin) <= World::<F, S>::grace(crate::BUSY), "missed a wake");
    }
    assert_quiet(&mut world);
    Proof::Shown
}

/// Each waker works, and each clone, however many there are and whichever of them were dropped.
pub fn each_waker_wakes<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(first) = world.waker() else { return world.without("waker") };
    let second = world.waker();
    let Some(second) = second else { return world.without("second waker") };
    let clone = second.clone();
    for _ in 0..2 {
        assert_wakes(&mut world, &first, "the first");
        assert_wakes(&mut world, &second, "the second");
        assert_wakes(&mut world, &clone, "a clone");
    }
    drop(second);
    assert_wakes(&mut world, &clone, "a clone of what is gone");
    assert_wakes(&mut world, &first, "the first");
    assert!(world.base.reinit().is_ok());
    assert_wakes(&mut world, &clone, "after a rebuild");
    assert_quiet(&mut world);
    Proof::Shown
}

/// A waker wakes its own base, and no other base of the process.
pub fn wake_reaches_its_own_base<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(waker) = world.waker() else { return world.without("waker") };
    if !world.fixture.has_wakers_apart() {
        return world.without("separate waker for each backend");
    }
    let mut other: EventBase<F::Backend, S, u32> = EventBase::new(world.fixture.backend());
    let Some(other_waker) = world.fixture.waker(other.backend_mut()) else {
        return world.without("waker for a second base");
    };
    for _ in 0..3 {
        F::wake(&other_waker);
        assert_quiet(&mut world);
        let begin = other.update_now();
        assert!(other.poll(Wait::Until(begin.saturating_add(crate::PATIENCE))).is_ok());
        assert!(other.update_now().saturating_since(begin) <= World::<F, S>::grace(crate::BUSY), "missed a wake");
        assert_wakes(&mut world, &waker, "the other base was woken before");
    }
    Proof::Shown
}

/// A wake event is handed out once for a wake beside readiness, a timer and a turn without a wait; and not without a
/// wake.
pub fn wake_event_comes_beside_readiness<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(waker) = world.waker() else { return world.without("waker") };
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    world.start(Event::wake(), 2);
    for round in 0..4 {
        world.feed(&mut source);
        world.timer(Duration::ZERO, 3);
        world.pass(Duration::from_nanos(1));
        F::wake(&waker);
        F::wake(&waker);
        let seen = if round % 2 == 0 { world.look() } else { world.wait() };
        assert_eq!([1, 2, 3].map(|number| seen.times(number)), [1, 1, 1], "round {round}");
        world.drain(&mut source);
        assert_quiet(&mut world);
        assert!(world.base.reinit().is_ok());
    }
    Proof::Shown
}
