//! A turn in two halves: the base is used while it is asleep. For backends that implement `Split`.

use core::time::Duration;

use evcore::backend::{Sleep, Split};
use evcore::storage::Storage;
use evcore::{End, Event, EventId, Interest, Mode, Ready, Turn, Wait};

use super::readiness::assert_quiet;
use crate::{Fixture, PATIENCE, Proof, World};

/// Longer than a case waits, but short enough that a failing case ends.
const LONG: Duration = Duration::from_secs(20);

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A deadline ends a sleep in time, and not early.
pub fn halves_make_a_turn<F: Fixture<Backend: Split>, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    for delay in [ms(1), ms(20), Duration::ZERO] {
        let begin = world.now();
        world.timer(delay, 2);
        let seen = world.wait_in_halves(|_| {});
        assert_eq!((seen.of(1), seen.of(2)), (Ready::empty(), Ready::TIMEOUT));
        assert!(world.now().saturating_since(begin) >= delay, "a timer came early");
    }
    world.feed(&mut source);
    assert_eq!(world.wait_in_halves(|_| {}).of(1), Ready::READ);
    world.drain(&mut source);
    assert_quiet(&mut world);
    Proof::Shown
}

/// Readiness during a sleep ends it.
pub fn readiness_ends_a_sleep<F: Fixture<Backend: Split>, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    for delay in [ms(0), ms(5), ms(20)] {
        if !world.fixture.feed_later(&mut source, delay) {
            return world.without("way to feed a source later");
        }
        let begin = world.now();
        assert_eq!(world.wait_in_halves(|_| {}).of(1), Ready::READ);
        assert!(world.now().saturating_since(begin) < PATIENCE, "missed readiness");
        world.fixture.finish();
        world.drain(&mut source);
    }
    Proof::Shown
}

/// An edge during a sleep is not consumed by the sleeper.
pub fn sleep_takes_no_edge<F: Fixture<Backend: Split>, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    if !world.can(evcore::backend::Features::EDGE) {
        return world.without("EDGE");
    }
    let mut source = world.source();
    world.watch(&source, Interest::READ | Interest::EDGE, 1);
    let mut asleep = match world.base.begin_sleep(Wait::For(PATIENCE)) {
        Ok(asleep) => asleep,
        Err(error) => panic!("not asleep: {error}"),
    };
    world.feed(&mut source);
    asleep.sleep();
    asleep.sleep();
    drop(asleep);
    if world.base.poll(Wait::None).is_err() {
        // For a backend that does not notice the replaced file.
        assert!(world.base.reinit().is_ok());
    }
    assert_eq!(world.wait_for(&[1]).of(1), Ready::READ);
    Proof::Shown
}

/// During a sleep, each of these calls ends it and takes effect.
pub fn changes_end_a_sleep<F: Fixture<Backend: Split>, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let (quiet, mut ready) = (world.source(), world.source());
    world.feed(&mut ready);
    let (quiet_fd, ready_fd) = (world.fd(&quiet), world.fd(&ready));
    let idle = world.create(Event::user(), 1);
    let on_ready = world.create(Event::io(ready_fd, Interest::READ), 2);
    let reader = world.watch(&quiet, Interest::READ, 3);
    let late = world.timer(LONG, 4);

    let begin = world.now();
    let mut expect = |number: u32, change: &mut dyn FnMut(&mut World<F, S>)| {
        let seen = world.wait_in_halves(|world| change(world));
        assert_ne!(seen.times(number), 0, "event {number} was missed: {seen:?}");
    };
    expect(5, &mut |world| _ = world.start(Event::io(ready_fd, Interest::READ), 5));
    expect(6, &mut |world| _ = world.timer(Duration::ZERO, 6));
    expect(2, &mut |world| assert!(world.base.add(on_ready, None).is_ok()));
    expect(1, &mut |world| assert!(world.base.activate(idle, Ready::READ).is_ok()));
    expect(1, &mut |world| assert!(world.base.again(idle).is_ok()));
    expect(3, &mut |world| world.base.activate_fd(quiet_fd, Ready::READ));
    expect(3, &mut |world| assert!(world.base.modify(reader, Interest::WRITE).is_ok()));
    expect(3, &mut |world| {
        assert!(world.base.modify(reader, Interest::READ).is_ok());
        assert!(world.base.replace_fd(reader, ready_fd).is_ok());
    });
    expect(4, &mut |world| {
        assert!(world.base.replace_fd(reader, quiet_fd).is_ok());
        let now = world.base.update_now();
        assert!(world.base.add_at(late, now).is_ok());
    });
    expect(4, &mut |world| assert!(world.base.add(late, Some(ms(1))).is_ok()));
    expect(3, &mut |world| {
        // The fd becomes ready for what the event then waits for while nothing watches it.
        assert!(world.base.modify(reader, Interest::WRITE).is_ok());
        assert!(world.pause_for(reader, ms(1)).is_ok());
    });
    let took = world.now().saturating_since(begin);
    assert!(took <= ms(20) + World::<F, S>::grace(PATIENCE / 2), "a change did not end the sleep at once: {took:?}");
    Proof::Shown
}

