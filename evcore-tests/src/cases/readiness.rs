//! Level-triggered readiness: what an fd is ready for is reported to its events, in each turn.

use core::time::Duration;

use evcore::backend::Features;
use evcore::storage::Storage;
use evcore::{Error, Event, Interest, Ready};

use crate::{Fixture, Proof, World};

/// What is ready before the event is added is reported in the first turn.
pub fn read_ready_now<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.feed(&mut source);
    world.watch(&source, Interest::READ, 1);
    assert_eq!(world.wait().of(1), Ready::READ);
    Proof::Shown
}

/// Data that arrives while the loop sleeps wakes it.
pub fn read_ready_later<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    assert!(world.look().is_empty());
    let (begin, delay) = (world.now(), Duration::from_millis(30));
    let is_elsewhere = world.fixture.feed_later(&mut source, delay);
    if !is_elsewhere {
        world.feed(&mut source);
    }
    assert_eq!(world.wait().of(1), Ready::READ);
    if !is_elsewhere {
        return world.without("way to feed a source while the loop sleeps");
    }
    assert!(world.now().saturating_since(begin) >= delay);
    Proof::Shown
}

/// A source with room is ready for writing at once.
pub fn write_ready<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let source = world.source();
    world.watch(&source, Interest::WRITE, 1);
    assert_eq!(world.wait().of(1), Ready::WRITE);
    Proof::Shown
}

/// A full source is not ready for writing until its peer has read.
pub fn write_blocks_then_ready<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.watch(&source, Interest::WRITE, 1);
    if !world.fill(&mut source) {
        assert_eq!(world.wait().of(1), Ready::WRITE);
        return world.without("way to fill a source");
    }
    assert!(world.look().is_empty());
    assert!(world.make_room(&mut source));
    assert_eq!(world.wait().of(1), Ready::WRITE);
    Proof::Shown
}

/// Both directions are reported in one hand-out with both bits.
pub fn read_write_same_event<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.feed(&mut source);
    world.watch(&source, Interest::READ | Interest::WRITE, 1);
    let seen = world.wait();
    assert_eq!((seen.len(), seen.of(1)), (1, Ready::READ | Ready::WRITE));
    Proof::Shown
}

/// Two events of one fd get exactly the bits they wait for.
pub fn two_events_same_fd<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.feed(&mut source);
    world.watch(&source, Interest::READ, 1);
    world.watch(&source, Interest::WRITE, 2);
    let seen = world.wait();
    assert_eq!((seen.len(), seen.of(1), seen.of(2)), (2, Ready::READ, Ready::WRITE));
    Proof::Shown
}

/// Two readers of one fd both get its readiness, in the order in which they were added.
pub fn two_readers_same_fd<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let fd = world.fd(&source);
    let first = world.create(Event::io(fd, Interest::READ).persist(), 1);
    world.watch(&source, Interest::READ, 2);
    assert!(world.base.add(first, None).is_ok());
    world.feed(&mut source);
    assert_eq!(world.wait().order(), [2, 1]);
    Proof::Shown
}

/// Readiness that no event waits for does not wake the loop.
pub fn only_what_was_asked_for<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    assert!(world.look().is_empty(), "room to write was reported");
    let other = world.source();
    world.feed(&mut source);
    world.watch(&other, Interest::READ, 2);
    let seen = world.wait();
    assert_eq!(seen.order(), [1]);
    Proof::Shown
}

/// Unread data is reported again in the next turn.
pub fn level_repeats<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    world.feed(&mut source);
    assert_eq!(world.wait().of(1), Ready::READ);
    for _ in 0..3 {
        assert_eq!(world.look().of(1), Ready::READ);
    }
    Proof::Shown
}

/// Once everything is read, nothing more is reported.
pub fn level_stops_when_drained<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    world.feed(&mut source);
    assert_eq!(world.wait().of(1), Ready::READ);
    world.drain(&mut source);
    assert!(world.look().is_empty());
    world.feed(&mut source);
    assert_eq!(world.wait().of(1), Ready::READ);
    Proof::Shown
}

