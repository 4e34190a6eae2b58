//! Signals. A backend without SIGNALS refuses them.

use core::time::Duration;

use evcore::backend::{Features, Signum};
use evcore::storage::Storage;
use evcore::{Error, Event, EventBase, Interest, Ready, Wait};

use crate::{Fixture, Proof, World};

/// A world, alone in the process, and its first two signals; or the proof that a backend without signals refuses
/// them.
pub(super) fn world<F: Fixture, S: Storage>(fixture: F) -> Result<(World<F, S>, [Signum; 2]), Proof> {
    let mut world = World::<F, S>::alone(fixture);
    if !world.can(Features::SIGNALS) {
        match world.base.insert_signal(10, 5) {
            Ok(_) => panic!("signals were not refused"),
            Err(rejected) => {
                assert!(matches!(rejected.error, Error::Unsupported), "{:?}", rejected.error);
                assert_eq!(rejected.data, 5);
            }
        }
        assert_eq!(world.base.counts().events, 0);
        return Err(Proof::Refused("SIGNALS"));
    }
    match (world.fixture.signal(0), world.fixture.signal(1)) {
        (Some(first), Some(second)) => Ok((world, [first, second])),
        _ => Err(world.without("signals")),
    }
}

/// A signal reaches its event and no other.
pub fn signal_delivered<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, [signum, other]) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    let event = world.start(Event::signal(signum).persist(), 1);
    world.start(Event::signal(other).persist(), 2);
    assert_eq!(world.base.signum(event), Some(signum));
    assert!(world.look().is_empty());
    for _ in 0..3 {
        world.raise(signum);
        let seen = world.wait();
        assert_eq!((seen.len(), seen.of(1), seen.count(1)), (1, Ready::SIGNAL, 1));
    }
    assert!(world.look().is_empty());
    Proof::Shown
}

/// A signal during a sleep wakes the loop; one just before it is not missed.
pub fn signal_wakes_a_sleeping_loop<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, [signum, _]) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    world.start(Event::signal(signum).persist(), 1);
    let begin = world.now();
    world.raise(signum);
    assert_eq!(world.wait().of(1), Ready::SIGNAL);
    assert!(world.now().saturating_since(begin) <= World::<F, S>::grace(crate::BUSY), "missed a signal");
    if !world.fixture.raise_later(signum, Duration::from_millis(20)) {
        return world.without("way to raise a signal later");
    }
    assert_eq!(world.wait().of(1), Ready::SIGNAL);
    assert!(world.now() >= begin.saturating_add(Duration::from_millis(20)));
    Proof::Shown
}

/// Two events of one signal both get it; deleting one does not affect the other.
pub fn two_events_same_signal<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, [signum, _]) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    let first = world.start(Event::signal(signum).persist(), 1);
    let second = world.start(Event::signal(signum).persist(), 2);
    world.raise(signum);
    assert_eq!(world.wait().order(), [1, 2]);
    assert!(world.base.del(first).is_ok());
    world.raise(signum);
    assert_eq!(world.wait().order(), [2]);
    assert!(world.base.add(first, None).is_ok());
    world.base.remove(second);
    world.raise(signum);
    assert_eq!(world.wait().order(), [1]);
    Proof::Shown
}

/// A one-shot signal event is handed out once.
pub fn signal_once<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, [signum, _]) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    let keeper = world.start(Event::signal(signum).persist(), 1);
    let event = world.start(Event::signal(signum), 2);
    world.raise(signum);
    assert_eq!(world.wait().order(), [1, 2]);
    world.raise(signum);
    assert_eq!(world.wait().order(), [1]);
    assert!(world.base.pending(event).is_some_and(|pending| !pending.registered));
    assert!(world.base.contains(keeper));
    Proof::Shown
}

