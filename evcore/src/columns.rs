//! The columns together: all of a base that needs no backend.

use bitflags::bitflags;

use crate::active::Active;
use crate::backend::{Descriptor, Signum, Sink, Token};
use crate::event::{EventId, Interest, Ready};
use crate::events::{Events, State};
use crate::fds::Fds;
use crate::quota::{Bounds, Fairness, Levels, Quota};
use crate::signals::Signals;
use crate::stats::{Counts, Tally};
use crate::storage::{Full, Index, Storage};
use crate::time::Instant;
use crate::timers::Timers;
use crate::watchers::Watchers;

/// The tables of a base, and what is counted over several of them.
pub(crate) struct Columns<F, D, T, S: Storage> {
    pub(crate) events: Events<T, S>,
    pub(crate) fds: Fds<F, D, S>,
    pub(crate) signals: Signals<S>,
    pub(crate) watchers: Watchers<S>,
    pub(crate) timers: Timers<S>,
    pub(crate) active: Active<S>,
    pub(crate) quota: Quota,
    pub(crate) limits: Bounds,
    pub(crate) fairness: Fairness,
    pub(crate) stats: Tally,
    pub(crate) max: Counts,
    /// Events that wait, and those among them that do not keep the loop alive.
    pub(crate) pending: u32,
    pub(crate) background: u32,
    pub(crate) rare: Rare,
    /// The event that is being handed out, as far as this turn has handed it out: so it need not be reset.
    pub(crate) running: S::Index,
    /// The backend is to be started anew.
    pub(crate) rebuild: bool,
    /// Stale reports since that was last done.
    pub(crate) stale: u32,
}

/// So many stale reports are borne before the backend is started anew.
const STALE_LIMIT: u32 = 16;

bitflags! {
    /// What makes a hand-out, or a turn, more than the usual: looked at with one test.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) struct Rare: u8 {
        const BREAK = 1;
        const EXIT = 2;
        const CONTINUE = 4;
        /// The event handed out last is to be removed.
        const SPENT = 8;
        /// Watchers are to be handed out.
        const FRONT = 16;
        /// Only watchers are handed out: the wait is still to come.
        const PREPARING = 32;
        /// The time of a turn is limited.
        const INTERVAL = 64;
    }
}

impl<F: Descriptor, D: Default, T, S: Storage> Columns<F, D, T, S> {
    pub(crate) const fn new() -> Self {
        Self {
            events: Events::new(),
            fds: Fds::new(),
            signals: Signals::new(),
            watchers: Watchers::new(),
            timers: Timers::new(),
            active: Active::new(),
            quota: Quota::new(),
            limits: Bounds::DEFAULT,
            fairness: Fairness::Fair,
            stats: Tally::ZERO,
            max: Counts { events: 0, pending: 0, active: 0 },
            pending: 0,
            background: 0,
            rare: Rare::empty(),
            running: Index::FIRST,
            rebuild: false,
            stale: 0,
        }
    }

    /// Makes room for one more event in every table.
    pub(crate) fn reserve(&mut self) -> Result<(), Full> {
        if self.events.has_free() {
            return Ok(());
        }
        self.events.reserve()?;
        self.active.reserve()?;
        self.timers.reserve()?;
        self.fds.reserve()
    }

    /// An event begins to exist, idle.
    pub(crate) fn create(&mut self, state: State, level: u8, data: T) -> (S::Index, EventId) {
        let (index, id) = self.events.create(state, self.quota.number, data);
        self.active.create(index, level);
        self.timers.create(index);
        self.fds.create(index);
        self.max.events = self.max.events.max(self.events.len());
        (index, id)
    }

    /// Sets where an event is in its life, and counts it where it belongs.
    pub(crate) fn set_state(&mut self, index: S::Index, state: State) {
        let Some(old) = self.events.replace_state(index, state) else { return };
        if old.is_waiting() == state.is_waiting() {
            return;
        }
        // One more, or one less: the sum wraps.
        let step = if state.is_waiting() { 1 } else { u32::MAX };
        self.pending = self.pending.wrapping_add(step);
        self.max.pending = self.max.pending.max(self.pending);
        if state.contains(State::BACKGROUND) {
            self.background = self.background.wrapping_add(step);
        }
    }