/// Less slack or a restarted timeout shortens a sleep under way.
pub fn earlier_deadline_ends_a_sleep<F: Fixture<Backend: Split>, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let begin = world.now();
    world.base.set_slack(LONG);
    world.timer(ms(2), 1);
    assert_eq!(world.wait_in_halves(|world| world.base.set_slack(Duration::ZERO)).of(1), Ready::TIMEOUT);
    let timer = world.create(Event::timer().timeout(ms(2)), 2);
    let seen = world.wait_in_halves(|world| assert!(world.base.restart(timer).is_ok()));
    assert_eq!(seen.of(2), Ready::TIMEOUT);
    let took = world.now().saturating_since(begin);
    assert!(took <= ms(4) + World::<F, S>::grace(PATIENCE / 2), "slept by the old deadline: {took:?}");
    Proof::Shown
}

/// A signal that arrives or is activated during a sleep ends it.
pub fn signal_ends_a_sleep<F: Fixture<Backend: Split>, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let Some(signum) = world.fixture.signal(0) else { return world.without("signals") };
    assert_eq!(world.wait_in_halves(|world| _ = world.timer(Duration::ZERO, 1)).of(1), Ready::TIMEOUT);
    let event = world.start(Event::signal(signum).persist(), 2);
    let seen = world.wait_in_halves(|world| world.raise(signum));
    assert_eq!(seen.of(2), Ready::SIGNAL);
    let seen = world.wait_in_halves(|world| world.base.activate_signal(signum, 3));
    assert_eq!((seen.of(2), seen.count(2)), (Ready::SIGNAL, 3));
    let seen = world.wait_in_halves(|world| assert!(world.base.activate_counted(event, 2).is_ok()));
    assert_eq!((seen.of(2), seen.count(2)), (Ready::SIGNAL, 2));
    // A signal that is first watched during the sleep.
    world.base.remove(event);
    let seen = world.wait_in_halves(|world| {
        world.start(Event::signal(signum), 3);
        world.raise(signum);
    });
    assert_eq!(seen.of(3), Ready::SIGNAL);
    Proof::Shown
}

/// A request to end the loop during a sleep ends the sleep, and the second half returns it, once.
pub fn end_of_loop_ends_a_sleep<F: Fixture<Backend: Split>, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let begin = world.now();
    assert_eq!(world.halves(Wait::Forever, |_| {}), Turn::Ended(End::Empty));
    let source = world.source();
    let timer = world.timer(LONG, 1);
    // Ends a sleep that failed to end.
    world.start(Event::timer().background().timeout(LONG), 3);
    let mut ends = |end: End, change: &dyn Fn(&mut World<F, S>)| {
        let mut turn = world.halves(Wait::Forever, |world| change(world));
        while turn.is_running() {
            assert!(world.base.next_active().is_none());
            turn = world.halves(Wait::Forever, |_| {});
        }
        assert_eq!(turn, Turn::Ended(end));
    };
    ends(End::Exit, &|world| world.base.loop_exit());
    ends(End::Break, &|world| world.base.loop_break());
    ends(End::Exit, &|world| world.base.loop_exit_after(ms(1)));
    // The last event is deleted.
    ends(End::Empty, &|world| assert!(world.base.del(timer).is_ok()));
    assert!(world.base.add(timer, Some(LONG)).is_ok());
    let mut ends = |change: &dyn Fn(&mut World<F, S>, EventId), event: EventId| {
        assert_eq!(world.halves(Wait::Forever, |world| change(world, event)), Turn::Ended(End::Empty));
        world.base.remove(event);
        world.watch(&source, Interest::READ, 2)
    };
    let reader = ends(&|world, timer| assert!(world.base.clear_timeout(timer).is_ok()), timer);
    let reader = ends(&|world, reader| assert!(world.base.deregister(reader).is_ok()), reader);
    ends(&|world, reader| assert!(world.base.remove(reader).is_some()), reader);
    let took = world.now().saturating_since(begin);
    assert!(took <= ms(1) + World::<F, S>::grace(PATIENCE / 2), "the end of the loop was missed: {took:?}");
    Proof::Shown
}

