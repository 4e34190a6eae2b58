//! Calls made in a handler while reports are unread (see `unread`). This file has calls that change or activate the
//! events of these reports, or other events.

use core::time::Duration;

use evcore::backend::Features;
use evcore::storage::Storage;
use evcore::{Event, EventId, Interest, Ready};

use super::unread::{READ_EDGE, Three, remove_all, rounds, ways, with_three};
use crate::{Fixture, Proof, Seen, World};

const HOUR: Duration = Duration::from_secs(3_600);
const BOTH: Interest = Interest::READ.union(Interest::WRITE);

/// Asserts that every event was handed out once.
#[track_caller]
fn assert_once_each(seen: &Seen, count: usize) {
    assert_eq!(seen.len(), count, "{seen:?}");
    assert!(seen.order().iter().all(|number| seen.times(*number) == 1), "{seen:?}");
}

// An event with an unread report that is taken off its fd and put back.

/// The first handler takes an event with an unread report off its fd and puts it back with `change`: that event is
/// not handed out in this turn, but in the next one. The same if there is another event on its fd.
fn waits_a_turn<F: Fixture, S: Storage>(
    fixture: F,
    variants: &[u32],
    mut change: impl FnMut(&mut World<F, S>, &Three<F>, EventId, u32),
) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    for has_twins in [false, true] {
        rounds(&mut world, variants, |world, three, variant| {
            if has_twins {
                three.add_twins(world, three.interest);
            }
            let (first, seen) = three.first(world, |world, first| {
                let id = three.ids[Three::<F>::behind(first)];
                change(world, three, id, variant);
            });
            let behind = Three::<F>::behind(first);
            assert_once_each(&seen, if has_twins { 4 } else { 2 });
            assert_eq!(seen.times(behind as u32), 0, "{:?}, {variant}: {seen:?}", three.interest);
            let next = world.look();
            for number in 0..3 {
                let wanted = three.edge().is_empty() || number == behind;
                assert_eq!(next.times(number as u32), usize::from(wanted), "{:?}, {variant}: {next:?}", three.interest);
            }
        });
    }
    Proof::Shown
}

/// An event with an unread report that a handler deletes and adds again is handed out in the next turn.
pub fn del_then_add_waits_a_turn<F: Fixture, S: Storage>(fixture: F) -> Proof {
    waits_a_turn::<F, S>(fixture, &[0, 1, 2], |world, _, id, variant| {
        assert!(world.base.del(id).is_ok());
        let at = world.now().saturating_add(HOUR);
        let added = match variant {
            0 => world.base.add(id, None),
            1 => world.base.add(id, Some(HOUR)),
            _ => world.base.add_at(id, at),
        };
        assert!(added.is_ok());
    })
}

/// An event with an unread report whose interest a handler clears and restores is handed out in the next turn.
pub fn modify_back_waits_a_turn<F: Fixture, S: Storage>(fixture: F) -> Proof {
    waits_a_turn::<F, S>(fixture, &[0, 1], |world, three, id, variant| {
        let other = [Interest::WRITE | three.edge(), Interest::empty()][variant as usize];
        assert!(world.base.modify(id, other).is_ok());
        assert!(world.base.modify(id, three.interest).is_ok());
    })
}

/// An event with an unread report that a handler pauses and adds again is handed out in the next turn.
pub fn pause_then_add_waits_a_turn<F: Fixture, S: Storage>(fixture: F) -> Proof {
    waits_a_turn::<F, S>(fixture, &[0], |world, _, id, _| {
        assert!(world.pause_for(id, HOUR).is_ok());
        assert!(world.base.add(id, None).is_ok());
    })
}

/// An event with an unread report that a handler moves to another fd and back is handed out in the next turn.
pub fn replace_fd_back_waits_a_turn<F: Fixture, S: Storage>(fixture: F) -> Proof {
    waits_a_turn::<F, S>(fixture, &[0], |world, three, id, _| {
        let (here, there) = (world.base.fd(id), world.fd(&three.spare));
        assert!(world.base.replace_fd(id, there).is_ok());
        assert!(here.is_some_and(|here| world.base.replace_fd(id, here).is_ok()));
    })
}

/// An event that a handler moves to the fd of another one, while the reports of both are unread, is handed out in the
/// next turn; the other one in this turn.
pub fn replace_fd_waits_a_turn<F: Fixture, S: Storage>(fixture: F) -> Proof {
    with_three::<F, S>(fixture, |world, three| {
        let (first, seen) = three.first(world, |world, first| {
            let behind = Three::<F>::behind(first);
            let fd = three.fd(world, 3 - first - behind);
            assert!(world.base.replace_fd(three.ids[behind], fd).is_ok());
        });
        let behind = Three::<F>::behind(first);
        assert_once_each(&seen, 2);
        assert_eq!(seen.times(behind as u32), 0, "{:?}: {seen:?}", three.interest);
        assert_eq!(world.look().of(behind as u32), Ready::READ);
    })
}

