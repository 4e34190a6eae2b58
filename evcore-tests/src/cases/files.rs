//! Descriptors that are closed while registered, or whose numbers are reused, and descriptors that never block.

use core::time::Duration;

use evcore::backend::Features;
use evcore::storage::Storage;
use evcore::{Error, Event, Interest, Ready};

use super::readiness::assert_quiet;
use crate::{Fixture, Proof, World};

/// If a descriptor is closed while registered, events of other fds are not affected, and the loop does not spin.
pub fn closed_fd_hits_only_its_event<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let (mut gone, mut other) = (world.source(), world.source());
    let event = world.watch(&gone, Interest::READ, 1);
    world.watch(&other, Interest::READ, 2);
    assert!(world.look().is_empty());
    if !world.close(&mut gone) {
        return world.without("way to close a descriptor");
    }
    let seen = world.during(Duration::from_millis(10));
    assert!(seen.times(1) <= 1 && seen.times(2) == 0, "{seen:?}");
    assert!(seen.of(1).is_empty() || seen.of(1).contains(Ready::ERROR), "{seen:?}");
    assert_quiet(&mut world);
    world.feed(&mut other);
    assert_eq!(world.wait().order(), [2]);
    assert_eq!(world.base.remove(event), Some(1));
    Proof::Shown
}

/// As above, while a duplicate keeps the open file alive and ready: once its event is removed, neither it nor another
/// event is handed out for that, and the loop soon sleeps again.
pub fn stale_after_close_with_dup<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let (mut gone, mut other) = (world.source(), world.source());
    let event = world.watch(&gone, Interest::READ, 1);
    let other_event = world.watch(&other, Interest::READ, 2);
    assert!(world.look().is_empty());
    let Some(twin) = world.duplicate(&gone) else { return world.without("second descriptor of a source") };
    if !world.close(&mut gone) {
        return world.without("way to close a descriptor");
    }
    world.feed(&mut gone);
    assert_eq!(world.base.remove(event), Some(1));
    // The loop may need some turns to get rid of it; their number does not depend on the machine's speed.
    for _ in 0..64 {
        assert!(world.look().is_empty());
    }
    assert_quiet(&mut world);
    world.feed(&mut other);
    assert_eq!(world.wait().order(), [2]);
    assert_eq!(world.base.remove(other_event), Some(2));
    drop(twin);
    Proof::Shown
}

/// B11: a descriptor was closed and its number is now another source's: an event added for the new source is
/// registered, even if an event of the old one still exists.
pub fn b11_reused_fd_is_registered_again<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let mut source = world.source();
    let old = world.watch(&source, Interest::READ, 1);
    assert!(world.look().is_empty());
    if !world.reuse(&mut source) {
        return world.without("reuse of numbers");
    }
    world.watch(&source, Interest::READ, 2);
    world.feed(&mut source);
    let seen = world.wait_for(&[2]);
    assert_eq!(seen.of(2), Ready::READ);
    world.base.remove(old);
    assert_eq!(world.wait_for(&[2]).of(2), Ready::READ);
    world.drain(&mut source);
    assert_quiet(&mut world);
    Proof::Shown
}

/// B11 as it happens in a server: the old event is deleted after its descriptor was closed, and a new event is added
/// for a new source with that number, repeatedly. Each gets only its own source's readiness.
pub fn reused_numbers_are_not_confused<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let mut source = world.source();
    for round in 0..20 {
        let event = world.watch(&source, Interest::READ, round);
        assert!(world.look().is_empty());
        world.feed(&mut source);
        assert_eq!(world.wait().order(), [round]);
        if !world.reuse(&mut source) {
            return world.without("reuse of numbers");
        }
        assert_eq!(world.base.remove(event), Some(round));
        assert!(world.look().is_empty());
    }
    Proof::Shown
}

/// An event that was deleted, and whose descriptor was closed, may be added again for the new source with that
/// number.
pub fn readded_after_reuse<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let mut source = world.source();
    let event = world.watch(&source, Interest::READ, 1);
    assert!(world.look().is_empty());
    assert!(world.base.del(event).is_ok());
    assert!(world.look().is_empty());
    if !world.reuse(&mut source) {
        return world.without("reuse of numbers");
    }
    assert!(world.base.add(event, None).is_ok());
    world.feed(&mut source);
    assert_eq!(world.wait().of(1), Ready::READ);
    Proof::Shown
}

