//! Events: creation, queries, activation, single hand-out; stale ids; the base's counts.

use core::fmt::Write;
use core::time::Duration;

use evcore::storage::{Lean, Storage};
use evcore::{Error, Event, EventBase, EventId, Fixed, Interest, Ready, Wait};

use crate::{Fixture, Proof, World};

/// Two bases in one process do not see each other's events.
pub fn new_twice<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut other: EventBase<F::Backend, S, u32> = EventBase::new(world.fixture.backend());
    let mut source = world.fixture.source(other.backend_mut());
    let fd = world.fd(&source);
    assert!(other.insert(fd, Interest::READ, 1).is_ok());
    assert!(other.start(Event::timer().timeout(Duration::ZERO), 2).is_ok());
    world.fixture.feed(other.backend_mut(), &mut source);
    assert!(world.look().is_empty());
    assert_eq!(world.base.counts(), Default::default());
    assert!(other.poll(Wait::None).is_ok());
    assert!(other.next_active().is_some());
    Proof::Shown
}

/// A created event waits for nothing until it is added.
pub fn created_is_idle<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let fd = world.fd(&source);
    let event = world.create(Event::io(fd, Interest::READ), 1);
    world.feed(&mut source);
    assert!(world.look().is_empty());
    assert!(world.base.is_empty());
    assert_eq!(world.base.pending(event), Some(Default::default()));
    assert!(world.base.add(event, None).is_ok());
    assert_eq!(world.wait().of(1), Ready::READ);
    Proof::Shown
}

/// Creation fails if there is no room, and returns the data. Existing events still work, and removing one makes
/// room.
pub fn full_gives_the_data_back<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let (mut last, mut count) = (None, 0);
    let rejected = loop {
        match world.base.create(Event::timer(), count) {
            Ok(event) => last = Some(event),
            Err(rejected) => break Some(rejected),
        }
        count += 1;
        if count == 200 {
            break None;
        }
    };
    let Some(last) = last else { panic!("there is no room at all") };
    let Some(rejected) = rejected else {
        assert_eq!(world.base.counts().events, count);
        return Proof::Absent("storage that can be full");
    };
    assert_eq!(rejected.data, count);
    assert!(matches!(rejected.error, Error::Full), "{:?}", rejected.error);
    assert_eq!(world.base.counts().events, count);
    let all: heapless::Vec<EventId, 256> = world.base.iter().map(|(event, _)| event).collect();
    for event in &all {
        assert!(world.base.add(*event, Some(Duration::ZERO)).is_ok());
        assert!(world.base.activate(*event, Ready::READ).is_ok());
    }
    assert_eq!(world.base.remove(last), Some(count - 1));
    assert!(world.base.create(Event::timer(), 1_000).is_ok());
    assert_eq!(world.wait().len(), all.len() - 1);
    Proof::Shown
}

/// A part that the storage lacks is refused when it is requested, and the data is returned, whatever the backend can
/// do. Other parts still work.
pub fn left_out_is_refused<F: Fixture, S: Storage>(mut fixture: F) -> Proof {
    type Timers = Fixed<3, 0, 1, Lean>;
    let mut base: EventBase<F::Backend, Timers, u32> = EventBase::new(fixture.backend());
    let source = fixture.source(base.backend_mut());
    let fd = fixture.fd(&source);
    for event in [Event::io(fd, Interest::READ), Event::prepare(), Event::check(), Event::wake()] {
        let Err(rejected) = base.start(event, 7) else { panic!("there is no room for {event:?}") };
        assert!(matches!(rejected.error, Error::Full), "{event:?}: {:?}", rejected.error);
        assert_eq!(rejected.data, 7);
    }
    let Err(rejected) = base.start(Event::signal(1), 8) else { panic!("there is no room for signals") };
    assert!(matches!(rejected.error, Error::Full | Error::Unsupported), "{:?}", rejected.error);
    let Err(once) = base.start(Event::timer().once().timeout(Duration::ZERO), 9) else { panic!("nothing is once") };
    assert!(matches!(once.error, Error::Unsupported), "{:?}", once.error);
    assert_eq!((rejected.data, once.data), (8, 9));
    assert!(matches!(base.set_priorities(2), Err(Error::Full)));
    assert!(base.set_priorities(1).is_ok() && base.is_empty() && base.check());
    for number in 0..3 {
        assert!(base.start(Event::timer().timeout(Duration::ZERO), number).is_ok());
    }
    for number in 0..3 {
        let event = base.next_event(Wait::Forever);
        assert!(matches!(event, Ok(Some(event)) if *event.data == number));
    }
    // One event on each fd.
    let mut base: EventBase<F::Backend, Fixed<3, 3, 1, Lean>, u32> = EventBase::new(fixture.backend());
    let first = base.insert(fd, Interest::READ, 1).map_err(|rejected| rejected.error);
    let Err(second) = base.insert(fd, Interest::WRITE, 2) else { panic!("two events share an fd") };
    assert!(matches!((&first, &second.error), (Ok(_), Error::Full)), "{first:?}, {second}");
    assert_eq!((second.data, first.ok().and_then(|first| base.remove(first))), (2, Some(1)));
    assert!(base.insert(fd, Interest::WRITE, 3).is_ok() && base.check());
    Proof::Shown
}

