//! Priorities: which event is handed out first, and that every event is handed out.

use evcore::options::Fairness;
use evcore::storage::Storage;
use evcore::{Error, Event, Interest, Ready};

use crate::{Fixture, Proof, World};

/// The most urgent events are handed out first, whatever the order in which they became active.
pub fn urgent_comes_first<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    assert!(world.base.set_priorities(4).is_ok());
    for (number, priority) in [(30, 3), (0, 0), (20, 2), (10, 1), (1, 0)] {
        let event = world.create(Event::user().priority(priority), number);
        assert!(world.base.activate(event, Ready::READ).is_ok());
    }
    assert_eq!(world.look().order(), [0, 1, 10, 20, 30]);
    Proof::Shown
}

/// Strict: one priority per turn, as in libevent; a less urgent event waits until a turn finds nothing more urgent.
pub fn strict_priority<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    assert!(world.base.set_priorities(2).is_ok());
    world.base.set_fairness(Fairness::Strict);
    let mut source = world.source();
    let fd = world.fd(&source);
    world.start(Event::io(fd, Interest::READ).persist().priority(0), 1);
    let low = world.create(Event::user().priority(1), 2);
    world.feed(&mut source);
    assert!(world.base.activate(low, Ready::READ).is_ok());
    for _ in 0..5 {
        assert_eq!(world.look().order(), [1]);
    }
    world.drain(&mut source);
    assert_eq!(world.look().order(), [2]);
    Proof::Shown
}

/// Fair, the default: less urgent events are handed out in each turn, even if more urgent ones never end.
pub fn low_priority_not_starved<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    assert!(world.base.set_priorities(3).is_ok());
    let mut sources = [world.source(), world.source(), world.source()];
    for (priority, source) in sources.iter_mut().enumerate() {
        let fd = world.fd(source);
        world.start(Event::io(fd, Interest::READ).persist().priority(priority as u8), priority as u32);
        world.feed(source);
    }
    for _ in 0..4 {
        assert_eq!(world.look().order(), [0, 1, 2]);
    }
    Proof::Shown
}

/// First in, first out inside a priority.
pub fn fifo_in_class<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let events = [0, 1, 2, 3, 4].map(|number| world.create(Event::user(), number));
    for number in [3, 0, 4, 1, 2, 3, 0] {
        assert!(world.base.activate(events[number], Ready::READ).is_ok());
    }
    assert_eq!(world.look().order(), [3, 0, 4, 1, 2]);
    Proof::Shown
}

/// An event that a handler activates at a more urgent priority is handed out next.
pub fn higher_activated_in_callback_runs_first<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    assert!(world.base.set_priorities(8).is_ok());
    let first = world.create(Event::user().priority(4), 0);
    let second = world.create(Event::user().priority(4), 1);
    let urgent = world.create(Event::user().priority(0), 2);
    for event in [first, second] {
        assert!(world.base.activate(event, Ready::READ).is_ok());
    }
    let seen = world.turn(evcore::Wait::None, |world, _, number| {
        if number == 0 {
            assert!(world.base.activate(urgent, Ready::READ).is_ok());
        }
    });
    assert_eq!(seen.order(), [0, 2, 1]);
    Proof::Shown
}

/// An event that activates itself is handed out once per turn, with others in between.
pub fn self_activation_bounded<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    world.feed(&mut source);
    let greedy = world.create(Event::user(), 2);
    assert!(world.base.activate(greedy, Ready::READ).is_ok());
    for _ in 0..4 {
        let seen = world.turn(evcore::Wait::None, |world, id, number| {
            if number == 2 {
                assert!(world.base.activate(id, Ready::READ).is_ok());
            }
        });
        assert_eq!((seen.times(1), seen.times(2)), (1, 1), "{seen:?}");
    }
    Proof::Shown
}