/// Every backend refuses a descriptor that is not open, and nothing is registered.
pub fn bad_fd_refused<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let mut source = world.source();
    if !world.close(&mut source) {
        return world.without("way to close a descriptor");
    }
    let fd = world.fd(&source);
    match world.base.insert(fd, Interest::READ, 1) {
        Ok(_) => panic!("a closed descriptor was registered"),
        Err(rejected) => assert!(matches!(rejected.error, Error::Backend(_)), "{:?}", rejected.error),
    }
    assert_eq!(world.base.counts().events, 0);
    assert!(world.look().is_empty());
    Proof::Shown
}

/// How many times an event is handed out at most after its number was reused.
const MOST: usize = 256;

/// ERROR once; before that a bounded number of wrong reports; after that nothing.
fn assert_reported<F: Fixture, S: Storage>(world: &mut World<F, S>, number: u32) {
    let (mut reports, mut errors) = (0, 0);
    for _ in 0..MOST + 2 {
        match world.wait().of(number) {
            ready if ready.is_empty() => break,
            Ready::ERROR => errors += 1,
            _ => reports += 1,
        }
        if errors > 0 {
            break;
        }
    }
    assert!(errors == 1 && reports <= MOST, "{errors} times ERROR, {reports} reports");
    for _ in 0..64 {
        assert!(world.look().is_empty());
    }
    assert_quiet(world);
}

/// The number of a registered descriptor is reused for another source, which has no event: the old event gets ERROR.
pub fn number_of_another_file_reports_error<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let (mut ready, mut silent) = (world.source(), world.source());
    let events = [world.watch(&ready, Interest::READ, 1), world.watch(&silent, Interest::READ, 2)];
    assert!(world.look().is_empty());
    if !world.reuse(&mut ready) || !world.reuse(&mut silent) {
        return world.without("reuse of numbers");
    }
    world.feed(&mut ready);
    let (mut reports, mut errors) = ([0; 3], [0; 3]);
    while errors[1] + errors[2] < 2 && reports[1] <= MOST {
        let seen = world.wait();
        assert!(!seen.is_empty(), "{errors:?} times ERROR, {reports:?} reports");
        for number in [1, 2] {
            match seen.of(number) {
                bits if bits.is_empty() => {}
                Ready::ERROR => errors[number as usize] += 1,
                _ => reports[number as usize] += 1,
            }
        }
    }
    assert!(errors == [0, 1, 1] && reports[1] <= MOST && reports[2] == 0, "{errors:?} {reports:?}");
    assert_quiet(&mut world);
    assert_eq!(events.map(|event| world.base.remove(event)), [Some(1), Some(2)]);
    Proof::Shown
}

/// A registered descriptor is closed while a duplicate keeps its file alive and ready: its event gets ERROR.
pub fn closed_number_of_an_open_file_reports_error<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let mut source = world.source();
    let event = world.watch(&source, Interest::READ, 1);
    assert!(world.look().is_empty());
    let Some(twin) = world.duplicate(&source) else { return world.without("second descriptor of a source") };
    if !world.close(&mut source) {
        return world.without("way to close a descriptor");
    }
    world.feed(&mut source);
    assert_reported(&mut world, 1);
    assert_eq!(world.base.remove(event), Some(1));
    drop(twin);
    Proof::Shown
}

/// `reinit` does not register a number that now belongs to another source: its event gets ERROR.
pub fn reinit_registers_no_other_file<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let (mut source, mut other) = (world.source(), world.source());
    let event = world.watch(&source, Interest::READ, 1);
    world.watch(&other, Interest::READ, 2);
    assert!(world.look().is_empty());
    if !world.reuse(&mut source) {
        return world.without("reuse of numbers");
    }
    world.feed(&mut source);
    world.feed(&mut other);
    assert!(world.base.reinit().is_ok());
    let seen = world.wait_for(&[1, 2]);
    assert_eq!((seen.of(1), seen.of(2)), (Ready::ERROR, Ready::READ));
    assert_eq!(world.look().of(1), Ready::empty());
    assert_eq!(world.base.remove(event), Some(1));
    Proof::Shown
}

