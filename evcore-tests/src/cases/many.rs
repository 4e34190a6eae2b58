//! Many registrations: each gets its own reports, whatever the others do, and none starves.

use core::time::Duration;

use evcore::backend::Features;
use evcore::storage::Storage;
use evcore::{Event, EventId, Interest, Ready, Wait};

use super::interest::{assert_sleeps, due, interests};
use crate::{Fixture, Proof, World};

const BOTH: Ready = Ready::READ.union(Ready::WRITE);
const READ_EDGE: Interest = Interest::READ.union(Interest::EDGE);
/// The number of sources in the random cases.
const SOURCES: usize = 24;

/// The data of an event: its source, and what it was handed out for.
struct Held<T> {
    source: Option<T>,
    times: u32,
    ready: Ready,
}

type Many<F, S> = World<F, S, Held<<F as Fixture>::Source>>;

impl<F: Fixture, S: Storage> Many<F, S> {
    fn id(&self, at: usize) -> EventId {
        self.base.iter().nth(at).map(|(id, _)| id).expect("an event")
    }

    /// Calls `act` with the source of an event.
    fn with(&mut self, at: usize, act: impl FnOnce(&mut Self, &mut F::Source)) {
        let id = self.id(at);
        let mut source = self.base.get_mut(id).and_then(|held| held.source.take()).expect("a source");
        act(self, &mut source);
        if let Some(held) = self.base.get_mut(id) {
            held.source = Some(source);
        }
    }

    /// Runs one turn, and records its hand-outs in the events.
    #[track_caller]
    fn take_turn(&mut self, wait: Wait) -> u32 {
        let mut count = 0;
        assert!(self.base.poll(wait).is_ok());
        while let Some(fired) = self.base.next_active() {
            fired.data.times += 1;
            fired.data.ready |= fired.ready;
            count += 1;
        }
        count
    }

    /// Runs turns as long as `goes_on` returns `true`, at most for the time in which every event should be reported,
    /// a few per turn.
    #[track_caller]
    fn take_turns(&mut self, mut goes_on: impl FnMut(&Self, u32) -> bool) {
        for at in 0..self.len() {
            let id = self.id(at);
            let held = self.base.get_mut(id).expect("an event");
            (held.times, held.ready) = (0, Ready::empty());
        }
        for _ in 0..self.len() + 64 {
            let count = self.take_turn(Wait::None);
            if !goes_on(self, count) {
                return;
            }
        }
    }

    fn len(&self) -> usize {
        self.base.iter().count()
    }

    /// For each event its index, its number of hand-outs and its bits.
    fn got(&self) -> impl Iterator<Item = (usize, u32, Ready)> {
        self.base.iter().enumerate().map(|(at, (_, held))| (at, held.times, held.ready))
    }

    /// Asserts that nothing is handed out, and that this costs no turns.
    #[track_caller]
    fn assert_sleeps(&mut self, what: &str) {
        let end = self.now().saturating_add(Duration::from_millis(1));
        let before = self.stats().waits;
        while self.now() < end && self.stats().waits < before + 100 {
            assert_eq!(self.take_turn(Wait::Until(end)), 0, "{what}");
        }
        let waits = self.stats().waits - before;
        assert!(waits <= 4, "{what}: {waits} waits in 1 ms");
    }

    /// Asserts that each event gets exactly these bits, in each turn, and that no other event gets anything.
    #[track_caller]
    fn assert_reported_by_level(&mut self, what: &str, bits: impl Fn(usize) -> Ready) {
        let ready = (0..self.len()).filter(|at| !bits(*at).is_empty()).count() as u32;
        let mut turns = 0;
        self.take_turns(|many, count| {
            turns += 1;
            // If each turn reports all of them, a few turns are enough.
            turns < 4 || count < ready && many.got().any(|(at, times, _)| times < 2 && !bits(at).is_empty())
        });
        let mut total = 0;
        for (at, times, ready) in self.got() {
            assert_eq!(ready, bits(at), "{what}: the {at}th of {}", self.len());
            total += times;
        }
        for (at, times, _) in self.got() {
            // No event gets less than half of a fair share.
            let is_served = bits(at).is_empty() || times >= total / ready / 2;
            assert!(is_served, "{what}: the {at}th of {} came {times} times of {total}", self.len());
        }
    }

