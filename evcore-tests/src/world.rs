//! A base, and what cases do with it.

use core::time::Duration;

use evcore::backend::{Features, Signum, Split};
use evcore::options::Limits;
use evcore::stats::{Counts, Stats};
use evcore::storage::Storage;
use evcore::{Error, Event, EventBase, EventId, Instant, Interest, Ready, Turn, Wait};

use crate::fixture::{ErrorOf, FdOf, Fixture};
use crate::proof::Proof;

/// An upper bound for turns: if an expected event has not come by then, the loop spins.
const TURNS: u32 = 50_000;

/// How long a case waits for expected events.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How much later than expected something may happen on a busy machine, in real time. Less than [`PATIENCE`], so that
/// a test detects what a wait missed, and tolerates what was only late.
pub(crate) const BUSY: Duration = Duration::from_millis(4_999);

/// A base on a fixture's backend, with a number for each event, and the fixture.
///
/// `base` is public: a case calls the methods it tests directly, and uses `World`'s for everything else.
#[derive(Debug)]
pub struct World<F: Fixture, S: Storage, T = u32> {
    /// The base to test.
    pub base: EventBase<F::Backend, S, T>,
    /// The fixture.
    pub fixture: F,
}

/// The hand-outs of one or more turns.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The numbers of the events in order; only the first if there are too many.
    order: heapless::Vec<u32, 64>,
    each: heapless::Vec<Each, 64>,
}

/// All hand-outs of one event.
#[derive(Clone, Debug)]
struct Each {
    number: u32,
    ready: Ready,
    times: usize,
    count: u32,
}

impl<F: Fixture, S: Storage, T> World<F, S, T> {
    /// Creates a base without events.
    pub fn new(mut fixture: F) -> Self {
        Self { base: EventBase::new(fixture.backend()), fixture }
    }

    /// Like [`World::new`], with nothing else running in the process.
    pub fn alone(mut fixture: F) -> Self {
        fixture.alone();
        Self::new(fixture)
    }

    /// Creates a source.
    pub fn source(&mut self) -> F::Source {
        self.fixture.source(self.base.backend_mut())
    }

    /// The source's descriptor.
    pub fn fd(&self, source: &F::Source) -> FdOf<F> {
        self.fixture.fd(source)
    }

    /// See [`Fixture::feed`].
    pub fn feed(&mut self, source: &mut F::Source) {
        self.fixture.feed(self.base.backend_mut(), source);
    }

    /// See [`Fixture::drain`].
    pub fn drain(&mut self, source: &mut F::Source) {
        self.fixture.drain(self.base.backend_mut(), source);
    }

    /// See [`Fixture::pass`].
    pub fn pass(&mut self, time: Duration) {
        self.fixture.pass(self.base.backend_mut(), time);
    }

    /// See [`Fixture::fill`].
    pub fn fill(&mut self, source: &mut F::Source) -> bool {
        self.fixture.fill(self.base.backend_mut(), source)
    }

    /// See [`Fixture::make_room`].
    pub fn make_room(&mut self, source: &mut F::Source) -> bool {
        self.fixture.make_room(self.base.backend_mut(), source)
    }

    /// See [`Fixture::half_close`].
    pub fn half_close(&mut self, source: &mut F::Source) -> bool {
        self.fixture.half_close(self.base.backend_mut(), source)
    }

    /// See [`Fixture::hang_up`].
    pub fn hang_up(&mut self, source: &mut F::Source) -> bool {
        self.fixture.hang_up(self.base.backend_mut(), source)
    }

    /// See [`Fixture::reset`].
    pub fn reset(&mut self, source: &mut F::Source) -> bool {
        self.fixture.reset(self.base.backend_mut(), source)
    }

    /// See [`Fixture::urgent`].
    pub fn urgent(&mut self) -> Option<F::Source> {
        self.fixture.urgent(self.base.backend_mut())
    }

    /// See [`Fixture::listener`].
    pub fn listener(&mut self) -> Option<F::Source> {
        self.fixture.listener(self.base.backend_mut())
    }

    /// See [`Fixture::refused`].
    pub fn refused(&mut self) -> Option<F::Source> {
        self.fixture.refused(self.base.backend_mut())
    }

    /// See [`Fixture::pipe`].
    pub fn pipe(&mut self) -> Option<F::Source> {
        self.fixture.pipe(self.base.backend_mut())
    }

