//! Failures around the backend: refusals, rebuilds, forks.

use core::time::Duration;

use evcore::backend::Features;
use evcore::storage::Storage;
use evcore::{Event, Interest, Ready, Turn, Wait};

use super::readiness::assert_quiet;
use crate::{Fixture, Proof, World};

/// `reinit` keeps every registration and every queued event.
pub fn reinit_registers_everything_again<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let (mut first, mut second) = (world.source(), world.source());
    world.watch(&first, Interest::READ, 1);
    world.watch(&second, Interest::READ, 2);
    let deleted = world.watch(&second, Interest::WRITE, 3);
    let user = world.create(Event::user(), 4);
    assert!(world.look().of(3).contains(Ready::WRITE));
    world.timer(Duration::from_millis(1), 5);
    assert!(world.base.del(deleted).is_ok());
    assert!(world.base.activate(user, Ready::READ).is_ok());
    assert!(world.base.reinit().is_ok());
    world.feed(&mut first);
    world.feed(&mut second);
    let seen = world.wait_for(&[1, 2, 4, 5]);
    assert_eq!((seen.of(1), seen.of(2), seen.of(3)), (Ready::READ, Ready::READ, Ready::empty()));
    assert_eq!((seen.of(4), seen.of(5)), (Ready::READ, Ready::TIMEOUT));
    Proof::Shown
}

/// Wakers and signals work after `reinit`.
pub fn reinit_keeps_wakers_and_signals<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let waker = world.waker();
    let signum = world.fixture.signal(0);
    if let Some(signum) = signum {
        world.start(Event::signal(signum).persist(), 1);
    }
    assert!(world.base.reinit().is_ok());
    if let Some(signum) = signum {
        world.raise(signum);
        assert_eq!(world.wait().of(1), Ready::SIGNAL);
    }
    let Some(waker) = waker else { return world.without("waker") };
    let begin = world.now();
    F::wake(&waker);
    assert!(world.turn(Wait::Until(begin.saturating_add(crate::PATIENCE)), |_, _, _| {}).is_empty());
    assert!(world.now().saturating_since(begin) <= World::<F, S>::grace(crate::BUSY));
    Proof::Shown
}

/// In a child that never touches its base, signals act as if there were no base: this one ends the child.
pub fn fork_child_gets_its_signals<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, [signum, _]) = match super::signals::world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    world.start(Event::signal(signum).persist(), 1);
    let World { ref mut base, ref mut fixture } = world;
    let child = fixture.fork(&mut |fixture| {
        fixture.raise(base.backend_mut(), signum);
        true
    });
    match child {
        Some(lives_on) => assert!(!lives_on, "the child's signal was counted for a base that nobody turns"),
        None => return world.without("children"),
    }
    assert!(world.look().is_empty(), "the parent gets the child's signal");
    world.raise(signum);
    assert_eq!(world.wait().of(1), Ready::SIGNAL);
    Proof::Shown
}

/// In the child of a fork each call fails until `reinit`; then everything works there.
pub fn fork_child_refused_until_reinit<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let (mut source, other) = (world.source(), world.source());
    let watched = world.watch(&source, Interest::READ, 1);
    let waker = world.waker();
    let other_fd = world.fd(&other);
    world.feed(&mut source);
    let World { base, fixture } = &mut world;
    let end = base.update_now().saturating_add(crate::PATIENCE);
    assert_eq!(base.poll(Wait::Until(end)).ok(), Some(Turn::Running));
    let child = fixture.fork(&mut |fixture| {
        assert!(base.poll(Wait::None).is_err(), "the child used its parent's");
        assert!(base.next_active().is_some_and(|fired| *fired.data == 1), "the refused poll ended the turn");
        fixture.drain(base.backend_mut(), &mut source);
        assert!(base.insert(other_fd, Interest::READ, 2).is_err());
        assert!(
            base.start(Event::timer().timeout(Duration::ZERO), 3).is_err(),
            "a change that is made later was taken"
        );
        assert!(base.modify(watched, Interest::READ | Interest::WRITE).is_err(), "a change that is merged was taken");
        assert!(base.reinit().is_ok());
        fixture.feed(base.backend_mut(), &mut source);
        let end = base.update_now().saturating_add(crate::PATIENCE);
        assert!(base.poll(Wait::Until(end)).is_ok());
        assert!(base.next_active().is_some_and(|fired| *fired.data == 1));
        fixture.drain(base.backend_mut(), &mut source);
        if let Some(waker) = &waker {
            F::wake(waker);
            let begin = base.update_now();
            assert!(base.poll(Wait::Until(begin.saturating_add(crate::PATIENCE))).is_ok());
            assert!(base.update_now().saturating_since(begin) < crate::PATIENCE);
        }
        true
    });
    match child {
        Some(went_well) => assert!(went_well, "the child failed; it has printed why"),
        None => {
            assert!(world.base.reinit().is_ok());
            return world.without("child processes");
        }
    }
    Proof::Shown
}

/// Whatever a child does with its copy of the base, including `reinit`, the parent's base is not affected.
pub fn fork_parent_unharmed<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let mut source = world.source();
    let event = world.watch(&source, Interest::READ, 1);
    let waker = world.waker();
    if let Some(signum) = world.fixture.signal(0) {
        world.start(Event::signal(signum).persist(), 2);
    }
    for reinit in [false, true] {
        let World { base, fixture } = &mut world;
        let child = fixture.fork(&mut |_| {
            if reinit {
                assert!(base.reinit().is_ok());
                assert!(base.poll(Wait::None).is_ok());
            }
            if let Some(waker) = &waker {
                F::wake(waker);
            }
            base.remove(event).is_some()
        });
        match child {
            Some(went_well) => assert!(went_well, "the child failed; it has printed why"),
            None => return world.without("child processes"),
        }
        assert!(world.look().is_empty());
        world.feed(&mut source);
        assert_eq!(world.wait().order(), [1]);
        world.drain(&mut source);
        if let Some(signum) = world.fixture.signal(0) {
            world.raise(signum);
            assert_eq!(world.wait().order(), [2]);
        }
        assert_quiet(&mut world);
    }
    Proof::Shown
}