    /// Asserts that each event gets exactly these bits, once, and that no other event gets anything.
    #[track_caller]
    fn assert_reported_by_edge(&mut self, what: &str, bits: impl Fn(usize) -> Ready) {
        self.take_turns(|_, count| count > 0);
        for (at, times, ready) in self.got() {
            assert_eq!(ready, bits(at), "{what}: the {at}th of {}", self.len());
            assert_eq!(times, u32::from(!ready.is_empty()), "{what}: the {at}th of {}", self.len());
        }
    }
}

/// Creates up to `count` sources with an event each, as many as there is room for.
fn hold<F: Fixture, S: Storage>(fixture: F, count: usize) -> Option<Many<F, S>> {
    let mut world = if count > 48 { Many::<F, S>::alone(fixture) } else { Many::<F, S>::new(fixture) };
    if world.fixture.sources() < count {
        return None;
    }
    for _ in 0..count {
        let source = world.source();
        let fd = world.fd(&source);
        let held = Held { source: Some(source), times: 0, ready: Ready::empty() };
        world.base.insert(fd, Interest::READ, held).ok()?;
    }
    Some(world)
}

fn each_of_many<F: Fixture, S: Storage>(fixture: F, count: usize) -> Option<Proof> {
    let mut world = hold::<F, S>(fixture, count)?;
    let read = |is_read: bool| if is_read { Ready::READ } else { Ready::empty() };
    world.assert_reported_by_level("nothing is ready", |_| Ready::empty());
    world.assert_sleeps("nothing is ready");
    for at in (0..count).step_by(3) {
        world.with(at, |world, source| world.feed(source));
    }
    world.assert_reported_by_level("one of three is ready", |at| read(at % 3 == 0));
    for at in (0..count).filter(|at| at % 3 != 0) {
        world.with(at, |world, source| world.feed(source));
    }
    world.assert_reported_by_level("all are ready", |_| Ready::READ);
    // Every second event is removed, and the others are not affected.
    for at in (0..count / 2).rev() {
        let id = world.id(2 * at);
        assert!(world.base.remove(id).is_some());
    }
    world.assert_reported_by_level("half of them went", |_| Ready::READ);
    let count = world.len();
    for at in 0..count {
        let id = world.id(at);
        let interest = if at % 2 == 0 { Interest::WRITE } else { Interest::READ | Interest::WRITE };
        assert!(world.base.modify(id, interest).is_ok());
    }
    let bits = |at: usize| if at % 2 == 0 { Ready::WRITE } else { BOTH };
    world.assert_reported_by_level("all have changed", bits);
    assert!(world.base.reinit().is_ok());
    world.assert_reported_by_level("after a rebuild", bits);
    for at in 0..count {
        let id = world.id(at);
        assert!(world.base.modify(id, Interest::READ).is_ok());
        if at % 5 != 0 {
            world.with(at, |world, source| world.drain(source));
        }
    }
    world.assert_reported_by_level("most have been read", |at| read(at % 5 == 0));
    assert_eq!(world.stats().stale, 0, "reports of what has ended");
    if !world.can(Features::EDGE) {
        return Some(Proof::Shown);
    }
    // New events reuse the slots that were freed last.
    let level = |world: &Many<F, S>| {
        let mut ids = world.base.iter().map(|(id, _)| id);
        ids.find(|id| world.base.interest(*id) != Some(READ_EDGE))
    };
    while let Some(id) = level(&world) {
        let held = world.base.remove(id).expect("an event");
        let fd = world.fd(held.source.as_ref().expect("a source"));
        assert!(world.base.insert(fd, READ_EDGE, held).is_ok());
    }
    world.take_turns(|_, count| count > 0);
    for at in 0..count {
        world.with(at, |world, source| world.feed(source));
    }
    world.assert_reported_by_edge("an edge for each", |_| Ready::READ);
    world.assert_reported_by_edge("no more edges", |_| Ready::empty());
    world.assert_sleeps("no more edges");
    for at in (0..count).step_by(2) {
        world.with(at, |world, source| world.feed(source));
    }
    world.assert_reported_by_edge("an edge for every second one", |at| read(at % 2 == 0));
    assert!(world.base.reinit().is_ok());
    world.assert_reported_by_edge("after a rebuild", |_| Ready::READ);
    Some(Proof::Shown)
}

