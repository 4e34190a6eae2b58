//! Which events watch an fd, and the backend's registrations.

use evcore::backend::{Features, ManualError};
use evcore::{Error, Interest, Ready};

use super::{Answer, Model, normal};
use crate::call::{Kind, Uid};

/// An fd with existing events.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    fd: u32,
    /// Identifies the registration; never reused.
    registration: u64,
    /// The watching events, in the order in which they started.
    members: Vec<Uid>,
    /// The number of events that exist on it.
    users: usize,
    /// The interest registered with the backend.
    registered: Interest,
    /// Whether to ask the backend if the registration still stands.
    verify: bool,
}

impl Row {
    fn is_registered_as(&self, registration: u64) -> bool {
        self.registration == registration && !self.registered.is_empty()
    }
}

impl Model {
    fn row(&mut self, place: usize) -> &mut Row {
        self.rows[place].as_mut().expect("an event is bound to it")
    }

    fn place_of(&self, fd: u32) -> Option<usize> {
        self.rows.iter().position(|row| row.as_ref().is_some_and(|row| row.fd == fd))
    }

    fn interest(&self, uid: Uid) -> Interest {
        match self.events[uid].spec.kind {
            Kind::Io(_, interest) => interest,
            _ => Interest::empty(),
        }
    }

    /// The union of the members' interests.
    fn wanted(&self, place: usize) -> Interest {
        let members = self.rows[place].iter().flat_map(|row| &row.members);
        members.map(|uid| self.interest(*uid)).fold(Interest::empty(), Interest::union)
    }

    fn next_registration(&mut self) -> u64 {
        self.registrations += 1;
        self.registrations
    }

    /// Binds an event to its fd, without watching it yet.
    pub(super) fn bind(&mut self, uid: Uid, fd: u32, interest: Interest) {
        let place = match self.place_of(fd) {
            Some(place) => place,
            None => {
                let registration = self.next_registration();
                let registered = Interest::empty();
                let row = Row { fd, registration, members: Vec::new(), users: 0, registered, verify: false };
                match self.free_rows.pop() {
                    Some(place) => {
                        self.rows[place] = Some(row);
                        place
                    }
                    None => {
                        self.rows.push(Some(row));
                        self.rows.len() - 1
                    }
                }
            }
        };
        self.row(place).users += 1;
        let event = &mut self.events[uid];
        event.spec.kind = Kind::Io(fd, normal(interest));
        event.row = place;
        event.fresh = true;
    }

    /// Unbinds the event from its fd. After the last event, the backend is called at once.
    pub(super) fn unbind(&mut self, uid: Uid) {
        let place = self.events[uid].row;
        let row = self.row(place);
        row.users -= 1;
        if row.users > 0 {
            return;
        }
        let (fd, registered) = (row.fd, row.registered);
        if !registered.is_empty() {
            self.world.unwatch(fd);
        }
        self.rows[place] = None;
        // An fd that reuses the row also reuses its position among the changes.
        self.free_rows.push(place);
    }

    /// Ends the registration of an event's fd if no event waits for it any more.
    pub(super) fn end_unwanted(&mut self, uid: Uid) {
        let place = self.events[uid].row;
        let (fd, registered) = (self.row(place).fd, self.row(place).registered);
        if self.wanted(place).is_empty() && !registered.is_empty() {
            self.world.unwatch(fd);
            self.row(place).registered = Interest::empty();
        }
    }

    /// Starts watching. The first registration of an fd is made at once, any other change before the next wait.
    pub(super) fn watch_fd(&mut self, uid: Uid) -> Answer {
        let (place, interest, fresh) = (self.events[uid].row, self.interest(uid), self.events[uid].fresh);
        self.supports(interest)?;
        if interest.is_empty() {
            return Ok(());
        }
        if self.would_mix(uid, interest) {
            return Err(Error::EdgeAndLevel);
        }
        if self.row(place).registered.is_empty() || self.wanted(place).is_empty() && fresh {
            let registration = self.next_registration();
            let row = self.row(place);
            row.registration = registration;
            row.registered = Interest::empty();
            let fd = row.fd;
            if !self.world.watch(fd, registration, interest) {
                // Nothing remains of an earlier registration.
                self.world.unwatch(fd);
                return Err(Error::Backend(self.world.refusal()));
            }
            let row = self.row(place);
            // Members that waited while the fd was refused have not been verified.
            (row.registered, row.verify) = (interest, !row.members.is_empty());
            self.events[uid].fresh = false;
        } else {
            self.row(place).verify |= interest.contains(Interest::EDGE);
        }
        self.join(uid);
        Ok(())
    }

