//! The life of an event: added, changed, activated, removed.

use core::time::Duration;

use super::EventBase;
use crate::backend::{EventOp, Features, Signum};
use crate::columns::Rare;
use crate::error::Error;
use crate::event::{EventId, Interest, Ready};
use crate::events::State;
use crate::fds::Joining;
use crate::storage::{Index, Storage};
use crate::time::{Instant, nanos};

/// When an event is due, and after how long again.
#[derive(Clone, Copy)]
struct Timeout {
    deadline: Instant,
    interval: u64,
}

impl<B: EventOp, S: Storage, T> EventBase<B, S, T> {
    // Pending.

    /// Makes an event pending (`event_add`): its interest joins that of its fd, and the timeout, if one is given, counts
    /// from now.
    ///
    /// On an event that is pending already, a timeout replaces the one before, also one that has expired and is queued;
    /// without a timeout nothing changes. A persistent event is timed again after each hand-out.
    ///
    /// O(1) and at most one call of the backend, plus O(log n) for the timeout.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`]; [`Error::Mixed`]; [`Error::Unsupported`]; [`Error::Backend`] when the fd is not registered yet and
    /// the backend refuses. Nothing has changed then.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{Event, EventBase, Fixed, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// let timer = base.create(Event::timer(), "one shot").unwrap();
    /// base.add(timer, Some(Duration::from_secs(1))).unwrap();
    /// base.add(timer, Some(Duration::from_secs(2))).unwrap();
    /// assert_eq!(base.pending(timer).unwrap().remaining, Some(Duration::from_secs(2)));
    /// ```
    #[doc(alias = "event_add")]
    #[doc(alias = "evtimer_add")]
    #[doc(alias = "evsignal_add")]
    pub fn add(&mut self, id: EventId, timeout: Option<Duration>) -> Result<(), Error<B::Error>> {
        let index = self.settle_for(id)?;
        let timeout = timeout.map(|delay| {
            let interval = nanos(delay);
            Timeout { deadline: self.fresh_now().saturating_add(delay), interval }
        });
        self.add_index(index, timeout)
    }

    /// As [`add`](EventBase::add), with the point in time at which the event is due. The clock is not read, unless the
    /// event is persistent: then it comes again after each such span, which is what is left until then when the call is made;
    /// for an exact period, use [`add`](EventBase::add).
    ///
    /// # Errors
    ///
    /// As [`add`](EventBase::add).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{Event, EventBase, Fixed, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// let timer = base.create(Event::timer(), "one shot").unwrap();
    /// let deadline = base.now().saturating_add(Duration::from_secs(1));
    /// base.add_at(timer, deadline).unwrap();
    /// ```
    pub fn add_at(&mut self, id: EventId, deadline: Instant) -> Result<(), Error<B::Error>> {
        let index = self.settle_for(id)?;
        let mut interval = 0;
        if !self.columns.events.state(index).contains(State::ONE_SHOT) {
            interval = deadline.nanos_since(self.fresh_now());
        }
        self.add_index(index, Some(Timeout { deadline, interval }))
    }

    fn add_index(&mut self, index: S::Index, timeout: Option<Timeout>) -> Result<(), Error<B::Error>> {
        self.backend.usable().map_err(Error::Backend)?;
        let mut state = self.columns.events.state(index);
        if state.intersects(State::SOURCE) && !state.is_watched() {
            self.register(index, state)?;
            state = self.columns.events.state(index);
        }
        if let Some(timeout) = timeout {
            self.columns.active.retract(index, Ready::TIMEOUT);
            self.columns.timers.set(index, timeout.deadline, timeout.interval);
            if !state.contains(State::TIMED) {
                self.columns.set_state(index, state.union(State::TIMED));
            }
        }
        Ok(())
    }

    /// Registers what the event waits for besides time.
    fn register(&mut self, index: S::Index, state: State) -> Result<(), Error<B::Error>> {
        if state.contains(State::IO) {
            self.register_fd(index)?;
        } else {
            self.register_other(index, state)?;
        }
        self.columns.set_state(index, state | State::PENDING);
        if state.contains(State::PAUSED) {
            self.end_pause(index);
        }
        Ok(())
    }

