//! The fast path of an event that is alone on its fd, as nearly all are: join, leave and change.
//!
//! Each method checks before it writes: if it refuses the event, nothing has changed. A method that changes a row lists it;
//! whether the row differs from its registration is compared once, before the wait.

use super::row::Watch;
use super::{Change, Fds, Row};
use crate::backend::Descriptor;
use crate::ready::Interest;
use crate::storage::{Index, Storage, Table};

/// The result of joining the list of an fd that has no other event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Alone {
    Joined,
    /// It has not joined: the fd must be registered first.
    Unregistered,
    /// It has not joined: the fast path is not for it.
    Not,
}

impl<F: Descriptor, D: Default, S: Storage> Fds<F, D, S> {
    /// Joins the list of a registered fd, which is empty. The event is in no list.
    #[inline(always)]
    pub(in crate::engine::registry) fn join_alone(&mut self, index: S::Index) -> Alone {
        let Some(watch) = self.watches.at_mut(index) else { return Alone::Not };
        let Some(row) = self.rows.at_mut(watch.row) else { return Alone::Not };
        let Some(interest) = watch.usual_interest().filter(|_| row.head.is_nil()) else { return Alone::Not };
        if row.is_registered() {
            Self::link_alone(index, watch, row, interest);
            return Alone::Joined;
        }
        Alone::Unregistered
    }

    /// Leaves the list of a registered fd. Returns the registration.
    #[inline(always)]
    pub(in crate::engine::registry) fn end_alone(&mut self, index: S::Index) -> Option<Change<F>> {
        let watch = self.watches.at_mut(index).filter(|watch| watch.prev == index)?;
        let at = watch.row;
        let row = self.rows.at_mut(at).filter(|row| row.is_registered())?;
        watch.prev = Index::NIL;
        row.head = Index::NIL;
        (row.wanted, row.unexpected) = (Interest::empty(), u16::MAX);
        Self::to_end(at, row)
    }

    /// If the registration must change, the row is listed already: the event before has left, or it was registered just now.
    #[inline(always)]
    pub(super) fn link_alone(index: S::Index, watch: &mut Watch<S>, row: &mut Row<F, D, S>, interest: Interest) {
        (watch.prev, watch.next) = (index, Index::NIL);
        row.head = index;
        row.wait_for(interest);
    }

    /// Leaves the list.
    #[inline(always)]
    pub(in crate::engine::registry) fn leave_alone(&mut self, index: S::Index) -> bool {
        let Some(watch) = self.watches.at_mut(index).filter(|watch| watch.prev == index) else { return false };
        let at = watch.row;
        let Some(row) = self.rows.at_mut(at) else { return false };
        watch.prev = Index::NIL;
        row.head = Index::NIL;
        (row.wanted, row.unexpected) = (Interest::empty(), u16::MAX);
        row.list(at, &mut self.changes);
        true
    }

    /// Sets the interest, to one that every backend supports and that waits for something.
    #[inline(always)]
    pub(in crate::engine::registry) fn change_alone(&mut self, index: S::Index, interest: Interest) -> bool {
        let Some(watch) = self.watches.at_mut(index).filter(|watch| watch.prev == index) else { return false };
        if watch.is_waiting_for(interest) {
            return true;
        }
        let at = watch.row;
        let Some(row) = self.rows.at_mut(at).filter(|_| !watch.is_verified_always()) else { return false };
        watch.wait_for(interest);
        row.wait_for(interest);
        row.list(at, &mut self.changes);
        true
    }
}
