//! The life of events: create, add, change, activate, remove.

use evcore::backend::{Features, ManualError};
use evcore::{Error, Interest, Ready};

use super::{Answer, Event, Model};
use crate::call::{Kind, Spec, Uid};

impl Model {
    /// The event uses up the next uid, even if it is refused.
    pub(super) fn create(&mut self, spec: Spec) -> Answer {
        let levels = self.levels.len() as u8;
        let level = spec.priority.unwrap_or(levels / 2);
        let refused = if level >= levels {
            Some(Error::NoSuchPriority)
        } else if self.capacity.is_some_and(|capacity| self.existing().len() >= capacity) {
            Some(Error::Full)
        } else {
            None
        };
        self.events.push(Event {
            spec,
            exists: refused.is_none(),
            level,
            registered: false,
            paused: false,
            timed: false,
            timed_before: false,
            was_given_timeout: false,
            keeps_timeout: spec.timeout.is_some(),
            restarting: false,
            deadline: 0,
            interval: forever(spec.timeout.unwrap_or(0)),
            armed: 0,
            ready: Ready::empty(),
            handed_out_in: u64::MAX,
            arrivals: 0,
            row: usize::MAX,
            fresh: true,
        });
        if let Some(error) = refused {
            return Err(error);
        }
        let uid = self.events.len() - 1;
        match self.free_slots.pop() {
            Some(slot) => self.slots[slot] = uid,
            None => self.slots.push(uid),
        }
        // A timer's record is where such storages have its interval.
        if self.capacity.is_some() && spec.timeout.is_some() {
            self.entries.make_room(self.slot(uid));
        }
        if let Kind::Io(fd, interest) = spec.kind {
            self.bind(uid, fd, interest);
        }
        self.note_counts();
        Ok(())
    }

    pub(super) fn add(&mut self, uid: Uid, timeout: Option<u64>) -> Answer {
        let timeout = timeout.map(|delay| (self.fresh_now().saturating_add(delay), delay));
        self.add_with(uid, timeout)
    }

    pub(super) fn add_at(&mut self, uid: Uid, deadline: u64) -> Answer {
        let interval = if self.uses_interval(uid) { deadline.saturating_sub(self.fresh_now()) } else { 0 };
        self.add_with(uid, Some((deadline, interval)))
    }

    /// False for a one-shot timer without a timeout of its own.
    fn uses_interval(&self, uid: Uid) -> bool {
        let event = &self.events[uid];
        event.spec.kind != Kind::Timer || event.spec.persist || event.keeps_timeout
    }

    fn add_with(&mut self, uid: Uid, timeout: Option<(u64, u64)>) -> Answer {
        if !self.events[uid].registered || self.events[uid].paused {
            match self.events[uid].spec.kind {
                Kind::Io(..) => self.watch_fd(uid)?,
                Kind::Signal(signum) => self.watch_signal(signum)?,
                _ => {}
            }
            self.events[uid].registered = self.events[uid].spec.kind != Kind::Timer;
        }
        if self.events[uid].paused {
            let now = self.fresh_now();
            self.end_pause(uid, now);
        }
        if let Some((deadline, interval)) = timeout {
            self.retract(uid, Ready::TIMEOUT);
            self.events[uid].interval = forever(interval);
            self.events[uid].was_given_timeout = true;
            (self.events[uid].timed, self.events[uid].restarting) = (true, false);
            self.arm(uid, deadline);
        } else if self.events[uid].keeps_timeout && !self.events[uid].timed {
            self.events[uid].timed = true;
            self.arm(uid, self.fresh_now().saturating_add(self.events[uid].interval));
        }
        self.note_counts();
        Ok(())
    }

    pub(super) fn restart(&mut self, uid: Uid) -> Answer {
        let event = &self.events[uid];
        if !(event.was_given_timeout || event.keeps_timeout) {
            return Err(Error::WrongKind);
        }
        if event.paused {
            return Ok(());
        }
        if event.interval == 0 && !self.uses_interval(uid) {
            return Err(Error::WrongKind);
        }
        self.add(uid, Some(event.interval))
    }

    /// One registration for each number.
    fn watch_signal(&mut self, signum: i32) -> Answer {
        if self.watches_signal(signum) {
            return Ok(());
        }
        if self.world.lacks.contains(Features::SIGNALS) {
            return Err(Error::Unsupported);
        }
        if self.world.watch_signal(signum) { Ok(()) } else { Err(Error::Backend(self.world.refusal())) }
    }

