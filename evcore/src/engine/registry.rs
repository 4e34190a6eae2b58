//! The registry: which events exist, what they wait for, and which are to be handed out.

use bitflags::bitflags;

use crate::backend::{Descriptor, FdInfos, Token};
use crate::error::{Error, Rejected};
use crate::event::{Event, EventId, Source};
use crate::limits::{Bounds, Fairness};
use crate::ready::Ready;
use crate::stats::{Counts, Tally};
use crate::storage::{Full, Held, Index, Part, Storage, Zero};
use crate::time::nanos;

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
    /// What the backend has said of itself. One word, so that a turn without any tests it once.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    struct News: u8 {
        /// It is to be rebuilt.
        const REBUILD = 1;
        /// A waker has ended the last wait.
        const WOKEN = 2;
        /// A rebuild has failed, and is made later.
        const REBUILD_LATER = 4;
    }
}

/// The tables of a base. They are private: each verb keeps all of them in step, and the counts with them.
///
/// Every table has a place for each event, under the same index, so nothing after an event's creation can fail for lack of
/// room.
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
    /// Pending events, and those among them that do not keep the loop alive.
    pending: u32,
    background: u32,
    /// Reports of ended registrations since the backend was last rebuilt.
    stale: u32,
    news: News,
    stats: <S::Stats as Part>::Held<Tally>,
}

impl<F: Descriptor, D: Default, T, S: Storage> Registry<F, D, T, S> {
    /// All zeros, so that a base in a `static` takes no flash. The lists through the slots get their ends with the first
    /// event.
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

    // Existence.

    /// Creates an event, pending for nothing.
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

