//! What happens if a backend refuses: the request returns an error, and nothing else changes.

use core::time::Duration;

use evcore::backend::Features;
use evcore::storage::Storage;
use evcore::{Error, Event, Interest, Ready};

use super::interest::assert_sleeps;
use crate::{Fixture, Proof, World};

const READ_EDGE: Interest = Interest::READ.union(Interest::EDGE);

/// Registrations of each kind, a signal and a timer, which must not be affected by a refusal.
struct Standing<F: Fixture> {
    sources: [F::Source; 3],
    has_edge: bool,
    signum: Option<evcore::backend::Signum>,
}

impl<F: Fixture> Standing<F> {
    fn new<S: Storage>(world: &mut World<F, S>) -> Self {
        let sources = [world.source(), world.source(), world.source()];
        let has_edge = world.can(Features::EDGE);
        world.watch(&sources[0], Interest::READ, 10);
        if has_edge {
            world.watch(&sources[1], READ_EDGE, 11);
        }
        let signum = if world.can(Features::SIGNALS) { world.fixture.signal(0) } else { None };
        if let Some(signum) = signum {
            world.start(Event::signal(signum).persist(), 13);
        }
        world.watch(&sources[2], Interest::READ, 12);
        assert!(world.look().is_empty());
        Self { sources, has_edge, signum }
    }

    /// Asserts that none of them has changed.
    #[track_caller]
    fn assert_stand<S: Storage>(&mut self, world: &mut World<F, S>) {
        assert_sleeps(world, "what stood before");
        for source in &mut self.sources {
            world.feed(source);
        }
        if let Some(signum) = self.signum {
            world.raise(signum);
        }
        let seen = world.look();
        assert_eq!((seen.of(10), seen.of(12)), (Ready::READ, Ready::READ));
        assert_eq!(seen.of(11), if self.has_edge { Ready::READ } else { Ready::empty() });
        assert_eq!(seen.count(13), u32::from(self.signum.is_some()));
        let seen = world.look();
        assert!(seen.len() == 2 && seen.times(10) == 1 && seen.times(12) == 1, "{seen:?}");
        for source in &mut self.sources {
            world.drain(source);
        }
        assert_sleeps(world, "what stood before");
    }
}

/// A refused registration does not affect the others, leaves nothing, and may be tried again, repeatedly.
pub fn refused_add_leaves_the_others<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let mut standing = Standing::new(&mut world);
    let mut source = world.source();
    let fd = world.fd(&source);
    let edge = if standing.has_edge { READ_EDGE } else { Interest::READ };
    for interest in [Interest::READ, Interest::READ | Interest::WRITE, edge] {
        if !world.refuse(2) {
            return world.without("way to make a registration fail");
        }
        for _ in 0..2 {
            assert!(matches!(world.base.insert(fd, interest, 1), Err(rejected)
                if matches!(rejected.error, Error::Backend(_)) && rejected.data == 1));
            world.feed(&mut source);
            assert_eq!(world.stats().stale, 0);
            assert_sleeps(&mut world, "what was refused");
            world.drain(&mut source);
        }
        standing.assert_stand(&mut world);
        world.feed(&mut source);
        let event = world.watch(&source, interest, 1);
        assert_eq!(world.look().of(1) & Ready::READ, Ready::READ, "{interest:?} is not registered after a refusal");
        assert_eq!(world.base.remove(event), Some(1));
        world.drain(&mut source);
        standing.assert_stand(&mut world);
    }
    Proof::Shown
}

/// If a change is refused, the event that it concerns gets ERROR, once; the fd is still watched for what it was
/// before, and no other event is affected.
pub fn refused_modify_keeps_what_stood<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let mut standing = Standing::new(&mut world);
    let mut source = world.source();
    let modes = [Interest::empty(), Interest::EDGE];
    for edge in modes.into_iter().take(if standing.has_edge { 2 } else { 1 }) {
        for new in [Interest::READ | Interest::WRITE, Interest::WRITE] {
            let event = world.watch(&source, Interest::READ | edge, 1);
            assert!(world.look().is_empty());
            assert!(world.base.modify(event, new | edge).is_ok());
            if !world.refuse(1) {
                return world.without("way to make a change fail");
            }
            let seen = world.look();
            assert!(seen.len() == 1 && seen.of(1).contains(Ready::ERROR), "{new:?}: {seen:?}");
            // Changing back to the registered interest needs no call of the backend.
            assert!(world.base.modify(event, Interest::READ | edge).is_ok());
            world.feed(&mut source);
            assert_eq!(world.look().of(1), Ready::READ, "{new:?}: what stood before has ended");
            world.drain(&mut source);
            world.look();
            assert_sleeps(&mut world, (new, "the change was refused"));
            standing.assert_stand(&mut world);
            // It can be changed again.
            assert!(world.base.modify(event, new | edge).is_ok());
            assert_eq!(world.look().of(1), Ready::WRITE);
            assert_eq!(world.base.remove(event), Some(1));
            standing.assert_stand(&mut world);
        }
    }
    Proof::Shown
}