/// Each of 40 registrations gets its own reports, level- and edge-triggered, through changes, removals and a rebuild.
pub fn each_of_40_is_reported<F: Fixture, S: Storage>(fixture: F) -> Proof {
    each_of_many::<F, S>(fixture, 40).unwrap_or(Proof::Absent("room for 40 sources"))
}

/// Each of 300 registrations, as above.
pub fn each_of_300_is_reported<F: Fixture, S: Storage>(fixture: F) -> Proof {
    each_of_many::<F, S>(fixture, 300).unwrap_or(Proof::Absent("room for 300 sources"))
}

/// Each of 1,000 registrations, as above.
pub fn each_of_1000_is_reported<F: Fixture, S: Storage>(fixture: F) -> Proof {
    each_of_many::<F, S>(fixture, 1_000).unwrap_or(Proof::Absent("room for 1,000 sources"))
}

/// Sources that are always readable starve nothing: not a writer, a closed peer, urgent data or an edge, whether
/// registered before them or after; nor a timer, a signal or a wake.
pub fn busy_sources_starve_nobody<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::alone(fixture);
    let room = world.room().min(48);
    let batch = world.fixture.set_batch(world.base.backend_mut(), 3);
    let mut sources: heapless::Vec<F::Source, 64> = heapless::Vec::new();
    let mut victims: heapless::Vec<u32, 16> = heapless::Vec::new();
    // Victims of each kind, registered before the busy ones and after them.
    for round in [0, 10] {
        for (kind, interest) in
            (0..).zip([Interest::WRITE, Interest::READ, READ_EDGE, Interest::CLOSED, Interest::URGENT])
        {
            if sources.len() + 4 >= room {
                break;
            }
            if let Some(source) = victim(&mut world, kind, interest, round + kind) {
                assert!(sources.push(source).is_ok() && victims.push(round + kind).is_ok());
            }
        }
        while round == 0 && sources.len() + 9 < room {
            let mut source = world.source();
            world.feed(&mut source);
            world.watch(&source, Interest::READ, 100 + sources.len() as u32);
            assert!(sources.push(source).is_ok());
        }
    }
    let signum = if world.can(Features::SIGNALS) { world.fixture.signal(0) } else { None };
    if let Some(signum) = signum {
        world.start(Event::signal(signum).persist(), 20);
        world.raise(signum);
        assert!(victims.push(20).is_ok());
    }
    world.timer(Duration::from_millis(1), 21);
    world.pass(Duration::from_millis(2));
    assert!(victims.push(21).is_ok());
    let mut seen: heapless::Vec<u32, 16> = heapless::Vec::new();
    for _ in 0..64 {
        for number in world.look().order() {
            if victims.contains(number) && !seen.contains(number) {
                assert!(seen.push(*number).is_ok());
            }
        }
    }
    for number in &victims {
        assert!(seen.contains(number), "{number} of {victims:?} was starved, bounded: {batch}");
    }
    Proof::Shown
}