/// A descriptor that never blocks is always ready for what its event waits for, until the event is deleted.
pub fn regular_file_is_always_ready<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(file) = world.file(0) else { return world.without("files") };
    if !world.can(Features::FILES) {
        let fd = world.fd(&file);
        assert!(world.base.insert(fd, Interest::READ, 1).is_err());
        return Proof::Refused("FILES");
    }
    for kind in 0..8 {
        let Some(file) = world.file(kind) else { continue };
        let event = world.watch(&file, Interest::READ, 1);
        for _ in 0..3 {
            assert_eq!(world.wait().of(1), Ready::READ, "kind {kind}");
        }
        let fd = world.fd(&file);
        let one_shot = world.start(Event::io(fd, Interest::READ), 2);
        let seen = world.wait();
        assert_eq!((seen.of(1), seen.of(2)), (Ready::READ, Ready::READ), "kind {kind}");
        assert_eq!(world.look().of(2), Ready::empty(), "kind {kind}");
        world.base.remove(one_shot);
        assert_eq!(world.base.remove(event), Some(1));
        assert_quiet(&mut world);
    }
    Proof::Shown
}

/// A file that is always ready starves neither sources nor timers.
pub fn file_starves_nobody<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(file) = world.file(0) else { return world.without("files") };
    if !world.can(Features::FILES) {
        let fd = world.fd(&file);
        assert!(world.base.insert(fd, Interest::READ, 1).is_err());
        return Proof::Refused("FILES");
    }
    let mut source = world.source();
    world.watch(&file, Interest::READ, 1);
    world.watch(&source, Interest::READ, 2);
    assert_eq!(world.look().order(), [1]);
    world.feed(&mut source);
    assert_eq!(world.wait_for(&[2]).of(2), Ready::READ);
    world.timer(Duration::from_millis(5), 3);
    world.pass(Duration::from_millis(5));
    assert_eq!(world.wait_for(&[3]).of(3), Ready::TIMEOUT);
    Proof::Shown
}

/// Creating and dropping bases leaves no descriptor open.
pub fn drop_closes_all<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let Some(before) = world.fixture.open_descriptors() else { return world.without("count of open descriptors") };
    for _ in 0..50 {
        let mut base: evcore::EventBase<F::Backend, S, u32> = evcore::EventBase::new(world.fixture.backend());
        let _waker = world.fixture.waker(base.backend_mut());
        if let Some(signum) = world.fixture.signal(0) {
            assert!(base.insert_signal(signum, 1).is_ok());
        }
        assert!(base.poll(evcore::Wait::None).is_ok());
    }
    assert_eq!(world.fixture.open_descriptors(), Some(before));
    Proof::Shown
}

/// A program that the process executes inherits no descriptor of a base.
pub fn cloexec<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let Some(before) = world.fixture.inherited_descriptors() else { return world.without("other program") };
    let mut base: evcore::EventBase<F::Backend, S, u32> = evcore::EventBase::new(world.fixture.backend());
    let _waker = world.fixture.waker(base.backend_mut());
    if let Some(signum) = world.fixture.signal(0) {
        assert!(base.insert_signal(signum, 1).is_ok());
    }
    assert!(base.poll(evcore::Wait::None).is_ok());
    assert_eq!(world.fixture.inherited_descriptors(), Some(before));
    assert!(base.reinit().is_ok() && base.poll(evcore::Wait::None).is_ok());
    assert_eq!(world.fixture.inherited_descriptors(), Some(before), "after a rebuild");
    Proof::Shown
}

/// `remove` and `deregister` end the registration at once: if the descriptor is then closed, its peer sees the end
/// before the next `poll`, whatever its event waited for and was active for, and also in a handler.
pub fn remove_lets_the_descriptor_be_closed<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let edge = if world.can(Features::EDGE) { Interest::EDGE } else { Interest::empty() };
    let other = world.source();
    world.watch(&other, Interest::READ, 9);
    let interests = [Interest::READ, Interest::WRITE, Interest::READ | Interest::WRITE | edge, Interest::empty()];
    for (interest, turns) in interests.into_iter().flat_map(|interest| [(interest, 0), (interest, 2)]) {
        let mut source = world.source();
        let (event, second) = (world.watch(&source, interest, 1), world.watch(&source, interest, 2));
        for _ in 0..turns {
            world.look();
        }
        if turns == 0 {
            assert_eq!((world.base.remove(event), world.base.remove(second)), (Some(1), Some(2)));
        } else {
            assert!(world.base.deregister(event).is_ok() && world.base.deregister(second).is_ok());
        }
        if !world.close(&mut source) {
            return world.without("way to close a descriptor");
        }
        match world.fixture.is_over_for_peer(&mut source) {
            Some(is_over) => assert!(is_over, "{interest:?}: something keeps the descriptor open"),
            None => return world.without("way to see the end at the peer"),
        }
        assert!(world.look().is_empty());
        // `deregister` has kept the events.
        world.base.remove(event);
        world.base.remove(second);
    }
    let mut source = world.source();
    let fd = world.fd(&source);
    world.feed(&mut source);
    world.start(Event::io(fd, Interest::READ), 1);
    let seen = world.wait_with(|world, id, _| {
        assert_eq!(world.base.remove(id), Some(1));
        assert!(world.close(&mut source));
        assert_eq!(world.fixture.is_over_for_peer(&mut source), Some(true));
    });
    assert_eq!(seen.order(), [1]);
    Proof::Shown
}

