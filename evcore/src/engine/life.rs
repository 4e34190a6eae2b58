//! The life of an event where the backend is involved: added, changed, paused, removed.

use super::Engine;
use super::registry::{Alone, Change, Changed, Joining, Kind, Life, Timing};
use crate::backend::{EventOp, Features, Signum};
use crate::error::Error;
use crate::ready::{Interest, Ready};
use crate::storage::Storage;
use crate::time::Instant;

/// When an event is due, and its interval in nanoseconds.
#[derive(Clone, Copy)]
pub(crate) struct Timeout {
    pub(crate) deadline: Instant,
    pub(crate) interval: u64,
}

impl<B: EventOp, S: Storage, T> Engine<B, S, T> {
    /// Before each change: wakes the sleeper, and fails in the child of a fork.
    #[inline]
    fn begin_change(&mut self) -> Result<(), Error<B::Error>> {
        if !S::IS_SMALL && self.backend.is_usual() { Ok(()) } else { self.begin_unusual_change() }
    }

    // Out of line: the test alone is part of each change.
    #[inline(never)]
    fn begin_unusual_change(&mut self) -> Result<(), Error<B::Error>> {
        self.backend.wake_sleeper();
        self.backend.usable().map_err(Error::Backend)
    }

    // Pending.

    /// The interval for a deadline; zero, without reading the clock, for an event that never uses it.
    pub(crate) fn interval_until(&self, index: S::Index, deadline: Instant) -> u64 {
        let is_used = self.registry.state(index).uses_interval();
        if is_used { deadline.nanos_since(self.fresh_now()) } else { 0 }
    }

    /// As [`Engine::add`], for a timer that is not active and never uses an interval. `false`: it does not apply, and
    /// nothing has changed.
    #[inline(always)]
    pub(crate) fn start_one_shot(&mut self, index: S::Index, deadline: Instant) -> bool {
        !S::IS_SMALL
            && self.backend.is_usual()
            && !self.registry.state(index).uses_interval()
            && self.registry.start_timer(index, deadline, 0)
    }

    /// As [`Engine::add`] without a timeout, for most events on fds, if the fd is registered.
    #[inline(always)]
    pub(crate) fn add_alone(&mut self, index: S::Index) -> Alone {
        if S::IS_SMALL || !self.backend.is_usual() { Alone::Not } else { self.registry.add_alone(index) }
    }

    /// As [`Engine::add`], for an event that is [`Alone::Unregistered`].
    #[inline(never)]
    pub(crate) fn register_alone(&mut self, index: S::Index) -> Result<(), Error<B::Error>> {
        self.register(index)?;
        self.registry.registered_alone(index);
        Ok(())
    }

    // Inlined, so that the timeout is not passed through memory.
    #[inline(always)]
    pub(crate) fn add(&mut self, index: S::Index, timeout: Option<Timeout>) -> Result<(), Error<B::Error>> {
        self.begin_change()?;
        if let Some(Timeout { deadline, interval }) = timeout.filter(|_| !S::IS_SMALL) {
            if self.registry.start_timer(index, deadline, interval) {
                return Ok(());
            }
        }
        let state = self.registry.state(index);
        if state.is_to_be_registered() {
            if state.is_of(Kind::Io) {
                self.register_fd(index)?;
            } else if state.is_of(Kind::Signal) {
                self.register_signal(index)?;
            }
            if state.life() == Life::Paused {
                let now = self.fresh_now();
                self.registry.end_pause(index, now);
            } else {
                self.registry.set_registered(index, state);
            }
        }
        match timeout {
            Some(Timeout { deadline, interval }) => self.registry.set_timeout(index, deadline, interval),
            None if state.timing() == Timing::Suspended => self.start_timeout(index),
            None => {}
        }
        Ok(())
    }

    /// Starts the event's own timeout, unless the end of a pause has done it.
    #[inline(never)]
    fn start_timeout(&mut self, index: S::Index) {
        if self.registry.state(index).timing() == Timing::Suspended {
            let now = self.fresh_now();
            self.registry.start_timeout(index, now);
        }
    }

    /// Restarts the event's timeout, and adds the event if it is not pending.
    pub(crate) fn restart(&mut self, index: S::Index) -> Result<(), Error<B::Error>> {
        let state = self.registry.state(index);
        if !state.had_timeout() {
            return Err(Error::WrongKind);
        }
        if state.life() == Life::Paused {
            return Ok(());
        }
        let (_, interval) = self.registry.period(index);
        if interval == 0 && !state.uses_interval() {
            return Err(Error::WrongKind);
        }
        let deadline = self.fresh_now().saturating_add_nanos(interval);
        self.add(index, Some(Timeout { deadline, interval }))
    }

    #[inline]
    fn register_fd(&mut self, index: S::Index) -> Result<(), Error<B::Error>> {
        self.check_supported(self.registry.interest(index))?;
        match self.registry.try_join(index) {
            Joining::Done => Ok(()),
            Joining::Register if S::IS_SMALL => self.register(index),
            Joining::Register => self.register_now(index),
            Joining::Mixed => Err(Error::EdgeAndLevel),
            Joining::Unbound => Err(Error::WrongKind),
        }
    }

