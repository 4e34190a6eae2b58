//! The engine: the registry, the backend, and the loop between them. The rest of the crate reaches the tables only
//! through [`Engine`].

use core::cell::Cell;
use core::time::Duration;

use bitflags::bitflags;

use crate::backend::{EventOp, Signum, Wake};
use crate::error::{Error, Rejected};
use crate::event::{Event, EventId, Source};
use crate::limits::{Bounds, Fairness};
use crate::ready::{Interest, Ready};
use crate::stats::{Counts, Tally};
use crate::storage::{Held, On, Part, Storage, Zero};
use crate::time::{Instant, nanos};

mod life;
mod rearm;
mod registry;
mod split;
mod sync;
mod turn;

pub(crate) use life::Timeout;
use registry::Registry;
pub(crate) use registry::{Alone, Effect};
pub(crate) use turn::Step;

/// What is behind an event base.
pub(crate) struct Engine<B: EventOp, S: Storage, T> {
    backend: B,
    registry: Registry<B::Fd, B::FdInfo, T, On<B, S>>,
    phase: Phase,
    requests: Requests,
    /// The last reading of the clock.
    clock: Cell<Instant>,
    /// Whether `clock` is this turn's time.
    is_clock_current: Cell<bool>,
    limits: <S::Limits as Part>::Held<Limited>,
    /// When the loop ends, if `has_exit`, which is apart to avoid padding.
    exit_at: Instant,
    has_exit: bool,
    /// When the backend is asked again for what it has refused; zero for never.
    retry_at: Instant,
    /// Whether there is either.
    has_chores: bool,
    /// How late timers may be, in nanoseconds.
    slack: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Between two turns.
    Idle,
    /// Prepare events are handed out; the wait is still to come.
    Prepare,
    /// What the wait has found is handed out.
    Open,
}

#[derive(Clone, Copy, Debug)]
struct Limited {
    bounds: Bounds,
    /// The end of this turn's hand-outs, if limited in time.
    until: Instant,
}

impl Zero for Limited {
    const ZERO: Self = Self { bounds: Bounds::DEFAULT, until: Instant::ZERO };
}

bitflags! {
    /// Requests to the loop.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    struct Requests: u8 {
        const BREAK = 1;
        const EXIT = 2;
        const CONTINUE = 4;
        /// The event that is being handed out is removed afterwards.
        const SPENT = 8;
    }
}

impl<B: EventOp, S: Storage, T> Engine<B, S, T> {
    pub(crate) const fn new(backend: B) -> Self {
        Self {
            backend,
            registry: Registry::new(),
            phase: Phase::Idle,
            requests: Requests::empty(),
            clock: Cell::new(Instant::ZERO),
            is_clock_current: Cell::new(false),
            limits: Held::EMPTY,
            exit_at: Instant::ZERO,
            has_exit: false,
            retry_at: Instant::ZERO,
            has_chores: false,
            slack: 0,
        }
    }

    pub(crate) fn create(&mut self, event: &Event<B::Fd>, data: T) -> Result<EventId, Rejected<T, B::Error>> {
        let is_supported =
            (B::HAS_SIGNALS || !matches!(event.source, Source::Signal(_))) && (S::Once::IS_KEPT || !event.once);
        if !is_supported {
            return Err(Rejected { error: Error::Unsupported, data });
        }
        self.registry.create(event, data)
    }

    #[cfg(all(feature = "async", target_has_atomic = "ptr"))]
    pub(crate) fn has_room(&mut self) -> bool {
        self.registry.has_room()
    }

    #[inline]
    pub(crate) fn resolve(&self, id: EventId) -> Result<S::Index, Error<B::Error>> {
        self.registry.resolve(id).ok_or(Error::NoSuchEvent)
    }

    pub(crate) fn data(&self, id: EventId) -> Option<&T> {
        self.registry.data(self.registry.resolve(id)?)
    }