/// An event whose number now belongs to another source gets ERROR once, or nothing, as soon as an event of the new
/// source reveals that to the loop; it never gets the new source's readiness.
pub fn reused_number_does_not_reach_the_old_event<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    for interest in [Interest::READ, Interest::READ | Interest::WRITE] {
        let mut source = world.source();
        let old = world.watch(&source, interest, 1);
        world.look();
        if !world.reuse(&mut source) {
            return world.without("reuse of numbers");
        }
        let new = world.watch(&source, Interest::READ, 2);
        let mut all = Ready::empty();
        for turn in 0..4 {
            if turn == 1 {
                world.feed(&mut source);
            }
            let seen = world.look();
            let bits = seen.of(1);
            assert!(
                bits.is_empty() || bits.contains(Ready::ERROR) && all.is_empty(),
                "{interest:?}: {bits:?} after {all:?}"
            );
            assert_eq!(seen.of(2), if turn == 0 { Ready::empty() } else { Ready::READ }, "turn {turn}");
            all |= bits;
        }
        assert_eq!((world.base.remove(new), world.base.remove(old)), (Some(2), Some(1)));
    }
    Proof::Shown
}

/// Rebuilds and repeated registrations leave no descriptor open.
pub fn reinit_closes_what_it_replaces<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let (source, file) = (world.source(), world.file(0));
    let _waker = world.waker();
    world.watch(&source, Interest::READ, 1);
    world.look();
    let Some(before) = world.fixture.open_descriptors() else { return world.without("count of open descriptors") };
    for _ in 0..20 {
        assert!(world.base.reinit().is_ok());
        if let (Some(file), true) = (&file, world.can(Features::FILES)) {
            let event = world.watch(file, Interest::READ, 2);
            assert_eq!(world.look().of(2), Ready::READ);
            assert_eq!(world.base.remove(event), Some(2));
        }
        world.look();
    }
    assert_eq!(world.fixture.open_descriptors(), Some(before));
    Proof::Shown
}

/// A descriptor that never blocks is ready for each requested interest, after each change and after a rebuild;
/// edge-triggered it is reported once.
pub fn file_follows_its_interest<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let Some(file) = world.file(0) else { return world.without("files") };
    if !world.can(Features::FILES) {
        let fd = world.fd(&file);
        assert!(world.base.insert(fd, Interest::READ, 1).is_err());
        return Proof::Refused("FILES");
    }
    let both = Interest::READ | Interest::WRITE;
    let edges = [Interest::empty(), Interest::EDGE];
    for edge in edges.into_iter().take(if world.can(Features::EDGE) { 2 } else { 1 }) {
        let event = world.watch(&file, Interest::READ | edge, 1);
        for interest in [Interest::READ, Interest::WRITE, both, Interest::READ, both, Interest::WRITE] {
            if world.base.interest(event) != Some(interest | edge) {
                assert!(world.base.modify(event, interest | edge).is_ok());
            }
            for is_rebuilt in [false, true] {
                if is_rebuilt {
                    assert!(world.base.reinit().is_ok());
                }
                let bits = Ready::from_bits_retain(interest.bits());
                assert_eq!(world.look().of(1), bits, "{interest:?} {edge:?}");
                let again = if edge.is_empty() { bits } else { Ready::empty() };
                assert_eq!(world.look().of(1), again, "{interest:?} {edge:?}");
            }
        }
        assert!(world.base.modify(event, Interest::empty()).is_ok());
        assert_quiet(&mut world);
        assert_eq!(world.base.remove(event), Some(1));
    }
    assert_quiet(&mut world);
    Proof::Shown
}
