//! The registry: which events exist, what they wait for, and which are active.

use bitflags::bitflags;

use crate::backend::{Descriptor, FdInfos, Token};
use crate::error::{Error, Rejected};
use crate::event::{Event, EventId, Source};
use crate::limits::{Bounds, Fairness};
use crate::ready::Ready;
use crate::stats::{Counts, Tally};
use crate::storage::{Full, Held, Index, Part, Storage, Zero};
use crate::time::nanos;

mod alone;
mod budget;
#[cfg(any(test, feature = "check"))]
mod check;
mod fds;
mod queue;
mod reports;
mod restarts;
mod signals;
mod slots;
mod state;
#[cfg(test)]
mod tests;
mod timeouts;
mod timers;
mod watchers;
mod watching;

pub(crate) use fds::Alone;
use fds::Fds;
pub(super) use fds::{Change, Changed, Joining};
use queue::Queue;
use restarts::Restarts;
use signals::Signals;
pub(crate) use slots::Effect;
use slots::{HandOut, Slots};
pub(super) use state::{Kind, Life, Options, State, Timing};
pub(super) use timers::Expired;
use timers::Timers;
pub(super) use watchers::Moment;
use watchers::Watchers;

bitflags! {
    /// What the backend has reported of itself, in one word that a turn tests once.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    struct News: u8 {
        const REBUILD = 1;
        /// A waker has ended the last wait.
        const WOKEN = 2;
        /// A rebuild has failed and is retried later.
        const REBUILD_LATER = 4;
    }
}

/// The tables of a base, kept in step with each other and the counts by every method.
///
/// Every table has a place for each event, under the same index: nothing after creation fails for lack of room.
pub(super) struct Registry<F, D, T, S: Storage> {
    slots: Slots<T, S>,
    fds: Fds<F, D, S>,
    signals: Signals<S>,
    watchers: Watchers<S>,
    timers: Timers<S>,
    restarts: Restarts<S>,
    queue: Queue<S>,
    /// The event that is being handed out, or NIL.
    current: S::Index,
    /// Pending events, and how many of them do not keep the loop alive.
    pending: u32,
    background: u32,
    /// Stale reports since the last rebuild.
    stale: u32,
    news: News,
    stats: <S::Stats as Part>::Held<Tally>,
}

impl<F: Descriptor, D: Default, T, S: Storage> Registry<F, D, T, S> {
    /// All zeros, so that a base in a `static` takes no flash. The lists through the slots get their ends with the
    /// first event.
    pub(super) const fn new() -> Self {
        Self {
            slots: Slots::new(),
            fds: Fds::new(),
            signals: Signals::new(),
            watchers: Watchers::new(),
            timers: Timers::new(),
            restarts: Restarts::new(),
            queue: Queue::new(),
            current: Index::FIRST,
            pending: 0,
            background: 0,
            stale: 0,
            news: News::empty(),
            stats: Held::EMPTY,
        }
    }

    pub(super) fn create<E>(&mut self, event: &Event<F>, data: T) -> Result<EventId, Rejected<T, E>> {
        let level = event.priority.unwrap_or(self.queue.levels() >> 1);
        if level >= self.queue.levels() {
            return Err(Rejected { error: Error::NoSuchPriority, data });
        }
        let row = match self.make_room(event) {
            Ok(row) => row,
            Err(Full) => return Err(Rejected { error: Error::Full, data }),
        };
        let (index, id) = self.slots.create(State::of(event), level, self.queue.turn(), data);
        if let Some(timeout) = event.timeout {
            self.timers.keep(index, nanos(timeout));
        }
        match event.source {
            Source::Io(_, interest) => self.fds.bind(index, row, interest),
            Source::Signal(signum) if S::HAS_SIGNALS => self.signals.create(index, signum),
            Source::Prepare => self.watchers.create(index, Moment::Prepare),
            Source::Check => self.watchers.create(index, Moment::Check),
            Source::Wake => self.watchers.create(index, Moment::Wake),
            Source::Signal(_) | Source::None => {}
        }
        let events = self.slots.len();
        self.count(|stats| stats.max.events = stats.max.events.max(events));
        Ok(id)
    }

    /// Makes room in every table, and for the row of the event's fd.
    fn make_room(&mut self, event: &Event<F>) -> Result<S::Index, Full> {
        if !self.slots.has_room() {
            self.grow()?;
        }
        match event.source {
            Source::Io(fd, _) => {
                self.fds.reserve(self.slots.next_index())?;
                return self.fds.attach(fd);
            }
            Source::Signal(_) if S::HAS_SIGNALS => self.signals.reserve(self.slots.next_index())?,
            Source::Signal(_) => return Err(Full),
            Source::Prepare | Source::Check | Source::Wake => self.watchers.reserve()?,
            Source::None => {}
        }
        Ok(Index::NIL)
    }