    /// See [`Fixture::file`].
    pub fn file(&mut self, kind: usize) -> Option<F::Source> {
        self.fixture.file(self.base.backend_mut(), kind)
    }

    /// See [`Fixture::duplicate`].
    pub fn duplicate(&mut self, source: &F::Source) -> Option<F::Source> {
        self.fixture.duplicate(self.base.backend_mut(), source)
    }

    /// See [`Fixture::close`].
    pub fn close(&mut self, source: &mut F::Source) -> bool {
        self.fixture.close(self.base.backend_mut(), source)
    }

    /// See [`Fixture::reuse`].
    pub fn reuse(&mut self, source: &mut F::Source) -> bool {
        self.fixture.reuse(self.base.backend_mut(), source)
    }

    /// See [`Fixture::refuse`].
    pub fn refuse(&mut self, count: u32) -> bool {
        self.fixture.refuse(self.base.backend_mut(), count)
    }

    /// See [`Fixture::refuse_for_now`].
    pub fn refuse_for_now(&mut self, count: u32) -> bool {
        self.fixture.refuse_for_now(self.base.backend_mut(), count)
    }

    /// See [`Fixture::waker`].
    pub fn waker(&mut self) -> Option<F::Waker> {
        self.fixture.waker(self.base.backend_mut())
    }

    /// See [`Fixture::raise`].
    pub fn raise(&mut self, signum: Signum) {
        self.fixture.raise(self.base.backend_mut(), signum);
    }

    /// Whether the backend has this feature.
    pub fn can(&self, feature: Features) -> bool {
        self.base.features().contains(feature)
    }

    /// What this backend reports of these bits: without ERRORS and CLOSED, those become READ and WRITE; without
    /// URGENT, that is dropped.
    pub fn visible(&self, mut ready: Ready) -> Ready {
        if !self.can(Features::ERRORS) {
            ready.remove(Ready::ERROR | Ready::HANGUP);
        }
        if !self.can(Features::CLOSED) {
            ready.remove(Ready::CLOSED);
        }
        if !self.can(Features::URGENT) {
            ready.remove(Ready::URGENT);
        }
        ready
    }

    /// The base's statistics. All zeros if the storage keeps none: then an assertion about them must hold for zeros,
    /// or the case needs [`Needs::Stats`](crate::Needs::Stats).
    pub fn stats(&self) -> Stats {
        self.base.stats_if_kept().unwrap_or_default()
    }

    /// Like [`World::stats`].
    pub fn max_counts(&self) -> Counts {
        self.base.max_counts_if_kept().unwrap_or_default()
    }

    /// Like [`World::stats`].
    pub fn clear_max_counts(&mut self) {
        self.base.clear_max_counts_if_kept();
    }

    /// Sets limits on a turn. A case that calls this needs [`Needs::Limits`](crate::Needs::Limits).
    #[track_caller]
    pub fn set_limits(&mut self, limits: Limits) {
        assert!(self.base.set_limits_if_kept(limits), "the storage keeps limits");
    }

    /// Pauses an event. A case that calls this needs [`Needs::Pauses`](crate::Needs::Pauses).
    #[track_caller]
    pub fn pause_for(&mut self, id: EventId, pause: Duration) -> Result<(), Error<ErrorOf<F>>> {
        self.base.pause_if_kept(id, pause).expect("the storage has pauses")
    }

    /// The current time.
    pub fn now(&mut self) -> Instant {
        self.base.update_now()
    }

    /// `time` if the fixture's time is real, so things may happen later; zero if it is virtual.
    pub fn grace(time: Duration) -> Duration {
        if F::IS_VIRTUAL { Duration::ZERO } else { time }
    }

    /// Creates an event that is not pending.
    #[track_caller]
    pub fn create(&mut self, event: Event<FdOf<F>>, data: T) -> EventId {
        match self.base.create(event, data) {
            Ok(id) => id,
            Err(rejected) => panic!("not created: {:?}", rejected.error),
        }
    }

    /// Creates and adds an event.
    #[track_caller]
    pub fn start(&mut self, event: Event<FdOf<F>>, data: T) -> EventId {
        match self.base.start(event, data) {
            Ok(id) => id,
            Err(rejected) => panic!("not added: {:?}", rejected.error),
        }
    }

