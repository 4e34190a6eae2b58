//! Interest: each combination gets what it waits for and nothing else, in each state of its source, level- and
//! edge-triggered, from the first registration, after a change, and beside other events.

use core::time::Duration;

use evcore::backend::Features;
use evcore::storage::Storage;
use evcore::{EventId, Interest, Ready};

use crate::{Fixture, Proof, World};

/// How a source ends, or an event on it that cannot be undone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    HalfClosed,
    HungUp,
    Reset,
    Urgent,
}

impl Fate {
    /// The source's readiness after that.
    const fn ready(self) -> Ready {
        let both = Ready::READ.union(Ready::WRITE);
        match self {
            Self::HalfClosed => both.union(Ready::CLOSED),
            Self::HungUp => both.union(Ready::CLOSED).union(Ready::HANGUP),
            Self::Reset => both.union(Ready::ERROR).union(Ready::HANGUP),
            Self::Urgent => Ready::WRITE.union(Ready::URGENT),
        }
    }

    fn befalls<F: Fixture, S: Storage>(self, world: &mut World<F, S>, source: &mut F::Source) -> bool {
        match self {
            Self::HalfClosed => world.half_close(source),
            Self::HungUp => world.hang_up(source),
            Self::Reset => world.reset(source),
            Self::Urgent => false,
        }
    }

    const fn power(self) -> &'static str {
        match self {
            Self::HalfClosed => "peer that shuts down one direction",
            Self::HungUp => "peer that closes the connection",
            Self::Reset => "peer that resets the connection",
            Self::Urgent => "urgent data",
        }
    }
}

const EDGE: Interest = Interest::EDGE;

/// All interests without EDGE: each bit and each combination.
pub(super) fn interests<F: Fixture, S: Storage, T>(
    world: &World<F, S, T>,
) -> impl Iterator<Item = Interest> + Clone + use<F, S, T> {
    let mut known = Interest::READ | Interest::WRITE;
    known.set(Interest::CLOSED, world.can(Features::CLOSED));
    known.set(Interest::URGENT, world.can(Features::URGENT));
    (1..16u8).filter_map(move |choice| {
        let bits = [Interest::READ, Interest::WRITE, Interest::CLOSED, Interest::URGENT];
        let chosen = bits.into_iter().zip(0..4u8).filter(|(_, at)| choice >> at & 1 == 1);
        let interest = chosen.fold(Interest::empty(), |all, (bit, _)| all | bit);
        // An interest without any bit that the backend supports is refused.
        interest.intersects(known).then_some(interest)
    })
}

/// The same level-triggered, and edge-triggered if the backend supports that.
fn all_interests<F: Fixture, S: Storage>(world: &World<F, S>) -> impl Iterator<Item = Interest> + use<F, S> {
    let edge = world.can(Features::EDGE).then(|| interests(world).map(|interest| interest | EDGE));
    interests(world).chain(edge.into_iter().flatten())
}

/// What an event is handed out for: the bits of the source's readiness that it waits for, and errors.
pub(super) fn due<F: Fixture, S: Storage, T>(world: &World<F, S, T>, interest: Interest, ready: Ready) -> Ready {
    let asked = Ready::from_bits_retain(interest.bits()) | Ready::ERROR | Ready::HANGUP;
    world.visible(ready & asked & !Ready::from_bits_retain(EDGE.bits()))
}

/// Asserts that nothing is handed out, and that this costs no turns. Shorter than
/// [`assert_quiet`](super::readiness::assert_quiet), so it can be called often.
#[track_caller]
pub(super) fn assert_sleeps<F: Fixture, S: Storage>(world: &mut World<F, S>, what: impl core::fmt::Debug) {
    let before = world.stats().waits;
    let seen = world.during(Duration::from_micros(500));
    assert!(seen.is_empty(), "{what:?}: {seen:?}");
    let waits = world.stats().waits - before;
    assert!(waits <= 4, "{what:?}: {waits} waits in half a millisecond");
}