    /// Notes how many events are active, besides so many that were handed out straight away.
    pub(crate) fn note_active(&mut self, handed_out: u32) {
        self.max.active = self.max.active.max(self.active.len().saturating_add(handed_out));
    }

    /// Queues an event on behalf of the user: in this turn, or in the next one if this turn has handed it out already.
    pub(crate) fn activate(&mut self, index: S::Index, ready: Ready) {
        activate(&self.events, &mut self.active, &mut self.quota, index, ready);
        self.note_active(0);
    }

    /// Queues the events that are pending on a signal.
    pub(crate) fn activate_signal(&mut self, signum: Signum) {
        let (events, active, quota) = (&self.events, &mut self.active, &mut self.quota);
        self.signals.report(signum, 1, |index| activate(events, active, quota, index, Ready::SIGNAL));
        self.note_active(0);
    }

    /// Queues the events that are pending on an fd for what they wait for among `ready`.
    pub(crate) fn activate_fd(&mut self, fd: F, ready: Ready) {
        let mut next = self.fds.registration_of(fd).and_then(|token| self.fds.first(token));
        while let Some(index) = next {
            next = self.fds.next(index);
            let is_timed = self.events.state(index).contains(State::TIMED);
            let mut asked = self.fds.heard_by(index, ready);
            asked.set(Ready::TIMEOUT, is_timed && ready.contains(Ready::TIMEOUT));
            if !asked.is_empty() {
                self.activate(index, asked);
            }
        }
    }

    /// Ends what an event of an fd waits for, because its fd is gone, and tells it so.
    pub(crate) fn expel(&mut self, index: S::Index) {
        self.fds.leave(index);
        self.timers.cancel(index);
        self.set_state(index, self.events.state(index).difference(State::ARMED));
        self.activate(index, Ready::ERROR);
    }

    /// Tells those pending events of a registration of an error that wait for more than what it is registered for, and those that
    /// it has been asked for anew.
    pub(crate) fn tell_error(&mut self, token: Token, told: Interest, is_asked: bool) {
        let mut next = self.fds.first(token);
        while let Some(index) = next {
            next = self.fds.next(index);
            let interest = self.fds.interest(index);
            let is_its = self.fds.is_fresh(index) || interest.contains(Interest::EDGE);
            if !told.contains(interest) || is_asked && is_its {
                self.activate(index, Ready::ERROR);
            }
        }
    }

    /// Expels the events of a registration that were there before its last change.
    pub(crate) fn expel_old(&mut self, token: Token, all: bool) {
        let mut next = self.fds.first(token);
        while let Some(index) = next {
            next = self.fds.next(index);
            if all || !self.fds.is_fresh(index) {
                self.expel(index);
            }
        }
    }

    /// Notes that a timer was moved to its queue so late.
    pub(crate) fn note_lateness(&mut self, now: Instant, due: Instant) {
        let lateness = now.nanos_since(due);
        self.stats.expired = self.stats.expired.saturating_add(1);
        self.stats.lateness = lateness;
        self.stats.lateness_max = self.stats.lateness_max.max(lateness);
    }

    /// Counts a report of a registration that has ended. The system holds an entry then that nobody can take out any more:
    /// a descriptor was closed without `del`, and a duplicate keeps what it stood for alive. If it goes on, all is registered anew.
    #[cold]
    fn note_stale(&mut self) {
        self.stats.stale = self.stats.stale.saturating_add(1);
        self.stale = self.stale.saturating_add(1);
        self.rebuild |= self.stale >= STALE_LIMIT;
    }

    /// The event that is being handed out.
    pub(crate) fn running(&self) -> Option<EventId> {
        let is_running = self.events.was_handed_out(self.running, self.quota.number);
        if is_running { self.events.id(self.running) } else { None }
    }