/// A one-shot signal event covers what has arrived up to its hand-out, including after the wait: the signal is not
/// watched afterwards, so later arrivals would be lost.
pub fn signal_once_counts_until_its_hand_out<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, [signum, _]) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    let event = world.create(Event::signal(signum), 1);
    for _ in 0..2 {
        assert!(world.base.add(event, None).is_ok());
        world.raise(signum);
        let end = world.now().saturating_add(crate::PATIENCE);
        while world.base.counts().active == 0 {
            assert!(world.now() < end && world.base.poll(Wait::Until(end)).is_ok());
        }
        world.raise(signum);
        let fired = world.base.next_active().map(|fired| (fired.ready, fired.count));
        assert_eq!(fired, Some((Ready::SIGNAL, 2)));
        assert!(world.look().is_empty());
    }
    // Handed out for its timeout, with a signal that arrived after it expired.
    assert!(world.base.add(event, Some(Duration::ZERO)).is_ok());
    let end = world.now().saturating_add(crate::PATIENCE);
    while world.base.counts().active == 0 {
        assert!(world.now() < end && world.base.poll(Wait::Until(end)).is_ok());
    }
    world.raise(signum);
    let fired = world.base.next_active().map(|fired| (fired.ready, fired.count));
    assert_eq!(fired, Some((Ready::SIGNAL | Ready::TIMEOUT, 1)));
    Proof::Shown
}

/// The count of a signal is the number of arrivals: never zero, never more.
pub fn signal_count_is_what_came<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, [signum, last]) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    world.start(Event::signal(signum).persist(), 1);
    world.start(Event::signal(last).persist(), 2);
    // More than eight or sixteen bits can count.
    let raised = if F::IS_VIRTUAL { 70_000 } else { 300 };
    world.fixture.raise_many(world.base.backend_mut(), signum, raised);
    world.raise(last);
    let seen = world.wait_for(&[1, 2]);
    assert!((1..=raised).contains(&seen.count(1)), "{}", seen.count(1));
    if F::IS_VIRTUAL {
        assert_eq!(seen.count(1), raised);
    }
    Proof::Shown
}

/// A storm of one signal does not lose another: both are reported, and the loop still works.
pub fn signal_storm_keeps_sigterm<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, [signum, last]) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    world.start(Event::signal(signum).persist(), 1);
    world.start(Event::signal(last).persist(), 2);
    for storm in [4_096, 65_536] {
        world.fixture.raise_many(world.base.backend_mut(), signum, storm);
        world.raise(last);
        let seen = world.wait_for(&[1, 2]);
        assert_eq!((seen.of(1), seen.of(2), seen.count(2)), (Ready::SIGNAL, Ready::SIGNAL, 1));
        assert!(seen.count(1) >= 1 && seen.count(1) <= storm);
        assert!(world.look().is_empty());
    }
    Proof::Shown
}

/// A signal that arrives in its own event's handler is not lost.
pub fn signal_while_processing<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, [signum, _]) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    world.start(Event::signal(signum).persist(), 1);
    world.raise(signum);
    for _ in 0..5 {
        assert_eq!(world.wait_with(|world, _, _| world.raise(signum)).of(1), Ready::SIGNAL);
    }
    assert_eq!(world.wait().of(1), Ready::SIGNAL);
    Proof::Shown
}

/// An event that is removed in its first hand-out is not handed out again, even if its signal arrived twice.
pub fn signal_free_in_callback<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, [signum, _]) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    let keeper = world.start(Event::signal(signum).persist().background(), 9);
    let event = world.start(Event::signal(signum).persist(), 1);
    world.raise(signum);
    let seen = world.wait_with(|world, id, number| {
        if number == 1 {
            world.raise(signum);
            assert_eq!(world.base.remove(id), Some(1));
        }
    });
    assert_eq!(seen.times(1), 1);
    assert_eq!(world.wait().order(), [9]);
    assert!(!world.base.contains(event) && world.base.contains(keeper));
    Proof::Shown
}

/// Numbers that are no signal's, and signals that cannot be watched, are refused, and nothing is registered.
pub fn bad_signal_refused<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, _) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    if world.fixture.bad_signal(0).is_none() {
        return world.without("invalid signal numbers");
    }
    for which in 0..16 {
        let Some(signum) = world.fixture.bad_signal(which) else { break };
        match world.base.insert_signal(signum, 7) {
            Ok(_) => panic!("{signum} was not refused"),
            Err(rejected) => {
                assert_eq!(rejected.data, 7);
                assert!(matches!(rejected.error, Error::Backend(_)), "{signum}: {:?}", rejected.error);
            }
        }
        assert_eq!(world.base.counts().events, 0);
        world.check();
    }
    Proof::Shown
}