    /// Registers the fd for one event, which then joins its list.
    #[inline(never)]
    fn register_now(&mut self, index: S::Index) -> Result<(), Error<B::Error>> {
        self.register(index)
    }

    #[inline(always)]
    fn register(&mut self, index: S::Index) -> Result<(), Error<B::Error>> {
        let (fd, token, interest) = self.registry.begin_registration(index).ok_or(Error::WrongKind)?;
        self.backend.add(fd, token, interest, &mut self.registry).map_err(Error::Backend)?;
        self.registry.registered(index, interest);
        Ok(())
    }

    fn register_signal(&mut self, index: S::Index) -> Result<(), Error<B::Error>> {
        let signum = self.registry.signum(index).ok_or(Error::WrongKind)?;
        if self.registry.is_signal_watched(signum) {
            return Ok(());
        }
        let signals = self.backend.signals().ok_or(Error::Unsupported)?;
        signals.add(signum).map_err(Error::Backend)
    }

    #[inline]
    fn check_supported(&self, interest: Interest) -> Result<(), Error<B::Error>> {
        if Interest::READ.union(Interest::WRITE).contains(interest) {
            // Every backend can.
            return Ok(());
        }
        let features = self.backend.features();
        let edge = interest.contains(Interest::EDGE) && !(B::HAS_EDGE && features.contains(Features::EDGE));
        let only = |bit, feature| interest.difference(Interest::EDGE) == bit && !features.contains(feature);
        if edge || only(Interest::CLOSED, Features::CLOSED) || only(Interest::URGENT, Features::URGENT) {
            return Err(Error::Unsupported);
        }
        Ok(())
    }

    // Changes.

    /// As [`Engine::modify`], for most events and interests. `false`: it does not apply, and nothing has changed.
    #[inline(always)]
    pub(crate) fn modify_alone(&mut self, index: S::Index, interest: Interest) -> bool {
        !S::IS_SMALL
            && Interest::READ.union(Interest::WRITE).contains(interest)
            && !interest.is_empty()
            && self.backend.is_usual()
            && self.registry.change_alone(index, interest)
    }

    pub(crate) fn modify(&mut self, index: S::Index, interest: Interest) -> Result<(), Error<B::Error>> {
        let interest = normalized(interest);
        let state = self.registry.state(index);
        if !state.is_of(Kind::Io) {
            return Err(Error::WrongKind);
        }
        self.begin_change()?;
        let is_supported = self.check_supported(interest).is_ok();
        let old = match self.registry.change_interest(index, interest, is_supported) {
            Changed::Done(old) => old,
            Changed::Idle(old) if old == interest => return Ok(()),
            Changed::Idle(old) => {
                self.modify_idle(index, old, interest)?;
                old
            }
            Changed::Unsupported => return Err(Error::Unsupported),
            Changed::Mixed => return Err(Error::EdgeAndLevel),
        };
        let dropped = Ready::from_bits_retain(old.difference(interest).difference(Interest::EDGE).bits());
        self.registry.retract(index, if interest.is_empty() { Ready::IO } else { dropped });
        Ok(())
    }

    /// Changes the interest of an event that is in no list.
    #[inline(never)]
    fn modify_idle(&mut self, index: S::Index, old: Interest, interest: Interest) -> Result<(), Error<B::Error>> {
        self.registry.set_interest(index, interest);
        if !self.registry.state(index).is_watching() {
            return Ok(());
        }
        self.register_fd(index).inspect_err(|_| self.registry.set_interest(index, old))
    }

    pub(crate) fn replace_fd(&mut self, index: S::Index, fd: B::Fd) -> Result<(), Error<B::Error>> {
        let old = self.registry.fd(index).ok_or(Error::WrongKind)?;
        self.begin_change()?;
        let is_watching = self.registry.state(index).life() == Life::Registered;
        self.move_to(index, fd, old, is_watching)?;
        let outcome = if is_watching { self.register_fd(index) } else { Ok(()) };
        let Err(error) = outcome else {
            // What was found on the old fd does not apply to the new one.
            self.registry.retract(index, Ready::IO);
            return Ok(());
        };
        match self.move_to(index, old, fd, is_watching) {
            Ok(()) => self.register_again(index),
            Err(_) => self.registry.detach(index),
        }
        Err(error)
    }

    /// Binds an event to another fd, without registering it.
    fn move_to(&mut self, index: S::Index, fd: B::Fd, old: B::Fd, is_watching: bool) -> Result<(), Error<B::Error>> {
        if !self.registry.has_room_to_move(index, fd) {
            return Err(Error::Full);
        }
        let interest = self.registry.interest(index);
        self.registry.leave(index);
        // The old fd first: a fixed storage may need its row.
        self.give_up_fd(index);
        if self.registry.bind(index, fd, interest).is_ok() {
            return Ok(());
        }
        // Only if the allocator refuses.
        let is_back = self.registry.bind(index, old, interest).is_ok();
        match is_watching {
            true if is_back => self.register_again(index),
            true => self.registry.detach(index),
            false => {}
        }
        Err(Error::Full)
    }

