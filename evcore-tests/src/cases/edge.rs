//! Edge-triggered readiness: changes are reported, not states. Backends without EDGE refuse it.

use evcore::backend::Features;
use evcore::storage::Storage;
use evcore::{Error, Event, Interest, Ready};

use super::readiness::refused;
use crate::{Fixture, Proof, World};

const READ_EDGE: Interest = Interest::READ.union(Interest::EDGE);

/// A world and a source; or the proof that a backend without EDGE refuses it.
pub(super) fn world<F: Fixture, S: Storage>(fixture: F) -> Result<(World<F, S>, F::Source), Proof> {
    let mut world = World::<F, S>::new(fixture);
    let source = world.source();
    if world.can(Features::EDGE) {
        return Ok((world, source));
    }
    Err(refused(&mut world, &source, READ_EDGE, "EDGE"))
}

/// Unread data is reported once.
pub fn et_once_per_edge<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, mut source) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    world.watch(&source, READ_EDGE, 1);
    assert!(world.look().is_empty());
    world.feed(&mut source);
    assert_eq!(world.wait().of(1), Ready::READ);
    for _ in 0..3 {
        assert!(world.look().is_empty());
    }
    Proof::Shown
}

/// New data is reported again, even if earlier data was not read.
pub fn et_new_edge<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, mut source) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    world.watch(&source, READ_EDGE, 1);
    for _ in 0..3 {
        world.feed(&mut source);
        assert_eq!(world.wait().of(1), Ready::READ);
        assert!(world.look().is_empty());
    }
    Proof::Shown
}

/// What is ready before the event is added is reported once.
pub fn et_initial_state_reported<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, mut source) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    world.feed(&mut source);
    world.watch(&source, READ_EDGE, 1);
    assert_eq!(world.wait().of(1), Ready::READ);
    assert!(world.look().is_empty());
    Proof::Shown
}

/// B18: edge- and level-triggered events cannot share an fd; the first one is not affected by the refusal.
pub fn b18_edge_and_level_do_not_mix<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, mut source) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    for (first, second) in [(READ_EDGE, Interest::READ), (Interest::READ, READ_EDGE)] {
        let fd = world.fd(&source);
        let event = world.watch(&source, first, 1);
        match world.base.insert(fd, second, 2) {
            Ok(_) => panic!("{first:?} and {second:?} were mixed"),
            Err(rejected) => assert!(matches!(rejected.error, Error::EdgeAndLevel), "{:?}", rejected.error),
        }
        assert_eq!(world.base.counts().events, 1);
        world.feed(&mut source);
        assert_eq!(world.wait().of(1), Ready::READ);
        assert_eq!(world.look().is_empty(), first.contains(Interest::EDGE));
        world.base.remove(event);
        world.drain(&mut source);
    }
    Proof::Shown
}

/// Once the last edge-triggered event of an fd has gone, a level-triggered one may be added; and the reverse.
pub fn mode_may_change_when_all_have_left<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, mut source) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    let fd = world.fd(&source);
    let edge = world.watch(&source, READ_EDGE, 1);
    let level = world.create(Event::io(fd, Interest::READ).persist(), 2);
    assert!(matches!(world.base.add(level, None), Err(Error::EdgeAndLevel)));
    assert!(world.base.del(edge).is_ok());
    assert!(world.base.add(level, None).is_ok());
    world.feed(&mut source);
    assert_eq!(world.wait().of(2), Ready::READ);
    assert_eq!(world.look().of(2), Ready::READ);
    assert!(matches!(world.base.add(edge, None), Err(Error::EdgeAndLevel)));
    assert!(world.base.del(level).is_ok());
    assert!(world.base.add(edge, None).is_ok());
    assert_eq!(world.wait().of(1), Ready::READ);
    assert!(world.look().is_empty());
    Proof::Shown
}

/// An edge reaches all events of its fd; if one is removed, the others stay edge-triggered.
pub fn et_multiple_events_same_fd<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, mut source) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    let first = world.watch(&source, READ_EDGE, 1);
    world.watch(&source, READ_EDGE, 2);
    world.watch(&source, Interest::WRITE | Interest::EDGE, 3);
    world.feed(&mut source);
    let seen = world.wait_for(&[1, 2, 3]);
    assert_eq!((seen.of(1), seen.of(2), seen.of(3)), (Ready::READ, Ready::READ, Ready::WRITE));
    world.base.remove(first);
    // A backend that only claims to support edges still reports after these turns.
    for _ in 0..16 {
        world.look();
    }
    world.feed(&mut source);
    assert_eq!(world.wait().of(2), Ready::READ);
    assert!(world.look().is_empty(), "not edge-triggered any more");
    Proof::Shown
}