/// B6: a persistent signal event with a timeout still works after the timeout, for both.
pub fn b6_signal_with_a_timeout_survives_it<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, [signum, _]) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    world.start(Event::signal(signum).persist().timeout(Duration::from_millis(5)), 1);
    for _ in 0..3 {
        let seen = world.wait();
        assert_eq!((seen.len(), seen.of(1)), (1, Ready::TIMEOUT));
    }
    world.raise(signum);
    let mut ready = Ready::empty();
    for _ in 0..1_000 {
        ready |= world.wait().of(1);
        if ready.contains(Ready::SIGNAL) {
            break;
        }
    }
    assert!(ready.contains(Ready::SIGNAL));
    assert_eq!(world.wait().of(1), Ready::TIMEOUT);
    Proof::Shown
}

/// B7: removing the timeout of an active signal event keeps the signal that it is active for, and its count.
pub fn b7_remove_timer_keeps_an_active_signal<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, [signum, _]) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    world.start(Event::signal(signum).persist(), 1);
    let second = world.start(Event::signal(signum).persist().timeout(Duration::from_secs(3_600)), 2);
    world.raise(signum);
    let seen = world.wait_with(|world, _, number| {
        if number == 1 {
            assert!(world.base.clear_timeout(second).is_ok());
        }
    });
    assert_eq!((seen.of(2), seen.count(2)), (Ready::SIGNAL, 1));
    Proof::Shown
}

/// `activate_signal` activates the events that are pending on the signal, as one arrival.
pub fn activated_by_signal<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, [signum, other]) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    world.start(Event::signal(signum).persist(), 1);
    world.start(Event::signal(other).persist(), 2);
    world.create(Event::signal(signum), 3);
    world.base.activate_signal(signum, 1);
    let seen = world.wait();
    assert_eq!((seen.len(), seen.of(1), seen.count(1)), (1, Ready::SIGNAL, 1));
    world.base.activate_signal(Signum::MIN, 1);
    assert!(world.look().is_empty());
    Proof::Shown
}

/// Activating a signal event takes a count, which is added to the arrivals; other events have no count.
pub fn activation_carries_a_count<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, [signum, _]) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    let event = world.start(Event::signal(signum).persist(), 1);
    world.start(Event::signal(signum).persist(), 2);
    assert!(world.base.activate_counted(event, 3).is_ok());
    world.base.activate_signal(signum, 2);
    let seen = world.wait();
    assert_eq!((seen.order(), seen.count(1), seen.count(2)), (&[1, 2][..], 5, 2));
    let idle = world.create(Event::signal(signum), 3);
    let user = world.create(Event::user(), 4);
    for id in [idle, user] {
        assert!(matches!(world.base.activate_counted(id, 1), Err(Error::WrongKind)));
    }
    assert!(world.base.activate_counted(event, 0).is_ok());
    world.base.activate_signal(signum, 0);
    assert!(world.look().is_empty(), "a signal that has come no times");
    Proof::Shown
}

/// A signal event whose signal and timeout are found in one turn is handed out once with both bits, and with the
/// count of its signal.
pub fn signal_and_timeout_together<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, [signum, _]) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    world.start(Event::signal(signum).persist().timeout(Duration::from_millis(200)), 1);
    for _ in 0..3 {
        world.raise(signum);
    }
    world.pass(Duration::from_millis(201));
    let seen = world.wait();
    assert_eq!((seen.len(), seen.of(1)), (1, Ready::SIGNAL | Ready::TIMEOUT));
    assert!((1..=3).contains(&seen.count(1)) && (!F::IS_VIRTUAL || seen.count(1) == 3), "{}", seen.count(1));
    Proof::Shown
}

