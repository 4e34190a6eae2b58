//! Events that are added, changed, deleted and removed, both outside handlers and in them.

use core::cell::Cell;

use evcore::storage::Storage;
use evcore::{Error, Event, EventId, Interest, Ready, Wait};

use super::readiness::assert_quiet;
use crate::{Fixture, Proof, World};

/// If the handler of one of two ready events deletes the other, only the first is handed out.
pub fn del_other_in_batch<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, ids, _sources) = two_ready::<F, S>(fixture);
    let seen = world.wait_with(|world, id, _| {
        for other in ids.into_iter().filter(|other| *other != id) {
            assert!(world.base.del(other).is_ok());
        }
    });
    assert_eq!(seen.len(), 1, "{seen:?}");
    Proof::Shown
}

/// An event may delete itself: it is not handed out again, and it may be added again later.
pub fn del_self_in_callback<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, ids, _sources) = two_ready::<F, S>(fixture);
    let seen = world.wait_with(|world, id, _| assert!(world.base.del(id).is_ok()));
    assert_eq!(seen.len(), 2);
    assert!(world.look().is_empty());
    assert!(world.base.add(ids[0], None).is_ok());
    assert_eq!(world.wait().of(1), Ready::READ);
    Proof::Shown
}

/// A removed event's slot may be reused at once: the new event gets none of the old one's readiness.
pub fn free_other_then_reuse_slot<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, ids, _sources) = two_ready::<F, S>(fixture);
    let quiet = world.source();
    let mut replaced = false;
    let seen = world.wait_with(|world, id, number| {
        for other in ids.into_iter().filter(|other| *other != id && number < 3) {
            assert!(world.base.remove(other).is_some());
            world.watch(&quiet, Interest::READ, 3);
            replaced = true;
        }
    });
    assert!(replaced);
    assert_eq!((seen.len(), seen.of(3)), (1, Ready::empty()), "{seen:?}");
    let seen = world.look();
    assert_eq!((seen.len(), seen.of(3)), (1, Ready::empty()));
    Proof::Shown
}

/// As above, and the new event's fd has the old one's number: the readiness found for the old event is dropped.
pub fn close_fd_reuse_number_in_batch<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let mut sources = [world.source(), world.source()];
    let mut ids = [0, 1].map(|at: u32| world.watch(&sources[at as usize], Interest::READ, at));
    for source in &mut sources {
        world.feed(source);
    }
    let mut is_reused = true;
    let seen = world.turn(Wait::None, |world, _, number| {
        let Some(other) = (number < 2).then(|| 1 - number as usize) else { return };
        assert!(world.base.remove(ids[other]).is_some());
        is_reused = world.reuse(&mut sources[other]);
        if !is_reused {
            world.drain(&mut sources[other]);
        }
        ids[other] = world.watch(&sources[other], Interest::READ, 7);
    });
    assert_eq!((seen.len(), seen.of(7)), (1, Ready::empty()), "{seen:?}");
    assert_eq!(world.look().of(7), Ready::empty());
    for source in &mut sources {
        world.feed(source);
    }
    assert_eq!(world.wait_for(&[7]).of(7), Ready::READ);
    if is_reused { Proof::Shown } else { Proof::Absent("reuse of numbers") }
}

/// An event added in a handler is handed out in the next turn, even if its fd is already ready.
pub fn add_in_callback_not_called_same_pass<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut sources = [world.source(), world.source()];
    world.watch(&sources[0], Interest::READ, 1);
    for source in &mut sources {
        world.feed(source);
    }
    let seen = world.wait_with(|world, _, number| {
        if number == 1 {
            world.watch(&sources[1], Interest::READ, 2);
        }
    });
    assert_eq!(seen.order(), [1]);
    assert_eq!(world.wait_for(&[2]).of(2), Ready::READ);
    Proof::Shown
}