/// No turn can begin while the base is asleep. A refused call changes nothing.
pub fn poll_refused_while_asleep<F: Fixture<Backend: Split>, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let idle = world.create(Event::user(), 1);
    let timer = world.timer(LONG, 2);
    let turn = world.halves(Wait::Forever, |world| {
        let turns = world.stats().turns;
        assert!(world.base.activate(idle, Ready::WRITE).is_ok());
        world.base.loop_exit();
        for wait in [Wait::None, Wait::Forever] {
            assert!(world.base.poll(wait).is_err());
            assert!(world.base.next_active().is_none());
            assert!(world.base.next_event(wait).is_err());
            assert!(world.base.begin_sleep(wait).is_err());
        }
        assert!(world.base.run(Mode::empty(), |_, _| {}).is_err());
        assert_eq!((world.stats().turns, world.base.counts().active), (turns, 1));
        world.check();
    });
    assert_eq!(turn, Turn::Ended(End::Exit), "a refused poll took the answer");
    assert_eq!(world.look().of(1), Ready::WRITE);
    // Even if the loop would end without a wait.
    world.base.remove(timer);
    let end = world.now() + ms(1);
    let turn = world.halves(Wait::Until(end), |world| {
        assert!(world.base.is_empty() && world.base.run(Mode::empty(), |_, _| {}).is_err());
    });
    assert!(turn.is_running());
    Proof::Shown
}

/// A wake ends a sleep and counts as a wake; a change does not.
pub fn change_is_no_wake<F: Fixture<Backend: Split>, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    world.start(Event::wake(), 1);
    let idle = world.create(Event::user(), 2);
    let seen = world.wait_in_halves(|world| assert!(world.base.activate(idle, Ready::READ).is_ok()));
    assert_eq!((seen.times(1), seen.times(2)), (0, 1));
    assert_quiet(&mut world);
    let Some(waker) = world.waker() else { return world.without("waker") };
    let begin = world.now();
    // During the sleep, and before it.
    assert_eq!(world.wait_in_halves(|_| F::wake(&waker)).times(1), 1);
    F::wake(&waker);
    assert_eq!(world.wait_in_halves(|_| {}).times(1), 1);
    for delay in [0, 2, 10] {
        if !world.fixture.wake_later(&waker, ms(delay)) {
            return world.without("way to wake the backend later");
        }
        assert_eq!(world.wait_in_halves(|_| {}).times(1), 1);
    }
    assert!(world.now().saturating_since(begin) < PATIENCE, "missed a wake");
    assert_quiet(&mut world);
    Proof::Shown
}