/// A source with exactly this readiness, and its event.
fn victim<F: Fixture, S: Storage>(
    world: &mut World<F, S>,
    kind: u32,
    interest: Interest,
    number: u32,
) -> Option<F::Source> {
    let mut source = match kind {
        2 if !world.can(Features::EDGE) => return None,
        3 if !world.can(Features::CLOSED) => return None,
        4 if !world.can(Features::URGENT) => return None,
        4 => world.urgent()?,
        _ => world.source(),
    };
    match kind {
        1 | 2 => world.feed(&mut source),
        3 if !world.half_close(&mut source) => return None,
        _ => {}
    }
    world.watch(&source, interest, number);
    Some(source)
}

/// The state of the random cases: sources with an event each, and their readiness.
struct Field<F: Fixture> {
    sources: heapless::Vec<F::Source, SOURCES>,
    ids: heapless::Vec<EventId, SOURCES>,
    ready: [Ready; SOURCES],
    is_added: [bool; SOURCES],
    /// What the next turn must report, and, for edges, whether it may report anything else.
    must: [Ready; SOURCES],
    is_touched: [bool; SOURCES],
    can_fill: bool,
    step: u32,
}

impl<F: Fixture> Field<F> {
    fn new<S: Storage>(world: &mut World<F, S>, edge: Interest) -> Self {
        let room = world.room().min(SOURCES + 1) - 1;
        let (mut sources, mut ids) = (heapless::Vec::new(), heapless::Vec::new());
        let mut can_fill = true;
        for number in 0..room {
            let mut source = world.source();
            can_fill &= world.fill(&mut source) && world.make_room(&mut source);
            let fd = world.fd(&source);
            let id = world.create(Event::io(fd, Interest::READ | edge).persist(), number as u32);
            assert!(sources.push(source).is_ok() && ids.push(id).is_ok());
        }
        Self {
            sources,
            ids,
            ready: [Ready::WRITE; SOURCES],
            is_added: [false; SOURCES],
            must: [Ready::empty(); SOURCES],
            is_touched: [false; SOURCES],
            can_fill,
            step: 1,
        }
    }

    fn draw(&mut self, below: usize) -> usize {
        self.step = self.step.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.step >> 8) as usize % below
    }

    /// Makes a random change to one of the sources, or to its event.
    fn disturb<S: Storage>(&mut self, world: &mut World<F, S>, edge: Interest) {
        let at = self.draw(self.sources.len());
        let id = self.ids[at];
        let ready = self.ready[at];
        match self.draw(8) {
            0 | 1 => {
                let source = &mut self.sources[at];
                if ready.contains(Ready::READ) {
                    world.drain(source)
                } else {
                    world.feed(source)
                }
                self.touch(world, at, Ready::READ);
            }
            2 if self.can_fill => {
                let source = &mut self.sources[at];
                assert!(if ready.contains(Ready::WRITE) { world.fill(source) } else { world.make_room(source) });
                self.touch(world, at, Ready::WRITE);
            }
            3 | 4 => {
                let done = if self.is_added[at] { world.base.del(id) } else { world.base.add(id, None) };
                assert!(done.is_ok());
                self.is_added[at] ^= true;
                self.is_new(world, at);
            }
            5 => {
                assert!(world.base.remove(id).is_some());
                let fd = world.fd(&self.sources[at]);
                self.ids[at] = world.create(Event::io(fd, Interest::READ | edge).persist(), at as u32);
                self.is_added[at] = false;
                self.is_new(world, at);
            }
            _ => {
                let old = world.base.interest(id);
                let choice = self.draw(interests(world).count());
                let new = interests(world).nth(choice).unwrap_or(Interest::READ) | edge;
                if old != Some(new) {
                    assert!(world.base.modify(id, new).is_ok());
                    self.is_new(world, at);
                }
            }
        }
    }

    /// Starts or ends a source's readiness for one direction.
    fn touch<S: Storage>(&mut self, world: &World<F, S>, at: usize, direction: Ready) {
        self.ready[at].toggle(direction);
        self.must[at] = (self.must[at] & self.ready[at]) | self.due(world, at) & direction;
        self.is_touched[at] = true;
    }

    /// Records that an event must get everything that is ready.
    fn is_new<S: Storage>(&mut self, world: &World<F, S>, at: usize) {
        self.must[at] = self.due(world, at);
        self.is_touched[at] = true;
    }

    fn due<S: Storage>(&self, world: &World<F, S>, at: usize) -> Ready {
        if !self.is_added[at] {
            return Ready::empty();
        }
        due(world, world.base.interest(self.ids[at]).unwrap_or_default(), self.ready[at])
    }
}