    /// Makes room for more events. The slots come last, so that the other tables have room for as many.
    fn grow(&mut self) -> Result<(), Full> {
        if self.slots.is_unused() {
            self.queue.begin()?;
        }
        let events = self.slots.next_room()?;
        self.timers.reserve(events)?;
        self.restarts.reserve(events)?;
        self.slots.reserve_all(events)
    }

    /// Whether another event finds room, on an fd where there are any.
    #[cfg(all(feature = "async", target_has_atomic = "ptr"))]
    pub(super) fn has_room(&mut self) -> bool {
        // An event on an fd takes a place even if it shares the fd: there are never fewer rows than places.
        let any = self.make_room(&Event::user()).is_ok();
        any && (!S::HAS_FDS || self.fds.reserve(self.slots.next_index()).is_ok())
    }

    /// Ends an event that waits for nothing, is not active and has no fd.
    pub(super) fn remove(&mut self, index: S::Index) -> Option<T> {
        match self.state(index).kind() {
            Kind::Signal => self.signals.remove(index),
            Kind::Watcher => self.watchers.remove(index),
            Kind::Io | Kind::Plain => {}
        }
        self.slots.remove(index)
    }

    #[inline]
    pub(super) fn resolve(&self, id: EventId) -> Option<S::Index> {
        self.slots.resolve(id)
    }

    pub(super) fn id(&self, index: S::Index) -> Option<EventId> {
        self.slots.id(index)
    }

    pub(super) fn indices(&self) -> impl Iterator<Item = S::Index> {
        self.slots.indices()
    }

    pub(super) fn data(&self, index: S::Index) -> Option<&T> {
        self.slots.data(index)
    }

    pub(super) fn data_mut(&mut self, index: S::Index) -> Option<&mut T> {
        self.slots.data_mut(index)
    }

    #[inline]
    pub(super) fn state(&self, index: S::Index) -> State<S> {
        self.slots.state(index)
    }

    /// Changes the state of an event, and counts it if it is pending.
    fn set_state(&mut self, index: S::Index, state: State<S>) {
        let Some(place) = self.slots.state_mut(index) else { return };
        let old = core::mem::replace(place, state);
        if old.is_pending() == state.is_pending() {
            return;
        }
        if !state.is_pending() {
            return self.count_idle(state);
        }
        self.count_pending(state);
    }

    /// Counts an event that has become pending.
    #[inline(always)]
    fn count_pending(&mut self, state: State<S>) {
        self.pending = self.pending.wrapping_add(1);
        self.background = self.background.wrapping_add(state.has(Options::BACKGROUND).into());
        let pending = self.pending;
        self.count(|stats| stats.max.pending = stats.max.pending.max(pending));
    }

    /// Counts an event that is no longer pending.
    fn count_idle(&mut self, state: State<S>) {
        self.pending = self.pending.wrapping_sub(1);
        self.background = self.background.wrapping_sub(state.has(Options::BACKGROUND).into());
    }

    pub(super) fn counts(&self) -> Counts {
        Counts { events: self.slots.len(), pending: self.pending, active: self.queue.len() }
    }

    #[inline(always)]
    pub(super) fn count(&mut self, change: impl FnOnce(&mut Tally)) {
        if let Some(stats) = self.stats.get_mut() {
            change(stats);
        }
    }

    pub(super) fn stats(&self) -> Tally {
        self.stats.get().copied().unwrap_or(Tally::ZERO)
    }

    pub(super) fn clear_max_counts(&mut self) {
        let counts = self.counts();
        self.count(|stats| stats.max = counts);
    }

    pub(super) fn note_active(&mut self) {
        let active = self.queue.len();
        self.count(|stats| {
            if active > stats.max.active {
                stats.max.active = active;
            }
        });
    }

    pub(super) fn is_active(&self) -> bool {
        self.queue.len() > 0
    }

    /// Whether nothing keeps the loop alive.
    pub(super) fn is_idle(&self) -> bool {
        self.pending == self.background && !self.is_active()
    }

    // Priorities and ready queues: see `Queue`.

    pub(super) fn levels(&self) -> u8 {
        self.queue.levels()
    }

    pub(super) fn level(&self, index: S::Index) -> u8 {
        self.queue.level(&self.slots, index)
    }

    pub(super) fn set_levels(&mut self, levels: u8) -> Result<(), Full> {
        self.queue.set_levels(levels)
    }

    pub(super) fn set_level(&mut self, index: S::Index, level: u8) {
        self.queue.set_level(&mut self.slots, index, level);
    }

    pub(super) fn ready(&self, index: S::Index) -> Option<Ready> {
        Queue::ready(&self.slots, index)
    }

