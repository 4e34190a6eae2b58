//! Calls made in a handler while reports are unread: other events that the same wait found ready and that have not
//! been handed out yet. This file has calls that query the base or control the loop.
//!
//! Before the call under test, these handlers call nothing of [`World`] that reaches the backend, so that only that
//! call is tested.

use core::num::NonZeroU32;
use core::time::Duration;

use evcore::backend::{EventOp as _, Features};
use evcore::options::Limits;
use evcore::storage::Storage;
use evcore::{End, Error, Event, EventId, Interest, Ready, Turn, Wait};

use crate::fixture::FdOf;
use crate::{Fixture, Proof, Seen, World};

pub(super) const READ_EDGE: Interest = Interest::READ.union(Interest::EDGE);

/// Three readable sources, and a persistent event on each, numbered by index.
pub(super) struct Three<F: Fixture> {
    pub(super) ids: [EventId; 3],
    pub(super) sources: [F::Source; 3],
    /// Another source, without an event.
    pub(super) spare: F::Source,
    /// READ, level- or edge-triggered.
    pub(super) interest: Interest,
}

impl<F: Fixture> Three<F> {
    /// Waits until they are handed out. The first handler calls `act` with the index of its event, which is then
    /// returned.
    #[track_caller]
    pub(super) fn first<S: Storage>(
        &self,
        world: &mut World<F, S>,
        act: impl FnOnce(&mut World<F, S>, usize),
    ) -> (usize, Seen) {
        let (mut act, mut first) = (Some(act), 0);
        let seen = world.wait_with(|world, id, _| {
            if let (Some(act), Some(at)) = (act.take(), self.ids.iter().position(|three| *three == id)) {
                first = at;
                act(world, at);
            }
        });
        assert!(act.is_none(), "nothing was handed out");
        (first, seen)
    }

    /// The event that a handler changes, whose report is unread: the second, or the third if the second is handed out
    /// first.
    pub(super) const fn behind(first: usize) -> usize {
        if first == 1 { 2 } else { 1 }
    }

    /// Adds a second event on each source whose report may be unread: 11 on the second, 12 on the third.
    pub(super) fn add_twins<S: Storage>(&self, world: &mut World<F, S>, interest: Interest) -> [EventId; 2] {
        [1, 2].map(|at: u32| world.watch(&self.sources[at as usize], interest, 10 + at))
    }

    /// EDGE if they are edge-triggered, otherwise nothing.
    pub(super) fn edge(&self) -> Interest {
        self.interest & Interest::EDGE
    }

    pub(super) fn fd<S: Storage>(&self, world: &World<F, S>, at: usize) -> FdOf<F> {
        world.fd(&self.sources[at])
    }

    /// Checks the turn after one that has handed out all but `left`: those are handed out, and if level-triggered,
    /// the others are, too.
    #[track_caller]
    fn assert_next<S: Storage>(&self, world: &mut World<F, S>, left: &[u32]) {
        let seen = world.look();
        for number in 0..3 {
            let wanted = self.edge().is_empty() || left.contains(&number);
            assert_eq!(seen.times(number), usize::from(wanted), "{:?}: {seen:?}", self.interest);
        }
    }
}

/// Runs `case` with three ready events for each of `variants`, level-triggered and, if the backend supports it,
/// edge-triggered.
#[track_caller]
pub(super) fn rounds<F: Fixture, S: Storage>(
    world: &mut World<F, S>,
    variants: &[u32],
    mut case: impl FnMut(&mut World<F, S>, &mut Three<F>, u32),
) {
    let mut sources: [F::Source; 3] = core::array::from_fn(|_| world.source());
    let mut spare = world.source();
    for source in &mut sources {
        world.feed(source);
    }
    for interest in ways(world) {
        for variant in variants {
            let ids = [0, 1, 2].map(|at: u32| world.watch(&sources[at as usize], interest, at));
            let mut three = Three { ids, sources, spare, interest };
            case(world, &mut three, *variant);
            (sources, spare) = (three.sources, three.spare);
            remove_all(world);
        }
    }
    let stats = world.stats();
    assert_eq!((stats.stale, stats.rebuilds), (0, 0), "a report was stale");
}

