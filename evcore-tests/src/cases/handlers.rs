//! The process's signal handlers: earlier dispositions, several bases, and interrupted system calls.

use core::time::Duration;

use evcore::backend::Signum;
use evcore::storage::Storage;
use evcore::{Event, EventBase, Interest, Ready, Wait};

use super::signals::world;
use crate::{Fixture, Proof, World};

/// B15: two bases watch one signal and both get it. After both are dropped, in either order, the signal does what it
/// did before.
pub fn b15_two_bases_one_signal_any_order<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, [signum, _]) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    let before = world.fixture.disposition(signum);
    for first_goes_first in [true, false] {
        // Made in their final place: on a small device, the stack has no room for a third.
        let mut new = || Some(EventBase::<F::Backend, S, u32>::new(world.fixture.backend()));
        let mut bases = [new(), new()];
        for (number, base) in (0..).zip(bases.iter_mut().flatten()) {
            assert!(base.insert_signal(signum, number).is_ok());
        }
        if let (Some(before), Some(now)) = (before, world.fixture.disposition(signum)) {
            assert_ne!(before, now);
        }
        raise_for_all::<F, S>(&mut world, &mut bases, signum);
        for gone in if first_goes_first { [0, 1] } else { [1, 0] } {
            bases[gone] = None;
            raise_for_all::<F, S>(&mut world, &mut bases, signum);
        }
        assert_eq!(world.fixture.disposition(signum), before);
    }
    if before.is_some() { Proof::Shown } else { Proof::Absent("way to query what a signal does") }
}

/// Raises a signal, and checks that each remaining base gets it.
fn raise_for_all<F: Fixture, S: Storage>(
    world: &mut World<F, S>,
    bases: &mut [Option<EventBase<F::Backend, S, u32>>; 2],
    signum: Signum,
) {
    let mut is_raised = false;
    for base in bases.iter_mut().flatten() {
        if F::IS_VIRTUAL || !is_raised {
            world.fixture.raise(base.backend_mut(), signum);
            is_raised = true;
        }
        let end = base.update_now().saturating_add(crate::PATIENCE);
        let ready = loop {
            assert!(base.poll(Wait::Until(end)).is_ok());
            match base.next_active() {
                Some(fired) => break fired.ready,
                None => assert!(base.update_now() < end, "a base did not get the signal"),
            }
        };
        assert_eq!(ready, Ready::SIGNAL);
        assert!(base.next_active().is_none());
    }
}

/// When its last event is deleted, the signal does again what it did before.
pub fn handler_restored_after_del<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, [signum, _]) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    let Some(before) = world.fixture.disposition(signum) else {
        return world.without("way to query what a signal does");
    };
    let first = world.start(Event::signal(signum).persist(), 1);
    let second = world.start(Event::signal(signum), 2);
    assert_ne!(world.fixture.disposition(signum), Some(before));
    assert!(world.base.del(first).is_ok());
    assert_ne!(world.fixture.disposition(signum), Some(before));
    assert!(world.base.del(second).is_ok());
    assert_eq!(world.fixture.disposition(signum), Some(before));
    assert!(world.base.add(first, None).is_ok());
    world.raise(signum);
    assert_eq!(world.wait().of(1), Ready::SIGNAL);
    Proof::Shown
}

/// A base may be dropped while a signal has arrived and was not handed out.
pub fn pending_signal_at_drop_is_drained<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, [signum, _]) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    world.start(Event::signal(signum).persist(), 1);
    let mut base: EventBase<F::Backend, S, u32> = EventBase::new(world.fixture.backend());
    assert!(base.insert_signal(signum, 2).is_ok());
    world.fixture.raise(base.backend_mut(), signum);
    drop(base);
    if F::IS_VIRTUAL {
        world.raise(signum);
    }
    assert_eq!(world.wait().of(1), Ready::SIGNAL);
    Proof::Shown
}

/// An interrupted wait is not an error, and makes no timer early or late.
pub fn eintr_is_invisible<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, [signum, _]) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    // The signal is watched by another base.
    let mut other: EventBase<F::Backend, S, u32> = EventBase::new(world.fixture.backend());
    assert!(other.insert_signal(signum, 2).is_ok());
    let timer = world.create(Event::timer(), 1);
    let (mut is_elsewhere, mut least) = (true, Duration::MAX);
    // A busy machine delays some of them, but not each. A wait that is restarted in full after each signal is always
    // late.
    for _ in 0..50 {
        let due = world.now().saturating_add(Duration::from_millis(60));
        assert!(world.base.add_at(timer, due).is_ok());
        for delay in [5, 15, 25, 35, 45] {
            is_elsewhere &= world.fixture.raise_later(signum, Duration::from_millis(delay));
        }
        assert_eq!(world.wait().of(1), Ready::TIMEOUT);
        assert!(world.now() >= due);
        least = least.min(world.now().saturating_since(due));
        world.fixture.finish();
        if least <= World::<F, S>::grace(Duration::from_millis(20)) {
            break;
        }
    }
    assert!(least <= World::<F, S>::grace(Duration::from_millis(20)), "late by {least:?} at least");
    if !is_elsewhere {
        return world.without("way to raise a signal later");
    }
    assert!(other.poll(Wait::None).is_ok());
    assert!(other.next_active().is_some_and(|fired| fired.count >= 1));
    Proof::Shown
}

/// A process that is stopped and continued notices only that time has passed: no error, no hand-out without a reason,
/// no early or lost timer. A child is stopped, not the program that runs this.
pub fn stop_cont_is_invisible<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let can_stop = world.fixture.fork(&mut |fixture| {
        let can_stop = fixture.stop_later(Duration::ZERO, Duration::ZERO);
        fixture.finish();
        can_stop
    });
    if can_stop != Some(true) {
        return world.without("child that can be stopped");
    }
    let child = world.fixture.fork(&mut |fixture| {
        let mut base: EventBase<F::Backend, S, u32> = EventBase::new(fixture.backend());
        let source = fixture.source(base.backend_mut());
        assert!(base.insert(fixture.fd(&source), Interest::READ, 0).is_ok());
        let begin = base.update_now();
        // One is due during the stop, if the machine is not too busy for that, and one after it.
        let dues = [100, 400].map(|millis| begin.saturating_add(Duration::from_millis(millis)));
        for (number, due) in (1..).zip(dues) {
            let timer = base.create(Event::timer(), number);
            assert!(timer.is_ok_and(|timer| base.add_at(timer, due).is_ok()));
        }
        assert!(fixture.stop_later(Duration::from_millis(50), Duration::from_millis(200)));
        let mut next = (1..).zip(dues).peekable();
        while let Some((number, due)) = next.peek().copied() {
            assert!(base.poll(Wait::Forever).is_ok());
            if let Some(fired) = base.next_active() {
                assert_eq!((*fired.data, fired.ready), (number, Ready::TIMEOUT));
                assert!(base.update_now() >= due);
                next.next();
            }
        }
        fixture.finish();
        base.stats_if_kept().is_none_or(|stats| stats.turns <= 20)
    });
    assert_eq!(child, Some(true), "the child failed; it has printed why");
    Proof::Shown
}