/// Signals found together with readiness, a timer and a wake are all handed out in that turn, and so are those.
pub fn signal_beside_everything_else<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, [first, second]) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    let waker = world.waker();
    let mut source = world.source();
    world.watch(&source, Interest::READ | Interest::WRITE, 1);
    world.start(Event::signal(first).persist(), 2);
    world.start(Event::signal(second).persist(), 3);
    for round in 0..4 {
        world.timer(Duration::from_millis(1), 4);
        world.pass(Duration::from_millis(2));
        world.feed(&mut source);
        world.raise(second);
        world.raise(first);
        if let (Some(waker), true) = (&waker, round % 2 == 0) {
            F::wake(waker);
        }
        let seen = world.look();
        assert_eq!(seen.of(1), Ready::READ | Ready::WRITE, "round {round}");
        assert_eq!((seen.count(2), seen.count(3)), (1, 1), "round {round}");
        assert_eq!(seen.of(4), Ready::TIMEOUT, "round {round}");
        world.drain(&mut source);
        assert_eq!(world.look().order(), [1], "round {round}: a signal came twice");
    }
    Proof::Shown
}

/// Of many arrivals over many turns, none is counted twice.
pub fn signal_is_not_counted_twice<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, [signum, other]) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    world.start(Event::signal(signum).persist(), 1);
    world.start(Event::signal(other).persist(), 2);
    for times in [1, 3, 2, 1, 7] {
        for _ in 0..times {
            world.raise(signum);
        }
        let seen = world.wait();
        assert!(seen.len() == 1 && (1..=times).contains(&seen.count(1)), "{times}: {seen:?}");
        assert!(world.look().is_empty());
    }
    super::readiness::assert_quiet(&mut world);
    Proof::Shown
}

/// After the last event of one signal is gone, the others still arrive; and the signal may be watched again,
/// repeatedly.
pub fn signal_del_leaves_the_others<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, [first, second]) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    let one = world.start(Event::signal(first).persist(), 1);
    let two = world.start(Event::signal(second).persist(), 2);
    for round in 0..3 {
        for (gone, stays, signum, number) in [(one, two, second, 2), (two, one, first, 1)] {
            assert!(world.base.del(gone).is_ok());
            world.raise(signum);
            assert_eq!(world.wait().order(), [number], "round {round}");
            assert!(world.base.add(gone, None).is_ok());
            assert!(world.base.contains(stays));
            world.raise(first);
            world.raise(second);
            let seen = world.look();
            assert_eq!((seen.count(1), seen.count(2)), (1, 1), "round {round}");
        }
        if round == 1 {
            assert!(world.base.reinit().is_ok());
        }
    }
    Proof::Shown
}

/// Each signal of the system is watched independently, alone and among the others, whatever its number.
pub fn each_signal_is_its_own<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, _) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    let signums: heapless::Vec<Signum, 8> = (0..8).map_while(|which| world.fixture.signal(which)).collect();
    for (number, signum) in (0..).zip(&signums) {
        world.start(Event::signal(*signum).persist(), number);
    }
    for (number, signum) in (0..).zip(&signums) {
        world.raise(*signum);
        let seen = world.wait();
        assert_eq!((seen.len(), seen.count(number)), (1, 1), "{signum}: {seen:?}");
    }
    for signum in signums.iter().rev() {
        world.raise(*signum);
    }
    let seen = world.look();
    for (number, signum) in (0..).zip(&signums) {
        assert_eq!(seen.count(number), 1, "{signum}");
    }
    assert!(world.look().is_empty());
    Proof::Shown
}

/// A signal's arrivals are not lost when another one is watched or no longer watched. Arrivals while nobody watched a
/// signal reach no event.
pub fn signal_survives_changes_of_others<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, [first, second]) = match world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    // Another base watches both, so that they do not take their default actions.
    let mut keeper: EventBase<F::Backend, S, u32> = EventBase::new(world.fixture.backend());
    assert!(keeper.insert_signal(first, 1).is_ok() && keeper.insert_signal(second, 2).is_ok());
    let one = world.start(Event::signal(first).persist(), 1);
    for round in 0..3 {
        world.raise(first);
        let two = world.start(Event::signal(second).persist(), 2);
        let seen = world.look();
        assert_eq!((seen.len(), seen.count(1)), (1, 1), "round {round}: {seen:?}");
        world.raise(first);
        assert_eq!(world.base.remove(two), Some(2));
        let seen = world.look();
        assert_eq!((seen.len(), seen.count(1)), (1, 1), "round {round}: {seen:?}");
        assert!(world.base.del(one).is_ok());
        world.raise(first);
        assert!(world.base.add(one, None).is_ok());
        assert!(world.look().is_empty(), "round {round}: what came before was reported");
    }
    Proof::Shown
}