/// [`rounds`] without variants, in a world of its own.
#[track_caller]
pub(super) fn with_three<F: Fixture, S: Storage>(
    fixture: F,
    mut case: impl FnMut(&mut World<F, S>, &mut Three<F>),
) -> Proof {
    rounds(&mut World::<F, S>::new(fixture), &[0], |world, three, _| case(world, three));
    Proof::Shown
}

/// The ways in which the backend can watch for READ: level-triggered, and edge-triggered if it supports that.
pub(super) fn ways<F: Fixture, S: Storage>(world: &World<F, S>) -> impl Iterator<Item = Interest> + use<F, S> {
    let has_edge = world.can(Features::EDGE);
    [Interest::READ, READ_EDGE].into_iter().filter(move |interest| has_edge || !interest.contains(Interest::EDGE))
}

/// Removes every event; then nothing is handed out any more.
#[track_caller]
pub(super) fn remove_all<F: Fixture, S: Storage>(world: &mut World<F, S>) {
    loop {
        let first = world.base.iter().next().map(|(id, _)| id);
        let Some(id) = first else { break };
        assert!(world.base.remove(id).is_some());
    }
    assert!(world.look().is_empty() && world.base.is_empty());
}

// What a handler can query.

/// `counts` counts the events of unread reports as active.
pub fn counts_include_unread_reports<F: Fixture, S: Storage>(fixture: F) -> Proof {
    with_three::<F, S>(fixture, |world, three| {
        let (mut left, mut active) = (3, heapless::Vec::<_, 8>::new());
        let seen = world.wait_with(|world, _, _| {
            left -= 1;
            assert!(active.push((world.base.counts().active, left)).is_ok());
        });
        assert_eq!(seen.len(), 3, "{seen:?}");
        assert_eq!(active, [(2, 2), (1, 1), (0, 0)]);
        three.assert_next(world, &[]);
    })
}

/// `max_counts` includes all events that one wait has found, from the first handler on, even those that it withdraws.
pub fn max_counts_include_unread_reports<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    rounds(&mut world, &[0, 1, 2, 3], |world, three, variant| {
        world.clear_max_counts();
        let (_, seen) = three.first(world, |world, first| {
            let id = three.ids[Three::<F>::behind(first)];
            match variant {
                0 => {}
                1 => assert!(world.base.del(id).is_ok()),
                2 => assert!(world.base.remove(id).is_some()),
                _ => assert!(world.pause_for(id, Duration::from_secs(3_600)).is_ok()),
            }
            assert_eq!(world.max_counts().active, 3, "{:?}, {variant}", three.interest);
        });
        assert_eq!(seen.len(), if variant == 0 { 3 } else { 2 }, "{seen:?}");
        assert_eq!(world.max_counts().active, 3);
    });
    Proof::Shown
}

/// `pending` shows what an event with an unread report is active for.
pub fn pending_shows_unread_reports<F: Fixture, S: Storage>(fixture: F) -> Proof {
    with_three::<F, S>(fixture, |world, three| {
        let mut handed_out = [false; 3];
        let seen = world.wait_with(|world, id, number| {
            handed_out[number as usize] = true;
            assert_eq!(world.base.pending(id).and_then(|pending| pending.active), None);
            for (other, is_over) in three.ids.into_iter().zip(handed_out) {
                let active = world.base.pending(other).and_then(|pending| pending.active);
                assert_eq!(active, if is_over { None } else { Some(Ready::READ) });
            }
        });
        assert_eq!(seen.len(), 3, "{seen:?}");
    })
}

/// A base with only background events is not empty while a report is unread.
pub fn is_empty_sees_unread_reports<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut sources = [world.source(), world.source()];
    for source in &mut sources {
        world.feed(source);
    }
    for interest in ways(&world) {
        for source in &sources {
            let fd = world.fd(source);
            world.start(Event::io(fd, interest).persist().background(), 1);
        }
        assert!(world.base.is_empty());
        let mut left = 2;
        let seen = world.wait_with(|world, _, _| {
            left -= 1;
            assert_eq!(world.base.is_empty(), left == 0, "{left} left");
        });
        assert_eq!(seen.len(), 2, "{seen:?}");
        remove_all(&mut world);
    }
    Proof::Shown
}