/// A second event of an fd whose interest is refused gets ERROR; the first, which is registered, gets nothing.
pub fn refused_second_event_keeps_the_first<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let mut standing = Standing::new(&mut world);
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    assert!(world.look().is_empty());
    let second = world.watch(&source, Interest::WRITE, 2);
    if !world.refuse(1) {
        world.base.remove(second);
        return world.without("way to make a change fail");
    }
    let seen = world.look();
    assert!(seen.of(2).contains(Ready::ERROR) && seen.times(1) == 0, "{seen:?}");
    assert_eq!(world.base.remove(second), Some(2));
    assert_sleeps(&mut world, "the second event was refused");
    world.feed(&mut source);
    assert_eq!(world.look().order(), [1]);
    world.drain(&mut source);
    standing.assert_stand(&mut world);
    world.watch(&source, Interest::WRITE, 2);
    assert_eq!(world.look().order(), [2]);
    Proof::Shown
}

/// A refused signal may be tried again, and a signal that is already watched is not affected.
pub fn refused_signal_keeps_the_other<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, [_, refused]) = match super::signals::world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    let mut standing = Standing::new(&mut world);
    if !world.refuse(1) {
        return world.without("way to make a registration fail");
    }
    match world.base.insert_signal(refused, 1) {
        Ok(_) => panic!("not refused"),
        Err(rejected) => assert!(matches!(rejected.error, Error::Backend(_)) && rejected.data == 1),
    }
    standing.assert_stand(&mut world);
    world.start(Event::signal(refused).persist(), 1);
    world.raise(refused);
    let seen = world.look();
    assert_eq!((seen.len(), seen.count(1)), (1, 1), "not watched after a refusal");
    standing.assert_stand(&mut world);
    Proof::Shown
}

/// A permanent refusal, by the backend or the base, does not affect an existing event of that fd.
pub fn refused_kind_keeps_the_first<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let fd = world.fd(&source);
    world.watch(&source, Interest::READ, 1);
    assert!(world.look().is_empty());
    let mut is_refused = false;
    let unknown =
        [(Features::EDGE, READ_EDGE), (Features::CLOSED, Interest::CLOSED), (Features::URGENT, Interest::URGENT)];
    for (feature, interest) in unknown {
        // Every backend refuses an edge-triggered event beside a level-triggered one.
        let is_known = world.can(feature) && feature != Features::EDGE;
        match world.base.insert(fd, interest, 2) {
            Ok(event) => {
                assert!(is_known, "{interest:?} was not refused");
                world.base.remove(event);
            }
            Err(_) => {
                assert!(!is_known, "{interest:?} was refused");
                is_refused = true;
            }
        }
        assert_sleeps(&mut world, interest);
        world.feed(&mut source);
        for _ in 0..2 {
            assert_eq!(world.look().order(), [1], "{interest:?}");
        }
        world.drain(&mut source);
    }
    assert!(is_refused);
    world.pass(Duration::from_nanos(1));
    world.check();
    Proof::Shown
}

/// If a registration is refused during a rebuild, its event gets ERROR, or it is made later; the others are not
/// affected.
pub fn refused_at_a_rebuild_concerns_one<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let mut sources = [world.source(), world.source(), world.source()];
    for (number, source) in (0..).zip(&sources) {
        world.watch(source, Interest::READ, number);
    }
    assert!(world.look().is_empty());
    if !world.refuse(1) {
        return world.without("way to make a registration fail");
    }
    assert!(world.base.reinit().is_ok());
    for source in &mut sources {
        world.feed(source);
    }
    let seen = world.look();
    let got = [0, 1, 2].map(|number| seen.of(number));
    let served = got.iter().filter(|bits| **bits == Ready::READ).count();
    assert!(served >= 2, "{seen:?}");
    assert!(got.iter().all(|bits| *bits == Ready::READ || bits.contains(Ready::ERROR)), "{seen:?}");
    assert_eq!(world.look().len(), served);
    Proof::Shown
}