/// The id of a removed event gives an error, or `None`, in every call, even if its slot is reused.
pub fn stale_id_is_an_error<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let source = world.source();
    let fd = world.fd(&source);
    let gone = world.watch(&source, Interest::READ, 1);
    assert_eq!(world.base.remove(gone), Some(1));
    for _ in 0..2 {
        let base = &mut world.base;
        assert!(matches!(base.add(gone, None), Err(Error::NoSuchEvent)));
        assert!(matches!(base.add(gone, Some(Duration::ZERO)), Err(Error::NoSuchEvent)));
        assert!(matches!(base.modify(gone, Interest::WRITE), Err(Error::NoSuchEvent)));
        assert!(matches!(base.replace_fd(gone, fd), Err(Error::NoSuchEvent)));
        assert!(matches!(base.pause_if_kept(gone, Duration::ZERO), None | Some(Err(Error::NoSuchEvent))));
        assert!(matches!(base.clear_timeout(gone), Err(Error::NoSuchEvent)));
        assert!(matches!(base.activate(gone, Ready::READ), Err(Error::NoSuchEvent)));
        assert!(matches!(base.again(gone), Err(Error::NoSuchEvent)));
        assert!(matches!(base.set_priority(gone, 0), Err(Error::NoSuchEvent)));
        assert!(matches!(base.del(gone), Err(Error::NoSuchEvent)));
        assert_eq!((base.remove(gone), base.get(gone), base.contains(gone)), (None, None, false));
        assert_eq!((base.pending(gone), base.fd(gone), base.interest(gone)), (None, None, None));
        assert_eq!((base.signum(gone), base.priority(gone)), (None, None));
        world.check();
        world.create(Event::user(), 2);
    }
    assert!(world.look().is_empty());
    Proof::Shown
}

/// Two bases whose events have the same slots: debug builds, which distinguish them, refuse an id of the other base.
pub fn id_of_another_base_is_an_error<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut other: EventBase<F::Backend, S, u32> = EventBase::new(world.fixture.backend());
    let own = world.create(Event::user(), 1);
    let Ok(foreign) = other.create(Event::user(), 2) else { panic!("no room for an event") };
    if !cfg!(debug_assertions) {
        return world.without("debug build");
    }
    assert!(matches!(world.base.add(foreign, None), Err(Error::NoSuchEvent)));
    assert!(matches!(world.base.activate(foreign, Ready::READ), Err(Error::NoSuchEvent)));
    assert_eq!(
        (world.base.remove(foreign), world.base.get(foreign), world.base.contains(foreign)),
        (None, None, false)
    );
    assert_eq!((other.remove(own), other.get(own)), (None, None));
    assert_eq!((world.base.remove(own), other.remove(foreign)), (Some(1), Some(2)));
    // Not even if slots are reused.
    let own = world.create(Event::user(), 1);
    let Ok(foreign) = other.create(Event::user(), 2) else { panic!("no room for an event") };
    assert_eq!((world.base.remove(foreign), other.remove(own)), (None, None));
    Proof::Shown
}