/// If `poll` would not wait, neither does the sleeper: for an active event, a requested exit, a prepare event, or an
/// empty loop.
pub fn no_sleep_where_poll_has_none<F: Fixture<Backend: Split>, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let idle = world.create(Event::user(), 1);
    let until = |world: &mut World<F, S>, wait| match world.base.begin_sleep(wait) {
        Ok(asleep) => {
            let until = asleep.until();
            (until, world.base.end_sleep(asleep).ok())
        }
        Err(error) => panic!("not asleep: {error}"),
    };
    assert_eq!(until(&mut world, Wait::None), (Sleep::None, Some(Turn::Running)));
    assert_eq!(until(&mut world, Wait::Forever), (Sleep::None, Some(Turn::Ended(End::Empty))));
    let timer = world.timer(LONG, 2);
    world.base.loop_exit();
    assert_eq!(until(&mut world, Wait::Forever), (Sleep::None, Some(Turn::Ended(End::Exit))));
    assert!(world.base.activate(idle, Ready::READ).is_ok());
    assert_eq!(until(&mut world, Wait::Forever), (Sleep::None, Some(Turn::Running)));
    // It has not been handed out, so nothing sleeps now.
    assert_eq!(until(&mut world, Wait::Forever), (Sleep::None, Some(Turn::Running)));
    assert!(world.base.next_active().is_some_and(|fired| *fired.data == 1));
    let deadline = world.base.pending(timer).and_then(|pending| pending.deadline);
    let (sleep, turn) = until(&mut world, Wait::Forever);
    assert_eq!((Some(sleep), turn), (deadline.map(Sleep::Until), Some(Turn::Running)));
    Proof::Shown
}

/// Prepare events are handed out before each sleep, in a turn of their own, and check events after it.
pub fn watchers_come_around_a_sleep<F: Fixture<Backend: Split>, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    world.start(Event::prepare(), 1);
    world.start(Event::check(), 2);
    let idle = world.create(Event::user(), 3);
    world.timer(LONG, 4);
    for _ in 0..3 {
        assert_eq!(world.halves(Wait::Forever, |_| {}), Turn::Prepare);
        assert!(world.base.next_active().is_some_and(|fired| *fired.data == 1));
        assert!(world.base.next_active().is_none());
        let turn = world.halves(Wait::Forever, |world| {
            assert!(world.base.next_active().is_none());
            assert!(world.base.activate(idle, Ready::READ).is_ok());
        });
        assert_eq!(turn, Turn::Running);
        assert!(world.base.next_active().is_some_and(|fired| *fired.data == 2));
        assert!(world.base.next_active().is_some_and(|fired| *fired.data == 3));
        assert!(world.base.next_active().is_none());
    }
    Proof::Shown
}

/// A timeout that restarts does so before the sleep that it ends.
pub fn restarted_timeout_ends_a_sleep<F: Fixture<Backend: Split>, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let fd = world.fd(&source);
    world.start(Event::io(fd, Interest::READ).persist().timeout(ms(10)), 1);
    world.feed(&mut source);
    assert_eq!(world.wait_in_halves(|_| {}).of(1), Ready::READ);
    world.drain(&mut source);
    let begin = world.now();
    assert_eq!(world.wait_in_halves(|_| {}).of(1), Ready::TIMEOUT);
    let took = world.now().saturating_since(begin);
    assert!(took <= ms(10) + World::<F, S>::grace(PATIENCE / 2), "missed a restarted timeout: {took:?}");
    Proof::Shown
}

/// An event that is deleted during a sleep is not handed out, whatever happens to its fd.
pub fn deleted_while_asleep<F: Fixture<Backend: Split>, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let (mut one, mut two, mut three) = (world.source(), world.source(), world.source());
    let first = world.watch(&one, Interest::READ, 1);
    let second = world.watch(&two, Interest::READ, 2);
    world.watch(&three, Interest::READ, 3);
    let mut is_reused = false;
    let seen = world.wait_in_halves(|world| {
        world.feed(&mut one);
        world.feed(&mut two);
        assert!(world.base.del(first).is_ok());
        assert_eq!(world.base.remove(second), Some(2));
        is_reused = world.reuse(&mut two);
        if is_reused {
            world.watch(&two, Interest::READ, 4);
            world.feed(&mut two);
        }
        world.feed(&mut three);
    });
    let mut all = seen;
    all.append(&world.wait_for(&[3, 4][..1 + usize::from(is_reused)]));
    assert_eq!((all.times(1), all.times(2)), (0, 0), "{all:?}");
    assert_eq!(all.of(3), Ready::READ);
    assert_eq!(all.times(4) > 0, is_reused);
    Proof::Shown
}