// Events and sources that come to the fd of an unread report.

/// An event that a handler adds to an fd with an unread report is handed out in the next turn; the existing one in
/// this turn.
pub fn second_event_waits_a_turn<F: Fixture, S: Storage>(fixture: F) -> Proof {
    const NEW: u32 = 20;
    let mut world = World::<F, S>::new(fixture);
    rounds(&mut world, &[0, 1, 2], |world, three, variant| {
        // Idle events, one of which the handler adds.
        let idle = [0, 1, 2].map(|at| {
            let event = Event::io(three.fd(world, at), three.interest).persist();
            world.create(event, NEW)
        });
        let (_, seen) = three.first(world, |world, first| {
            let behind = Three::<F>::behind(first);
            let fd = three.fd(world, behind);
            let at = world.now().saturating_add(HOUR);
            match variant {
                0 => assert!(world.base.insert(fd, three.interest, NEW).is_ok()),
                1 => assert!(world.base.add(idle[behind], None).is_ok()),
                _ => assert!(world.base.add_at(idle[behind], at).is_ok()),
            }
        });
        assert_once_each(&seen, 3);
        assert_eq!(seen.times(NEW), 0, "{:?}, {variant}: {seen:?}", three.interest);
        assert_eq!(world.look().of(NEW), Ready::READ, "{:?}, {variant}", three.interest);
    });
    Proof::Shown
}

/// Bits that `modify` adds to the interest of an event with an unread report are handed out in the next turn, even if
/// the report has them because another event of the fd waits for them.
pub fn modify_gains_bits_next_turn<F: Fixture, S: Storage>(fixture: F) -> Proof {
    with_three::<F, S>(fixture, |world, three| {
        three.add_twins(world, Interest::WRITE | three.edge());
        let (first, seen) = three.first(world, |world, first| {
            let id = three.ids[Three::<F>::behind(first)];
            assert!(world.base.modify(id, BOTH | three.edge()).is_ok());
        });
        let behind = Three::<F>::behind(first) as u32;
        assert_once_each(&seen, 5);
        assert_eq!((seen.of(behind), seen.of(10 + behind)), (Ready::READ, Ready::WRITE), "{:?}", three.interest);
        assert_eq!(world.look().of(behind), Ready::READ | Ready::WRITE, "{:?}", three.interest);
    })
}

/// A descriptor with an unread report is closed, and a new event is added on the same number: the new event gets only
/// the new source's readiness. The old event, which was not removed, is handed out in this turn.
pub fn reuse_gets_no_unread_report<F: Fixture, S: Storage>(fixture: F) -> Proof {
    const NEW: u32 = 20;
    let mut world = World::<F, S>::alone(fixture);
    // Operations on descriptors do not need the base's own backend; borrowing that may move the reports.
    let mut apart = world.fixture.backend();
    for interest in ways(&world) {
        let mut sources: [F::Source; 3] = core::array::from_fn(|_| world.source());
        for (source, number) in sources.iter_mut().zip(0..) {
            world.feed(source);
            world.watch(source, interest, number);
        }
        let (mut behind, mut is_reused) = (None, false);
        let seen = world.wait_with(|world, _, number| {
            if behind.is_none() {
                let at = if number == 1 { 2 } else { 1 };
                behind = Some(at);
                is_reused = world.fixture.reuse(&mut apart, &mut sources[at]);
                world.watch(&sources[at], interest, NEW);
            }
        });
        if !is_reused {
            remove_all(&mut world);
            return world.without("reuse of numbers");
        }
        assert_once_each(&seen, 3);
        assert_eq!(seen.times(NEW), 0, "{interest:?}: {seen:?}");
        assert_eq!(world.look().times(NEW), 0, "{interest:?}");
        for source in &mut sources {
            world.feed(source);
        }
        assert_eq!(world.wait_for(&[NEW]).of(NEW), Ready::READ, "{interest:?}");
        remove_all(&mut world);
    }
    Proof::Shown
}

// Activation.