    /// Room in every table, and the row of the event's fd.
    fn make_room(&mut self, event: &Event<F>) -> Result<S::Index, Full> {
        if !self.slots.has_free() {
            if self.slots.is_unused() {
                self.queue.begin()?;
            }
            let events = self.slots.reserve()?;
            self.timers.reserve(events)?;
            self.restarts.reserve(events)?;
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

    /// Ends an event that waits for nothing, is not active and has no fd any more.
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

    /// Changes the state of an event, and counts it among the pending ones or not.
    fn set_state(&mut self, index: S::Index, state: State<S>) {
        let Some(place) = self.slots.state_mut(index) else { return };
        let old = core::mem::replace(place, state);
        if old.is_pending() == state.is_pending() {
            return;
        }
        // One more, or one less: the sum wraps.
        let step = if state.is_pending() { 1 } else { u32::MAX };
        self.pending = self.pending.wrapping_add(step);
        let pending = self.pending;
        self.count(|stats| stats.max.pending = stats.max.pending.max(pending));
        if state.has(Options::BACKGROUND) {
            self.background = self.background.wrapping_add(step);
        }
    }

    // Counts.

    pub(super) fn counts(&self) -> Counts {
        Counts { events: self.slots.len(), pending: self.pending, active: self.queue.len() }
    }

    /// Changes the statistics, where they are kept.
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

    /// Whether nothing that the loop is kept alive for is left.
    pub(super) fn is_idle(&self) -> bool {
        self.pending == self.background && !self.is_active()
    }

    // Priorities.

    pub(super) fn levels(&self) -> u8 {
        self.queue.levels()
    }

    pub(super) fn level(&self, index: S::Index) -> u8 {
        self.queue.level(&self.slots, index)
    }

    /// Sets the number of levels. Refused when the storage has no room for them.
    pub(super) fn set_levels(&mut self, levels: u8) -> Result<(), Full> {
        self.queue.set_levels(levels)
    }

    pub(super) fn set_level(&mut self, index: S::Index, level: u8) {
        self.queue.set_level(&mut self.slots, index, level);
    }

    // The ready queues.

    /// What an event is queued for; `None` when it is not active.
    pub(super) fn ready(&self, index: S::Index) -> Option<Ready> {
        Queue::ready(&self.slots, index)
    }

    /// Queues an event by hand: in this turn, or in the next one if this turn has handed it out already.
    pub(super) fn activate(&mut self, index: S::Index, ready: Ready) {
        self.settle_before_hand_outs();
        self.queue.activate(&mut self.slots, index, ready);
        self.note_active();
    }

    /// Queues an event for the next turn.
    pub(super) fn postpone(&mut self, index: S::Index, ready: Ready) {
        self.queue.postpone(&mut self.slots, index, ready);
        self.note_active();
    }

    pub(super) fn admit_postponed(&mut self) {
        self.queue.admit_postponed(&mut self.slots);
    }

    /// Queues the watchers of a moment, ahead of everything else. Answers whether there are any.
    #[inline]
    pub(super) fn queue_watchers(&mut self, moment: Moment) -> bool {
        !self.watchers.is_empty() && self.queue_some(moment)
    }

    /// Whether watchers of a moment are pending.
    pub(super) fn has_watchers(&self, moment: Moment) -> bool {
        self.watchers.of(moment).next().is_some()
    }

    // Out of line: most bases have no watchers.
    #[inline(never)]
    fn queue_some(&mut self, moment: Moment) -> bool {
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

    /// Takes an event out of its queue.
    pub(super) fn cancel(&mut self, index: S::Index) {
        self.queue.cancel(&mut self.slots, index);
    }

    /// Drops some bits of what an event is queued for.
    pub(super) fn retract(&mut self, index: S::Index, bits: Ready) {
        self.queue.retract(&mut self.slots, index, bits);
    }

    // The turn and its hand-outs.

    /// A turn begins that is limited by the number of its hand-outs alone.
    pub(super) fn open_turn(&mut self, bounds: &Bounds) {
        self.queue.open_turn(bounds);
    }

    /// A turn begins.
    pub(super) fn open_levels(&mut self, bounds: &Bounds) {
        self.queue.open_levels(bounds);
    }

    /// The next turn may hand out any event.
    pub(super) fn close_turn(&mut self) {
        let turn = self.queue.turn();
        // Also where no timeout has restarted: the turns go by all the same.
        if self.restarts.is_full(turn) {
            self.settle_restarts(turn.wrapping_add(1));
        }
        let handed_out = self.queue.close_turn();
        self.count(|stats| stats.handed_out = stats.handed_out.wrapping_add(handed_out.into()));
    }

    /// How many events this turn has handed out.
    pub(super) fn handed_out(&self) -> u32 {
        self.queue.handed_out()
    }

    /// Whether this turn is limited in time, and has made a hand-out that this applies to.
    pub(super) fn is_time_limited(&self) -> bool {
        self.queue.is_time_limited()
    }

    /// No limited hand-out is left in this turn.
    pub(super) fn exhaust(&mut self) {
        self.queue.exhaust();
    }

    /// Has the next hand-out look at all that could prevent it.
    pub(super) fn interrupt(&mut self) {
        self.queue.interrupt();
    }

    /// What the next hand-out does to its event; more than can be said here, if something has to be looked at before.
    #[inline(always)]
    pub(super) fn next_effect(&self) -> Effect {
        match self.queue.first() {
            Some(first) => self.slots.effect(first),
            None => Effect::Unknown,
        }
    }

    /// Takes the next event, and lends its data. Its timeout restarts when the hand-outs of this turn end, if it is to.
    #[inline(always)]
    pub(super) fn hand_out_next(&mut self, restarts: bool) -> Option<(EventId, Ready, &mut T)> {
        let HandOut { index, id, ready, is_to_be_listed, data } = self.queue.hand_out(&mut self.slots, restarts)?;
        self.current = index;
        if restarts {
            self.restarts.note(index, is_to_be_listed);
        }
        Some((id, ready, data))
    }

    /// Takes the next event to hand out, if nothing has to be looked at before.
    pub(super) fn pop(&mut self) -> Option<(S::Index, Ready)> {
        self.queue.pop(&mut self.slots)
    }

    pub(super) fn pop_front(&mut self) -> Option<(S::Index, Ready)> {
        self.queue.pop_front(&mut self.slots)
    }

    /// Chooses the level whose turn it is. Answers whether there is one.
    pub(super) fn choose_level(&mut self, fairness: Fairness) -> bool {
        self.queue.choose_level(fairness)
    }

    /// Whether watchers come first.
    pub(super) fn has_front(&self) -> bool {
        self.queue.has_front()
    }

    /// Lends the data of an event that is handed out now.
    pub(super) fn hand_out(&mut self, index: S::Index) -> Option<(EventId, &mut T)> {
        self.current = index;
        self.slots.hand_out(index, self.queue.turn())
    }

    /// The hand-outs are over.
    pub(super) fn end_hand_outs(&mut self) {
        self.current = Index::NIL;
    }

    /// Whether an event is being handed out; it may have been removed meanwhile.
    pub(super) fn is_handing_out(&self) -> bool {
        !self.current.is_nil()
    }

    /// The event that is being handed out, unless it has been removed.
    pub(super) fn current(&self) -> Option<S::Index> {
        Some(self.current).filter(|current| self.slots.was_handed_out(*current, self.queue.turn()))
    }
}

impl<F: Descriptor, D: Default, T, S: Storage> FdInfos<D> for Registry<F, D, T, S> {
    fn info(&mut self, token: Token) -> Option<&mut D> {
        self.fds.info(token)
    }
}