    pub(super) fn activate(&mut self, index: S::Index, ready: Ready) {
        self.settle_before_hand_outs();
        self.queue.activate(&mut self.slots, index, ready);
        self.note_active();
    }

    pub(super) fn postpone(&mut self, index: S::Index, ready: Ready) {
        self.queue.postpone(&mut self.slots, index, ready);
        self.note_active();
    }

    pub(super) fn admit_postponed(&mut self) {
        self.queue.admit_postponed(&mut self.slots);
    }

    /// Whether a prepare, check or wake event exists.
    #[inline]
    pub(super) fn has_any_watcher(&self) -> bool {
        !self.watchers.is_empty()
    }

    pub(super) fn has_watchers(&self, moment: Moment) -> bool {
        self.watchers.of(moment).next().is_some()
    }

    /// Queues the watchers of a moment, ahead of everything else. Answers whether there are any.
    // Out of line: most bases have no watchers.
    #[inline(never)]
    pub(super) fn queue_watchers(&mut self, moment: Moment) -> bool {
        let mut any = false;
        for index in self.watchers.of(moment) {
            self.queue.push_front(&mut self.slots, index);
            any = true;
        }
        if any {
            self.note_active();
        }
        any
    }

    pub(super) fn cancel(&mut self, index: S::Index) {
        self.queue.cancel(&mut self.slots, index);
    }

    pub(super) fn retract(&mut self, index: S::Index, bits: Ready) {
        self.queue.retract(&mut self.slots, index, bits);
    }

    // The turn and its hand-outs: see `Queue`.

    pub(super) fn open_turn(&mut self, bounds: &Bounds) {
        self.queue.open_turn(bounds);
    }

    pub(super) fn open_levels(&mut self, bounds: &Bounds) {
        self.queue.open_levels(bounds);
    }

    pub(super) fn close_turn(&mut self) {
        let turn = self.queue.turn();
        // Turns count even if no timeout has restarted.
        if self.restarts.is_full(turn) {
            self.settle_restarts(turn.wrapping_add(1));
        }
        let handed_out = self.queue.close_turn();
        self.count(|stats| stats.handed_out = stats.handed_out.wrapping_add(handed_out.into()));
    }

    pub(super) fn handed_out(&self) -> u32 {
        self.queue.handed_out()
    }

    pub(super) fn is_time_limited(&self) -> bool {
        self.queue.is_time_limited()
    }

    pub(super) fn exhaust(&mut self) {
        self.queue.exhaust();
    }

    pub(super) fn interrupt(&mut self) {
        self.queue.interrupt();
    }

    /// What the next hand-out does to its event; `Unknown` or more if something must be checked first.
    #[inline(always)]
    pub(super) fn next_effect(&self) -> Effect {
        match self.queue.first() {
            Some(first) => self.slots.effect(first),
            None => Effect::Unknown,
        }
    }

    #[inline(always)]
    pub(super) fn hand_out_next(&mut self, restarts: bool) -> Option<(EventId, Ready, &mut T)> {
        let HandOut { index, id, ready, is_to_be_listed, data } = self.queue.hand_out(&mut self.slots, restarts)?;
        self.current = index;
        if restarts {
            self.restarts.note(index, is_to_be_listed);
        }
        Some((id, ready, data))
    }

    pub(super) fn pop(&mut self) -> Option<(S::Index, Ready)> {
        self.queue.pop(&mut self.slots)
    }

    pub(super) fn pop_front(&mut self) -> Option<(S::Index, Ready)> {
        self.queue.pop_front(&mut self.slots)
    }

    pub(super) fn set_fairness(&mut self, fairness: Fairness) {
        self.queue.set_fairness(fairness);
    }

    pub(super) fn choose_level(&mut self) {
        self.queue.choose_level();
    }

    pub(super) fn has_front(&self) -> bool {
        self.queue.has_front()
    }

    /// Lends the data of an event that is handed out now.
    pub(super) fn hand_out(&mut self, index: S::Index) -> Option<(EventId, &mut T)> {
        self.current = index;
        self.slots.hand_out(index, self.queue.turn())
    }

    pub(super) fn end_hand_outs(&mut self) {
        self.current = Index::NIL;
    }

    /// Whether an event is being handed out, which may have been removed.
    pub(super) fn is_handing_out(&self) -> bool {
        !self.current.is_nil()
    }

    /// The event that is being handed out, unless it was removed.
    pub(super) fn current(&self) -> Option<S::Index> {
        Some(self.current).filter(|current| self.slots.was_handed_out(*current, self.queue.turn()))
    }
}

impl<F: Descriptor, D: Default, T, S: Storage> FdInfos<D> for Registry<F, D, T, S> {
    fn info(&mut self, token: Token) -> Option<&mut D> {
        self.fds.info(token)
    }
}
