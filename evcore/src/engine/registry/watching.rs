//! What events wait for besides time: fds, signals, and the wait itself.

use super::queue::Node;
use super::{Change, Changed, Joining, Kind, Life, News, Registry, State, Timing};
use crate::backend::{Descriptor, Signum, Token};
use crate::ready::{Interest, Ready};
use crate::storage::{Full, Index, Storage};
use crate::time::Instant;

impl<F: Descriptor, D: Default, T, S: Storage> Registry<F, D, T, S> {
    // Fds: see `Fds`.

    pub(in crate::engine) fn fd(&self, index: S::Index) -> Option<F> {
        self.fds.fd(index)
    }

    pub(in crate::engine) fn interest(&self, index: S::Index) -> Interest {
        self.fds.interest(index)
    }

    pub(in crate::engine) fn try_join(&mut self, index: S::Index) -> Joining {
        self.fds.try_join(index)
    }

    pub(in crate::engine) fn begin_registration(&mut self, index: S::Index) -> Option<(F, Token, Interest)> {
        self.fds.begin_registration(index)
    }

    pub(in crate::engine) fn registered(&mut self, index: S::Index, interest: Interest) {
        self.fds.registered(index, interest);
    }

    pub(in crate::engine) fn leave(&mut self, index: S::Index) {
        self.fds.leave(index);
    }

    pub(in crate::engine) fn set_interest(&mut self, index: S::Index, interest: Interest) {
        self.fds.set_interest(index, interest);
    }

    /// Sets the interest of an event in its fd's list, if the backend supports it.
    #[inline]
    pub(in crate::engine) fn change_interest(
        &mut self,
        index: S::Index,
        interest: Interest,
        is_supported: bool,
    ) -> Changed {
        self.fds.change(index, interest, is_supported)
    }

    pub(in crate::engine) fn has_room_to_move(&mut self, index: S::Index, fd: F) -> bool {
        self.fds.has_room_to_move(index, fd)
    }

    pub(in crate::engine) fn bind(&mut self, index: S::Index, fd: F, interest: Interest) -> Result<(), Full> {
        let row = self.fds.attach(fd)?;
        self.fds.bind(index, row, interest);
        Ok(())
    }

    /// Unbinds the event from its fd, before [`Registry::release`]. Returns what the backend must end after the fd's
    /// last event.
    pub(in crate::engine) fn unbind(&mut self, index: S::Index) -> (S::Index, Option<Change<F>>) {
        let row = self.fds.row_of(index).unwrap_or(Index::NIL);
        (row, self.fds.detach(index))
    }

    pub(in crate::engine) fn release(&mut self, row: S::Index) {
        self.fds.release(row);
    }

    pub(in crate::engine) fn unwanted(&self, index: S::Index) -> Option<Change<F>> {
        self.fds.unwanted(index)
    }

    pub(in crate::engine) fn has_changes(&self) -> bool {
        self.fds.has_changes()
    }

    pub(in crate::engine) fn next_change(&mut self) -> Option<Change<F>> {
        self.fds.next_change()
    }

    pub(in crate::engine) fn applied(&mut self, change: &Change<F>) {
        self.fds.applied(change);
    }

    /// The number was another file's, which the backend has registered: detaches the events of the old file, and gives
    /// the registration another token.
    pub(in crate::engine) fn replaced(&mut self, change: &Change<F>) {
        self.detach_verified(change.token);
        self.fds.applied(change);
        self.fds.renew(change.token);
    }

    pub(in crate::engine) fn next_registration(&self, after: Token) -> Option<(Token, F)> {
        self.fds.next_registration(after)
    }

    /// The backend has lost everything, its requests included: everything must be registered again.
    pub(in crate::engine) fn forget_registrations(&mut self) {
        self.news.remove(News::REBUILD.union(News::REBUILD_LATER));
        self.stale = 0;
        self.fds.forget_all();
    }

    /// Whether the backend must be rebuilt or was woken.
    pub(in crate::engine) fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    pub(in crate::engine) fn is_rebuild_due(&self) -> bool {
        S::IS_SHARED && self.news.contains(News::REBUILD)
    }

    pub(super) fn request_rebuild(&mut self) {
        if S::IS_SHARED && !self.news.contains(News::REBUILD_LATER) {
            self.news.insert(News::REBUILD);
        }
    }

    /// The rebuild has failed; [`Registry::list_refused`] requests it again.
    pub(in crate::engine) fn postpone_rebuild(&mut self) {
        self.news.remove(News::REBUILD);
        self.news.insert(News::REBUILD_LATER);
    }

    pub(in crate::engine) fn is_woken(&self) -> bool {
        self.news.contains(News::WOKEN)
    }

    pub(in crate::engine) fn forget_wake(&mut self) {
        self.news.remove(News::WOKEN);
    }

    // Temporary refusals of the backend.

    pub(in crate::engine) fn join_unregistered(&mut self, index: S::Index) {
        self.fds.join_unregistered(index);
    }