/// Asserts that the only event that may be ready is handed out with exactly these bits, or, if there are none, not at
/// all.
#[track_caller]
fn assert_due<F: Fixture, S: Storage>(world: &mut World<F, S>, bits: Ready, what: impl core::fmt::Debug) {
    if bits.is_empty() {
        return assert_sleeps(world, what);
    }
    let seen = world.wait();
    assert!(seen.len() == 1 && seen.of(1) == bits, "{what:?}: not {bits:?} but {seen:?}");
}

/// Like [`assert_due`]: a level-triggered event is handed out in each turn, an edge-triggered one once.
#[track_caller]
fn assert_reported<F: Fixture, S: Storage>(
    world: &mut World<F, S>,
    interest: Interest,
    ready: Ready,
    what: impl core::fmt::Debug + Copy,
) {
    let bits = due(world, interest, ready);
    let what = (interest, what);
    assert_due(world, bits, what);
    if interest.contains(EDGE) {
        assert!(world.look().is_empty(), "{what:?}: not an edge");
    } else if !bits.is_empty() {
        assert_due(world, bits, what);
        assert_due(world, bits, what);
    }
}

/// Takes the initial report of an edge-triggered registration, or a repeated report of a source that changed.
fn let_go_by<F: Fixture, S: Storage>(world: &mut World<F, S>, interest: Interest) {
    if interest.contains(EDGE) {
        assert!((0..16).any(|_| world.look().is_empty()), "an edge without end");
    }
}

/// A source that can be made readable and writable, and the opposite of both.
struct Plain<F: Fixture> {
    source: F::Source,
    ready: Ready,
    can_fill: bool,
}

/// All states of such a source.
const STATES: [Ready; 4] = [Ready::WRITE, Ready::READ.union(Ready::WRITE), Ready::READ, Ready::empty()];

impl<F: Fixture> Plain<F> {
    fn new<S: Storage>(world: &mut World<F, S>) -> Self {
        let mut source = world.source();
        let can_fill = world.fill(&mut source) && world.make_room(&mut source);
        Self { source, ready: Ready::WRITE, can_fill }
    }

    /// Makes it ready for exactly this. `false` if the fixture cannot.
    fn set<S: Storage>(&mut self, world: &mut World<F, S>, ready: Ready) -> bool {
        if !self.can_fill && !ready.contains(Ready::WRITE) {
            return false;
        }
        let (gone, come) = (self.ready.difference(ready), ready.difference(self.ready));
        if gone.contains(Ready::READ) {
            world.drain(&mut self.source);
        }
        if gone.contains(Ready::WRITE) {
            assert!(world.fill(&mut self.source));
        }
        if come.contains(Ready::WRITE) {
            assert!(world.make_room(&mut self.source));
        }
        if come.contains(Ready::READ) {
            world.feed(&mut self.source);
        }
        self.ready = ready;
        true
    }
}

/// What the case has shown: everything, if the source can be full.
fn shown<F: Fixture, S: Storage>(world: &mut World<F, S>, plain: &Plain<F>) -> Proof {
    if plain.can_fill { Proof::Shown } else { world.without("way to fill a source") }
}

/// Level-triggered, each interest gets the bits it waits for of the source's readiness, whatever that is when it is
/// registered, in each turn; if nothing of it is ready, the loop sleeps.
pub fn interest_gets_its_bits<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut plain = Plain::new(&mut world);
    for interest in interests(&world) {
        for ready in STATES {
            if !plain.set(&mut world, ready) {
                continue;
            }
            let event = world.watch(&plain.source, interest, 1);
            assert_reported(&mut world, interest, ready, "registered when ready");
            assert_eq!(world.base.remove(event), Some(1));
        }
    }
    shown(&mut world, &plain)
}