/// Random changes of many sources and their events: in each turn each event gets exactly what it waits for and its
/// source is ready for.
pub fn random_changes_are_followed<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut field = Field::new(&mut world, Interest::empty());
    for round in 0..400 {
        for _ in 0..=field.draw(3) {
            field.disturb(&mut world, Interest::empty());
        }
        if round % 97 == 96 {
            assert!(world.base.reinit().is_ok());
        }
        let seen = world.look();
        for at in 0..field.sources.len() {
            let bits = field.due(&world, at);
            let number = at as u32;
            assert_eq!(seen.of(number), bits, "round {round}: the {at}th");
            assert_eq!(seen.times(number), usize::from(!bits.is_empty()), "round {round}: the {at}th");
        }
        if seen.is_empty() {
            assert_sleeps(&mut world, round);
        }
    }
    assert_eq!(world.stats().stale, 0, "reports of what has ended");
    if field.can_fill { Proof::Shown } else { Proof::Absent("way to fill a source") }
}

/// The same edge-triggered: each event gets everything that is new, once.
pub fn et_random_changes_are_followed<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let (mut world, source) = match super::edge::world::<F, S>(fixture) {
        Ok(parts) => parts,
        Err(proof) => return proof,
    };
    drop(source);
    let mut field = Field::new(&mut world, Interest::EDGE);
    for round in 0..400 {
        for _ in 0..=field.draw(3) {
            field.disturb(&mut world, Interest::EDGE);
        }
        if round % 97 == 96 {
            assert!(world.base.reinit().is_ok());
            (0..field.sources.len()).for_each(|at| field.is_new(&world, at));
        }
        let seen = world.look();
        for at in 0..field.sources.len() {
            let (must, may) = (field.must[at], field.due(&world, at));
            let bits = seen.of(at as u32);
            assert!(bits.contains(must), "round {round}: the {at}th got {bits:?}, not {must:?}");
            let may = if field.is_touched[at] { may } else { Ready::empty() };
            assert!(may.contains(bits), "round {round}: the {at}th got {bits:?}, is ready for {may:?}");
            (field.must[at], field.is_touched[at]) = (Ready::empty(), false);
        }
    }
    if field.can_fill { Proof::Shown } else { Proof::Absent("way to fill a source") }
}

/// A source is reported even if it was registered more times before than eight or sixteen bits can count.
pub fn registered_many_times_is_reported<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let (mut source, mut other) = (world.source(), world.source());
    world.watch(&other, Interest::READ, 1);
    world.feed(&mut source);
    let mut last = 0;
    for times in [1, 2, 255, 256, 257, 1_000, 65_535, 65_536, 65_537] {
        while last + 1 < times {
            let event = world.watch(&source, Interest::READ, 2);
            assert_eq!(world.base.remove(event), Some(2));
            last += 1;
        }
        let event = world.watch(&source, Interest::READ, 3);
        last += 1;
        assert_eq!(world.look().order(), [3], "registered {times} times");
        assert_eq!(world.base.remove(event), Some(3));
        assert!(world.look().is_empty(), "registered {times} times");
    }
    world.feed(&mut other);
    assert_eq!(world.wait().order(), [1]);
    assert_eq!(world.stats().stale, 0, "reports of what has ended");
    Proof::Shown
}
