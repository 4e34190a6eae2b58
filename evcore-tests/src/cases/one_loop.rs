//! `next_event` and other calls that shorten the usual loop.

use core::num::NonZeroU32;
use core::time::Duration;

use evcore::backend::Sleep;
use evcore::options::Limits;
use evcore::storage::Storage;
use evcore::{End, Event, EventId, Instant, Interest, Mode, Ready, Turn, Wait};

use crate::{Fixture, Proof, World};

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// What `next_event` hands out: the event's number, bits and count.
#[track_caller]
fn next<F: Fixture, S: Storage>(world: &mut World<F, S>, wait: Wait) -> Option<(u32, Ready, u32)> {
    match world.base.next_event(wait) {
        Ok(fired) => fired.map(|fired| (*fired.data, fired.ready, fired.count)),
        Err(error) => panic!("the backend does not wait: {error}"),
    }
}

/// Like [`next`], when an event must be handed out.
#[track_caller]
fn must_come<F: Fixture, S: Storage>(world: &mut World<F, S>) -> (u32, Ready, u32) {
    let end = world.now() + crate::PATIENCE;
    match next(world, Wait::Until(end)) {
        Some(handed_out) => handed_out,
        None => panic!("nothing came: {:?}", world.base.ended()),
    }
}

/// `next_event` runs turns, waits if nothing is active, and ends when nothing is pending.
pub fn next_event_is_the_whole_loop<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let reader = world.watch(&source, Interest::READ, 1);
    world.feed(&mut source);
    let timer = world.start(Event::timer().persist().timeout(ms(5)), 2);
    let mut ticks = 0;
    while ticks < 3 {
        let (number, ready, _) = must_come(&mut world);
        match number {
            1 => {
                assert_eq!(ready, Ready::READ);
                world.drain(&mut source);
                world.base.remove(reader);
            }
            _ => ticks += 1,
        }
    }
    world.base.remove(timer);
    assert_eq!((next(&mut world, Wait::Forever), world.base.ended()), (None, Some(End::Empty)));
    assert!(!world.base.contains(reader));
    world.check();
    Proof::Shown
}

/// `next_event` returns `None` when its wait is over, however many wakes came meanwhile, and when the loop is ended.
pub fn next_event_ends_with_its_reason<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let source = world.source();
    world.watch(&source, Interest::READ, 1);
    assert_eq!((next(&mut world, Wait::None), world.base.ended()), (None, None));
    if let Some(waker) = world.waker() {
        F::wake(&waker);
    }
    let end = world.now() + ms(10);
    assert_eq!((next(&mut world, Wait::Until(end)), world.base.ended()), (None, None));
    assert!(world.now() >= end, "came back early");
    let begin = world.now();
    assert_eq!((next(&mut world, Wait::For(ms(10))), world.base.ended()), (None, None));
    assert!(world.now() >= begin + ms(10), "came back early");
    world.base.loop_exit();
    assert_eq!((next(&mut world, Wait::Forever), world.base.ended()), (None, Some(End::Exit)));
    world.timer(Duration::ZERO, 2);
    assert_eq!(must_come(&mut world).0, 2);
    world.base.loop_break();
    assert_eq!((next(&mut world, Wait::Forever), world.base.ended()), (None, Some(End::Break)));
    assert_eq!((next(&mut world, Wait::None), world.base.ended()), (None, None));
    // The wait ends at the time of the exit.
    world.base.loop_exit_after(Duration::ZERO);
    assert_eq!((next(&mut world, Wait::None), world.base.ended()), (None, Some(End::Exit)));
    Proof::Shown
}