/// A peer that closes makes its source readable: a read finds the end.
pub fn eof_is_read<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    if !world.hang_up(&mut source) {
        assert!(world.look().is_empty());
        return world.without("peer that closes the connection");
    }
    for _ in 0..3 {
        assert_eq!(world.wait().of(1), world.visible(Ready::READ | Ready::HANGUP));
    }
    Proof::Shown
}

/// A writer whose peer has closed is woken: its write fails.
pub fn hang_up_wakes_a_writer<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    if !world.fill(&mut source) {
        return world.without("way to fill a source");
    }
    world.watch(&source, Interest::WRITE, 1);
    assert!(world.look().is_empty());
    if !world.hang_up(&mut source) {
        return world.without("peer that closes the connection");
    }
    for _ in 0..3 {
        assert_eq!(world.wait().of(1), world.visible(Ready::WRITE | Ready::HANGUP));
    }
    Proof::Shown
}

/// A pipe whose writers are gone wakes its reader with READ, even if the system reports only a hang-up.
pub fn pipe_end_is_read<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(mut pipe) = world.pipe() else {
        let source = world.source();
        world.watch(&source, Interest::READ, 1);
        assert!(world.look().is_empty());
        return world.without("pipe");
    };
    world.watch(&pipe, Interest::READ, 1);
    assert!(world.look().is_empty());
    assert!(world.hang_up(&mut pipe));
    assert_eq!(world.wait().of(1), world.visible(Ready::READ | Ready::HANGUP));
    Proof::Shown
}

/// If the peer shuts down its writing side, events get CLOSED and READ, as they wait for them.
pub fn half_close_is_closed<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.watch(&source, Interest::READ | Interest::CLOSED, 1);
    world.watch(&source, Interest::READ, 2);
    if !world.half_close(&mut source) {
        assert!(world.look().is_empty());
        return world.without("peer that shuts down one direction");
    }
    let seen = world.wait();
    assert_eq!(seen.of(1), world.visible(Ready::READ | Ready::CLOSED));
    assert_eq!(seen.of(2), Ready::READ);
    if world.can(Features::CLOSED) { Proof::Shown } else { Proof::Refused("CLOSED") }
}

/// An event that waits for CLOSED alone gets it, and is not handed out for data.
pub fn closed_alone_is_reported<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    if !world.can(Features::CLOSED) {
        return refused(&mut world, &source, Interest::CLOSED, "CLOSED");
    }
    world.watch(&source, Interest::CLOSED, 1);
    world.feed(&mut source);
    assert!(world.look().is_empty());
    if !world.half_close(&mut source) {
        return world.without("peer that shuts down one direction");
    }
    assert_eq!(world.wait().of(1), Ready::CLOSED);
    Proof::Shown
}

/// B3: an event that waits for CLOSED alone is handed out for a reset, and the loop does not spin on unreported
/// readiness.
pub fn b3_closed_alone_gets_a_reset<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    if !world.can(Features::CLOSED) {
        return refused(&mut world, &source, Interest::CLOSED, "CLOSED");
    }
    let event = world.watch(&source, Interest::CLOSED, 1);
    if !world.reset(&mut source) {
        assert!(world.look().is_empty());
        return world.without("peer that resets the connection");
    }
    let ready = world.wait().of(1);
    assert!(ready.intersects(Ready::CLOSED | Ready::ERROR | Ready::HANGUP), "{ready:?}");
    assert!(!ready.intersects(Ready::READ | Ready::WRITE), "{ready:?}");
    assert!(world.base.del(event).is_ok());
    assert_quiet(&mut world);
    Proof::Shown
}

/// B16: a backend without CLOSED refuses an event that waits for it alone, and nothing is registered.
pub fn b16_closed_alone_is_refused_where_unknown<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    if !world.can(Features::CLOSED) {
        return refused(&mut world, &source, Interest::CLOSED, "CLOSED");
    }
    world.watch(&source, Interest::CLOSED, 1);
    world.feed(&mut source);
    assert!(world.look().is_empty());
    Proof::Shown
}