/// Level-triggered, each interest follows its source's readiness, from each state to each other.
pub fn interest_follows_its_source<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut plain = Plain::new(&mut world);
    for interest in interests(&world) {
        let event = world.watch(&plain.source, interest, 1);
        // Each state follows each other one.
        for at in [0, 1, 2, 3, 0, 2, 1, 3, 1, 0, 3, 2, 0] {
            let ready = STATES[at];
            if plain.set(&mut world, ready) {
                let bits = due(&world, interest, ready);
                assert_due(&mut world, bits, (interest, ready));
            }
        }
        assert_eq!(world.base.remove(event), Some(1));
    }
    shown(&mut world, &plain)
}

/// From each interest to each other: after the change an event gets everything it waits for, and what it no longer
/// waits for costs no turns.
pub fn modify_changes_to_any_interest<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut plain = Plain::new(&mut world);
    for old in interests(&world) {
        for new in interests(&world).filter(|new| *new != old) {
            plain.set(&mut world, Ready::WRITE);
            let event = world.watch(&plain.source, old, 1);
            let bits = due(&world, old, Ready::WRITE);
            assert_eq!(world.look().of(1), bits, "{old:?}");
            assert!(world.base.modify(event, new).is_ok());
            for ready in [Ready::WRITE, Ready::READ | Ready::WRITE] {
                plain.set(&mut world, ready);
                let bits = due(&world, new, ready);
                assert_due(&mut world, bits, (old, new, ready));
            }
            assert_eq!(world.base.remove(event), Some(1));
        }
    }
    shown(&mut world, &plain)
}

/// The same for two events of one source, added and deleted: what one waits for is watched for as long as it is
/// pending.
pub fn interest_is_what_all_events_ask_for<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut plain = Plain::new(&mut world);
    plain.set(&mut world, Ready::READ | Ready::WRITE);
    for first in interests(&world) {
        for second in interests(&world) {
            let bits = [first, second].map(|interest| due(&world, interest, plain.ready));
            let [one, two] = [(first, 1), (second, 2)].map(|(interest, number)| {
                let event = world.watch(&plain.source, interest, number);
                let seen = world.look();
                assert_eq!(seen.of(1), bits[0], "{first:?} {second:?}");
                assert_eq!(seen.of(2), if number == 2 { bits[1] } else { Ready::empty() }, "{first:?} {second:?}");
                event
            });
            assert_eq!(world.base.remove(one), Some(1));
            let seen = world.look();
            assert!(seen.of(1).is_empty() && seen.of(2) == bits[1], "{first:?} {second:?}: {seen:?}");
            if bits[1].is_empty() && !bits[0].is_empty() {
                assert_sleeps(&mut world, (first, second));
            }
            assert_eq!(world.base.remove(two), Some(2));
        }
    }
    shown(&mut world, &plain)
}

/// Edge-triggered, what is ready at registration is reported once, and then each change that the event waits for.
pub fn et_interest_gets_its_edges<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, source) = match super::edge::world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    drop(source);
    let mut plain = Plain::new(&mut world);
    for interest in interests(&world).map(|interest| interest | EDGE) {
        for ready in STATES {
            if !plain.set(&mut world, ready) {
                continue;
            }
            let event = world.watch(&plain.source, interest, 1);
            assert_reported(&mut world, interest, ready, "registered when ready");
            for come in [Ready::READ, Ready::WRITE] {
                let (gone, full) = (ready.difference(come), ready | come);
                if !plain.set(&mut world, gone) {
                    continue;
                }
                // The end of some readiness may cause a report of the rest, with nothing new.
                let_go_by(&mut world, interest);
                plain.set(&mut world, full);
                assert_edge(&mut world, interest, come, full);
                plain.set(&mut world, ready);
                let_go_by(&mut world, interest);
            }
            assert_eq!(world.base.remove(event), Some(1));
        }
    }
    shown(&mut world, &plain)
}