/// A one-shot event may add itself again in its handler, turn after turn.
pub fn readd_oneshot_in_callback<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let fd = world.fd(&source);
    world.start(Event::io(fd, Interest::READ), 1);
    world.feed(&mut source);
    for _ in 0..3 {
        let seen = world.wait_with(|world, id, _| assert!(world.base.add(id, None).is_ok()));
        assert_eq!(seen.order(), [1]);
    }
    assert_eq!(world.wait().of(1), Ready::READ);
    assert!(world.look().is_empty());
    Proof::Shown
}

/// Two one-shot events add each other again: being handed out ends the second one's registration, including the one
/// that the first has just made.
pub fn nonpersist_readd<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut sources = [world.source(), world.source()];
    let fds = [world.fd(&sources[0]), world.fd(&sources[1])];
    let ids = [world.start(Event::io(fds[0], Interest::READ), 0), world.start(Event::io(fds[1], Interest::READ), 1)];
    for source in &mut sources {
        world.feed(source);
    }
    let seen = world.wait_with(|world, _, number| assert!(world.base.add(ids[1 - number as usize], None).is_ok()));
    assert_eq!(seen.len(), 2);
    assert_eq!(world.base.counts().pending, 1);
    Proof::Shown
}

/// Changing an event from reading to writing takes effect: it is not reported for READ any more, and for WRITE it is.
pub fn modify_interest_read_to_write<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let event = world.watch(&source, Interest::READ, 1);
    world.feed(&mut source);
    assert_eq!(world.wait().of(1), Ready::READ);
    assert!(world.base.modify(event, Interest::WRITE).is_ok());
    assert_eq!(world.base.interest(event), Some(Interest::WRITE));
    assert_eq!(world.wait().of(1), Ready::WRITE);
    assert!(world.base.modify(event, Interest::READ).is_ok());
    assert_eq!(world.wait().of(1), Ready::READ);
    Proof::Shown
}

/// Queued readiness is not handed out if the event no longer waits for it.
pub fn modify_drops_what_was_queued<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, ids, _sources) = two_ready::<F, S>(fixture);
    let seen = world.wait_with(|world, id, _| {
        for other in ids.into_iter().filter(|other| *other != id) {
            assert!(world.base.modify(other, Interest::WRITE).is_ok());
        }
    });
    let both = seen.of(1) | seen.of(2);
    assert_eq!((seen.len(), both), (1, Ready::READ), "{seen:?}");
    Proof::Shown
}

/// An event with an empty interest stays pending and is not handed out; another interest ends that.
pub fn empty_interest_is_silent<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let event = world.watch(&source, Interest::empty(), 1);
    world.feed(&mut source);
    assert!(world.look().is_empty());
    assert!(world.base.modify(event, Interest::READ).is_ok());
    assert_eq!(world.wait().of(1), Ready::READ);
    assert!(world.base.modify(event, Interest::empty()).is_ok());
    assert!(world.look().is_empty());
    assert_eq!(world.base.pending(event).map(|pending| pending.registered), Some(true));
    Proof::Shown
}

/// Adding a pending event is legal and changes nothing: it is handed out once per turn.
pub fn add_twice_is_one_registration<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let event = world.watch(&source, Interest::READ, 1);
    assert!(world.base.add(event, None).is_ok());
    assert_eq!(world.base.counts().pending, 1);
    world.feed(&mut source);
    assert_eq!(world.wait().order(), [1]);
    assert!(world.base.del(event).is_ok());
    assert!(world.look().is_empty());
    Proof::Shown
}

/// Deleting an event that is not pending is legal and does nothing.
pub fn del_twice_ok<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let event = world.watch(&source, Interest::READ, 1);
    world.feed(&mut source);
    assert!(world.base.del(event).is_ok());
    assert!(world.base.del(event).is_ok());
    assert!(world.look().is_empty());
    assert!(world.base.is_empty());
    Proof::Shown
}