/// A reset connection wakes each event with the bits it waits for, once per turn, and with ERROR and HANGUP.
pub fn rst_is_read_write<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    world.watch(&source, Interest::WRITE, 2);
    world.watch(&source, Interest::READ | Interest::WRITE, 3);
    if !world.reset(&mut source) {
        return world.without("peer that resets the connection");
    }
    let seen = world.wait_for(&[1, 2, 3]);
    let both = Ready::READ | Ready::WRITE;
    for (number, bits) in [(1, Ready::READ), (2, Ready::WRITE), (3, both)] {
        let errors = world.visible(Ready::ERROR | Ready::HANGUP);
        assert_eq!(seen.of(number), bits | errors, "{number}");
    }
    assert_eq!(world.look().len(), 3);
    Proof::Shown
}

/// A refused connection makes its socket writable, and the socket has the error.
pub fn connect_refused<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(source) = world.refused() else { return world.without("refused connection") };
    world.watch(&source, Interest::WRITE, 1);
    world.watch(&source, Interest::READ | Interest::WRITE, 2);
    let seen = world.wait_for(&[1, 2]);
    for number in [1, 2] {
        assert!(seen.of(number).contains(Ready::WRITE), "{:?}", seen.of(number));
        assert_eq!(seen.of(number).contains(Ready::ERROR), world.can(Features::ERRORS), "{:?}", seen.of(number));
    }
    assert!(world.fixture.is_refused(&source));
    Proof::Shown
}

/// A backend that claims so reports ERROR and HANGUP as such, exactly when they occur; another never does.
pub fn error_and_hangup_show_as_declared<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let event = world.watch(&source, Interest::READ, 1);
    if !world.hang_up(&mut source) {
        assert!(world.look().is_empty());
        return world.without("peer that closes the connection");
    }
    let errors = Ready::ERROR | Ready::HANGUP;
    assert_eq!(world.wait().of(1) & errors, world.visible(Ready::HANGUP));
    world.base.remove(event);
    let mut broken = world.source();
    world.watch(&broken, Interest::READ, 2);
    if !world.reset(&mut broken) {
        return world.without("peer that resets the connection");
    }
    assert_eq!(world.wait().of(2) & errors, world.visible(errors));
    if world.can(Features::ERRORS) { Proof::Shown } else { Proof::Refused("ERRORS") }
}

/// A source that hung up and that no event waits for costs no wake-ups.
pub fn hup_without_interest_does_not_spin<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.pipe().unwrap_or_else(|| world.source());
    let event = world.watch(&source, Interest::READ, 1);
    if !world.hang_up(&mut source) {
        return world.without("peer that closes the connection");
    }
    assert!(world.base.modify(event, Interest::empty()).is_ok());
    assert_quiet(&mut world);
    assert!(world.base.modify(event, Interest::READ).is_ok());
    assert!(world.wait().of(1).contains(Ready::READ));
    Proof::Shown
}

/// Urgent data does not make a source readable.
pub fn oob_not_read<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(source) = world.urgent() else {
        return world.without("urgent data");
    };
    world.watch(&source, Interest::READ, 1);
    assert!(world.during(Duration::from_millis(5)).is_empty());
    Proof::Shown
}

/// Urgent data is reported as URGENT to events that wait for it, alone or among other bits.
pub fn urgent_data_is_priority<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let plain = world.source();
    if !world.can(Features::URGENT) {
        return refused(&mut world, &plain, Interest::URGENT, "URGENT");
    }
    world.watch(&plain, Interest::URGENT, 1);
    assert!(world.look().is_empty());
    let Some(source) = world.urgent() else {
        return world.without("urgent data");
    };
    world.watch(&source, Interest::URGENT, 2);
    world.watch(&source, Interest::READ | Interest::URGENT, 3);
    let seen = world.wait();
    assert_eq!((seen.of(1), seen.of(2), seen.of(3)), (Ready::empty(), Ready::URGENT, Ready::URGENT));
    Proof::Shown
}