    fn register_fd(&mut self, index: S::Index) -> Result<(), Error<B::Error>> {
        self.check_supported(self.columns.fds.interest(index))?;
        match self.columns.fds.try_join(index) {
            Joining::Done => Ok(()),
            Joining::Register => self.register_now(index),
            Joining::Mixed => Err(Error::Mixed),
            Joining::Unbound => Err(Error::Kind),
        }
    }

    /// The fd begins to be watched for one event, which then joins its list.
    #[inline(never)]
    fn register_now(&mut self, index: S::Index) -> Result<(), Error<B::Error>> {
        let (fd, token, interest) = self.columns.fds.begin_registration(index).ok_or(Error::Kind)?;
        self.backend.add(fd, token, interest, &mut self.columns.fds).map_err(Error::Backend)?;
        self.columns.fds.registered(index, interest);
        Ok(())
    }

    #[inline(never)]
    fn register_other(&mut self, index: S::Index, state: State) -> Result<(), Error<B::Error>> {
        if state.contains(State::SIGNAL) {
            return self.register_signal(index);
        }
        self.columns.watchers.set_pending(index, true);
        Ok(())
    }

    fn check_supported(&self, interest: Interest) -> Result<(), Error<B::Error>> {
        let features = self.backend.features();
        let edge = interest.contains(Interest::EDGE) && !features.contains(Features::EDGE);
        let only = |bit, feature| interest.difference(Interest::EDGE) == bit && !features.contains(feature);
        if edge || only(Interest::CLOSED, Features::CLOSED) || only(Interest::PRIORITY, Features::PRIORITY) {
            return Err(Error::Unsupported);
        }
        Ok(())
    }

    fn register_signal(&mut self, index: S::Index) -> Result<(), Error<B::Error>> {
        let signum = self.columns.signals.signum(index).ok_or(Error::Kind)?;
        if !self.columns.signals.is_watched(signum) {
            let signals = self.backend.signals().ok_or(Error::Unsupported)?;
            signals.add(signum).map_err(Error::Backend)?;
        }
        self.columns.signals.set_pending(index, true);
        Ok(())
    }

    /// Changes what an event of an fd waits for, in place. What it was queued for, by hand too, and does not wait for any
    /// more is dropped. The backend is told before the next wait, if the union of the fd's interests has changed by then; from an
    /// empty interest, at once.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`]; [`Error::Kind`] for an event without an fd; else as [`add`](EventBase::add). Nothing has changed
    /// then.
    ///
    /// ```
    /// # use evcore::{EventBase, Fixed, Interest, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// let event = base.insert(3, Interest::READ, "connection").unwrap();
    /// base.modify(event, Interest::READ | Interest::WRITE).unwrap();
    /// assert_eq!(base.interest(event), Some(Interest::READ | Interest::WRITE));
    /// ```
    pub fn modify(&mut self, id: EventId, interest: Interest) -> Result<(), Error<B::Error>> {
        let mut interest = Interest::from_bits_truncate(interest.bits());
        let is_silent = interest.difference(Interest::EDGE).is_empty();
        if is_silent {
            interest = Interest::empty();
        }
        let index = self.settle_for(id)?;
        let state = self.columns.events.state(index);
        if !state.contains(State::IO) {
            return Err(Error::Kind);
        }
        self.backend.usable().map_err(Error::Backend)?;
        let old = self.columns.fds.interest(index);
        if old == interest {
            return Ok(());
        }
        let is_registered = state.is_watched();
        if !is_registered {
            self.columns.fds.set_interest(index, interest);
        } else if old.is_empty() {
            self.columns.fds.set_interest(index, interest);
            if let Err(error) = self.register_fd(index) {
                self.columns.fds.set_interest(index, old);
                return Err(error);
            }
        } else {
            self.check_supported(interest)?;
            if !self.columns.fds.change(index, interest) {
                return Err(Error::Mixed);
            }
        }
        let dropped = Ready::from_bits_retain(old.difference(interest).difference(Interest::EDGE).bits());
        self.columns.active.retract(index, if is_silent { Ready::IO } else { dropped });
        Ok(())
    }