/// A storage of fixed capacity holds when everything happens at once: more sources, timers and activations than a
/// turn hands out, added and removed in handlers. At the end the base is empty.
pub fn everything_at_once<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut sources: [F::Source; 6] = core::array::from_fn(|_| world.source());
    let mut step = 1u32;
    for round in 0..60u32 {
        for (at, source) in sources.iter_mut().enumerate() {
            step = step.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            match step >> 29 {
                0..=2 => world.feed(source),
                3 => world.drain(source),
                _ => {}
            }
            if (round + at as u32) % 4 == 0 && world.base.counts().events < 12 {
                let interest = if step & 1 == 0 { Interest::READ } else { Interest::READ | Interest::WRITE };
                let fd = world.fd(source);
                world.start(Event::io(fd, interest).persist().timeout(Duration::from_micros(200)), at as u32);
            }
        }
        let mut previous = None;
        world.turn(Wait::None, |world, id, number| {
            match (step >> (number & 15)) & 7 {
                0 => drop(world.base.remove(id)),
                1 => assert!(world.base.del(id).is_ok()),
                2 => assert!(world.base.again(id).is_ok()),
                3 => assert!(world.base.add(id, Some(Duration::ZERO)).is_ok()),
                4 => assert!(world.base.modify(id, Interest::WRITE).is_ok()),
                5 => drop(previous.and_then(|other| world.base.remove(other))),
                _ => {}
            }
            previous = Some(id);
        });
    }
    loop {
        let first = world.base.iter().next().map(|(id, _)| id);
        let Some(id) = first else { break };
        assert!(world.base.remove(id).is_some());
        world.check();
    }
    assert!(world.look().is_empty() && world.base.is_empty());
    assert_eq!(world.stats().rebuilds, 0);
    Proof::Shown
}

/// Each interest survives a rebuild: level-triggered without a change, edge-triggered with one more report of what is
/// ready. It can be changed afterwards, and ends when its event is deleted.
pub fn reinit_keeps_each_interest<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let modes = [Interest::empty(), Interest::EDGE];
    for edge in modes.into_iter().take(if world.can(Features::EDGE) { 2 } else { 1 }) {
        // Three, so that neither the first nor the last registration is the only one tested.
        let mut sources = [world.source(), world.source(), world.source()];
        let interests = [Interest::READ, Interest::WRITE, Interest::READ | Interest::WRITE];
        let ids = [0, 1, 2].map(|at| world.watch(&sources[at], interests[at] | edge, at as u32));
        let bits = [Ready::READ, Ready::WRITE, Ready::READ | Ready::WRITE];
        for source in &mut sources {
            world.feed(source);
        }
        world.look();
        for round in 0..3 {
            assert!(world.base.reinit().is_ok());
            let seen = world.look();
            for (number, bits) in (0..).zip(bits) {
                assert_eq!(seen.of(number), bits, "{edge:?}, round {round}: {number}");
            }
            assert_eq!(world.look().len(), if edge.is_empty() { 3 } else { 0 }, "{edge:?}, round {round}");
        }
        assert!(world.base.modify(ids[2], Interest::WRITE | edge).is_ok());
        assert_eq!(world.look().of(2), Ready::WRITE, "{edge:?}");
        // An event deleted just before the rebuild is not registered after it.
        assert!(world.base.del(ids[0]).is_ok() && world.base.modify(ids[1], Interest::empty()).is_ok());
        assert!(world.base.reinit().is_ok());
        world.feed(&mut sources[0]);
        let seen = world.look();
        assert_eq!((seen.len(), seen.of(2)), (1, Ready::WRITE), "{edge:?}");
        assert!(world.base.modify(ids[2], Interest::empty()).is_ok());
        assert_quiet(&mut world);
        for (number, id) in (0..).zip(ids) {
            assert_eq!(world.base.remove(id), Some(number));
        }
        assert_quiet(&mut world);
        assert_eq!(world.stats().stale, 0, "reports of what has ended");
    }
    Proof::Shown
}

/// A wake, a signal and readiness that came before a rebuild, and that no wait has found, are found after it.
pub fn reinit_loses_nothing_that_came_before<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let waker = world.waker();
    let signum = if world.can(Features::SIGNALS) { world.fixture.signal(0) } else { None };
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    if let Some(signum) = signum {
        world.start(Event::signal(signum).persist(), 2);
    }
    for _ in 0..3 {
        assert!(world.look().is_empty());
        if let Some(signum) = signum {
            world.raise(signum);
            assert!(world.base.reinit().is_ok());
            let seen = world.look();
            assert!(seen.len() == 1 && seen.count(2) == 1, "{seen:?}");
        }
        world.feed(&mut source);
        assert!(world.base.reinit().is_ok());
        assert_eq!(world.look().order(), [1]);
        world.drain(&mut source);
        if let Some(waker) = &waker {
            F::wake(waker);
            assert!(world.base.reinit().is_ok());
            let begin = world.now();
            assert!(world.turn(Wait::Until(begin.saturating_add(crate::PATIENCE)), |_, _, _| {}).is_empty());
            let slept = world.now().saturating_since(begin);
            assert!(slept <= World::<F, S>::grace(crate::BUSY), "the wake was lost");
        }
        assert_quiet(&mut world);
    }
    if waker.is_some() { Proof::Shown } else { world.without("waker") }
}