/// An event with an unread report that a handler activates is handed out once, with the bits of both.
pub fn activate_joins_unread_report<F: Fixture, S: Storage>(fixture: F) -> Proof {
    with_three::<F, S>(fixture, |world, three| {
        let (first, seen) = three.first(world, |world, first| {
            assert!(world.base.activate(three.ids[Three::<F>::behind(first)], Ready::WRITE).is_ok());
        });
        assert_once_each(&seen, 3);
        let behind = Three::<F>::behind(first) as u32;
        assert_eq!(seen.of(behind), Ready::READ | Ready::WRITE, "{:?}: {seen:?}", three.interest);
    })
}

/// An unread report concerns two events of one fd: they are handed out in the order in which they were added, even if
/// the handler activates the second.
pub fn activate_keeps_order_of_report<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    for (is_again, bit) in [(false, Ready::WRITE), (true, Ready::AGAIN)] {
        rounds(&mut world, &[0], |world, three, _| {
            let twins = three.add_twins(world, three.interest);
            let (first, seen) = three.first(world, |world, first| {
                let twin = twins[Three::<F>::behind(first) - 1];
                let done = if is_again { world.base.again(twin) } else { world.base.activate(twin, bit) };
                assert!(done.is_ok());
            });
            assert_once_each(&seen, 5);
            let behind = Three::<F>::behind(first) as u32;
            assert_eq!(
                (seen.of(behind), seen.of(10 + behind)),
                (Ready::READ, Ready::READ | bit),
                "{:?}",
                three.interest
            );
            let mut pairs = seen.order().windows(2);
            assert!(pairs.any(|pair| pair == [behind, 10 + behind]), "{:?}: {seen:?}", three.interest);
        });
    }
    Proof::Shown
}

/// `activate_fd` for an fd with an unread report activates its event once, for what it waits for.
pub fn activate_fd_joins_unread_report<F: Fixture, S: Storage>(fixture: F) -> Proof {
    with_three::<F, S>(fixture, |world, three| {
        let (first, seen) = three.first(world, |world, first| {
            let fd = three.fd(world, Three::<F>::behind(first));
            world.base.activate_fd(fd, Ready::READ | Ready::WRITE);
        });
        assert_once_each(&seen, 3);
        assert_eq!(seen.of(Three::<F>::behind(first) as u32), Ready::READ, "{:?}: {seen:?}", three.interest);
    })
}

/// `again` for an event with an unread report does not move it: it is handed out once, in this turn, with both bits.
pub fn again_joins_unread_report<F: Fixture, S: Storage>(fixture: F) -> Proof {
    with_three::<F, S>(fixture, |world, three| {
        let (first, seen) = three.first(world, |world, first| {
            assert!(world.base.again(three.ids[Three::<F>::behind(first)]).is_ok());
        });
        assert_once_each(&seen, 3);
        let behind = Three::<F>::behind(first) as u32;
        assert_eq!(seen.of(behind), Ready::READ | Ready::AGAIN, "{:?}: {seen:?}", three.interest);
        assert!(!world.look().of(behind).contains(Ready::AGAIN));
    })
}

/// An idle event that a handler activates is handed out after all unread reports, including those for two events.
pub fn activate_follows_unread_reports<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    follows(&mut world, Event::user(), |world, id| assert!(world.base.activate(id, Ready::READ).is_ok()));
    Proof::Shown
}

/// A more urgent event that a handler activates is handed out next, before unread reports.
pub fn activate_urgent_precedes_reports<F: Fixture, S: Storage>(fixture: F) -> Proof {
    const URGENT: u32 = 30;
    let mut world = World::<F, S>::new(fixture);
    assert!(world.base.set_priorities(2).is_ok());
    rounds(&mut world, &[0], |world, three, _| {
        let urgent = world.create(Event::user().priority(0), URGENT);
        let (_, seen) = three.first(world, |world, _| assert!(world.base.activate(urgent, Ready::empty()).is_ok()));
        assert_once_each(&seen, 4);
        assert_eq!(seen.order()[1], URGENT, "{:?}: {seen:?}", three.interest);
    });
    Proof::Shown
}

/// A signal event that a handler activates is handed out after all unread reports.
pub fn activate_signal_follows_reports<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, [signum, _]) = match super::signals::world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    follows(&mut world, Event::signal(signum).persist(), |world, _| world.base.activate_signal(signum, 1));
    Proof::Shown
}