    /// EDGE must be supported; CLOSED and URGENT may be missing if the event waits for something else as well.
    pub(super) fn supports(&self, interest: Interest) -> Answer {
        let lacks = |feature| self.world.lacks.contains(feature);
        let level = interest - Interest::EDGE;
        let is_refused = lacks(Features::EDGE) && interest != level
            || lacks(Features::CLOSED) && level == Interest::CLOSED
            || lacks(Features::URGENT) && level == Interest::URGENT;
        if is_refused { Err(Error::Unsupported) } else { Ok(()) }
    }

    /// Whether edge- and level-triggered events would be mixed.
    pub(super) fn would_mix(&self, uid: Uid, interest: Interest) -> bool {
        let members = self.rows[self.events[uid].row].iter().flat_map(|row| &row.members);
        let mut others = members.filter(|member| **member != uid).map(|member| self.interest(*member));
        !interest.is_empty() && others.any(|other| (other ^ interest).contains(Interest::EDGE))
    }

    pub(super) fn join(&mut self, uid: Uid) {
        let (place, fresh) = (self.events[uid].row, self.events[uid].fresh);
        let nothing = self.interest(uid).is_empty();
        let row = self.row(place);
        if nothing || row.members.contains(&uid) {
            return;
        }
        row.members.push(uid);
        row.verify |= fresh;
        self.list_if_changed(place);
    }

    pub(super) fn leave(&mut self, uid: Uid) {
        let place = self.events[uid].row;
        let row = self.row(place);
        if row.members.contains(&uid) {
            row.members.retain(|member| *member != uid);
            // The union of several is computed when the changes are made.
            if row.members.len() == 1 { self.list_if_changed(place) } else { self.list(place) }
        }
    }

    /// A member's interest has changed; its position has not.
    pub(super) fn change_interest(&mut self, uid: Uid) {
        let (place, fresh) = (self.events[uid].row, self.events[uid].fresh);
        let is_edge = self.interest(uid).contains(Interest::EDGE);
        let row = self.row(place);
        row.verify |= fresh || is_edge;
        self.list(place);
    }

    /// Lists a change for the backend, if there is one.
    fn list_if_changed(&mut self, place: usize) {
        let wanted = self.wanted(place);
        let row = self.row(place);
        if row.verify || row.registered != wanted {
            self.list(place);
        }
    }

    /// Lists a possible change for the backend.
    fn list(&mut self, place: usize) {
        if !self.is_listed(place) {
            self.changes.push(place);
        }
    }

    pub(super) fn is_listed(&self, place: usize) -> bool {
        self.changes.contains(&place)
    }

    pub(super) fn unlist(&mut self, place: usize) {
        self.changes.retain(|listed| *listed != place);
    }

    /// Whether the event is the only one that waits for its fd, which is registered.
    pub(super) fn is_alone(&self, uid: Uid) -> bool {
        let row = self.rows[self.events[uid].row].as_ref();
        row.is_some_and(|row| row.members == [uid] && !row.registered.is_empty())
    }

    /// Passes each change to the backend, the latest first.
    pub(super) fn apply_changes(&mut self) {
        while let Some(place) = self.changes.pop() {
            if self.rows[place].is_none() {
                continue;
            }
            let wanted = self.wanted(place);
            let row = self.row(place);
            let verify = std::mem::take(&mut row.verify);
            if row.registered == wanted && (wanted.is_empty() || !verify) {
                continue;
            }
            self.tally.changes += 1;
            self.apply(place, wanted, verify);
        }
    }

    /// Whether the backend is asked about a registration because of this event.
    fn is_asked_for(&self, uid: Uid) -> bool {
        self.events[uid].fresh || self.interest(uid).contains(Interest::EDGE)
    }

    fn apply(&mut self, place: usize, wanted: Interest, verify: bool) {
        let (fd, registration, registered) = {
            let row = self.row(place);
            (row.fd, row.registration, row.registered)
        };
        if wanted.is_empty() {
            self.world.unwatch(fd);
        } else if !self.world.watch(fd, registration, wanted) {
            self.tally.refused += 1;
            if registered.is_empty() {
                self.world.unwatch(fd);
            }
            if self.world.is_refusal_temporary {
                self.row(place).verify = verify;
                self.retry_later();
                return;
            }
            for member in self.row(place).members.clone() {
                if registered.is_empty() {
                    self.expel(member);
                } else if !registered.contains(self.interest(member)) || verify && self.is_asked_for(member) {
                    self.activate(member, Ready::ERROR);
                }
            }
            return;
        }
        let is_change = !wanted.is_empty() && !registered.is_empty();
        let replaced = is_change && super::world::counted_down(&mut self.world.replace);
        if replaced {
            self.expel_members(place, false);
        }
        self.row(place).registered = wanted;
        if verify {
            for member in self.row(place).members.clone() {
                self.events[member].fresh = false;
            }
        }
        if replaced {
            // Later reports of the old registration must not reach the new one.
            let registration = self.next_registration();
            self.row(place).registration = registration;
            self.row(place).verify = true;
        }
        self.list_if_changed(place);
    }