    pub(in crate::engine) fn refused(&mut self, change: &Change<F>) {
        self.fds.refused(change);
    }

    pub(in crate::engine) fn list_refused(&mut self) {
        if self.news.contains(News::REBUILD_LATER) {
            self.news.remove(News::REBUILD_LATER);
            self.news.insert(News::REBUILD);
        }
        self.fds.list_all();
    }

    // Signals.

    pub(in crate::engine) fn signum(&self, index: S::Index) -> Option<Signum> {
        self.signals.signum(index)
    }

    pub(in crate::engine) fn is_signal_watched(&self, signum: Signum) -> bool {
        self.signals.is_watched(signum)
    }

    pub(in crate::engine) fn count_arrivals(&mut self, index: S::Index, count: u32) {
        self.signals.count(index, count);
    }

    /// How many signals a hand-out of this event stands for, from now on none.
    pub(in crate::engine) fn take_signal_count(&mut self, index: S::Index) -> u32 {
        self.signals.take_count(index)
    }

    // The life of an event.

    /// Marks an event of this state as registered, after its fd if it has one.
    #[inline]
    pub(in crate::engine) fn set_registered(&mut self, index: S::Index, state: State<S>) {
        if !state.is_of(Kind::Io) {
            self.watch(index, state.kind());
        }
        self.set_state(index, state.with_life(Life::Registered));
    }

    /// Registers an event without an fd.
    #[inline(never)]
    fn watch(&mut self, index: S::Index, kind: Kind) {
        match kind {
            Kind::Signal => self.signals.set_pending(index, true),
            Kind::Watcher => self.watchers.set_pending(index, true),
            Kind::Io | Kind::Plain => {}
        }
    }

    /// Stops watching the event's fd until `end`.
    pub(in crate::engine) fn pause(&mut self, index: S::Index, end: Instant) {
        self.fds.leave(index);
        self.cancel(index);
        let was_live = self.state(index).has_timer();
        let state = self.state(index).with_life(Life::Paused);
        self.set_state(index, if state.is_timed() { state.with_timing(Timing::Suspended) } else { state });
        self.timers.arm(index, end, was_live);
    }

    /// Ends the pause: a suspended timeout restarts at `now`. The fd is still to be joined.
    #[inline(never)]
    pub(in crate::engine) fn end_pause(&mut self, index: S::Index, now: Instant) {
        let state = self.state(index).with_life(Life::Registered);
        if state.timing() == Timing::Suspended {
            self.set_state(index, state.with_timing(Timing::Armed));
            self.timers.arm_after(index, now, true);
        } else {
            self.set_state(index, state);
            // Unless the pause is over.
            if self.timers.has_entry(index) {
                self.cancel_timer(index);
            }
        }
    }

    pub(in crate::engine) fn set_unverified(&mut self, index: S::Index) {
        self.fds.set_unverified(index);
    }

    /// Makes an event wait for nothing; an activation stays. Returns a signal on which no event is pending any more.
    pub(in crate::engine) fn disarm(&mut self, index: S::Index) -> Option<Signum> {
        let state = self.state(index);
        if !state.is_pending() {
            return None;
        }
        let unwatched = match state.is_of(Kind::Io) {
            true => {
                self.fds.leave(index);
                None
            }
            false => self.unwatch(index, state),
        };
        if let Some(place) = self.slots.state_mut(index) {
            *place = state.disarmed();
        }
        if state.has_timer() {
            self.cancel_timer(index);
        }
        self.count_idle(state);
        unwatched
    }

    /// Disarms the timer of an event whose state has none now.
    // Out of line: most events on fds have no timer.
    #[inline(never)]
    pub(super) fn cancel_timer(&mut self, index: S::Index) {
        // One that has expired is not in the heap.
        if S::IS_SCANNED || !self.slots.node(index).is_some_and(Node::is_expired) || self.timers.has_entry(index) {
            self.timers.cancel(index, |index| self.slots.has_timer(index));
        }
    }

    /// As [`Registry::disarm`], for what an event without an fd waits for besides time.
    #[inline(never)]
    fn unwatch(&mut self, index: S::Index, state: State<S>) -> Option<Signum> {
        match state.kind() {
            Kind::Plain | Kind::Io => return None,
            Kind::Watcher => {
                self.watchers.set_pending(index, false);
                return None;
            }
            Kind::Signal => self.signals.set_pending(index, false),
        }
        let signum = self.signals.signum(index).filter(|signum| !self.signals.is_watched(*signum));
        signum.filter(|_| state.is_registered())
    }

    /// Makes an event wait for nothing, because its fd is gone or cannot be watched, and queues it with ERROR.
    pub(in crate::engine) fn detach(&mut self, index: S::Index) {
        self.fds.leave(index);
        // Added again, it must be registered from scratch: the backend's entry for the number is stale.
        self.set_unverified(index);
        let state = self.state(index);
        self.set_state(index, state.disarmed());
        if state.has_timer() {
            self.cancel_timer(index);
        }
        self.activate(index, Ready::ERROR);
    }
}