    pub(crate) fn data_mut(&mut self, id: EventId) -> Option<&mut T> {
        self.registry.data_mut(self.registry.resolve(id)?)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (EventId, &T)> {
        let registry = &self.registry;
        registry.indices().filter_map(|index| Some((registry.id(index)?, registry.data(index)?)))
    }

    pub(crate) fn current(&self) -> Option<EventId> {
        self.registry.current().and_then(|index| self.registry.id(index))
    }

    pub(crate) fn fd(&self, index: S::Index) -> Option<B::Fd> {
        self.registry.fd(index)
    }

    pub(crate) fn interest(&self, index: S::Index) -> Interest {
        self.registry.interest(index)
    }

    pub(crate) fn signum(&self, index: S::Index) -> Option<Signum> {
        self.registry.signum(index)
    }

    pub(crate) fn level(&self, index: S::Index) -> u8 {
        self.registry.level(index)
    }

    pub(crate) fn is_watcher(&self, index: S::Index) -> bool {
        self.registry.state(index).is_of_each_turn()
    }

    pub(crate) fn is_registered(&self, index: S::Index) -> bool {
        self.registry.state(index).is_registered()
    }

    /// When an event is due, and the time until then; `None` without a timeout.
    pub(crate) fn timeout(&self, index: S::Index) -> Option<(Instant, Duration)> {
        if !self.registry.state(index).is_timed() {
            return None;
        }
        let now = self.fresh_now();
        let deadline = self.registry.deadline(index, now);
        Some((deadline, deadline.saturating_since(now)))
    }

    pub(crate) fn ready(&self, index: S::Index) -> Option<Ready> {
        self.registry.ready(index)
    }

    pub(crate) fn backend(&self) -> &B {
        &self.backend
    }

    pub(crate) fn backend_mut(&mut self) -> &mut B {
        &mut self.backend
    }

    pub(crate) fn counts(&self) -> Counts {
        self.registry.counts()
    }

    pub(crate) fn max_counts(&self) -> Counts {
        self.registry.stats().max
    }

    pub(crate) fn clear_max_counts(&mut self) {
        self.registry.clear_max_counts();
    }

    pub(crate) fn stats(&self) -> Tally {
        let mut stats = self.registry.stats();
        stats.handed_out = stats.handed_out.saturating_add(self.registry.handed_out().into());
        stats
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.registry.is_idle() && !self.has_exit
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        earlier(self.registry.first_armed_deadline(), self.chores_at())
    }

    #[cfg(any(test, feature = "check"))]
    pub(crate) fn check(&self) -> bool {
        self.registry.check()
    }

    pub(crate) fn exit(&mut self) {
        self.requests.insert(Requests::EXIT);
    }

    pub(crate) fn exit_after(&mut self, delay: Duration) {
        let at = self.fresh_now().saturating_add(delay);
        self.exit_at = if self.has_exit { self.exit_at.min(at) } else { at };
        self.has_exit = true;
        self.note_chores();
    }

    fn note_chores(&mut self) {
        self.has_chores = self.has_exit || self.retry_at > Instant::ZERO;
    }

    /// When the engine itself has to act.
    #[inline(always)]
    fn chores_at(&self) -> Option<Instant> {
        if !B::IS_SHARED {
            return self.exit_at();
        }
        if self.has_chores { self.first_chore() } else { None }
    }

    #[cold]
    fn first_chore(&self) -> Option<Instant> {
        earlier(self.exit_at(), Some(self.retry_at).filter(|at| *at > Instant::ZERO))
    }

    fn exit_at(&self) -> Option<Instant> {
        self.has_exit.then_some(self.exit_at)
    }

    pub(crate) fn break_loop(&mut self) {
        self.requests.insert(Requests::BREAK);
        self.registry.interrupt();
    }

    pub(crate) fn continue_loop(&mut self) {
        self.requests.insert(Requests::CONTINUE);
        self.registry.interrupt();
    }

    pub(crate) fn is_end_requested(&self) -> bool {
        self.requests.intersects(Requests::BREAK.union(Requests::EXIT))
    }

    pub(crate) fn set_priorities(&mut self, priorities: u8) -> Result<(), Error<B::Error>> {
        let in_use = self.registry.indices().map(|index| self.registry.level(index)).max();
        if priorities == 0 || self.registry.is_active() || in_use.is_some_and(|level| level >= priorities) {
            return Err(Error::NoSuchPriority);
        }
        self.registry.set_levels(priorities).map_err(|_| Error::Full)
    }

    pub(crate) fn priorities(&self) -> u8 {
        self.registry.levels()
    }

    pub(crate) fn set_priority(&mut self, index: S::Index, priority: u8) -> Result<(), Error<B::Error>> {
        if priority >= self.registry.levels() {
            return Err(Error::NoSuchPriority);
        }
        self.registry.set_level(index, priority);
        Ok(())
    }

    pub(crate) fn set_limits(&mut self, limits: Bounds) {
        if let Some(limited) = self.limits.get_mut() {
            limited.bounds = limits;
        }
    }

    fn bounds(&self) -> &Bounds {
        self.limits.get().map_or(&Bounds::DEFAULT, |limited| &limited.bounds)
    }

    pub(crate) fn set_fairness(&mut self, fairness: Fairness) {
        self.registry.set_fairness(fairness);
    }

    pub(crate) fn set_slack(&mut self, slack: Duration) {
        self.slack = nanos(slack);
    }

    /// This turn's time during hand-outs, else the current time.
    pub(crate) fn now(&self) -> Instant {
        let is_handing_out = self.phase != Phase::Idle && self.registry.is_handing_out();
        if is_handing_out { self.turn_now() } else { self.update_now() }
    }

    /// This turn's time, read once.
    fn turn_now(&self) -> Instant {
        if self.is_clock_current.get() { self.clock.get() } else { self.update_now() }
    }

    pub(crate) fn update_now(&self) -> Instant {
        let now = self.read_clock();
        self.clock.set(now);
        self.is_clock_current.set(true);
        now
    }

    /// The backend's clock, never turned back.
    #[inline]
    pub(crate) fn fresh_now(&self) -> Instant {
        if S::IS_SMALL { self.read_clock_elsewhere() } else { self.read_clock() }
    }

    /// Out of line, where it is not part of each turn: on a small part a clock is some code to read.
    #[inline(never)]
    fn read_clock_elsewhere(&self) -> Instant {
        self.read_clock()
    }

    #[inline(always)]
    fn read_clock(&self) -> Instant {
        self.backend.now().max(self.clock.get())
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

impl<B: Wake, S: Storage, T> Engine<B, S, T> {
    pub(crate) fn waker(&mut self) -> Result<B::Waker, B::Error> {
        self.backend.waker()
    }
}