/// The turns of `next_event` keep their limits: of two events that are always active, each is handed out as often as
/// the other.
pub fn next_event_keeps_the_bounds<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    world.set_limits(Limits { hand_outs: NonZeroU32::new(1), ..Limits::DEFAULT });
    let ids = [world.create(Event::user(), 0), world.create(Event::user(), 1)];
    let mut times = [0u32; 2];
    for id in ids {
        assert!(world.base.activate(id, Ready::READ).is_ok());
    }
    for _ in 0..20 {
        let (number, ..) = must_come(&mut world);
        for (place, (id, times)) in (0..).zip(ids.into_iter().zip(&mut times)) {
            if place == number {
                *times += 1;
                assert!(world.base.activate(id, Ready::READ).is_ok());
            }
        }
    }
    assert_eq!(times, [10, 10]);
    Proof::Shown
}

/// A thousand one-shot timers need only as much room as are armed at one time: each is removed after its hand-out.
pub fn insert_timer_is_gone_after_it_came<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut last: Option<EventId> = None;
    for number in 0..1_000 {
        let id = match world.base.start(Event::timer().once().timeout(Duration::from_nanos(1)), number) {
            Ok(id) => id,
            Err(rejected) => panic!("timer {number}: {}", rejected.error),
        };
        assert_eq!(must_come(&mut world), (number, Ready::TIMEOUT, 1));
        assert_eq!(world.base.get(id), Some(&number), "it is there for its handler");
        assert!(last.is_none_or(|last| !world.base.contains(last)));
        last = Some(id);
    }
    assert!(world.base.counts().events <= 1);
    assert_eq!(next(&mut world, Wait::Forever), None);
    assert_eq!(world.base.counts().events, 0);
    Proof::Shown
}

/// The timeout that an event was created with starts whenever it is added, until it is replaced or cleared.
pub fn own_timeout_starts_with_each_add<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let source = world.source();
    let fd = world.fd(&source);
    let event = world.create(Event::io(fd, Interest::READ).timeout(ms(20)), 1);
    let deadline = |world: &World<F, S>| world.base.pending(event).and_then(|pending| pending.deadline);
    assert_eq!((deadline(&world), world.base.next_deadline()), (None, None), "it runs before it is added");
    for _ in 0..2 {
        let begin = world.now();
        assert!(world.base.add(event, None).is_ok());
        assert!(deadline(&world) >= Some(begin + ms(20)));
        let (number, ready, _) = must_come(&mut world);
        assert_eq!((number, ready.is_timeout()), (1, true));
        assert!(world.now() >= begin + ms(20), "early");
        assert_eq!(deadline(&world), None);
    }
    assert!(world.base.add(event, Some(Duration::from_secs(60))).is_ok());
    let begin = world.now();
    assert!(world.base.del(event).is_ok() && world.base.add(event, None).is_ok());
    assert!(deadline(&world) >= Some(begin + Duration::from_secs(60)), "the later one took its place");
    assert!(world.base.clear_timeout(event).is_ok());
    assert!(world.base.del(event).is_ok() && world.base.add(event, None).is_ok());
    assert_eq!(deadline(&world), None, "it has none any more");
    Proof::Shown
}