/// Checks that the event that the first handler activates with `activate` is the last of its turn, and was never
/// active at the same time as all others.
fn follows<F: Fixture, S: Storage>(
    world: &mut World<F, S>,
    event: Event<crate::FdOf<F>>,
    mut activate: impl FnMut(&mut World<F, S>, EventId),
) {
    const LAST: u32 = 30;
    for has_twins in [false, true] {
        rounds(world, &[0], |world, three, _| {
            if has_twins {
                three.add_twins(world, three.interest);
            }
            let last = world.create(event, LAST);
            if world.base.signum(last).is_some() {
                assert!(world.base.add(last, None).is_ok());
            }
            let count = if has_twins { 5 } else { 3 };
            world.clear_max_counts();
            let (_, seen) = three.first(world, |world, _| activate(world, last));
            assert_once_each(&seen, count + 1);
            assert_eq!(seen.order().last(), Some(&LAST), "{:?}: {seen:?}", three.interest);
            assert_eq!(world.max_counts().active as usize, count, "{:?}", three.interest);
        });
    }
}

/// An event with an unread report whose priority a handler sets is handed out last of its priority.
pub fn set_priority_moves_unread_report<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    rounds(&mut world, &[1, 2], |world, three, variant| {
        let place = |first| (first + variant as usize) % 3;
        let (first, seen) = three.first(world, |world, first| {
            assert!(world.base.set_priority(three.ids[place(first)], 0).is_ok());
        });
        assert_once_each(&seen, 3);
        assert_eq!(seen.order().last(), Some(&(place(first) as u32)), "{:?}: {seen:?}", three.interest);
    });
    Proof::Shown
}

// Many reports.

/// A handler removes the events of forty unread reports, or as many as there is room for: none of them is handed out,
/// and no report counts as stale.
pub fn remove_makes_no_report_stale<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut sources: heapless::Vec<F::Source, 41> = heapless::Vec::new();
    for _ in 0..room(&mut world).min(41) {
        let mut source = world.source();
        world.feed(&mut source);
        assert!(sources.push(source).is_ok());
    }
    for interest in ways(&world) {
        for source in &sources {
            world.watch(source, interest, 1);
        }
        let seen = world.wait_with(|world, id, _| {
            loop {
                let other = world.base.iter().map(|(other, _)| other).find(|other| *other != id);
                let Some(other) = other else { break };
                assert_eq!(world.base.remove(other), Some(1));
            }
        });
        assert_eq!(seen.len(), 1, "{interest:?}: {seen:?}");
        for _ in 0..3 {
            world.look();
        }
        let stats = world.stats();
        assert_eq!((stats.stale, stats.rebuilds), (0, 0), "{interest:?}");
        remove_all(&mut world);
    }
    Proof::Shown
}

/// Sixty sources are ready, edge-triggered if the backend supports that, and the first handler inserts ten more: no
/// unread report is lost, even if the backend needs a larger buffer.
pub fn insert_many_loses_no_report<F: Fixture, S: Storage>(fixture: F) -> Proof {
    const LATE: usize = 10;
    const NEW: u32 = 99;
    let mut world = World::<F, S>::new(fixture);
    // `Manual` has room for 64.
    let count = room(&mut world).min(if F::IS_VIRTUAL { 64 } else { 70 }).saturating_sub(LATE).max(1);
    let mut late: [F::Source; LATE] = core::array::from_fn(|_| world.source());
    let interest = if world.can(Features::EDGE) { READ_EDGE } else { Interest::READ };
    let (mut sources, mut left) = (heapless::Vec::<F::Source, 60>::new(), heapless::Vec::<u32, 60>::new());
    for number in 0..count as u32 {
        let mut source = world.source();
        world.feed(&mut source);
        world.watch(&source, interest, number);
        assert!(sources.push(source).is_ok() && left.push(number).is_ok());
    }
    let mut inserted = 0;
    let seen = world.wait_with(|world, _, _| {
        while inserted < LATE {
            let fd = world.fd(&late[inserted]);
            if world.base.insert(fd, interest, NEW).is_err() {
                break;
            }
            inserted += 1;
        }
    });
    assert!(seen.order().iter().all(|number| seen.times(*number) == 1), "{seen:?}");
    left.retain(|number| seen.times(*number) == 0);
    // A wait may report only a few at a time.
    let seen = world.wait_for(&left);
    left.retain(|number| seen.times(*number) == 0);
    assert!(left.is_empty(), "of {count} events these never came: {left:?}");
    assert!(inserted > 0);
    for source in &mut late[..inserted] {
        world.feed(source);
    }
    assert_eq!(world.wait_for(&[NEW]).of(NEW), Ready::READ);
    Proof::Shown
}

/// How many events there is room for, up to the number that a case needs.
fn room<F: Fixture, S: Storage>(world: &mut World<F, S>) -> usize {
    let mut room = 0;
    while room < 70 && world.base.create(Event::user(), 0).is_ok() {
        room += 1;
    }
    remove_all(world);
    room
}
