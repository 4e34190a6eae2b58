//! Pauses: an event ignores its fd for a while, as for a listener when no descriptors are left.

use core::time::Duration;

use evcore::storage::Storage;
use evcore::{Event, Interest, Ready};

use crate::{Fixture, Proof, World};

const PAUSE: Duration = Duration::from_millis(40);

/// A paused event gets nothing of its fd, which costs no wake-ups; after the pause it does again.
pub fn pause_is_quiet_and_ends<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let event = world.watch(&source, Interest::READ, 1);
    world.feed(&mut source);
    assert_eq!(world.wait().of(1), Ready::READ);
    let begin = world.now();
    assert!(world.pause_for(event, PAUSE).is_ok());
    let before = world.stats().waits;
    assert_eq!(world.wait().of(1), Ready::READ);
    assert!(world.now() >= begin.saturating_add(PAUSE));
    assert!(world.stats().waits - before <= 3, "{} waits", world.stats().waits - before);
    Proof::Shown
}

/// A pause discards what its event was queued for, and keeps the loop running.
pub fn pause_drops_what_was_queued<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let source = world.source();
    let event = world.watch(&source, Interest::READ, 1);
    assert!(world.base.activate(event, Ready::READ).is_ok());
    assert!(world.pause_for(event, PAUSE).is_ok());
    assert!(world.look().is_empty());
    assert!(!world.base.is_empty());
    assert_eq!(world.base.pending(event).map(|pending| pending.registered), Some(true));
    Proof::Shown
}

/// Adding a paused event ends its pause.
pub fn add_ends_a_pause<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let event = world.watch(&source, Interest::READ, 1);
    world.feed(&mut source);
    assert!(world.pause_for(event, Duration::from_secs(3_600)).is_ok());
    assert!(world.look().is_empty());
    assert!(world.base.add(event, None).is_ok());
    assert_eq!(world.wait().of(1), Ready::READ);
    Proof::Shown
}

/// A pause of one event does not affect other events of the fd.
pub fn pause_is_one_events<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let event = world.watch(&source, Interest::READ, 1);
    world.watch(&source, Interest::READ, 2);
    world.feed(&mut source);
    assert!(world.pause_for(event, Duration::from_secs(3_600)).is_ok());
    assert_eq!(world.wait().order(), [2]);
    Proof::Shown
}

/// The timeout of a paused event does not expire during the pause, and restarts after it.
pub fn timeout_restarts_after_a_pause<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let source = world.source();
    let fd = world.fd(&source);
    let timeout = PAUSE / 2;
    let event = world.start(Event::io(fd, Interest::READ).persist().timeout(timeout), 1);
    let begin = world.now();
    assert!(world.pause_for(event, PAUSE).is_ok());
    assert_eq!(world.wait().of(1), Ready::TIMEOUT);
    assert!(world.now() >= begin.saturating_add(PAUSE + timeout));
    Proof::Shown
}

/// A paused event may be deleted, and removed.
pub fn paused_may_be_removed<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let event = world.watch(&source, Interest::READ, 1);
    world.feed(&mut source);
    assert!(world.pause_for(event, Duration::from_millis(1)).is_ok());
    assert!(world.base.del(event).is_ok());
    world.pass(Duration::from_millis(2));
    assert!(world.look().is_empty());
    assert!(world.base.is_empty());
    assert!(world.base.add(event, None).is_ok());
    assert!(world.pause_for(event, Duration::from_millis(1)).is_ok());
    assert_eq!(world.base.remove(event), Some(1));
    world.pass(Duration::from_millis(2));
    assert!(world.look().is_empty());
    Proof::Shown
}

/// When the pause of an idle event ends, the event is added, even if it got ERROR before.
pub fn pause_of_an_idle_event_adds_it<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let fd = world.fd(&source);
    let event = world.create(Event::io(fd, Interest::READ).persist(), 1);
    world.feed(&mut source);
    for _ in 0..2 {
        let begin = world.now();
        assert!(world.pause_for(event, PAUSE).is_ok());
        assert!(!world.base.is_empty());
        assert_eq!(world.wait().of(1), Ready::READ);
        assert!(world.now() >= begin.saturating_add(PAUSE));
        assert!(world.base.del(event).is_ok());
        assert!(world.base.activate(event, Ready::ERROR).is_ok());
        assert_eq!(world.look().of(1), Ready::ERROR);
    }
    Proof::Shown
}

/// If a backend temporarily refuses to watch an fd again after a pause, it is asked again until it accepts.
pub fn refused_for_now_after_a_pause_comes_later<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let (fd, event) = (world.fd(&source), world.watch(&source, Interest::READ, 1));
    world.feed(&mut source);
    assert!(world.pause_for(event, PAUSE).is_ok());
    world.pass(PAUSE);
    if !world.refuse_for_now(5) {
        return world.without("temporary refusals");
    }
    assert!(world.look().is_empty());
    assert_eq!(world.base.pending(event).map(|pending| pending.registered), Some(true));
    // The event may be paused again, and other events may be handed out meanwhile.
    assert!(world.pause_for(event, Duration::ZERO).is_ok());
    assert!(world.look().is_empty());
    assert!(world.base.insert(fd, Interest::WRITE, 2).is_err());
    let before = world.stats().waits;
    assert_eq!(world.wait().order(), [1]);
    assert!(world.stats().waits - before <= 8, "{} waits", world.stats().waits - before);
    Proof::Shown
}

/// A change that is refused temporarily is tried again, and no event gets ERROR.
pub fn change_refused_for_now_comes_later<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let source = world.source();
    let event = world.watch(&source, Interest::READ, 1);
    assert!(world.look().is_empty());
    assert!(world.base.modify(event, Interest::READ | Interest::WRITE).is_ok());
    if !world.refuse_for_now(3) {
        return world.without("temporary refusals");
    }
    assert!(world.look().is_empty());
    assert_eq!(world.wait().of(1), Ready::WRITE);
    Proof::Shown
}

/// The same when `reinit` registers it again.
pub fn reinit_refused_for_now_comes_later<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut sources = [world.source(), world.source()];
    for (number, source) in (1..).zip(&mut sources) {
        world.watch(source, Interest::READ, number);
        world.feed(source);
    }
    if !world.refuse_for_now(3) {
        return world.without("temporary refusals");
    }
    assert!(world.base.reinit().is_ok());
    assert!(world.look().is_empty());
    let seen = world.wait_for(&[1, 2]);
    assert_eq!((seen.of(1), seen.of(2)), (Ready::READ, Ready::READ));
    Proof::Shown
}