/// `restart` starts a timeout from now, and re-arms a timer that was handed out; an event without a timeout is
/// refused.
pub fn restart_counts_from_now<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let source = world.source();
    let fd = world.fd(&source);
    let timers = [
        world.start(Event::timer().timeout(ms(10)), 1),
        world.start(Event::timer().persist().timeout(ms(10)), 2),
        world.start(Event::io(fd, Interest::READ).persist().timeout(ms(10)), 3),
    ];
    for id in timers {
        world.pass(ms(1));
        let begin = world.now();
        assert!(world.base.restart(id).is_ok());
        let deadline = world.base.pending(id).and_then(|pending| pending.deadline);
        assert!(deadline >= Some(begin + ms(10)));
        world.base.del(id).unwrap_or_else(|error| panic!("{error}"));
        assert!(world.base.restart(id).is_ok(), "one that is idle is added");
        assert_eq!(world.base.pending(id).map(|pending| pending.deadline.is_some()), Some(true));
    }
    assert_eq!(world.wait_for(&[1, 2, 3]).of(1), Ready::TIMEOUT);
    assert!(world.base.restart(timers[0]).is_ok(), "it has come, and is armed again");
    assert_eq!(world.wait_for(&[1]).of(1), Ready::TIMEOUT);
    let given = world.create(Event::timer(), 5);
    assert!(matches!(world.base.restart(given), Err(evcore::Error::WrongKind)), "it has never had one");
    assert!(world.base.add(given, Some(ms(10))).is_ok());
    assert_eq!(world.wait_for(&[5]).of(5), Ready::TIMEOUT);
    let begin = world.now();
    assert!(world.base.restart(given).is_ok(), "what it was given when it was pending last");
    assert!(world.base.pending(given).and_then(|pending| pending.deadline) >= Some(begin + ms(10)));
    assert!(world.base.clear_timeout(given).is_ok());
    assert!(matches!(world.base.restart(given), Err(evcore::Error::WrongKind)), "it was dropped");
    assert!(world.pause_for(timers[2], Duration::from_secs(60)).is_ok());
    assert!(world.base.restart(timers[2]).is_ok());
    assert_eq!(world.base.pending(timers[2]).map(|pending| pending.deadline), Some(None), "the pause goes on");
    let user = world.create(Event::user(), 4);
    assert!(matches!(world.base.restart(user), Err(evcore::Error::WrongKind)));
    Proof::Shown
}

/// `deregister` stops watching at once and keeps the event, which may then get another descriptor.
pub fn deregister_stops_watching_at_once<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let event = world.watch(&source, Interest::READ, 1);
    world.feed(&mut source);
    assert!(matches!(world.base.poll(Wait::None), Ok(Turn::Running)));
    assert!(world.base.deregister(event).is_ok());
    assert!(world.base.next_active().is_none(), "it was queued");
    drop(source);
    // Another source, whose descriptor may have the same number, is not reported.
    let mut other = world.source();
    world.feed(&mut other);
    assert!(world.during(ms(5)).is_empty());
    let (before, fd) = (world.stats(), world.fd(&other));
    assert_eq!((world.base.get(event), world.base.is_empty()), (Some(&1), true));
    assert!(world.base.replace_fd(event, fd).is_ok());
    assert!(world.base.add(event, None).is_ok());
    assert_eq!(world.wait_for(&[1]).of(1), Ready::READ);
    assert_eq!(world.stats().stale, before.stale);
    Proof::Shown
}

/// `deregister` does not affect other events of the descriptor; an event of another kind is simply deleted.
pub fn deregister_leaves_others<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let first = world.watch(&source, Interest::READ, 1);
    world.watch(&source, Interest::READ, 2);
    let timer = world.timer(Duration::ZERO, 3);
    world.feed(&mut source);
    assert!(world.base.deregister(first).is_ok() && world.base.deregister(timer).is_ok());
    let seen = world.wait();
    assert_eq!((seen.order(), seen.of(2)), (&[2][..], Ready::READ));
    assert!(world.base.deregister(first).is_ok(), "twice");
    world.check();
    Proof::Shown
}

/// `poll` reports a turn of prepare events as such, and the wait that follows can be queried in it.
pub fn poll_returns_the_kind_of_turn<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let later = world.now() + Duration::from_secs(60);
    assert_eq!(world.base.next_sleep(Wait::Forever), Sleep::None, "an empty loop ends");
    assert_eq!(world.base.next_sleep(Wait::Until(later)), Sleep::Until(later));
    assert_eq!(world.base.next_sleep(Wait::None), Sleep::None);
    let timer = world.timer(Duration::from_secs(30), 2);
    let Some(due) = world.base.pending(timer).and_then(|pending| pending.deadline) else { panic!("it is armed") };
    assert_eq!(world.base.next_sleep(Wait::Until(later)), Sleep::Until(due));
    world.start(Event::prepare(), 1);
    assert_eq!(world.base.next_sleep(Wait::Forever), Sleep::None, "a prepare turn comes first");
    assert!(matches!(world.base.poll(Wait::None), Ok(Turn::Prepare)));
    assert_eq!(world.base.next_active().map(|fired| *fired.data), Some(1));
    assert_eq!(world.base.next_sleep(Wait::Forever), Sleep::Until(due));
    let user = world.create(Event::user(), 3);
    assert!(world.base.activate(user, Ready::READ).is_ok());
    assert_eq!(world.base.next_sleep(Wait::Forever), Sleep::None, "something is active");
    assert!(world.base.next_active().is_none());
    assert!(matches!(world.base.poll(Wait::None), Ok(Turn::Running)));
    assert_eq!(world.base.next_active().map(|fired| *fired.data), Some(3));
    world.base.loop_exit();
    assert_eq!(world.base.next_sleep(Wait::Until(Instant::MAX)), Sleep::None, "the end was asked for");
    Proof::Shown
}