/// A pending connection makes its listener readable until it is accepted.
pub fn listener_accept<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(mut listener) = world.listener() else {
        return world.without("listener");
    };
    world.watch(&listener, Interest::READ, 1);
    assert!(world.look().is_empty());
    world.feed(&mut listener);
    assert_eq!(world.wait().of(1), Ready::READ);
    world.drain(&mut listener);
    assert!(world.look().is_empty());
    Proof::Shown
}

/// A one-shot event is handed out once, even if there is more to read.
pub fn oneshot_comes_once<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let fd = world.fd(&source);
    let event = world.start(Event::io(fd, Interest::READ), 1);
    world.feed(&mut source);
    assert_eq!(world.wait().of(1), Ready::READ);
    assert!(world.look().is_empty());
    assert_eq!(world.base.pending(event).map(|pending| pending.registered), Some(false));
    assert!(world.base.is_empty());
    assert!(world.base.add(event, None).is_ok());
    assert_eq!(world.wait().of(1), Ready::READ);
    Proof::Shown
}

/// A spurious report is harmless: the event finds nothing to read.
pub fn spurious_is_harmless<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    world.watch(&source, Interest::READ, 2);
    world.feed(&mut source);
    let seen = world.wait_with(|world, _, _| world.drain(&mut source));
    assert_eq!(seen.order(), [1, 2]);
    assert!(world.look().is_empty());
    Proof::Shown
}

/// Two descriptors of one source are two independent registrations.
pub fn dup_fd_both_registered<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let first = world.watch(&source, Interest::READ, 1);
    let Some(twin) = world.duplicate(&source) else {
        world.feed(&mut source);
        assert_eq!(world.wait().of(1), Ready::READ);
        return world.without("second descriptor of a source");
    };
    world.watch(&twin, Interest::READ, 2);
    world.feed(&mut source);
    let seen = world.wait();
    assert_eq!((seen.of(1), seen.of(2)), (Ready::READ, Ready::READ));
    assert_eq!(world.base.remove(first), Some(1));
    let seen = world.wait();
    assert_eq!((seen.of(1), seen.of(2)), (Ready::empty(), Ready::READ));
    Proof::Shown
}

/// However many sources are ready, each is handed out.
pub fn every_ready_source_is_served<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let (numbers, sources) = flood(&mut world);
    let seen = world.wait_for(&numbers);
    for number in &numbers {
        assert!(seen.times(*number) > 0, "{number} of {} was not served", sources.len());
    }
    Proof::Shown
}

/// If a wait reports only some of many ready sources, each is handed out before any is handed out twice.
pub fn many_ready_small_batch<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let (numbers, _sources) = flood(&mut world);
    let batch = 3;
    if !world.fixture.set_batch(world.base.backend_mut(), batch) {
        let seen = world.wait_for(&numbers);
        assert_eq!(seen.len() % numbers.len(), 0, "some were served twice before others were once");
        // The storage may be full, and the next step needs room for one event.
        let first = world.base.iter().next().map(|(id, _)| id);
        assert_eq!(first.and_then(|id| world.base.remove(id)), Some(numbers[0]));
        return world.without("way to bound what a wait reports");
    }
    let mut served: heapless::Vec<u32, 64> = heapless::Vec::new();
    for _ in 0..numbers.len().div_ceil(batch) {
        for number in world.look().order().iter().copied() {
            assert!(!served.contains(&number), "{number} was served twice before others were once");
            assert!(served.push(number).is_ok());
        }
    }
    assert_eq!(served.len(), numbers.len());
    Proof::Shown
}