/// What is new is reported once; other readiness may be reported with it.
#[track_caller]
fn assert_edge<F: Fixture, S: Storage>(world: &mut World<F, S>, interest: Interest, new: Ready, ready: Ready) {
    let (must, may) = (due(world, interest, new), due(world, interest, ready));
    let seen = if must.is_empty() { world.look() } else { world.wait() };
    let bits = seen.of(1);
    assert!(bits.contains(must) && may.contains(bits), "{interest:?}: of {new:?} it got {bits:?}");
    assert!(world.look().is_empty(), "{interest:?}: {new:?} was reported twice");
}

/// Edge-triggered, after a change from each interest to each other, everything that is ready and waited for is
/// reported once, and then each edge.
pub fn et_modify_changes_to_any_interest<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, source) = match super::edge::world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    drop(source);
    let mut plain = Plain::new(&mut world);
    for old in interests(&world) {
        for new in interests(&world).filter(|new| *new != old) {
            let all = Ready::READ | Ready::WRITE;
            plain.set(&mut world, all);
            let event = world.watch(&plain.source, old | EDGE, 1);
            assert_reported(&mut world, old | EDGE, all, new);
            assert!(world.base.modify(event, new | EDGE).is_ok());
            assert_reported(&mut world, new | EDGE, all, old);
            plain.set(&mut world, Ready::WRITE);
            let_go_by(&mut world, EDGE);
            plain.set(&mut world, all);
            assert_edge(&mut world, new | EDGE, Ready::READ, all);
            assert_eq!(world.base.remove(event), Some(1));
        }
    }
    shown(&mut world, &plain)
}

/// Tests a fate with each interest, level- and edge-triggered, for events registered before it and after it.
fn test_fate<F: Fixture, S: Storage>(fixture: F, fate: Fate) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let room = world.room().saturating_sub(2);
    for (at, interest) in all_interests(&world).enumerate() {
        if at >= room {
            return Proof::Absent("room for a source for each interest");
        }
        let mut source = match fate {
            Fate::Urgent => match world.urgent() {
                Some(source) => source,
                None => return world.without(fate.power()),
            },
            _ => world.source(),
        };
        let mut event = world.watch(&source, interest, 1);
        if fate != Fate::Urgent {
            let_go_by(&mut world, interest);
            if !fate.befalls(&mut world, &mut source) {
                world.base.remove(event);
                return world.without(fate.power());
            }
        }
        for what in ["when it comes", "after it came"] {
            assert_fate(&mut world, interest, fate, what);
            assert_eq!(world.base.remove(event), Some(1));
            assert_sleeps(&mut world, (interest, fate, "removed"));
            event = world.watch(&source, interest, 1);
        }
        assert_fate_after_modify(&mut world, event, interest, fate);
        assert!(world.base.modify(event, Interest::empty()).is_ok());
        assert_sleeps(&mut world, (interest, fate, "nobody asks"));
        assert_eq!(world.base.remove(event), Some(1));
    }
    Proof::Shown
}

/// An event whose interest changes after the fate gets the bits that it then waits for.
#[track_caller]
fn assert_fate_after_modify<F: Fixture, S: Storage>(
    world: &mut World<F, S>,
    event: EventId,
    interest: Interest,
    fate: Fate,
) {
    let edge = interest & EDGE;
    let all = interests(world).fold(Interest::empty(), |all, interest| all | interest);
    for other in [all, interest.difference(EDGE), Interest::READ, Interest::WRITE, interest.difference(EDGE)] {
        let other = other | edge;
        if world.base.interest(event) != Some(other) {
            let_go_by(world, edge);
            assert!(world.base.modify(event, other).is_ok());
            assert_fate(world, other, fate, "after a change");
        }
    }
}