/// Without a limit on hand-outs, a turn hands out everything that is active, each event once.
pub fn turn_without_a_limit<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    assert_eq!(Limits::DEFAULT.hand_outs.map(NonZeroU32::get), Some(1_024));
    assert_eq!(Limits::DEFAULT.timers.map(NonZeroU32::get), Some(1_024));
    world.set_limits(Limits { hand_outs: None, timers: None, ..Limits::DEFAULT });
    let count = (0..1_100)
        .take_while(|_| {
            let id = world.base.create(Event::timer(), 7);
            id.is_ok_and(|id| world.base.add(id, Some(Duration::ZERO)).is_ok())
        })
        .count();
    world.pass(ms(1));
    let again = world.base.iter().next().map(|(id, _)| id);
    let mut handed_out = 0;
    assert!(matches!(world.base.poll(Wait::None), Ok(Turn::Running)));
    while world.base.next_active().is_some() {
        handed_out += 1;
        if let Some(id) = again.filter(|_| handed_out < 3) {
            assert!(world.base.activate(id, Ready::READ).is_ok());
        }
    }
    assert_eq!(handed_out, count);
    assert_eq!(world.base.counts().active, 1);
    Proof::Shown
}

/// A wake event is handed out once for any number of wakes, keeps the loop running, and hides nothing.
pub fn wake_event_is_handed_out<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(waker) = world.waker() else { return world.without("waker") };
    let event = world.start(Event::wake(), 1);
    assert!(!world.base.is_empty(), "it keeps the loop alive");
    let mut source = world.source();
    world.watch(&source, Interest::READ, 2);
    assert!(world.during(ms(5)).is_empty(), "it came without a wake");
    for _ in 0..3 {
        for _ in 0..10 {
            F::wake(&waker);
        }
        assert_eq!(must_come(&mut world), (1, Ready::empty(), 1));
        assert!(world.during(ms(5)).is_empty(), "it came twice");
    }
    F::wake(&waker);
    world.feed(&mut source);
    assert_eq!(world.wait_for(&[1, 2]).of(2), Ready::READ);
    world.drain(&mut source);
    F::wake(&waker);
    assert!(matches!(world.base.run(Mode::NONBLOCK, |_, _| {}), Ok(End::Once)), "it was handed out");
    assert!(matches!(world.base.run(Mode::NONBLOCK, |_, _| {}), Ok(End::NotReady)));
    assert!(world.base.del(event).is_ok());
    F::wake(&waker);
    assert!(world.during(ms(5)).is_empty(), "it was deleted");
    Proof::Shown
}

/// A wake ends a `run` of one turn, so that the caller sees a flag set before the wake.
pub fn wake_ends_run_once<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(waker) = world.waker() else { return world.without("waker") };
    let source = world.source();
    world.watch(&source, Interest::READ, 1);
    for _ in 0..3 {
        if !world.fixture.wake_later(&waker, ms(2)) {
            F::wake(&waker);
        }
        // Otherwise a backend that misses the wake would never return.
        world.base.loop_exit_after(crate::PATIENCE);
        assert!(matches!(world.base.run(Mode::ONCE, |_, _| panic!("nothing is ready")), Ok(End::Once)));
    }
    Proof::Shown
}