    pub(super) fn modify(&mut self, uid: Uid, interest: Interest) -> Answer {
        let Kind::Io(fd, old) = self.events[uid].spec.kind else { return Err(Error::WrongKind) };
        let (old, new) = (super::normal(old), super::normal(interest));
        if old == new {
            return Ok(());
        }
        let watches = self.events[uid].registered && !self.events[uid].paused;
        if watches {
            self.supports(new)?;
        }
        if watches && self.would_mix(uid, new) {
            return Err(Error::EdgeAndLevel);
        }
        if watches && new.is_empty() {
            self.leave(uid);
        }
        self.events[uid].spec.kind = Kind::Io(fd, new);
        if watches && old.is_empty() {
            if let Err(error) = self.watch_fd(uid) {
                self.events[uid].spec.kind = Kind::Io(fd, old);
                return Err(error);
            }
        } else if watches && !new.is_empty() {
            self.change_interest(uid);
        }
        let is_silent = super::normal(interest).is_empty();
        let dropped = Ready::from_bits_retain((old - interest - Interest::EDGE).bits());
        self.retract(uid, if is_silent { Ready::IO } else { dropped });
        Ok(())
    }

    pub(super) fn replace_fd(&mut self, uid: Uid, fd: u32) -> Answer {
        let Kind::Io(old, interest) = self.events[uid].spec.kind else { return Err(Error::WrongKind) };
        self.leave(uid);
        self.unbind(uid);
        self.bind(uid, fd, interest);
        let is_watched = self.events[uid].registered && !self.events[uid].paused;
        let outcome = if is_watched { self.watch_fd(uid) } else { Ok(()) };
        let Err(error) = outcome else {
            self.retract(uid, Ready::IO);
            return Ok(());
        };
        self.unbind(uid);
        self.bind(uid, old, interest);
        self.watch_again(uid);
        Err(error)
    }

    pub(super) fn pause_for(&mut self, uid: Uid, pause: u64) -> Answer {
        let end = self.fresh_now().saturating_add(pause);
        let event = &mut self.events[uid];
        if !matches!(event.spec.kind, Kind::Io(..)) {
            return Err(Error::WrongKind);
        }
        event.registered = true;
        event.timed_before |= event.timed || event.keeps_timeout;
        (event.timed, event.restarting, event.paused) = (false, false, true);
        self.leave(uid);
        self.unqueue(uid);
        self.arm(uid, end);
        self.note_counts();
        Ok(())
    }

    fn end_pause(&mut self, uid: Uid, now: u64) {
        self.events[uid].paused = false;
        if std::mem::take(&mut self.events[uid].timed_before) {
            self.events[uid].timed = true;
            self.arm(uid, now.saturating_add(self.events[uid].interval));
        } else {
            self.disarm_timer(uid);
        }
    }

    /// A pause has ended.
    pub(super) fn resume(&mut self, uid: Uid, now: u64) {
        self.end_pause(uid, now);
        self.events[uid].fresh = true;
        self.watch_again(uid);
    }

    /// Watches again what was watched before. A temporary refusal is retried before the next wait, or later.
    fn watch_again(&mut self, uid: Uid) {
        match self.watch_fd(uid) {
            Ok(()) => {}
            Err(Error::Backend(ManualError::Busy)) => {
                self.events[uid].fresh = true;
                self.join(uid);
            }
            Err(_) => self.expel(uid),
        }
    }

    pub(super) fn clear_timeout(&mut self, uid: Uid) {
        if !self.events[uid].paused {
            self.disarm_timer(uid);
        }
        self.retract(uid, Ready::TIMEOUT);
        let event = &mut self.events[uid];
        (event.timed, event.timed_before, event.restarting) = (false, false, false);
        (event.keeps_timeout, event.was_given_timeout) = (false, false);
    }

    /// Activation by the user: at most one hand-out per turn.
    pub(super) fn activate(&mut self, uid: Uid, ready: Ready) {
        self.settle_before_hand_outs();
        if self.events[uid].handed_out_in == self.turn.number {
            self.queue_for_later(uid, ready);
        } else {
            self.queue(uid, ready);
        }
    }