/// A base refuses the sleep of another base, which is over then.
pub fn sleep_of_another_base_refused<F: Fixture<Backend: Split>, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut other = evcore::EventBase::<F::Backend, S, u32>::new(world.fixture.backend());
    world.timer(ms(1), 1);
    let Ok(asleep) = other.begin_sleep(Wait::Forever) else { panic!("not asleep") };
    assert!(world.base.end_sleep(asleep).is_err());
    assert_eq!(world.wait_in_halves(|_| {}).of(1), Ready::TIMEOUT);
    assert!(other.poll(Wait::None).is_ok() || other.reinit().is_ok() && other.poll(Wait::None).is_ok());
    Proof::Shown
}

/// A dropped sleep is over, if necessary after `reinit`, and nothing is lost. If the base is dropped during a sleep,
/// the sleeper wakes.
pub fn dropped_while_asleep<F: Fixture<Backend: Split>, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    for _ in 0..3 {
        drop(world.base.begin_sleep(Wait::Forever));
        world.feed(&mut source);
        assert!(world.base.poll(Wait::None).is_ok() || world.base.reinit().is_ok());
        assert_eq!(world.wait_for(&[1]).of(1), Ready::READ);
        world.drain(&mut source);
        assert_quiet(&mut world);
    }
    let begin = world.now();
    let Ok(mut asleep) = world.base.begin_sleep(Wait::For(PATIENCE)) else { panic!("not asleep") };
    let World { base, fixture } = world;
    drop(base);
    asleep.sleep();
    asleep.sleep();
    drop(asleep);
    let mut world = World::<F, S>::new(fixture);
    assert!(world.now().saturating_since(begin) < PATIENCE, "slept on without a base");
    Proof::Shown
}

/// `reinit` during a sleep loses nothing. It may end the sleep.
pub fn reinit_while_asleep<F: Fixture<Backend: Split>, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    let begin = world.now();
    for _ in 0..3 {
        let Ok(mut asleep) = world.base.begin_sleep(Wait::For(PATIENCE)) else { panic!("not asleep") };
        assert!(world.base.reinit().is_ok());
        asleep.sleep();
        asleep.sleep();
        let turn = world.base.end_sleep(asleep);
        assert!(turn.is_err() || matches!(turn, Ok(Turn::Running)));
        world.feed(&mut source);
        assert_eq!(world.wait_in_halves(|_| {}).of(1), Ready::READ);
        world.drain(&mut source);
    }
    assert!(world.now().saturating_since(begin) <= World::<F, S>::grace(PATIENCE / 2), "missed `reinit`");
    assert_quiet(&mut world);
    Proof::Shown
}

/// In the child of a fork the sleep is the parent's: `reinit` ends it in the child, and the parent's continues.
pub fn fork_while_asleep<F: Fixture<Backend: Split>, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    let Ok(asleep) = world.base.begin_sleep(Wait::For(PATIENCE)) else { panic!("not asleep") };
    let mut asleep = Some(asleep);
    let World { base, fixture } = &mut world;
    let child = fixture.fork(&mut |fixture| {
        assert!(base.poll(Wait::None).is_err());
        assert!(base.reinit().is_ok());
        assert!(asleep.take().is_some_and(|asleep| base.end_sleep(asleep).is_err()));
        fixture.feed(base.backend_mut(), &mut source);
        let Ok(mut asleep) = base.begin_sleep(Wait::For(PATIENCE)) else { return false };
        asleep.sleep();
        assert_eq!(base.end_sleep(asleep).ok(), Some(Turn::Running));
        assert!(base.next_active().is_some_and(|fired| *fired.data == 1));
        fixture.drain(base.backend_mut(), &mut source);
        true
    });
    let Some(mut asleep) = asleep else { panic!("the child's memory is not its own") };
    let begin = world.now();
    world.timer(Duration::ZERO, 2);
    asleep.sleep();
    assert_eq!(world.base.end_sleep(asleep).ok(), Some(Turn::Running));
    assert!(world.now().saturating_since(begin) < PATIENCE, "the parent's sleep was lost");
    match child {
        Some(went_well) => assert!(went_well, "the child failed; it has printed why"),
        None => return world.without("child processes"),
    }
    Proof::Shown
}