    /// Adds a persistent event on a source.
    #[track_caller]
    pub fn watch(&mut self, source: &F::Source, interest: Interest, data: T) -> EventId {
        let fd = self.fd(source);
        self.start(Event::io(fd, interest).persist(), data)
    }

    /// Adds a one-shot timer.
    #[track_caller]
    pub fn timer(&mut self, delay: Duration, data: T) -> EventId {
        self.start(Event::timer().timeout(delay), data)
    }

    /// Checks that all tables of the base agree.
    #[track_caller]
    pub fn check(&self) {
        assert!(self.base.check(), "the base's tables disagree: {}", self.base);
    }
}

impl<F: Fixture, S: Storage> World<F, S> {
    /// How many events there is room for, up to a number larger than any case needs.
    pub fn room(&mut self) -> usize {
        let mut ids: heapless::Vec<EventId, 64> = heapless::Vec::new();
        while !ids.is_full() {
            let Ok(id) = self.base.create(Event::user(), 0) else { break };
            assert!(ids.push(id).is_ok());
        }
        for id in &ids {
            self.base.remove(*id);
        }
        ids.len()
    }

    /// Runs one turn and calls `handler` for each hand-out. The result is empty if there was no turn.
    #[track_caller]
    pub fn turn(&mut self, wait: Wait, mut handler: impl FnMut(&mut Self, EventId, u32)) -> Seen {
        let mut seen = Seen::default();
        match self.base.poll(wait) {
            Ok(turn) if turn.is_running() => self.hand_out(&mut seen, &mut handler),
            Ok(_) => {}
            Err(error) => panic!("the backend does not wait: {error}"),
        }
        seen
    }

    fn hand_out(&mut self, seen: &mut Seen, handler: &mut impl FnMut(&mut Self, EventId, u32)) {
        while let Some(fired) = self.base.next_active() {
            let (id, number, ready) = (fired.id, *fired.data, fired.ready);
            seen.note(number, ready, fired.count);
            // No case activates an fd's event without a bit, so this would be a report without one.
            let is_io = self.base.fd(id).is_some();
            assert!(!(is_io && ready.is_empty()), "event {number} was handed out for nothing");
            handler(self, id, number);
        }
        if self.base.counts().events < 200 {
            self.check();
        }
    }

    /// Runs one turn without waiting.
    #[track_caller]
    pub fn look(&mut self) -> Seen {
        self.turn(Wait::None, |_, _, _| {})
    }

    /// Runs turns until one hands something out. The result is empty if that takes too long.
    #[track_caller]
    pub fn wait(&mut self) -> Seen {
        self.wait_with(|_, _, _| {})
    }

    /// Like [`World::wait`], with a handler.
    #[track_caller]
    pub fn wait_with(&mut self, mut handler: impl FnMut(&mut Self, EventId, u32)) -> Seen {
        let patience = self.fixture.patience();
        let end = self.now().saturating_add(patience);
        for _ in 0..TURNS {
            let seen = self.turn(Wait::Until(end), &mut handler);
            if !seen.is_empty() || self.now() >= end {
                return seen;
            }
        }
        panic!("the loop spins");
    }

    /// Runs turns for `time`; returns all hand-outs.
    #[track_caller]
    pub fn during(&mut self, time: Duration) -> Seen {
        let end = self.now().saturating_add(time);
        let mut all = Seen::default();
        for _ in 0..TURNS {
            if self.now() >= end {
                return all;
            }
            all.append(&self.turn(Wait::Until(end), |_, _, _| {}));
            self.tick(&all, time / 8);
        }
        panic!("the loop spins");
    }

    /// Runs turns until all of these were handed out; returns all hand-outs.
    #[track_caller]
    pub fn wait_for(&mut self, numbers: &[u32]) -> Seen {
        let patience = self.fixture.patience();
        let end = self.now().saturating_add(patience);
        let mut all = Seen::default();
        for _ in 0..TURNS {
            if self.now() >= end || numbers.iter().all(|number| all.times(*number) > 0) {
                return all;
            }
            all.append(&self.turn(Wait::Until(end), |_, _, _| {}));
            self.tick(&all, patience / 1_024);
        }
        panic!("the loop spins");
    }

    /// Virtual time does not advance while something is ready; advance it here, so that the case ends.
    fn tick(&mut self, seen: &Seen, time: Duration) {
        if F::IS_VIRTUAL && !seen.is_empty() {
            self.pass(time.max(Duration::from_nanos(1)));
        }
    }