    /// Unbinds the event from its fd, and ends the registration after the last one.
    fn give_up_fd(&mut self, index: S::Index) {
        let (row, ended) = self.registry.unbind(index);
        if let Some(ended) = ended {
            self.backend.del(ended.fd, ended.token, ended.registered, &mut self.registry);
        }
        self.registry.release(row);
    }

    /// Registers the event's fd as before. If the backend refuses temporarily, retries before the next wait and later;
    /// else the event gets ERROR.
    fn register_again(&mut self, index: S::Index) {
        match self.register_fd(index) {
            Ok(()) => {}
            Err(Error::Backend(error)) if B::IS_SHARED && B::is_temporary(&error) => {
                self.registry.join_unregistered(index);
            }
            Err(_) => self.registry.detach(index),
        }
    }

    // Pauses.

    pub(crate) fn pause(&mut self, index: S::Index, pause: u64) -> Result<(), Error<B::Error>> {
        if !self.registry.state(index).is_of(Kind::Io) {
            return Err(Error::WrongKind);
        }
        self.begin_change()?;
        let end = self.fresh_now().saturating_add_nanos(pause);
        self.registry.pause(index, end);
        Ok(())
    }

    pub(super) fn resume(&mut self, index: S::Index, now: Instant) {
        self.registry.end_pause(index, now);
        // Other events of the fd may wait for a file that the number no longer stands for.
        self.registry.set_unverified(index);
        self.register_again(index);
    }

    // Timeouts and activation.

    pub(crate) fn remove_timeout(&mut self, index: S::Index) {
        self.registry.remove_timeout(index);
    }

    pub(crate) fn activate(&mut self, index: S::Index, ready: Ready) {
        self.registry.activate(index, ready);
    }

    /// Queues a pending signal event as if its signal had arrived `count` times.
    pub(crate) fn activate_counted(&mut self, index: S::Index, count: u32) -> Result<(), Error<B::Error>> {
        let state = self.registry.state(index);
        if !(state.is_of(Kind::Signal) && state.is_registered()) {
            return Err(Error::WrongKind);
        }
        if count > 0 {
            self.registry.count_arrivals(index, count);
            self.registry.activate(index, Ready::SIGNAL);
        }
        Ok(())
    }

    pub(crate) fn postpone(&mut self, index: S::Index, ready: Ready) {
        self.registry.postpone(index, ready);
    }

    pub(crate) fn activate_fd(&mut self, fd: B::Fd, ready: Ready) {
        self.registry.activate_fd(fd, ready);
    }

    pub(crate) fn activate_signal(&mut self, signum: Signum, count: u32) {
        if count > 0 {
            self.registry.activate_signal(signum, count);
        }
    }

    // The end.

    /// Makes an event wait for nothing; an activation stays.
    pub(super) fn disarm(&mut self, index: S::Index) {
        if let Some(signum) = self.registry.disarm(index) {
            if let Some(signals) = self.backend.signals() {
                signals.del(signum);
            }
        }
    }

    /// As [`Engine::del`], for most events on fds. `false`: it does not apply, and nothing has changed.
    #[inline(always)]
    pub(crate) fn del_alone(&mut self, index: S::Index) -> bool {
        !S::IS_SMALL && self.backend.is_usual() && self.registry.del_alone(index)
    }

    /// Makes an event wait for nothing and takes it off its queue.
    #[inline]
    pub(crate) fn del(&mut self, index: S::Index) {
        if !S::IS_SMALL && self.registry.stop_timer(index) {
            return;
        }
        self.disarm(index);
        self.registry.cancel(index);
    }

    /// As [`Engine::del`], and the backend stops watching the fd at once, unless another event does.
    pub(crate) fn deregister(&mut self, index: S::Index) {
        let alone = if S::IS_SMALL { None } else { self.registry.end_alone(index) };
        let ended = match alone {
            Some(ended) => {
                self.registry.cancel(index);
                Some(ended)
            }
            None => self.end(index),
        };
        if let Some(ended) = ended {
            self.backend.del(ended.fd, ended.token, ended.registered, &mut self.registry);
            self.registry.applied(&ended);
        }
    }

    /// As [`Engine::del`]. Returns the registration of the event's fd, if no event wants it any more.
    #[inline(never)]
    fn end(&mut self, index: S::Index) -> Option<Change<B::Fd>> {
        self.del(index);
        self.registry.unwanted(index)
    }

    pub(crate) fn remove(&mut self, index: S::Index) -> Option<T> {
        self.del(index);
        self.discard(index)
    }

    pub(crate) fn discard(&mut self, index: S::Index) -> Option<T> {
        if self.registry.state(index).kind() == Kind::Io {
            self.give_up_fd(index);
        }
        self.registry.remove(index)
    }
}

/// Drops unknown bits; EDGE alone is nothing.
fn normalized(interest: Interest) -> Interest {
    let interest = Interest::from_bits_truncate(interest.bits());
    if interest == Interest::EDGE { Interest::empty() } else { interest }
}