/// Like [`assert_reported`]. Whether a reset is reported as CLOSED, too, depends on the system.
#[track_caller]
fn assert_fate<F: Fixture, S: Storage>(world: &mut World<F, S>, interest: Interest, fate: Fate, what: &'static str) {
    if fate != Fate::Reset {
        return assert_reported(world, interest, fate.ready(), (fate, what));
    }
    let bits = due(world, interest, fate.ready());
    let may = due(world, interest, Ready::CLOSED);
    let times = if interest.contains(EDGE) { 1 } else { 3 };
    for _ in 0..times {
        if bits.is_empty() && may.is_empty() {
            return assert_sleeps(world, (interest, fate, what));
        }
        let seen = world.wait();
        assert!(seen.len() == 1 && seen.of(1).difference(may) == bits, "{interest:?} {fate:?}, {what}: {seen:?}");
    }
    if interest.contains(EDGE) {
        assert!(world.look().is_empty(), "{interest:?} {fate:?}, {what}: not an edge");
    }
}

/// A peer that has closed its writing side: each interest gets its bits, including WRITE, and CLOSED if it waits for
/// that.
pub fn half_close_reaches_each_interest<F: Fixture, S: Storage>(fixture: F) -> Proof {
    test_fate::<F, S>(fixture, Fate::HalfClosed)
}

/// A peer that has closed the connection: each interest gets its bits, and HANGUP, each time.
pub fn hang_up_reaches_each_interest<F: Fixture, S: Storage>(fixture: F) -> Proof {
    test_fate::<F, S>(fixture, Fate::HungUp)
}

/// A connection that was reset: each interest gets its bits, and both ERROR and HANGUP, each time.
pub fn reset_reaches_each_interest<F: Fixture, S: Storage>(fixture: F) -> Proof {
    test_fate::<F, S>(fixture, Fate::Reset)
}

/// Urgent data: each interest gets its bits, URGENT if it waits for that, and never READ.
pub fn urgent_data_reaches_each_interest<F: Fixture, S: Storage>(fixture: F) -> Proof {
    test_fate::<F, S>(fixture, Fate::Urgent)
}

/// Data, a half-close and a hang-up, in sequence on one source: each is reported, level- and edge-triggered, even
/// while earlier readiness persists.
pub fn each_change_of_a_connection_is_reported<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let all = Interest::READ | if world.can(Features::CLOSED) { Interest::CLOSED } else { Interest::empty() };
    let edges = [Interest::empty(), EDGE];
    for edge in edges.into_iter().take(if world.can(Features::EDGE) { 2 } else { 1 }) {
        let mut source = world.source();
        let event = world.watch(&source, all | edge, 1);
        assert_sleeps(&mut world, edge);
        world.feed(&mut source);
        assert_reported(&mut world, all | edge, Ready::READ, "data");
        if !Fate::HalfClosed.befalls(&mut world, &mut source) {
            world.base.remove(event);
            return world.without(Fate::HalfClosed.power());
        }
        assert_reported(&mut world, all | edge, Fate::HalfClosed.ready(), "and a closed side");
        if !Fate::HungUp.befalls(&mut world, &mut source) {
            world.base.remove(event);
            return world.without(Fate::HungUp.power());
        }
        assert_reported(&mut world, all | edge, Fate::HungUp.ready(), "and a hang-up");
        assert_eq!(world.base.remove(event), Some(1));
        assert_sleeps(&mut world, (edge, "removed"));
    }
    Proof::Shown
}

/// Urgent and normal data on one source are reported together.
pub fn urgent_data_hides_nothing<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    if !world.can(Features::URGENT) {
        let plain = world.source();
        return super::readiness::refused(&mut world, &plain, Interest::URGENT, "URGENT");
    }
    let Some(mut source) = world.urgent() else { return world.without(Fate::Urgent.power()) };
    world.watch(&source, Interest::READ | Interest::WRITE | Interest::URGENT, 1);
    assert_eq!(world.wait().of(1), Ready::WRITE | Ready::URGENT);
    world.feed(&mut source);
    let all = Ready::READ | Ready::WRITE | Ready::URGENT;
    // It may still be in transit.
    assert!((0..1_000).any(|_| world.wait().of(1) == all), "urgent data hides what follows it");
    assert_eq!(world.look().of(1), all);
    Proof::Shown
}