/// After a change of interest, what is ready is reported again.
pub fn et_rearm_after_modify<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, mut source) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    let event = world.watch(&source, READ_EDGE, 1);
    world.feed(&mut source);
    assert_eq!(world.wait().of(1), Ready::READ);
    assert!(world.look().is_empty());
    assert!(world.base.modify(event, READ_EDGE | Interest::WRITE).is_ok());
    assert_eq!(world.wait().of(1), Ready::READ | Ready::WRITE);
    assert!(world.look().is_empty());
    Proof::Shown
}

/// Setting the interest that an event already has changes nothing and costs no system call. Unread data is reported
/// again if the event is deleted and added.
pub fn et_unchanged_modify_is_no_edge<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, mut source) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    let event = world.watch(&source, READ_EDGE, 1);
    world.feed(&mut source);
    assert_eq!(world.wait().of(1), Ready::READ);
    let changes = world.stats().changes;
    assert!(world.base.modify(event, READ_EDGE).is_ok());
    assert!(world.look().is_empty());
    assert_eq!(world.stats().changes, changes, "the backend is called for nothing");
    assert!(world.base.again(event).is_ok());
    assert_eq!(world.wait().of(1), Ready::AGAIN);
    assert!(world.base.del(event).is_ok() && world.base.add(event, None).is_ok());
    assert_eq!(world.wait().of(1), Ready::READ);
    Proof::Shown
}

/// A one-shot edge-triggered event that is added again gets what is ready then.
pub fn et_readded_is_reported_again<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, mut source) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    let fd = world.fd(&source);
    let event = world.start(Event::io(fd, READ_EDGE), 1);
    world.feed(&mut source);
    assert_eq!(world.wait().of(1), Ready::READ);
    assert!(world.look().is_empty());
    assert!(world.base.add(event, None).is_ok());
    assert_eq!(world.wait().of(1), Ready::READ);
    Proof::Shown
}

/// The same if its handler adds it again before the next wait: unread data is reported again. And if its interest
/// changes to another one and back.
pub fn et_readded_at_once_is_reported_again<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, mut source) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    let fd = world.fd(&source);
    let event = world.start(Event::io(fd, READ_EDGE), 1);
    world.feed(&mut source);
    for _ in 0..3 {
        assert_eq!(world.wait().of(1), Ready::READ);
        assert!(world.base.add(event, None).is_ok());
    }
    assert_eq!(world.wait().of(1), Ready::READ);
    assert!(world.base.remove(event).is_some());
    let event = world.start(Event::io(fd, READ_EDGE).persist(), 2);
    assert_eq!(world.wait().of(2), Ready::READ);
    assert!(world.base.modify(event, Interest::WRITE | Interest::EDGE).is_ok());
    assert!(world.base.modify(event, READ_EDGE).is_ok());
    assert_eq!(world.wait().of(2), Ready::READ);
    assert!(world.look().is_empty());
    Proof::Shown
}

/// Consecutive edges are each reported, even if the loop never finds the source idle between them, and even if the
/// backend has just found something and checks before it waits.
pub fn et_edges_in_a_row_are_reported<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, mut first) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    let mut second = world.source();
    world.watch(&first, READ_EDGE, 1);
    world.watch(&second, READ_EDGE, 2);
    for round in 0..20 {
        world.feed(&mut first);
        if round % 3 == 0 {
            world.feed(&mut second);
        }
        let seen = world.wait();
        assert_eq!(seen.of(1), Ready::READ, "round {round}");
        assert_eq!(seen.times(2), usize::from(round % 3 == 0), "round {round}");
        if round % 2 == 0 {
            world.drain(&mut first);
        }
    }
    super::readiness::assert_quiet(&mut world);
    Proof::Shown
}

/// A second event of an fd gets what is ready when it is added, whatever it waits for; the first may get it again.
pub fn et_second_event_gets_what_is_ready<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, mut source) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    world.feed(&mut source);
    let both = READ_EDGE | Interest::WRITE;
    for (first, second) in [(READ_EDGE, READ_EDGE), (both, READ_EDGE), (both, both), (READ_EDGE, both)] {
        let one = world.watch(&source, first, 1);
        assert!(world.wait().of(1).contains(Ready::READ));
        assert!(world.look().is_empty());
        let other = world.watch(&source, second, 2);
        let bits = Ready::from_bits_retain(second.difference(Interest::EDGE).bits());
        assert_eq!(world.look().of(2), bits, "{first:?} {second:?}");
        assert!(world.look().is_empty(), "{first:?} {second:?}");
        assert_eq!((world.base.remove(one), world.base.remove(other)), (Some(1), Some(2)));
    }
    Proof::Shown
}