/// Added and deleted without a wait in between, an event ends up as the last call says, and the backend is not
/// called.
pub fn add_del_add_without_dispatch<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let event = world.watch(&source, Interest::READ, 1);
    assert!(world.look().is_empty());
    let before = world.stats().changes;
    for _ in 0..10 {
        assert!(world.base.del(event).is_ok());
        assert!(world.base.add(event, None).is_ok());
    }
    world.feed(&mut source);
    assert_eq!(world.wait().of(1), Ready::READ);
    assert_eq!(world.stats().changes, before, "cancelled changes reached the backend");
    Proof::Shown
}

/// An interest that changes and changes back within a turn costs no system call; any mix of changes costs one.
pub fn changes_of_a_turn_are_merged<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let event = world.watch(&source, Interest::READ, 1);
    world.feed(&mut source);
    assert_eq!(world.wait().of(1), Ready::READ);
    let before = world.stats().changes;
    for interest in [Interest::WRITE, Interest::READ | Interest::WRITE, Interest::empty(), Interest::READ] {
        assert!(world.base.modify(event, interest).is_ok());
    }
    assert_eq!(world.look().of(1), Ready::READ);
    assert_eq!(world.stats().changes, before);
    for interest in [Interest::WRITE, Interest::empty(), Interest::READ, Interest::READ | Interest::WRITE] {
        assert!(world.base.modify(event, interest).is_ok());
    }
    let fd = world.fd(&source);
    let late = world.create(Event::io(fd, Interest::WRITE).persist(), 2);
    assert!(world.base.add(late, None).is_ok());
    assert!(world.base.del(late).is_ok());
    assert_eq!(world.look().of(1), Ready::READ | Ready::WRITE);
    assert_eq!(world.stats().changes, before + 1);
    Proof::Shown
}

/// The first registration of an fd is made at once: if it fails, the call returns the error, nothing is registered,
/// and it may be tried again.
pub fn failed_add_is_atomic<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let mut source = world.source();
    let is_refusing = world.refuse(1);
    if !is_refusing && !world.close(&mut source) {
        return world.without("way to make a registration fail");
    }
    let fd = world.fd(&source);
    let event = world.create(Event::io(fd, Interest::READ).persist(), 1);
    let timeout = Some(core::time::Duration::from_millis(1));
    assert!(matches!(world.base.add(event, timeout), Err(Error::Backend(_))));
    let pending = world.base.pending(event).unwrap_or_default();
    assert!(!pending.registered && pending.remaining.is_none() && pending.active.is_none(), "{pending:?}");
    assert!(world.base.is_empty());
    world.check();
    if !is_refusing && !world.reuse(&mut source) {
        return world.without("reuse of numbers");
    }
    assert!(world.base.add(event, None).is_ok());
    world.feed(&mut source);
    assert_eq!(world.wait().of(1), Ready::READ);
    Proof::Shown
}

/// `start` and `insert` on an fd that is refused leave no event and no registration, and return the data.
pub fn failed_insert_gives_the_data_back<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let mut source = world.source();
    let is_refusing = world.refuse(1);
    if !is_refusing && !world.close(&mut source) {
        return world.without("way to make a registration fail");
    }
    let fd = world.fd(&source);
    match world.base.insert(fd, Interest::READ, 42) {
        Ok(_) => panic!("not refused"),
        Err(rejected) => {
            assert_eq!(rejected.data, 42);
            assert!(matches!(rejected.error, Error::Backend(_)), "{:?}", rejected.error);
        }
    }
    assert_eq!(world.base.counts().events, 0);
    if is_refusing {
        world.feed(&mut source);
    }
    assert_quiet(&mut world);
    assert_eq!(world.stats().stale, 0, "what was refused is registered");
    Proof::Shown
}