/// The number of priorities cannot be changed while reports are unread.
pub fn set_priorities_refused_while_unread<F: Fixture, S: Storage>(fixture: F) -> Proof {
    with_three::<F, S>(fixture, |world, three| {
        let (_, seen) = three.first(world, |world, _| {
            assert!(matches!(world.base.set_priorities(2), Err(Error::NoSuchPriority)));
            assert_eq!(world.base.priorities(), 1);
        });
        assert_eq!(seen.len(), 3, "{seen:?}");
        assert!(world.base.set_priorities(2).is_ok());
        assert!(world.base.set_priorities(1).is_ok());
        three.assert_next(world, &[]);
    })
}

// How a turn ends.

/// A break takes effect before unread reports; their events stay active, and are handed out when the loop runs again.
pub fn break_leaves_reports_active<F: Fixture, S: Storage>(fixture: F) -> Proof {
    with_three::<F, S>(fixture, |world, three| {
        let (first, seen) = three.first(world, |world, _| world.base.loop_break());
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert_eq!(world.base.counts().active, 2);
        assert!(matches!(world.base.poll(Wait::None), Ok(Turn::Ended(End::Break))));
        assert!(world.base.next_active().is_none());
        assert_left_comes_first(three, first, &world.look());
        three.assert_next(world, &[]);
    })
}

/// `loop_continue` ends the turn before unread reports; their events are handed out first in the next turn.
pub fn continue_leaves_reports_active<F: Fixture, S: Storage>(fixture: F) -> Proof {
    with_three::<F, S>(fixture, |world, three| {
        let (first, seen) = three.first(world, |world, _| world.base.loop_continue());
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert_eq!(world.base.counts().active, 2);
        assert_left_comes_first(three, first, &world.look());
        three.assert_next(world, &[]);
    })
}

/// What was not handed out before the next `poll` is not lost, and is handed out before what that one finds.
pub fn poll_keeps_unread_reports<F: Fixture, S: Storage>(fixture: F) -> Proof {
    with_three::<F, S>(fixture, |world, three| {
        let (mut first, mut times) = (0, 0);
        let end = world.now().saturating_add(crate::PATIENCE);
        while times == 0 {
            assert!(matches!(world.base.poll(Wait::Until(end)), Ok(Turn::Running)) && world.now() < end);
            if let Some(fired) = world.base.next_active() {
                (first, times) = (*fired.data as usize, 1);
            }
        }
        assert_left_comes_first(three, first, &world.look());
        three.assert_next(world, &[]);
    })
}

/// Checks a turn that hands out all events except the first of the previous turn: those are first, and if
/// level-triggered, the first one is handed out again.
#[track_caller]
fn assert_left_comes_first<F: Fixture>(three: &Three<F>, first: usize, seen: &Seen) {
    let is_level = three.edge().is_empty();
    assert_eq!(seen.len(), if is_level { 3 } else { 2 }, "{:?}: {seen:?}", three.interest);
    let comes_at = seen.order().iter().position(|number| *number as usize == first);
    assert_eq!(comes_at, is_level.then_some(2), "{:?}: {first} came first, then {seen:?}", three.interest);
}

/// Two events of one fd are handed out in sequence, even with reports of other fds before and after theirs.
pub fn two_of_one_report_come_together<F: Fixture, S: Storage>(fixture: F) -> Proof {
    with_three::<F, S>(fixture, |world, three| {
        let [_, last] = three.add_twins(world, three.interest);
        assert!(world.base.remove(last).is_some());
        let seen = world.wait();
        assert_eq!(seen.len(), 4, "{seen:?}");
        assert!(seen.order().windows(2).any(|two| two == [1, 11]), "{:?}: {seen:?}", three.interest);
    })
}

/// The limit of a turn counts all hand-outs, even if the handed-out reports are for one event each and the unread
/// ones for two; the rest is handed out first in the next turn.
pub fn bound_counts_reports_of_both_kinds<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    world.set_limits(Limits { hand_outs: NonZeroU32::new(3), ..Limits::DEFAULT });
    rounds(&mut world, &[0], |world, three, _| {
        three.add_twins(world, three.interest);
        let (seen, next) = (world.wait(), world.look());
        assert_eq!(seen.len(), 3, "{:?}: {seen:?}", three.interest);
        assert_eq!(next.len(), if three.edge().is_empty() { 3 } else { 2 }, "{:?}: {next:?}", three.interest);
        let mut left = next.order().iter().take(2);
        assert!(left.all(|number| seen.times(*number) == 0), "{:?}: {seen:?}, then {next:?}", three.interest);
    });
    Proof::Shown
}

