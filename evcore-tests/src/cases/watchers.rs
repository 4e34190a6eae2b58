//! Events around each wait: prepare before it, check after it.

use core::time::Duration;

use evcore::storage::Storage;
use evcore::{End, Event, Interest, Mode, Ready};

use crate::{Fixture, Proof, World};

/// Prepare events are handed out before the wait, check events after it and before all others, each in the order in
/// which they were added.
pub fn watchers_come_around_the_wait<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    for (number, event) in [(10, Event::check()), (11, Event::prepare()), (12, Event::check()), (13, Event::prepare())]
    {
        world.start(event, number);
    }
    world.watch(&source, Interest::READ, 1);
    world.feed(&mut source);
    let mut order: heapless::Vec<u32, 32> = heapless::Vec::new();
    let ended = world.base.run(Mode::ONCE, |base, occurrence| {
        assert!(order.push(base.get(occurrence.id).copied().unwrap_or_default()).is_ok());
    });
    assert!(matches!(ended, Ok(End::Once)));
    assert_eq!(order[..], [11, 13, 10, 12, 1]);
    Proof::Shown
}

/// Watchers never keep a loop running.
pub fn watchers_do_not_keep_alive<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    world.start(Event::prepare(), 1);
    world.start(Event::check(), 2);
    assert!(world.base.is_empty());
    assert!(matches!(world.base.run(Mode::empty(), |_, _| {}), Ok(End::Empty)));
    Proof::Shown
}

/// B9: a watcher may remove itself and the next one, and add another, in its own hand-out.
pub fn b9_watcher_removed_in_its_own_callback<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    for (number, make) in [(10, Event::prepare()), (20, Event::check())] {
        let first = world.start(make, number);
        let second = world.start(make, number + 1);
        world.start(make, number + 2);
        world.timer(Duration::from_millis(1), 1);
        let mut order: heapless::Vec<u32, 32> = heapless::Vec::new();
        let mut added = None;
        let ended = world.base.run(Mode::ONCE, |base, occurrence| {
            assert!(order.push(base.get(occurrence.id).copied().unwrap_or_default()).is_ok());
            if occurrence.id == first {
                assert_eq!(base.remove(first), Some(number));
                assert_eq!(base.remove(second), Some(number + 1));
                added = base.start(make, number + 3).ok();
            }
        });
        assert!(matches!(ended, Ok(End::Once)));
        world.check();
        assert_eq!(order.first(), Some(&number));
        assert!(!order.contains(&(number + 1)), "a removed watcher came: {order:?}");
        assert!(order.contains(&(number + 2)));
        let all: heapless::Vec<_, 32> = world.base.iter().map(|(id, _)| id).collect();
        for event in all {
            world.base.remove(event);
        }
    }
    Proof::Shown
}

/// B10: an event that a prepare watcher activates, or a timer it arms, shortens the wait that follows.
pub fn b10_activated_in_prepare_shortens_the_wait<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let user = world.create(Event::user(), 1);
    let prepare = world.start(Event::prepare(), 2);
    world.timer(Duration::from_secs(3_600), 3);
    // Ends a loop that sleeps too long, so that the case fails.
    world.base.loop_exit_after(crate::PATIENCE);
    let mut begin = world.now();
    let mut handed_out = 0;
    let ended = world.base.run(Mode::empty(), |base, occurrence| {
        if occurrence.id == prepare {
            assert!(base.activate(user, Ready::WRITE).is_ok());
        } else {
            assert_eq!((occurrence.id, occurrence.ready), (user, Ready::WRITE));
            handed_out += 1;
            base.loop_break();
        }
    });
    assert!(matches!(ended, Ok(End::Break)));
    assert_eq!(handed_out, 1);
    assert!(world.now().saturating_since(begin) <= World::<F, S>::grace(crate::BUSY));
    world.base.remove(user);
    let timer = world.create(Event::timer(), 4);
    begin = world.now();
    let ended = world.base.run(Mode::empty(), |base, occurrence| {
        if occurrence.id == prepare {
            assert!(base.add(timer, Some(Duration::from_millis(1))).is_ok());
        } else {
            base.loop_break();
        }
    });
    assert!(matches!(ended, Ok(End::Break)));
    assert!(world.now().saturating_since(begin) <= Duration::from_millis(1) + World::<F, S>::grace(crate::BUSY));
    Proof::Shown
}

/// A deleted watcher is not handed out; one that is added again is.
pub fn watcher_deleted_and_added<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let check = world.create(Event::check(), 1);
    assert!(world.look().is_empty());
    assert!(world.base.add(check, None).is_ok());
    assert_eq!(world.look().order(), [1]);
    assert!(world.base.del(check).is_ok());
    assert!(world.look().is_empty());
    assert!(world.base.add(check, None).is_ok());
    assert_eq!(world.look().order(), [1]);
    Proof::Shown
}

/// A loop that ends in a prepare watcher does not wait first.
pub fn exit_in_prepare<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    world.start(Event::prepare(), 1);
    world.timer(Duration::from_secs(3_600), 2);
    // Ends a loop that sleeps too long, so that the case fails.
    world.base.loop_exit_after(crate::PATIENCE);
    let begin = world.now();
    let ended = world.base.run(Mode::empty(), |base, _| base.loop_exit());
    assert!(matches!(ended, Ok(End::Exit)));
    assert!(world.now().saturating_since(begin) <= World::<F, S>::grace(crate::BUSY));
    Proof::Shown
}