    /// Ends a case that needs an operation the fixture lacks: checks that the base works without it.
    #[track_caller]
    pub fn without(&mut self, what: &'static str) -> Proof {
        const NUMBER: u32 = u32::MAX;
        if !S::HAS_FDS {
            let own = self.create(Event::user(), NUMBER);
            assert!(self.base.activate(own, Ready::READ).is_ok());
            assert_eq!(self.look().of(NUMBER), Ready::READ);
            return Proof::Absent(what);
        }
        let mut source = self.source();
        self.watch(&source, Interest::READ, NUMBER);
        assert_eq!(self.look().of(NUMBER), Ready::empty());
        self.feed(&mut source);
        assert_eq!(self.wait_for(&[NUMBER]).of(NUMBER), Ready::READ);
        Proof::Absent(what)
    }
}

impl<F: Fixture<Backend: Split>, S: Storage> World<F, S> {
    /// Runs a turn as two halves with a wait in between. Calls `between` before the wait, while the base is asleep.
    #[track_caller]
    pub fn halves(&mut self, wait: Wait, between: impl FnOnce(&mut Self)) -> Turn {
        let mut asleep = match self.base.begin_sleep(wait) {
            Ok(asleep) => asleep,
            Err(error) => panic!("the base does not fall asleep: {error}"),
        };
        between(self);
        asleep.sleep();
        match self.base.end_sleep(asleep) {
            Ok(turn) => turn,
            Err(error) => panic!("the base does not wake up: {error}"),
        }
    }

    /// Like [`World::turn`], in two halves.
    #[track_caller]
    pub fn turn_in_halves(&mut self, wait: Wait, between: impl FnOnce(&mut Self)) -> Seen {
        let mut seen = Seen::default();
        if self.halves(wait, between).is_running() {
            self.hand_out(&mut seen, &mut |_, _, _| {});
        }
        seen
    }

    /// Like [`World::wait`], in turns of two halves. Calls `between` in the first.
    #[track_caller]
    pub fn wait_in_halves(&mut self, between: impl FnOnce(&mut Self)) -> Seen {
        let end = self.now().saturating_add(PATIENCE);
        let mut seen = self.turn_in_halves(Wait::Until(end), between);
        for _ in 0..TURNS {
            if !seen.is_empty() || self.now() >= end {
                return seen;
            }
            seen = self.turn_in_halves(Wait::Until(end), |_| {});
        }
        panic!("the loop spins");
    }
}

impl Seen {
    fn note(&mut self, number: u32, ready: Ready, count: u32) {
        let _ = self.order.push(number);
        self.add(&Each { number, ready, times: 1, count });
    }

    pub(crate) fn append(&mut self, other: &Self) {
        for number in &other.order {
            let _ = self.order.push(*number);
        }
        for each in &other.each {
            self.add(each);
        }
    }

    fn add(&mut self, more: &Each) {
        match self.each.iter_mut().find(|each| each.number == more.number) {
            Some(each) => {
                each.ready |= more.ready;
                each.times += more.times;
                each.count = each.count.saturating_add(more.count);
            }
            None => assert!(self.each.push(more.clone()).is_ok(), "a case looks at 64 events at most"),
        }
    }

    fn each(&self, number: u32) -> Option<&Each> {
        self.each.iter().find(|each| each.number == number)
    }

    /// Whether nothing was handed out.
    pub fn is_empty(&self) -> bool {
        self.each.is_empty()
    }

    /// The number of hand-outs.
    pub fn len(&self) -> usize {
        self.each.iter().map(|each| each.times).sum()
    }

    /// The numbers of the events in order; only the first if there are too many.
    pub fn order(&self) -> &[u32] {
        &self.order
    }

    /// How many times an event was handed out.
    pub fn times(&self, number: u32) -> usize {
        self.each(number).map_or(0, |each| each.times)
    }

    /// The readiness of all hand-outs of an event together; empty if there were none.
    pub fn of(&self, number: u32) -> Ready {
        self.each(number).map_or(Ready::empty(), |each| each.ready)
    }

    /// The number of occurrences that the hand-outs of an event cover.
    pub fn count(&self, number: u32) -> u32 {
        self.each(number).map_or(0, |each| each.count)
    }
}