/// A due timer is handed out after what the wait has found.
pub fn timer_due_follows_reports<F: Fixture, S: Storage>(fixture: F) -> Proof {
    with_three::<F, S>(fixture, |world, three| {
        world.timer(Duration::ZERO, 9);
        let seen = world.wait();
        assert_eq!((seen.len(), seen.order().last()), (4, Some(&9)), "{:?}: {seen:?}", three.interest);
    })
}

/// A once event is removed at the next hand-out, even if that is for a report that was unread in its handler.
pub fn once_is_gone_at_the_next_report<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut sources: [F::Source; 4] = core::array::from_fn(|_| world.source());
    for source in &mut sources {
        world.feed(source);
    }
    for interest in ways(&world) {
        for (source, number) in sources.iter().zip(0..) {
            let event = Event::io(world.fd(source), interest);
            world.start(if number % 2 == 0 { event.once() } else { event.persist() }, number);
        }
        let mut before = None;
        let seen = world.wait_with(|world, id, number| {
            if let Some((id, number)) = before.replace((id, number)) {
                assert_eq!(world.base.contains(id), number % 2 == 1, "{number}");
            }
        });
        assert_eq!(seen.len(), 4, "{seen:?}");
        assert_eq!(world.base.counts().events, 2);
        remove_all(&mut world);
    }
    Proof::Shown
}

// Calls that reach the backend.

/// Rebuilding the backend loses no unread report: each event is handed out in this turn, once.
pub fn reinit_keeps_unread_reports<F: Fixture, S: Storage>(fixture: F) -> Proof {
    with_three::<F, S>(fixture, |world, three| {
        let (_, seen) = three.first(world, |world, _| assert!(world.base.reinit().is_ok()));
        assert_all_once(&seen);
        for source in &mut three.sources {
            world.feed(source);
        }
        let seen = world.wait_for(&[0, 1, 2]);
        assert!((0..3).all(|number| seen.of(number) == Ready::READ), "{seen:?}");
    })
}

/// `backend_mut`, and feeding a source whose report is unread, lose no report and duplicate none.
pub fn backend_mut_keeps_unread_reports<F: Fixture, S: Storage>(fixture: F) -> Proof {
    with_three::<F, S>(fixture, |world, three| {
        let (_, seen) = three.first(world, |world, _| assert!(!world.base.backend_mut().name().is_empty()));
        assert_all_once(&seen);
        three.assert_next(world, &[]);
        for source in &mut three.sources {
            world.feed(source);
        }
        let mut sources = three.sources.iter_mut();
        let seen = world.wait_with(|world, _, _| {
            for source in &mut sources {
                world.feed(source);
            }
        });
        assert_all_once(&seen);
    })
}

/// A handler replaces the backend that found unread reports by another one and starts it: the events are handed out
/// in this turn.
pub fn backend_swap_keeps_unread_reports<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    rounds(&mut world, &[0], |world, three, _| {
        let (_, seen) = three.first(world, |world, _| {
            let other = world.fixture.backend();
            *world.base.backend_mut() = other;
            assert!(world.base.reinit().is_ok());
        });
        assert_all_once(&seen);
        for source in &mut three.sources {
            world.feed(source);
        }
        let seen = world.wait_for(&[0, 1, 2]);
        assert!((0..3).all(|number| seen.of(number) == Ready::READ), "{seen:?}");
    });
    Proof::Shown
}

/// Creating and using a waker while reports are unread loses none of them.
pub fn waker_keeps_unread_reports<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut has_waker = false;
    rounds(&mut world, &[0], |world, three, _| {
        let (_, seen) = three.first(world, |world, _| {
            if let Some(waker) = world.waker() {
                has_waker = true;
                F::wake(&waker);
            }
        });
        assert_all_once(&seen);
        three.assert_next(world, &[]);
    });
    if has_waker { Proof::Shown } else { world.without("waker") }
}

#[track_caller]
fn assert_all_once(seen: &Seen) {
    assert_eq!(seen.len(), 3, "{seen:?}");
    assert!((0..3).all(|number| seen.of(number) == Ready::READ), "{seen:?}");
}