/// The properties of an event can be queried: its fd, interest, priority and data, and that it is no signal event.
pub fn getters_return_what_was_given<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    assert!(world.base.set_priorities(3).is_ok());
    let source = world.source();
    let fd = world.fd(&source);
    let event = world.create(Event::io(fd, Interest::READ | Interest::WRITE).priority(2), 9);
    let timer = world.create(Event::timer(), 10);
    let base = &mut world.base;
    assert_eq!((base.fd(event), base.interest(event)), (Some(fd), Some(Interest::READ | Interest::WRITE)));
    assert_eq!((base.priority(event), base.get(event), base.signum(event)), (Some(2), Some(&9), None));
    assert_eq!((base.fd(timer), base.interest(timer), base.priority(timer)), (None, None, Some(1)));
    if let Some(data) = base.get_mut(event) {
        *data = 11;
    }
    assert_eq!(base.get(event), Some(&11));
    assert_eq!(EventId::from_bits(event.to_bits()), Some(event));
    assert!(!base.method().is_empty());
    Proof::Shown
}

/// The state of an event can be queried: whether it is registered, its timeout and the time left, and what it is
/// queued for.
pub fn pending_shows_what_is_waited_for<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let source = world.source();
    let fd = world.fd(&source);
    let second = Duration::from_secs(1);
    let event = world.start(Event::io(fd, Interest::READ).persist().timeout(second), 1);
    world.pass(Duration::from_millis(2));
    let pending = world.base.pending(event).unwrap_or_default();
    assert!(pending.registered && pending.active.is_none());
    assert!(pending.remaining.is_some_and(|left| left <= second - Duration::from_millis(2)), "{pending:?}");
    assert!(pending.deadline.is_some());
    assert!(world.base.activate(event, Ready::WRITE).is_ok());
    assert!(world.base.activate(event, Ready::READ).is_ok());
    assert_eq!(world.base.pending(event).and_then(|pending| pending.active), Some(Ready::READ | Ready::WRITE));
    assert!(world.base.del(event).is_ok());
    assert_eq!(world.base.pending(event), Some(Default::default()));
    Proof::Shown
}

/// Activating an idle event queues it, with any bits, even none; it is handed out once.
pub fn activated_is_handed_out<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let source = world.source();
    let fd = world.fd(&source);
    for (number, bits) in [(1, Ready::empty()), (2, Ready::all()), (3, Ready::READ)] {
        let event = world.create(Event::user(), number);
        assert!(world.base.activate(event, bits).is_ok());
        let seen = world.wait();
        assert_eq!((seen.len(), seen.times(number), seen.of(number)), (1, 1, bits));
    }
    let idle = world.create(Event::io(fd, Interest::READ), 4);
    assert!(world.base.activate(idle, Ready::READ | Ready::WRITE).is_ok());
    assert_eq!(world.wait().of(4), Ready::READ | Ready::WRITE);
    assert!(world.look().is_empty());
    Proof::Shown
}

/// Activating an active event adds the bits: it is handed out once with all of them.
pub fn activated_twice_is_one_hand_out<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let event = world.watch(&source, Interest::READ, 1);
    world.feed(&mut source);
    assert!(world.base.activate(event, Ready::URGENT).is_ok());
    assert!(world.base.activate(event, Ready::WRITE).is_ok());
    let seen = world.wait();
    assert_eq!((seen.len(), seen.of(1)), (1, Ready::READ | Ready::WRITE | Ready::URGENT));
    Proof::Shown
}

/// An active event that is deleted is not handed out.
pub fn deleted_while_active<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let event = world.create(Event::user(), 1);
    let other = world.create(Event::user(), 2);
    for event in [event, other] {
        assert!(world.base.activate(event, Ready::READ).is_ok());
    }
    assert!(world.base.del(event).is_ok());
    assert_eq!(world.wait().order(), [2]);
    Proof::Shown
}

