//! Limits on a turn, so that timers and readiness are checked again in time.

use core::num::NonZeroU32;
use core::time::Duration;

use evcore::options::Limits;
use evcore::storage::Storage;
use evcore::{Event, EventId, Interest, Ready, Wait};

use crate::{Fixture, Proof, World};

/// A turn hands out at most this many events, and between turns new readiness is found.
pub fn max_callbacks_budget_polls_between<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    world.set_limits(Limits { hand_outs: NonZeroU32::new(2), ..Limits::DEFAULT });
    let mut source = world.source();
    world.watch(&source, Interest::READ, 100);
    active::<F, S, 5>(&mut world, None);
    assert_eq!(world.look().order(), [0, 1]);
    world.feed(&mut source);
    assert_eq!(world.look().order(), [2, 3]);
    assert_eq!(world.look().order(), [4, 100]);
    Proof::Shown
}

/// After a turn that reached its limit, the next does not wait: active events are handed out first.
pub fn rest_of_a_turn_does_not_wait<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    world.set_limits(Limits { hand_outs: NonZeroU32::new(1), ..Limits::DEFAULT });
    active::<F, S, 3>(&mut world, None);
    let before = world.now();
    for number in 0..3 {
        assert_eq!(world.turn(Wait::Until(before.saturating_add(crate::PATIENCE)), |_, _, _| {}).order(), [number]);
    }
    assert!(world.now().saturating_since(before) <= World::<F, S>::grace(crate::BUSY));
    Proof::Shown
}

/// Many urgent events leave each priority a share of the turn.
pub fn each_level_has_its_share<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    assert!(world.base.set_priorities(2).is_ok());
    world.set_limits(Limits { hand_outs: NonZeroU32::new(4), ..Limits::DEFAULT });
    let flood = active::<F, S, 5>(&mut world, Some(0));
    let low = world.create(Event::user().priority(1), 50);
    for _ in 0..4 {
        assert!(world.base.activate(low, Ready::READ).is_ok());
        for event in flood {
            assert!(world.base.activate(event, Ready::READ).is_ok());
        }
        let seen = world.look();
        assert_eq!((seen.len(), seen.times(50)), (4, 1), "{seen:?}");
    }
    Proof::Shown
}

/// With a time limit, hand-outs end when the time is over, but after at least one.
pub fn interval_ends_a_turn<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    world.set_limits(Limits { interval: Some(Duration::from_millis(20)), ..Limits::DEFAULT });
    active::<F, S, 6>(&mut world, None);
    let (mut handed_out, mut turns) = (0, 0);
    while handed_out < 6 {
        let seen = world.turn(Wait::None, |world, _, _| world.pass(Duration::from_millis(15)));
        assert!(seen.len() <= 3 && !seen.is_empty(), "{seen:?}");
        handed_out += seen.len();
        turns += 1;
    }
    assert!(turns >= 2);
    Proof::Shown
}

/// Priorities more urgent than the given one are exempt from the limits.
pub fn exempt_levels_are_not_bounded<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    assert!(world.base.set_priorities(2).is_ok());
    world.set_limits(Limits { hand_outs: NonZeroU32::new(1), from_priority: 1, ..Limits::DEFAULT });
    active::<F, S, 5>(&mut world, Some(0));
    for number in [10, 11] {
        let event = world.create(Event::user().priority(1), number);
        assert!(world.base.activate(event, Ready::READ).is_ok());
    }
    assert_eq!(world.look().order(), [0, 1, 2, 3, 4, 10]);
    assert_eq!(world.look().order(), [11]);
    Proof::Shown
}

/// A new base has a default limit: events that activate each other, however many, do not prolong a turn for ever.
pub fn bound_is_always_on<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let event = world.create(Event::user(), 0);
    assert!(world.base.activate(event, Ready::READ).is_ok());
    assert!(world.base.poll(Wait::None).is_ok());
    let mut handed_out = 0;
    while let Some(fired) = world.base.next_active() {
        let old = fired.id;
        handed_out += 1;
        assert!(handed_out <= 1_024, "a turn without end");
        // Not the same event, so that only the limit can end the turn.
        world.base.remove(old);
        let next = world.create(Event::user(), 0);
        assert!(world.base.activate(next, Ready::READ).is_ok());
    }
    assert_eq!(handed_out, 1_024);
    Proof::Shown
}

/// Limits set in a handler apply to the next turn.
pub fn bounds_are_those_of_the_next_turn<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    active::<F, S, 5>(&mut world, None);
    let seen = world.turn(Wait::None, |world, id, number| {
        world.set_limits(Limits { hand_outs: NonZeroU32::new(1), ..Limits::DEFAULT });
        if number == 0 {
            assert!(world.base.again(id).is_ok());
        }
        if number == 1 {
            assert!(world.base.activate(id, Ready::READ).is_ok());
        }
    });
    assert_eq!(seen.order(), [0, 1, 2, 3, 4]);
    assert_eq!(world.look().order(), [0]);
    assert_eq!(world.look().order(), [1]);
    Proof::Shown
}

/// This many active events, numbered from 0.
fn active<F: Fixture, S: Storage, const N: usize>(world: &mut World<F, S>, priority: Option<u8>) -> [EventId; N] {
    core::array::from_fn(|number| {
        let event = match priority {
            Some(priority) => Event::user().priority(priority),
            None => Event::user(),
        };
        let event = world.create(event, number as u32);
        assert!(world.base.activate(event, Ready::READ).is_ok());
        event
    })
}