/// Another event that a handler activates is handed out in the same turn; one that this turn has already handed out,
/// in the next.
pub fn activated_in_a_handler_comes_this_turn<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let first = world.create(Event::user(), 1);
    let second = world.create(Event::user(), 2);
    assert!(world.base.activate(first, Ready::READ).is_ok());
    let seen = world.turn(evcore::Wait::None, |world, _, number| {
        let other = if number == 1 { second } else { first };
        assert!(world.base.activate(other, Ready::WRITE).is_ok());
    });
    assert_eq!(seen.order(), [1, 2]);
    let seen = world.look();
    assert_eq!((seen.len(), seen.of(1)), (1, Ready::WRITE));
    Proof::Shown
}

/// Two events that activate each other for the next turn do not prevent readiness from being found.
pub fn active_later_next_iteration<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    world.feed(&mut source);
    let pair = [world.create(Event::user(), 2), world.create(Event::user(), 3)];
    assert!(world.base.again(pair[0]).is_ok());
    for turn in 0..6 {
        let seen = world.turn(evcore::Wait::None, |world, id, number| {
            if number > 1 {
                let other = if id == pair[0] { pair[1] } else { pair[0] };
                assert!(world.base.again(other).is_ok());
            }
        });
        assert_eq!((seen.len(), seen.times(1), seen.times(2 + turn % 2)), (2, 1, 1), "{seen:?}");
    }
    Proof::Shown
}

/// The priority of a queued event may change: it moves to the end of its new priority's queue.
pub fn priority_change_while_active<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    assert!(world.base.set_priorities(2).is_ok());
    let events = [0, 1, 2].map(|number| world.create(Event::user().priority(1), number));
    for event in events {
        assert!(world.base.activate(event, Ready::READ).is_ok());
    }
    assert!(world.base.set_priority(events[2], 0).is_ok());
    let seen = world.turn(evcore::Wait::None, |world, _, number| {
        if number == 2 {
            assert!(world.base.set_priority(events[0], 0).is_ok());
            assert!(world.base.set_priority(events[0], 1).is_ok());
        }
    });
    assert_eq!(seen.order(), [2, 1, 0]);
    assert_eq!(world.base.priority(events[2]), Some(0));
    Proof::Shown
}

/// A priority that the base does not have is refused, and nothing changes.
pub fn priority_out_of_range_refused<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    match world.base.create(Event::user().priority(1), 7) {
        Ok(_) => panic!("a new base has one priority"),
        Err(rejected) => {
            assert!(matches!(rejected.error, Error::NoSuchPriority), "{:?}", rejected.error);
            assert_eq!(rejected.data, 7);
        }
    }
    assert_eq!(world.base.counts().events, 0);
    let event = world.create(Event::user(), 1);
    assert!(matches!(world.base.set_priority(event, 1), Err(Error::NoSuchPriority)));
    assert_eq!(world.base.priority(event), Some(0));
    assert!(matches!(world.base.set_priorities(0), Err(Error::NoSuchPriority)));
    assert_eq!(world.base.priorities(), 1);
    Proof::Shown
}

/// B13: the number of priorities cannot become too small for an existing event, nor change while an event is active;
/// existing events still work after a change.
pub fn b13_priorities_do_not_shrink_under_an_event<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    assert!(world.base.set_priorities(8).is_ok());
    let event = world.start(Event::timer().priority(7).timeout(core::time::Duration::ZERO), 1);
    assert!(matches!(world.base.set_priorities(2), Err(Error::NoSuchPriority)));
    assert_eq!(world.base.priorities(), 8);
    assert!(world.base.activate(event, Ready::READ).is_ok());
    assert!(matches!(world.base.set_priorities(9), Err(Error::NoSuchPriority)));
    assert_eq!(world.wait().len(), 1);
    assert!(world.base.set_priority(event, 1).is_ok());
    assert!(world.base.set_priorities(2).is_ok());
    assert!(world.base.activate(event, Ready::READ).is_ok());
    assert_eq!(world.look().len(), 1);
    Proof::Shown
}

/// An event without an explicit priority gets the middle one.
pub fn default_priority_is_the_middle<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    for (priorities, middle) in [(1, 0), (2, 1), (3, 1), (8, 4)] {
        assert!(world.base.set_priorities(priorities).is_ok());
        let event = world.create(Event::user(), 1);
        assert_eq!(world.base.priority(event), Some(middle), "of {priorities}");
        world.base.remove(event);
    }
    Proof::Shown
}