/// Each feature that the backend claims can be used, and each other one is refused.
pub fn caps_are_honest<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let asked = [
        (Features::EDGE, Interest::READ | Interest::EDGE),
        (Features::CLOSED, Interest::CLOSED),
        (Features::URGENT, Interest::URGENT),
    ];
    for (feature, interest) in asked {
        let source = world.source();
        let fd = world.fd(&source);
        let has = world.can(feature);
        match world.base.insert(fd, interest, 1) {
            Ok(event) => {
                assert!(has, "{feature:?} was not declared");
                world.base.remove(event);
            }
            Err(rejected) => {
                assert_eq!(rejected.data, 1);
                assert!(matches!(rejected.error, Error::Unsupported), "{:?}", rejected.error);
                assert!(!has, "{feature:?} was declared");
            }
        }
        world.check();
    }
    assert_eq!(world.base.counts().events, 0);
    let features = world.base.features();
    assert!(world.base.reinit().is_ok());
    assert_eq!(world.base.features(), features, "other features after a rebuild");
    Proof::Shown
}

/// Level-triggered readiness is reported in each of many turns, each kind on its own; the loop sleeps at once when
/// nothing is left.
pub fn level_repeats_for_many_turns<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let (mut reader, writer, mut ended) = (world.source(), world.source(), world.source());
    let mut bits = [Ready::READ, Ready::WRITE, Ready::empty()];
    world.watch(&reader, Interest::READ, 0);
    let second = world.watch(&writer, Interest::WRITE, 1);
    let third = world.watch(&ended, Interest::READ, 2);
    world.feed(&mut reader);
    let can_end = world.hang_up(&mut ended);
    if can_end {
        bits[2] = world.visible(Ready::READ | Ready::HANGUP);
    }
    for turn in 0..100 {
        let seen = if turn % 2 == 0 { world.wait() } else { world.look() };
        for (number, bits) in (0..).zip(bits) {
            assert_eq!(seen.of(number), bits, "{number} in turn {turn}");
        }
    }
    world.drain(&mut reader);
    assert_eq!((world.base.remove(second), world.base.remove(third)), (Some(1), Some(2)));
    // Starts with a wait, without a check for readiness before it.
    assert_quiet(&mut world);
    assert_eq!((world.stats().rebuilds, world.stats().stale), (0, 0));
    if can_end { Proof::Shown } else { world.without("peer that closes the connection") }
}

/// As many ready sources as there is room for, at most 48.
fn flood<F: Fixture, S: Storage>(world: &mut World<F, S>) -> (heapless::Vec<u32, 64>, heapless::Vec<F::Source, 64>) {
    let (mut numbers, mut sources) = (heapless::Vec::new(), heapless::Vec::new());
    for number in 0..48 {
        let mut source = world.source();
        let fd = world.fd(&source);
        if world.base.insert(fd, Interest::READ, number).is_err() {
            break;
        }
        world.feed(&mut source);
        assert!(sources.push(source).is_ok() && numbers.push(number).is_ok());
    }
    assert!(numbers.len() >= 8, "the suite needs a storage of 8 events at least");
    (numbers, sources)
}

/// Asserts that this request is refused, and that nothing is registered.
#[track_caller]
pub(crate) fn refused<F: Fixture, S: Storage>(
    world: &mut World<F, S>,
    source: &F::Source,
    interest: Interest,
    what: &'static str,
) -> Proof {
    let fd = world.fd(source);
    match world.base.insert(fd, interest, 77) {
        Ok(_) => panic!("{what} was not refused"),
        Err(rejected) => {
            assert!(matches!(rejected.error, Error::Unsupported), "{:?}", rejected.error);
            assert_eq!(rejected.data, 77);
        }
    }
    assert_eq!(world.base.counts().events, 0);
    world.watch(source, Interest::WRITE, 78);
    assert_eq!(world.wait().of(78), Ready::WRITE);
    Proof::Refused(what)
}

/// Asserts that nothing is handed out for a while, and that this costs hardly any waits.
#[track_caller]
pub(crate) fn assert_quiet<F: Fixture, S: Storage>(world: &mut World<F, S>) {
    let before = world.stats().waits;
    let seen = world.during(Duration::from_millis(30));
    assert!(seen.is_empty(), "{seen:?}");
    let waits = world.stats().waits - before;
    assert!(waits <= 4, "{waits} waits in 30 ms");
}