    /// Ends the waits of an fd's members, optionally only of those registered before, and reports ERROR to them.
    fn expel_members(&mut self, place: usize, fresh_too: bool) {
        for member in self.row(place).members.clone() {
            if fresh_too || !self.events[member].fresh {
                self.expel(member);
            }
        }
    }

    pub(super) fn expel(&mut self, uid: Uid) {
        self.leave(uid);
        self.disarm_timer(uid);
        let event = &mut self.events[uid];
        (event.registered, event.timed, event.paused, event.timed_before) = (false, false, false, false);
        (event.restarting, event.fresh) = (false, true);
        self.activate(uid, Ready::ERROR);
    }

    /// Handles a report by registration. Returns `false` if that has ended.
    pub(super) fn report(&mut self, registration: u64, ready: Ready) -> bool {
        let is_it = |row: &Option<Row>| row.as_ref().is_some_and(|row| row.is_registered_as(registration));
        let Some(place) = self.rows.iter().position(is_it) else {
            self.count_stale();
            return false;
        };
        self.report_at(place, ready);
        true
    }

    pub(super) fn report_fd(&mut self, fd: u32, ready: Ready) {
        match self.place_of(fd) {
            // Even if it is still to be registered.
            Some(place) if !self.row(place).registered.is_empty() || !self.wanted(place).is_empty() => {
                self.report_at(place, ready)
            }
            _ => self.count_stale(),
        }
    }

    fn report_at(&mut self, place: usize, ready: Ready) {
        let mut any = false;
        for member in self.row(place).members.clone() {
            let bits = matching(self.interest(member), ready);
            if !bits.is_empty() {
                any = true;
                self.queue(member, bits);
            }
        }
        if !any {
            self.list_if_changed(place);
        }
    }

    pub(super) fn fail(&mut self, fd: u32) {
        let Some(registration) = self.world.registration(fd) else { return };
        let is_it = |row: &Option<Row>| row.as_ref().is_some_and(|row| row.is_registered_as(registration));
        if let Some(place) = self.rows.iter().position(is_it) {
            self.expel_members(place, true);
        }
    }

    pub(super) fn activate_fd(&mut self, fd: u32, ready: Ready) {
        let Some(place) = self.place_of(fd) else { return };
        for member in self.row(place).members.clone() {
            let mut bits = matching(self.interest(member), ready);
            if self.events[member].timed {
                bits |= ready & Ready::TIMEOUT;
            }
            if !bits.is_empty() {
                self.activate(member, bits);
            }
        }
    }

    pub(super) fn reinit(&mut self) -> Result<(), ManualError> {
        if super::world::counted_down(&mut self.world.fail_reinits) {
            return Err(ManualError::Refused);
        }
        self.world.sources.iter_mut().for_each(|source| source.watch = None);
        for place in 0..self.rows.len() {
            if self.rows[place].is_some() {
                let registration = self.next_registration();
                let row = self.row(place);
                row.registration = registration;
                row.registered = Interest::empty();
                self.list_if_changed(place);
            }
        }
        (self.rebuild, self.rebuild_is_postponed, self.stale) = (false, false, 0);
        self.apply_changes();
        Ok(())
    }

    /// Retries refused changes in 10 ms.
    pub(super) fn retry_later(&mut self) {
        self.retry_at = self.retry_at.or(Some(self.fresh_now().saturating_add(10_000_000)));
    }

    pub(super) fn retry(&mut self) {
        self.rebuild |= std::mem::take(&mut self.rebuild_is_postponed);
        for place in 0..self.rows.len() {
            if self.rows[place].is_some() {
                self.list_if_changed(place);
            }
        }
    }
}

/// What a member gets of a report: the bits it waits for; an error or a hang-up always, and then READ and WRITE if it
/// waits for them.
fn matching(interest: Interest, ready: Ready) -> Ready {
    let trouble = Ready::ERROR | Ready::HANGUP;
    let more = if ready.intersects(trouble) { Ready::READ | Ready::WRITE } else { Ready::empty() };
    (ready | more) & (Ready::from_bits_retain((interest - Interest::EDGE).bits()) | trouble)
}