    /// Whether nothing that the loop is kept alive for is left.
    pub(crate) fn is_idle(&self) -> bool {
        self.pending == self.background && self.active.len() == 0
    }

    /// Whether the states of the events agree with the tables, and the counts with the states.
    #[cfg(any(test, feature = "check"))]
    pub(crate) fn check(&self) -> bool {
        let states = || self.events.indices().map(|index| self.events.state(index)).filter(|state| state.is_waiting());
        let count = |wanted: fn(&State) -> bool| u32::try_from(states().filter(wanted).count()).ok();
        count(|_| true) == Some(self.pending)
            && count(|state| state.contains(State::BACKGROUND)) == Some(self.background)
            && self.events.indices().all(|index| self.agrees(index))
    }

    #[cfg(any(test, feature = "check"))]
    fn agrees(&self, index: S::Index) -> bool {
        let state = self.events.state(index);
        let is_queued = self.active.ready(index).is_some_and(|ready| ready.contains(Ready::TIMEOUT));
        let is_armed = self.timers.is_armed(index);
        let is_watched = state.contains(State::IO | State::PENDING) && !state.contains(State::PAUSED);
        let wants_any = !self.fds.interest(index).is_empty();
        let timer_agrees = match (state.contains(State::TIMED), state.contains(State::PAUSED)) {
            (true, paused) => !paused && (is_armed || is_queued),
            (false, paused) => is_armed == paused,
        };
        timer_agrees && self.fds.is_linked(index) == (is_watched && wants_any)
    }

    /// The next event to hand out in this turn, taken off its queue.
    #[inline]
    pub(crate) fn take_next(&mut self) -> Option<(S::Index, Ready)> {
        // Nothing is left, as at the end of most turns: no level need be looked at.
        while self.active.len() > 0 {
            if self.quota.goes_on() {
                if let Some(taken) = self.active.pop(self.quota.level) {
                    self.quota.left = self.quota.left.wrapping_sub(1);
                    return Some(taken);
                }
            }
            if !self.next_level() {
                break;
            }
        }
        None
    }

    #[cold]
    pub(crate) fn next_level(&mut self) -> bool {
        self.quota.next_level(&self.active, self.fairness)
    }
}

fn activate<T, S: Storage>(
    events: &Events<T, S>,
    active: &mut Active<S>,
    quota: &mut Quota,
    index: S::Index,
    ready: Ready,
) {
    if events.was_handed_out(index, quota.number) {
        active.activate_later(index, ready);
    } else {
        active.activate(index, ready);
        quota.raise(active.level(index));
    }
}

impl<S: Storage> Levels for Active<S> {
    fn first(&self, from: u8) -> Option<u8> {
        self.first_level(from)
    }

    fn busy_after(&self, level: u8) -> u32 {
        Self::busy_after(self, level)
    }
}

impl<F: Descriptor, D: Default, T, S: Storage> Sink<F> for Columns<F, D, T, S> {
    #[inline]
    fn ready(&mut self, token: Token, ready: Ready) -> bool {
        let active = &mut self.active;
        let known = self.fds.report(token, ready, |index, ready| active.activate(index, ready)).is_some();
        if !known && token != Token::NONE {
            self.note_stale();
        }
        known
    }

    fn ready_fd(&mut self, fd: F, ready: Ready) -> bool {
        match self.fds.registration_of(fd) {
            Some(token) => self.ready(token, ready),
            None => {
                self.note_stale();
                false
            }
        }
    }

    fn failed(&mut self, token: Token) {
        self.expel_old(token, true);
    }

    fn signal(&mut self, signum: Signum, count: u32) {
        if count > 0 {
            let active = &mut self.active;
            self.signals.report(signum, count, |index| active.activate(index, Ready::SIGNAL));
        }
    }

    fn rebuild(&mut self) {
        self.rebuild = true;
    }
}