/// Activating an fd affects the events that are pending on it, for what they wait for. It does not affect other
/// events, and does nothing for unknown fds.
pub fn activated_by_fd<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let (source, unknown) = (world.source(), world.source());
    let (fd, nobodys) = (world.fd(&source), world.fd(&unknown));
    world.watch(&source, Interest::READ, 1);
    world.start(Event::io(fd, Interest::READ | Interest::URGENT).persist().timeout(Duration::from_secs(60)), 2);
    world.create(Event::io(fd, Interest::READ), 3);
    world.base.activate_fd(nobodys, Ready::READ);
    world.base.activate_fd(fd, Ready::CLOSED);
    assert!(world.look().is_empty());
    world.base.activate_fd(fd, Ready::READ);
    let seen = world.wait();
    assert_eq!((seen.len(), seen.of(1), seen.of(2)), (2, Ready::READ, Ready::READ));
    world.base.activate_fd(fd, Ready::TIMEOUT);
    let seen = world.wait();
    assert_eq!((seen.len(), seen.of(2)), (1, Ready::TIMEOUT));
    Proof::Shown
}

/// `again` hands out an event in the next turn, which does not wait, and not in this one.
pub fn again_is_the_next_turn<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    world.feed(&mut source);
    let seen = world.wait_with(|world, id, _| {
        world.drain(&mut source);
        assert!(world.base.again(id).is_ok());
    });
    assert_eq!(seen.order(), [1]);
    let before = world.now();
    let seen = world.turn(Wait::Until(before.saturating_add(crate::PATIENCE)), |_, _, _| {});
    assert_eq!((seen.len(), seen.of(1)), (1, Ready::AGAIN));
    assert!(world.now().saturating_since(before) <= World::<F, S>::grace(crate::BUSY));
    assert!(world.look().is_empty());
    Proof::Shown
}

/// A once event is handed out once and is removed by the next turn; its id is valid while its handler runs.
pub fn once_cleans_up<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let fd = world.fd(&source);
    world.start(Event::io(fd, Interest::READ).once(), 1);
    world.start(Event::timer().once().timeout(Duration::ZERO), 2);
    world.feed(&mut source);
    let mut handed_out = 0;
    while handed_out < 2 {
        let seen = world.wait_with(|world, id, number| {
            assert_eq!(world.base.get(id), Some(&number));
            handed_out += 1;
        });
        assert!(!seen.is_empty());
    }
    assert_eq!(world.base.counts().events, 0);
    assert!(world.look().is_empty());
    Proof::Shown
}

/// A once event may be removed in its own handler, which returns the data; one that is never handed out is dropped
/// with its base.
pub fn once_removed_in_its_handler<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    world.start(Event::timer().once().timeout(Duration::ZERO), 1);
    world.start(Event::timer().once().timeout(Duration::from_secs(3_600)), 2);
    let seen = world.wait_with(|world, id, number| {
        assert_eq!(world.base.remove(id), Some(number));
        let taken = world.create(Event::user(), 3);
        assert!(!world.base.contains(id) && world.base.contains(taken));
    });
    assert_eq!(seen.order(), [1]);
    assert_eq!(world.base.counts().events, 2, "the event that took the place was removed in its stead");
    Proof::Shown
}

/// A base may be dropped with events that are pending, active, or being handed out.
pub fn free_active_base<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    world.timer(Duration::ZERO, 2);
    let active = world.create(Event::user(), 3);
    assert!(world.base.activate(active, Ready::READ).is_ok());
    world.feed(&mut source);
    assert!(world.base.poll(Wait::None).is_ok());
    assert!(world.base.next_active().is_some());
    let World { base, mut fixture } = world;
    drop(base);
    let mut backend = fixture.backend();
    fixture.drain(&mut backend, &mut source);
    Proof::Shown
}

