//! Waking a loop from elsewhere.

use core::time::Duration;

use evcore::storage::Storage;
use evcore::{End, Instant, Interest, Mode, Ready, Turn, Wait};

use super::readiness::assert_quiet;
use crate::{Fixture, Proof, World};

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A wake that comes before the wait is not slept over.
pub fn wake_before_wait_not_lost<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(waker) = world.waker() else { return world.without("waker") };
    for _ in 0..3 {
        let begin = world.now();
        F::wake(&waker);
        assert!(matches!(world.base.poll(Wait::Until(begin.saturating_add(crate::PATIENCE))), Ok(Turn::Running)));
        assert!(world.base.next_active().is_none());
        assert!(world.now().saturating_since(begin) <= World::<F, S>::grace(ms(2_000)), "slept over a wake");
    }
    Proof::Shown
}

/// A thousand wakes are at least one turn, and leave nothing behind: the next wait sleeps.
pub fn thousand_wakes_coalesce<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(waker) = world.waker() else { return world.without("waker") };
    for _ in 0..1_000 {
        F::wake(&waker);
    }
    let begin = world.now();
    assert!(world.turn(Wait::Until(begin.saturating_add(crate::PATIENCE)), |_, _, _| {}).is_empty());
    assert!(world.now().saturating_since(begin) <= World::<F, S>::grace(ms(2_000)));
    assert_quiet(&mut world);
    Proof::Shown
}

/// B2: a wake wakes once: no backend spins on what the waker left in its doorbell.
pub fn b2_a_wake_does_not_spin<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(waker) = world.waker() else { return world.without("waker") };
    for _ in 0..3 {
        if !world.fixture.wake_later(&waker, ms(5)) {
            F::wake(&waker);
        }
        let before = world.base.stats().waits;
        assert!(world.during(ms(30)).is_empty());
        let waits = world.base.stats().waits - before;
        assert!((1..=5).contains(&waits), "{waits} waits for one wake");
        assert_quiet(&mut world);
    }
    Proof::Shown
}

/// A wake from elsewhere ends a sleep that has begun.
pub fn wake_from_elsewhere<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(waker) = world.waker() else { return world.without("waker") };
    for _ in 0..3 {
        let begin = world.now();
        if !world.fixture.wake_later(&waker, ms(10)) {
            return world.without("elsewhere to wake from");
        }
        while world.now() < begin.saturating_add(ms(10)) {
            assert!(world.turn(Wait::Until(Instant::MAX), |_, _, _| {}).is_empty());
        }
        assert!(world.now().saturating_since(begin) <= ms(2_000));
    }
    Proof::Shown
}

/// A waker does not keep a loop alive.
pub fn waker_does_not_keep_alive<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(waker) = world.waker() else { return world.without("waker") };
    F::wake(&waker);
    assert!(world.base.is_empty());
    assert!(matches!(world.base.run(Mode::empty(), |_, _| {}), Ok(End::Empty)));
    Proof::Shown
}

/// A wake after the base is gone does nothing; and so does one on a waker that was kept from before a clone.
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

/// A wake and readiness in one wait are both seen: the wake hides nothing.
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

/// Wakes and work from elsewhere, a few hundred at once: each piece of work is seen by a turn after its wake.
pub fn wakes_are_never_lost<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(waker) = world.waker() else { return world.without("waker") };
    for round in 0..100u64 {
        let begin = world.now();
        if !world.fixture.wake_later(&waker, Duration::from_micros(round % 7 * 30)) {
            return world.without("elsewhere to wake from");
        }
        assert!(world.turn(Wait::Until(begin.saturating_add(crate::PATIENCE)), |_, _, _| {}).is_empty());
        assert!(world.now().saturating_since(begin) < crate::PATIENCE, "wake {round} was lost");
    }
    Proof::Shown
}
