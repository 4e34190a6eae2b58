//! The events of an fd: how they join and leave its list and change their interest.

use super::Fds;
use super::row::{Watch, is_silent};
use crate::backend::{Descriptor, Token};
use crate::ready::Interest;
use crate::storage::{Index, Storage, Table};

/// The result of joining an fd's list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::engine) enum Joining {
    /// It is in the list, or silent and in none. The union is compared before the wait.
    Done,
    /// The fd must be registered first.
    Register,
    /// It would mix edge and level on the fd.
    Mixed,
    /// It has no fd.
    Unbound,
}

/// The result of a change of interest, with the earlier one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::engine) enum Changed {
    Done(Interest),
    /// Not made: the event is in no list and waits for nothing.
    Idle(Interest),
    /// Not made: the backend does not support it.
    Unsupported,
    /// Not made: it would mix edge and level on the fd.
    Mixed,
}

impl<F: Descriptor, D: Default, S: Storage> Fds<F, D, S> {
    /// Appends the event to its fd's list, unless the fd must be registered first.
    #[inline]
    pub(in crate::engine) fn try_join(&mut self, index: S::Index) -> Joining {
        let Some(watch) = self.watches.at(index) else { return Joining::Unbound };
        let Some(row) = self.rows.at_mut(watch.row) else { return Joining::Unbound };
        let interest = watch.interest();
        if interest.is_empty() {
            return Joining::Done;
        }
        let is_mixed = S::HAS_EDGE && row.wanted.contains(Interest::EDGE) != interest.contains(Interest::EDGE);
        if is_mixed && !row.wanted.is_empty() {
            return Joining::Mixed;
        }
        // Not if others wait for it while the backend refuses it.
        if !row.is_registered() || row.wanted.is_empty() && watch.is_unverified() {
            return Joining::Register;
        }
        // An edge-triggered event must get what is ready now, even if the union stays the same.
        row.verify_for(watch);
        self.join(index);
        Joining::Done
    }

    /// What the backend must register before the event can join. Makes reports of earlier registrations of this fd
    /// stale.
    pub(in crate::engine) fn begin_registration(&mut self, index: S::Index) -> Option<(F, Token, Interest)> {
        let watch = self.watches.at(index)?;
        let row = self.rows.at_mut(watch.row)?;
        row.generation = row.generation.wrapping_add(1);
        row.unregister();
        Some((row.fd, row.token(watch.row), watch.interest()))
    }

    /// The backend has registered the fd for this interest: the event joins its list.
    pub(in crate::engine) fn registered(&mut self, index: S::Index, interest: Interest) {
        let Some(watch) = self.watches.at_mut(index) else { return };
        let Some(row) = self.rows.at_mut(watch.row) else { return };
        watch.set_unverified(false);
        row.set_registered(interest);
        if S::HAS_SHARED_FDS && !row.head.is_nil() {
            // Nothing is verified for those that wait since the backend refused the fd.
            row.set_verify();
            return self.join(index);
        }
        Self::link_alone(index, watch, row, interest);
    }

    /// The backend has refused the fd temporarily: the event joins its list anyway.
    pub(in crate::engine) fn join_unregistered(&mut self, index: S::Index) {
        let Some(watch) = self.watches.at_mut(index) else { return };
        watch.set_unverified(true);
        let at = watch.row;
        if let Some(row) = self.rows.at_mut(at) {
            row.set_verify();
        }
        self.join(index);
        self.list_if_changed(at);
    }

    /// Appends a waiting event, which is in no list, to its fd's list.
    fn join(&mut self, index: S::Index) {
        let Some(watch) = self.watches.at_mut(index) else { return };
        let at = watch.row;
        let Some(row) = self.rows.at_mut(at) else { return };
        if S::HAS_SHARED_FDS && !row.head.is_nil() {
            watch.next = Index::NIL;
            return self.append(at, index);
        }
        let interest = watch.interest();
        Self::link_alone(index, watch, row, interest);
    }

    // Out of line, as `unlink`: usually an fd has one event.
    #[inline(never)]
    fn append(&mut self, at: S::Index, index: S::Index) {
        let Some(row) = self.rows.at_mut(at) else { return };
        let Some(first) = self.watches.at_mut(row.head) else { return };
        let last = core::mem::replace(&mut first.prev, index);
        if let Some(watch) = self.watches.at_mut(last) {
            watch.next = index;
        }
        if let Some(watch) = self.watches.at_mut(index) {
            watch.prev = last;
            row.wanted |= watch.interest();
        }
        row.unexpected = u16::MAX;
        self.list_if_changed(at);
    }

    pub(in crate::engine) fn leave(&mut self, index: S::Index) {
        let is_left = self.leave_alone(index);
        if S::HAS_SHARED_FDS && !is_left && self.watches.at(index).is_some_and(Watch::is_linked) {
            self.unlink(index);
        }
    }

    #[inline(never)]
    fn unlink(&mut self, index: S::Index) {
        let Some(watch) = self.watches.at_mut(index) else { return };
        let prev = core::mem::replace(&mut watch.prev, Index::NIL);
        let (at, next) = (watch.row, watch.next);
        let Some(row) = self.rows.at_mut(at) else { return };
        if row.head == index {
            row.head = next;
        } else if let Some(before) = self.watches.at_mut(prev) {
            before.next = next;
        }
        // The first one names the last one, which may change.
        let after = if next.is_nil() { row.head } else { next };
        if let Some(after) = self.watches.at_mut(after) {
            after.prev = prev;
        }
        // One is left if the first is the last.
        match self.watches.at(after) {
            Some(left) if after == row.head && after == prev => row.wait_for(left.interest()),
            _ => row.narrow_later(),
        }
        self.list_if_changed(at);
    }

    /// Sets the interest of an event in its fd's list, in place.
    #[inline]
    pub(in crate::engine) fn change(&mut self, index: S::Index, interest: Interest, is_supported: bool) -> Changed {
        let Some(watch) = self.watches.at_mut(index) else { return Changed::Idle(Interest::empty()) };
        let old = watch.interest();
        if !watch.is_linked() {
            return Changed::Idle(old);
        }
        if old == interest {
            return Changed::Done(old);
        }
        if !is_supported {
            return Changed::Unsupported;
        }
        if is_silent(interest) || S::HAS_SHARED_FDS && watch.prev != index {
            return self.change_one_of_many(index, interest);
        }
        let at = watch.row;
        let Some(row) = self.rows.at_mut(at) else { return Changed::Idle(old) };
        watch.wait_for(interest);
        // As in `join` and `try_join`.
        row.verify_for(watch);
        row.wait_for(interest);
        row.list(at, &mut self.changes);
        Changed::Done(old)
    }

    /// As [`Fds::change`], with other watchers or an empty interest.
    #[inline(never)]
    fn change_one_of_many(&mut self, index: S::Index, interest: Interest) -> Changed {
        let old = self.interest(index);
        if is_silent(interest) {
            self.leave(index);
            self.set_interest(index, interest);
            return Changed::Done(old);
        }
        if !S::HAS_SHARED_FDS {
            return Changed::Idle(old);
        }
        let Some(watch) = self.watches.at_mut(index) else { return Changed::Idle(old) };
        let at = watch.row;
        let Some(row) = self.rows.at_mut(at) else { return Changed::Idle(old) };
        if S::HAS_EDGE && row.wanted.contains(Interest::EDGE) != interest.contains(Interest::EDGE) {
            return Changed::Mixed;
        }
        watch.wait_for(interest);
        row.verify_for(watch);
        row.wanted |= interest;
        row.narrow_later();
        self.list_if_changed(at);
        Changed::Done(old)
    }
}