    /// Moves an event to another fd; everything else of it stays as it is. A pending event is registered there at once.
    ///
    /// # Errors
    ///
    /// As [`modify`](EventBase::modify), and [`Error::Full`]. The event stays on its old fd then, and pending if it was.
    /// (Unless the backend refuses that one too; then it is not pending any more, and told ERROR.)
    ///
    /// ```
    /// # use evcore::{EventBase, Fixed, Interest, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// let event = base.insert(3, Interest::READ, "connection").unwrap();
    /// base.replace_fd(event, 4).unwrap();
    /// assert_eq!(base.fd(event), Some(4));
    /// ```
    pub fn replace_fd(&mut self, id: EventId, fd: B::Fd) -> Result<(), Error<B::Error>> {
        let index = self.settle_for(id)?;
        let state = self.columns.events.state(index);
        let old = self.columns.fds.fd(index).ok_or(Error::Kind)?;
        self.backend.usable().map_err(Error::Backend)?;
        self.move_to(index, fd)?;
        let is_watched = state.is_watched();
        let outcome = if is_watched { self.register_fd(index) } else { Ok(()) };
        let Err(error) = outcome else {
            // What was found on the old fd says nothing of the new one.
            self.columns.active.retract(index, Ready::IO);
            return Ok(());
        };
        let back = self.move_to(index, old).and_then(|()| self.register_fd(index));
        if back.is_err() {
            self.columns.expel(index);
        }
        Err(error)
    }

    /// Unbinds an event from its fd and binds it to another, registered with neither.
    fn move_to(&mut self, index: S::Index, fd: B::Fd) -> Result<(), Error<B::Error>> {
        let interest = self.columns.fds.interest(index);
        let state = self.columns.events.state(index);
        let was_registered = state.is_watched();
        self.columns.fds.leave(index);
        let old = self.columns.fds.fd(index);
        // The old fd is given up first: with fixed capacity its row may be the one that is needed.
        self.give_up_fd(index);
        match self.columns.fds.attach(fd) {
            Ok(row) => {
                self.columns.fds.bind(index, row, interest);
                Ok(())
            }
            Err(_) => {
                let back = old.and_then(|old| self.columns.fds.attach(old).ok());
                if let Some(row) = back {
                    self.columns.fds.bind(index, row, interest);
                }
                if was_registered && self.register_fd(index).is_err() {
                    self.columns.expel(index);
                }
                Err(Error::Full)
            }
        }
    }

    fn give_up_fd(&mut self, index: S::Index) {
        let row = self.columns.fds.row_of(index);
        if let Some(ended) = self.columns.fds.detach(index) {
            self.backend.del(ended.fd, ended.token, ended.told, &mut self.columns.fds);
        }
        if let Some(row) = row {
            self.columns.fds.release(row);
        }
    }

    /// Leaves an event's fd alone for a while, as a listener does that has run out of descriptors. Its readiness costs no
    /// wake-up until then; what it was queued for is dropped. A timeout of its own begins anew after the pause. Others may
    /// watch the fd meanwhile; if these are edge-triggered and this one is not, or the other way round, it is told ERROR when
    /// the pause ends, and is not pending any more.
    /// [`add`](EventBase::add) ends the pause early.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`]; [`Error::Kind`] when the event is not pending on an fd.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{EventBase, Fixed, Interest, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// let listener = base.insert(3, Interest::READ, "listener").unwrap();
    /// base.pause_for(listener, Duration::from_millis(100)).unwrap();
    /// ```
    pub fn pause_for(&mut self, id: EventId, pause: Duration) -> Result<(), Error<B::Error>> {
        let index = self.settle_for(id)?;
        let mut state = self.columns.events.state(index);
        if !state.contains(State::IO.union(State::PENDING)) {
            return Err(Error::Kind);
        }
        self.backend.usable().map_err(Error::Backend)?;
        self.columns.fds.leave(index);
        self.columns.active.cancel(index);
        if state.contains(State::TIMED) {
            state |= State::TIMED_BEFORE;
        }
        self.columns.set_state(index, state.union(State::PAUSED).difference(State::TIMED));
        let end = self.fresh_now().saturating_add(pause);
        self.columns.timers.cancel(index);
        self.columns.timers.arm(index, end);
        Ok(())
    }

    /// The pause is over: its fd is watched again. If the backend refuses, the event is told.
    pub(super) fn resume(&mut self, index: S::Index) {
        self.end_pause(index);
        if self.register_fd(index).is_err() {
            self.columns.expel(index);
        }
    }