    pub(super) fn activate_counted(&mut self, uid: Uid, count: u32) -> Answer {
        let event = &mut self.events[uid];
        if !event.registered || !matches!(event.spec.kind, Kind::Signal(_)) {
            return Err(Error::WrongKind);
        }
        if count > 0 {
            event.arrivals = event.arrivals.saturating_add(count);
            self.activate(uid, Ready::SIGNAL);
        }
        Ok(())
    }

    pub(super) fn activate_signal(&mut self, signum: i32, count: u32) {
        if count == 0 {
            return;
        }
        self.settle_before_hand_outs();
        for uid in self.signalled(signum, count) {
            self.activate(uid, Ready::SIGNAL);
        }
    }

    /// Counts arrivals. Returns the events concerned.
    pub(super) fn signalled(&mut self, signum: i32, arrivals: u32) -> Vec<Uid> {
        let concerned: Vec<Uid> = self
            .existing()
            .into_iter()
            .filter(|uid| self.events[*uid].registered && self.events[*uid].spec.kind == Kind::Signal(signum))
            .collect();
        for uid in &concerned {
            self.events[*uid].arrivals = self.events[*uid].arrivals.saturating_add(arrivals);
        }
        concerned
    }

    pub(super) fn del(&mut self, uid: Uid) {
        self.disarm(uid);
        self.unqueue(uid);
    }

    /// Like `del`, and the backend is called at once, unless another event waits for the fd.
    pub(super) fn deregister(&mut self, uid: Uid) {
        let event = &self.events[uid];
        if !matches!(event.spec.kind, Kind::Io(..)) {
            return self.del(uid);
        }
        let place = event.row;
        let stays_listed = self.is_listed(place) || !self.is_ended_fast(uid);
        self.del(uid);
        if !stays_listed {
            self.unlist(place);
        }
        self.end_unwanted(uid);
    }

    /// Whether a large base ends the event's registration without listing a change: it is alone on its fd and has no timeout.
    fn is_ended_fast(&self, uid: Uid) -> bool {
        let event = &self.events[uid];
        let is_bare = event.registered && !event.paused && !event.timed && !event.keeps_timeout;
        is_bare && !event.spec.background && self.is_alone(uid) && self.capacity.is_none_or(|capacity| capacity > 64)
    }

    pub(super) fn remove(&mut self, uid: Uid) {
        self.del(uid);
        if let Kind::Io(..) = self.events[uid].spec.kind {
            self.unbind(uid);
        }
        self.events[uid].exists = false;
        self.free_slots.extend(self.slots.iter().position(|owner| *owner == uid));
    }

    /// Ends everything an event waits for. Returns the arrivals of its signal, if no other event waits for that.
    pub(super) fn disarm(&mut self, uid: Uid) -> u32 {
        let mut late = 0;
        let was_registered = std::mem::take(&mut self.events[uid].registered);
        match self.events[uid].spec.kind {
            Kind::Io(..) => self.leave(uid),
            Kind::Signal(signum) if was_registered && !self.watches_signal(signum) => {
                late = self.world.unwatch_signal(signum);
            }
            _ => {}
        }
        self.disarm_timer(uid);
        let event = &mut self.events[uid];
        (event.timed, event.timed_before, event.restarting) = (false, false, false);
        (event.paused, event.arrivals) = (false, 0);
        late
    }

    pub(super) fn set_priorities(&mut self, count: u8) -> Answer {
        let in_use = self.existing().into_iter().any(|uid| self.events[uid].level >= count);
        if count == 0 || in_use || self.active() > 0 {
            return Err(Error::NoSuchPriority);
        }
        if self.capacity.is_some_and(|capacity| usize::from(count) > capacity) {
            return Err(Error::Full);
        }
        self.levels = vec![Vec::new(); count.into()];
        Ok(())
    }

    pub(super) fn set_priority(&mut self, uid: Uid, priority: u8) -> Answer {
        if usize::from(priority) >= self.levels.len() {
            return Err(Error::NoSuchPriority);
        }
        let old = usize::from(std::mem::replace(&mut self.events[uid].level, priority));
        if self.levels[old].contains(&uid) {
            self.levels[old].retain(|other| *other != uid);
            self.levels[usize::from(priority)].push(uid);
        }
        Ok(())
    }
}

/// An interval of 292 years or more means for ever.
fn forever(interval: u64) -> u64 {
    if interval < (1 << 63) - 1 { interval } else { u64::MAX }
}