/// The base counts existing, pending and active events, and the maximum of each.
pub fn counts_and_their_maxima<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let source = world.source();
    let io = world.watch(&source, Interest::READ, 1);
    let timer = world.timer(Duration::from_secs(60), 2);
    world.create(Event::user(), 3);
    let counts = |world: &mut World<F, S>| {
        let counts = world.base.counts();
        (counts.events, counts.pending, counts.active)
    };
    assert_eq!(counts(&mut world), (3, 2, 0));
    assert!(world.base.add(io, Some(Duration::from_secs(60))).is_ok());
    assert_eq!(counts(&mut world), (3, 2, 0), "an event with a timeout waits once");
    assert!(world.base.activate(timer, Ready::TIMEOUT).is_ok());
    assert_eq!(counts(&mut world), (3, 2, 1));
    world.base.remove(timer);
    assert_eq!(counts(&mut world), (2, 1, 0));
    let max = world.max_counts();
    assert_eq!((max.events, max.pending, max.active), (3, 2, 1));
    world.clear_max_counts();
    let max = world.max_counts();
    assert_eq!((max.events, max.pending, max.active), (2, 1, 0));
    Proof::Shown
}

/// All events can be iterated, each once, and printed.
pub fn events_can_be_listed<F: Fixture, S: Storage>(fixture: F) -> Proof {
    struct Text(heapless::String<1024>);
    impl Write for Text {
        fn write_str(&mut self, text: &str) -> core::fmt::Result {
            self.0.push_str(text).map_err(|_| core::fmt::Error)
        }
    }
    let mut world = World::<F, S>::new(fixture);
    let source = world.source();
    let io = world.watch(&source, Interest::READ, 1);
    let timer = world.timer(Duration::from_secs(60), 2);
    let user = world.create(Event::user(), 3);
    let listed: heapless::Vec<(EventId, u32), 8> = world.base.iter().map(|(id, data)| (id, *data)).collect();
    assert_eq!(listed[..], [(io, 1), (timer, 2), (user, 3)]);
    let mut text = Text(heapless::String::new());
    assert!(write!(text, "{}", world.base).is_ok());
    assert!(text.0.contains(world.base.method()) && text.0.contains("READ"), "{}", text.0);
    assert_eq!(text.0.lines().count(), 3, "the base and two events that wait: {}", text.0);
    assert!(write!(text, "{:?}", world.base).is_ok());
    Proof::Shown
}

/// The base counts turns, waits, hand-outs and timers.
pub fn counters_count<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    world.timer(Duration::ZERO, 2);
    world.feed(&mut source);
    world.wait_for(&[1, 2]);
    world.drain(&mut source);
    let (stats, waits) = (world.stats(), world.stats().waits);
    assert!(stats.turns >= 1 && stats.handed_out >= 2 && stats.expired == 1, "{stats:?}");
    assert_eq!((stats.stale, stats.refused, stats.rebuilds), (0, 0, 0));
    assert!(world.look().is_empty());
    assert_eq!(world.stats().waits, waits + 1, "an idle turn is one wait");
    Proof::Shown
}

/// B12: outside a handler there is no current event; in a handler it is the event that was handed out.
pub fn b12_running_event_outside_is_none<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    assert_eq!(world.base.current_event(), None);
    let event = world.timer(Duration::ZERO, 1);
    assert_eq!(world.base.current_event(), None);
    let seen = world.wait_with(|world, id, _| {
        assert_eq!(world.base.current_event(), Some(id));
        assert_eq!(world.base.current_event(), Some(event));
        world.base.remove(id);
        assert_eq!(world.base.current_event(), None);
    });
    assert_eq!(seen.len(), 1);
    assert_eq!(world.base.current_event(), None);
    Proof::Shown
}

/// A call that does not apply to an event's kind is an error and changes nothing.
pub fn wrong_kind_is_an_error<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let source = world.source();
    let fd = world.fd(&source);
    let timer = world.timer(Duration::from_secs(1), 1);
    assert!(matches!(world.base.modify(timer, Interest::READ), Err(Error::WrongKind)));
    assert!(matches!(world.base.replace_fd(timer, fd), Err(Error::WrongKind)));
    assert!(matches!(world.pause_for(timer, Duration::ZERO), Err(Error::WrongKind)));
    world.check();
    assert_eq!(world.base.counts().pending, 1);
    Proof::Shown
}