    fn end_pause(&mut self, index: S::Index) {
        let state = self.columns.events.state(index);
        self.columns.timers.cancel(index);
        let mut resumed = state.difference(State::PAUSED.union(State::TIMED_BEFORE));
        if state.contains(State::TIMED_BEFORE) {
            resumed |= State::TIMED;
            let now = self.now();
            self.columns.timers.arm_after(index, now);
        }
        self.columns.set_state(index, resumed);
    }

    /// Drops the event's timeout, an expired one that is queued included; what else it waits for stays. (An activation by
    /// hand without any bits, that an expired timeout has joined in the queue, goes with it.)
    ///
    /// # Errors
    ///
    /// [`Error::Stale`].
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{EventBase, Fixed, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// let timer = base.insert_timer(Duration::from_secs(1), "never").unwrap();
    /// base.remove_timer(timer).unwrap();
    /// assert!(base.is_empty());
    /// ```
    #[doc(alias = "event_remove_timer")]
    pub fn remove_timer(&mut self, id: EventId) -> Result<(), Error<B::Error>> {
        let index = self.settle_for(id)?;
        let state = self.columns.events.state(index);
        if !state.contains(State::PAUSED) {
            self.columns.timers.cancel(index);
        }
        self.columns.active.retract(index, Ready::TIMEOUT);
        self.columns.set_state(index, state.difference(State::TIMED.union(State::TIMED_BEFORE)));
        Ok(())
    }

    // Active.

    /// Queues an event by hand (`event_active`), with any bits, none included. Bits of an active event are added to. An
    /// event that this turn has handed out already comes in the next one, and so does one that
    /// [`again`](EventBase::again) has put off; any other in this turn, if its bound allows.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`].
    ///
    /// ```
    /// # use evcore::{Event, EventBase, Fixed, Manual, Ready};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// let event = base.create(Event::user(), "mine").unwrap();
    /// base.activate(event, Ready::empty()).unwrap();
    /// assert_eq!(base.counts().active, 1);
    /// ```
    #[doc(alias = "event_active")]
    #[doc(alias = "evuser_trigger")]
    pub fn activate(&mut self, id: EventId, ready: Ready) -> Result<(), Error<B::Error>> {
        let index = self.settle_for(id)?;
        self.columns.activate(index, ready);
        Ok(())
    }

    /// Has an event handed out in the next turn, with [`Ready::AGAIN`], which does not wait then: for a handler that has
    /// not finished, and whose rest is in a buffer that the kernel knows nothing of. An event that is queued already keeps
    /// its place, and comes with this bit too.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`].
    ///
    /// ```
    /// # use evcore::{Event, EventBase, Fixed, Manual, Ready};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// let event = base.create(Event::user(), "unfinished").unwrap();
    /// base.again(event).unwrap();
    /// ```
    pub fn again(&mut self, id: EventId) -> Result<(), Error<B::Error>> {
        let index = self.settle_for(id)?;
        self.columns.active.activate_later(index, Ready::AGAIN);
        self.columns.note_active(0);
        Ok(())
    }

    /// Queues all events that are pending on `fd`, as if the backend had reported `ready`; with [`Ready::TIMEOUT`], those
    /// that have a timeout (`event_base_active_by_fd`).
    ///
    /// ```
    /// # use evcore::{EventBase, Fixed, Interest, Manual, Ready};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.insert(3, Interest::READ, "reader").unwrap();
    /// base.activate_fd(3, Ready::READ | Ready::WRITE);
    /// assert_eq!(base.counts().active, 1);
    /// ```
    #[doc(alias = "event_base_active_by_fd")]
    pub fn activate_fd(&mut self, fd: B::Fd, ready: Ready) {
        self.settle();
        self.columns.activate_fd(fd, ready);
    }

    /// Queues all events that are pending on a signal, as if it had arrived once (`event_base_active_by_signal`).
    ///
    /// ```
    /// # use evcore::{EventBase, Fixed, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.insert_signal(15, "terminate").unwrap();
    /// base.activate_signal(15);
    /// assert_eq!(base.counts().active, 1);
    /// ```
    #[doc(alias = "event_base_active_by_signal")]
    pub fn activate_signal(&mut self, signum: Signum) {
        self.settle();
        self.columns.activate_signal(signum);
    }

    // The end.

    /// Makes an event wait for nothing (`event_del`): off its fd, its timeout dropped, taken out of its queue. It is not
    /// handed out until it is added or activated again. Nothing happens to an event that is idle.
    ///
    /// The event keeps its fd, and the backend is told before the next wait. So close the descriptor after
    /// [`remove`](EventBase::remove), or after the next [`poll`](EventBase::poll), but not between `del` and `poll`.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`].
    ///
    /// ```
    /// # use evcore::{EventBase, Fixed, Interest, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// let event = base.insert(3, Interest::READ, "reader").unwrap();
    /// base.del(event).unwrap();
    /// base.add(event, None).unwrap();
    /// ```
    #[doc(alias = "event_del")]
    #[doc(alias = "event_del_block")]
    #[doc(alias = "event_del_noblock")]
    #[doc(alias = "evtimer_del")]
    #[doc(alias = "evsignal_del")]
    #[doc(alias = "evuser_del")]
    pub fn del(&mut self, id: EventId) -> Result<(), Error<B::Error>> {
        let index = self.settle_for(id)?;
        self.disarm(index);
        self.columns.active.cancel(index);
        Ok(())
    }

    /// Ends an event and gives its data back (`event_free`). `None` when it has been removed before.
    ///
    /// The fd of its last event is taken out of the backend before this returns, so the data may be dropped, and the
    /// descriptor in it closed, at once.
    ///
    /// ```
    /// # use evcore::{EventBase, Fixed, Interest, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// let event = base.insert(3, Interest::READ, "reader").unwrap();
    /// assert_eq!(base.remove(event), Some("reader"));
    /// assert_eq!(base.remove(event), None);
    /// ```
    #[doc(alias = "event_free")]
    #[doc(alias = "event_finalize")]
    #[doc(alias = "event_free_finalize")]
    #[doc(alias = "evwatch_free")]
    pub fn remove(&mut self, id: EventId) -> Option<T> {
        let index = self.settle_for(id).ok()?;
        if self.columns.running == index {
            self.columns.running = Index::NIL;
        }
        self.disarm(index);
        self.columns.active.cancel(index);
        let state = self.columns.events.state(index);
        if state.contains(State::IO) {
            self.give_up_fd(index);
        } else if state.contains(State::SIGNAL) {
            self.columns.signals.remove(index);
        } else if state.contains(State::WATCHER) {
            self.columns.watchers.remove(index);
        }
        self.columns.events.remove(index)
    }

    /// Takes an event out of everything it waits for. Its activation, if it has one, stays.
    pub(super) fn disarm(&mut self, index: S::Index) {
        let state = self.columns.events.state(index);
        if state.contains(State::IO) {
            self.columns.fds.leave(index);
        } else if state.intersects(State::SOURCE) {
            self.unregister_other(index, state);
        }
        self.columns.timers.cancel(index);
        self.columns.set_state(index, state.difference(State::ARMED));
    }

    #[inline(never)]
    fn unregister_other(&mut self, index: S::Index, state: State) {
        if state.contains(State::WATCHER) {
            self.columns.watchers.set_pending(index, false);
        } else if state.contains(State::PENDING) {
            self.unwatch_signal(index);
        }
    }

    fn unwatch_signal(&mut self, index: S::Index) {
        self.columns.signals.set_pending(index, false);
        let Some(signum) = self.columns.signals.signum(index) else { return };
        if !self.columns.signals.is_watched(signum) {
            if let Some(signals) = self.backend.signals() {
                signals.del(signum);
            }
        }
    }

    /// Removes the event that was handed out for the only time.
    pub(super) fn remove_spent(&mut self) {
        if self.columns.rare.contains(Rare::SPENT) {
            self.columns.rare.remove(Rare::SPENT);
            if let Some(id) = self.running_event() {
                self.remove(id);
            }
        }
    }

    /// The slot of an event that is going to be changed: first, what the wait found gets its place in the queues.
    pub(super) fn settle_for(&mut self, id: EventId) -> Result<S::Index, Error<B::Error>> {
        self.settle();
        self.columns.events.resolve(id).ok_or(Error::Stale)
    }
}