/// If a coalesced change fails later, the events of that fd get ERROR, and other fds are not affected.
pub fn refused_change_reports_error<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let (mut source, mut other) = (world.source(), world.source());
    let event = world.watch(&source, Interest::READ, 1);
    world.watch(&other, Interest::READ, 2);
    assert!(world.look().is_empty());
    assert!(world.base.modify(event, Interest::READ | Interest::WRITE).is_ok());
    if !world.refuse(1) && !world.close(&mut source) {
        return world.without("way to make a change fail");
    }
    assert!(world.wait().of(1).contains(Ready::ERROR));
    assert!(world.stats().refused > 0 || world.base.pending(event).is_some_and(|pending| !pending.registered));
    world.base.remove(event);
    world.feed(&mut other);
    assert_eq!(world.wait().of(2), Ready::READ);
    Proof::Shown
}

/// Removing one of two events of an fd does not affect the other.
pub fn removing_one_of_two_keeps_the_other<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let reader = world.watch(&source, Interest::READ, 1);
    let writer = world.watch(&source, Interest::WRITE, 2);
    assert_eq!(world.wait().of(2), Ready::WRITE);
    assert_eq!(world.base.remove(writer), Some(2));
    assert!(world.look().is_empty());
    world.feed(&mut source);
    assert_eq!(world.wait().of(1), Ready::READ);
    assert_eq!(world.base.interest(reader), Some(Interest::READ));
    assert_eq!(world.base.remove(reader), Some(1));
    assert!(world.look().is_empty());
    Proof::Shown
}

/// An event can be moved to another fd, and then gets only that fd's readiness.
pub fn replaced_fd_is_watched_instead<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let (mut old, mut new) = (world.source(), world.source());
    let event = world.watch(&old, Interest::READ, 1);
    let fd = world.fd(&new);
    assert!(world.base.replace_fd(event, fd).is_ok());
    assert_eq!(world.base.fd(event), Some(fd));
    world.feed(&mut old);
    assert!(world.look().is_empty());
    world.feed(&mut new);
    assert_eq!(world.wait().order(), [1]);
    Proof::Shown
}

/// A handler may remove all events; the loop then ends because it has none.
pub fn all_removed_from_one_handler<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, ids, _sources) = two_ready::<F, S>(fixture);
    let seen = world.wait_with(|world, _, _| {
        for id in ids {
            assert!(world.base.remove(id).is_some());
        }
    });
    assert_eq!(seen.len(), 1);
    assert_eq!(world.base.counts(), Default::default());
    assert!(world.base.is_empty());
    Proof::Shown
}

/// The data of each event is dropped exactly once: after it was returned, with its event, or with the base.
pub fn data_is_dropped_once<F: Fixture, S: Storage>(fixture: F) -> Proof {
    struct Counted<'a>(&'a Cell<u32>);
    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let drops = Cell::new(0);
    let mut world = World::<F, S, Counted<'_>>::new(fixture);
    let given_back = world.create(Event::user(), Counted(&drops));
    world.create(Event::user(), Counted(&drops));
    let once = world.create(Event::timer().once(), Counted(&drops));
    let back = world.base.remove(given_back);
    assert_eq!(drops.get(), 0);
    drop(back);
    assert_eq!(drops.get(), 1);
    assert!(world.base.activate(once, Ready::READ).is_ok());
    assert!(world.base.poll(Wait::None).is_ok());
    assert!(world.base.next_active().is_some());
    assert_eq!(drops.get(), 1);
    assert!(world.base.next_active().is_none());
    assert_eq!(drops.get(), 2);
    drop(world);
    assert_eq!(drops.get(), 3);
    Proof::Shown
}

/// Two events on two sources that are both ready.
fn two_ready<F: Fixture, S: Storage>(fixture: F) -> (World<F, S>, [EventId; 2], [F::Source; 2]) {
    let mut world = World::<F, S>::new(fixture);
    let mut sources = [world.source(), world.source()];
    let ids = [world.watch(&sources[0], Interest::READ, 1), world.watch(&sources[1], Interest::READ, 2)];
    for source in &mut sources {
        world.feed(source);
    }
    (world, ids, sources)
}
