//! The events of an fd: how they join its list, leave it, and change what they wait for.

use super::Fds;
use super::row::is_silent;
use crate::backend::{Descriptor, Token};
use crate::event::Interest;
use crate::storage::{Index, Storage, Table};

/// What became of an event that was to join its fd's list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::engine) enum Joining {
    /// It is in the list, or silent and in none; the union is looked at before the wait.
    Done,
    /// The fd is to be registered now, before anything else is changed.
    Register,
    /// Edge- and level-triggered events cannot share an fd.
    Mixed,
    /// It has no fd.
    Unbound,
}

impl<F: Descriptor, D: Default, S: Storage> Fds<F, D, S> {
    /// Puts the event at the end of its fd's list, unless the fd has to be registered first.
    #[inline]
    pub(in crate::engine) fn try_join(&mut self, index: S::Index) -> Joining {
        let Some(watch) = self.watches.at(index) else { return Joining::Unbound };
        let Some(row) = self.rows.at_mut(watch.row) else { return Joining::Unbound };
        let interest = watch.interest();
        if interest.is_empty() {
            return Joining::Done;
        }
        if row.wanted.is_empty() {
            if watch.is_unverified || row.registered.is_empty() {
                return Joining::Register;
            }
        } else if row.wanted.contains(Interest::EDGE) != interest.contains(Interest::EDGE) {
            return Joining::Mixed;
        }
        // An edge-triggered event is to be reported what is ready now, also where the union comes out as it was.
        row.verify |= interest.contains(Interest::EDGE);
        self.join(index);
        Joining::Done
    }

    /// What the backend is to register before the event can join. Reports of any earlier registration of this fd are stale
    /// from here on.
    pub(in crate::engine) fn begin_registration(&mut self, index: S::Index) -> Option<(F, Token, Interest)> {
        let watch = self.watches.at(index)?;
        let row = self.rows.at_mut(watch.row)?;
        row.generation = row.generation.wrapping_add(1);
        row.registered = Interest::empty();
        Some((row.fd?, row.token(watch.row), watch.interest()))
    }

    /// The backend has registered the fd for this interest: the event joins its list.
    pub(in crate::engine) fn registered(&mut self, index: S::Index, interest: Interest) {
        let Some(watch) = self.watches.at_mut(index) else { return };
        watch.is_unverified = false;
        if let Some(row) = self.rows.at_mut(watch.row) {
            row.registered = interest;
        }
        self.join(index);
    }

    /// Puts the event, which is in no list and waits for something, at the end of its fd's list.
    fn join(&mut self, index: S::Index) {
        let Some(watch) = self.watches.at_mut(index) else { return };
        let at = watch.row;
        let Some(row) = self.rows.at_mut(at) else { return };
        row.verify |= watch.is_unverified;
        watch.is_linked = true;
        watch.next = Index::NIL;
        watch.prev = core::mem::replace(&mut row.tail, index);
        if !row.head.is_nil() {
            return self.append(at, index);
        }
        // The row is listed already if its registration has to change: the event before has left, or it has been registered now.
        row.head = index;
        row.wait_for(watch.interest());
    }

    /// Joins an event, which is the last one now, to others that are pending on its fd.
    // Out of line, as `unlink` is: one event an fd is the usual case, and small then.
    #[inline(never)]
    fn append(&mut self, at: S::Index, index: S::Index) {
        let Some(watch) = self.watches.at(index) else { return };
        let (last, interest) = (watch.prev, watch.interest());
        let Some(row) = self.rows.at_mut(at) else { return };
        let Some(last_watch) = self.watches.at_mut(last) else { return };
        last_watch.next = index;
        if row.head == last {
            row.counts = [0; 4];
            row.count_in(last_watch.interest());
        }
        row.count_in(interest);
        row.unexpected = u16::MAX;
        self.list_if_changed(at);
    }

    /// Takes the event out of its fd's list.
    pub(in crate::engine) fn leave(&mut self, index: S::Index) {
        let Some(watch) = self.watches.at_mut(index) else { return };
        if !core::mem::take(&mut watch.is_linked) {
            return;
        }
        let (at, next, prev, interest) = (watch.row, watch.next, watch.prev, watch.interest());
        let Some(row) = self.rows.at_mut(at) else { return };
        if !row.is_alone() {
            row.count_out(interest);
            return self.unlink(at, next, prev);
        }
        (row.head, row.tail) = (Index::NIL, Index::NIL);
        (row.wanted, row.unexpected) = (Interest::empty(), u16::MAX);
        if row.is_to_be_listed() {
            self.list(at);
        }
    }

    /// Closes the gap that an event leaves in the list of its fd.
    #[inline(never)]
    fn unlink(&mut self, at: S::Index, next: S::Index, prev: S::Index) {
        let Some(row) = self.rows.at_mut(at) else { return };
        match self.watches.at_mut(prev) {
            Some(before) => before.next = next,
            None => row.head = next,
        }
        match self.watches.at_mut(next) {
            Some(after) => after.prev = prev,
            None => row.tail = prev,
        }
        if row.is_alone() {
            row.wait_for(row.wanted);
        }
        self.list_if_changed(at);
    }

    /// Sets what an event in its fd's list waits for; it keeps its place there. `false`, and nothing has changed: it
    /// would be edge-triggered among level-triggered ones, or the other way round.
    pub(in crate::engine) fn change(&mut self, index: S::Index, interest: Interest) -> bool {
        if is_silent(interest) {
            self.leave(index);
            self.set_interest(index, interest);
            return true;
        }
        let Some(watch) = self.watches.at_mut(index) else { return true };
        let at = watch.row;
        let Some(row) = self.rows.at_mut(at) else { return true };
        if !row.is_alone() {
            return self.change_one_of_many(index, interest);
        }
        watch.set_interest(interest);
        // As in `join`, and in `try_join`.
        row.verify |= watch.is_unverified || interest.contains(Interest::EDGE);
        row.wait_for(interest);
        if row.is_to_be_listed() {
            self.list(at);
        }
        true
    }

    #[inline(never)]
    fn change_one_of_many(&mut self, index: S::Index, interest: Interest) -> bool {
        let Some(watch) = self.watches.at_mut(index) else { return true };
        let (at, old) = (watch.row, watch.interest());
        let Some(row) = self.rows.at_mut(at) else { return true };
        if row.wanted.contains(Interest::EDGE) != interest.contains(Interest::EDGE) {
            return false;
        }
        watch.set_interest(interest);
        row.verify |= watch.is_unverified || interest.contains(Interest::EDGE);
        row.count_out(old);
        row.count_in(interest);
        self.list_if_changed(at);
        true
    }
}
