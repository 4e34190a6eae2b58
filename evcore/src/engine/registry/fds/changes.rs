//! The list of changes: fds whose registration may differ from their events' interest.

use super::watches::Watches;
use super::{Fds, Row};
use crate::backend::{Descriptor, Token};
use crate::ready::Interest;
use crate::storage::{Index, Link, Storage, Table};

/// A row in which they differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::engine) struct Change<F> {
    pub(in crate::engine) fd: F,
    pub(in crate::engine) token: Token,
    pub(in crate::engine) registered: Interest,
    pub(in crate::engine) wanted: Interest,
    /// The backend must check that the registration still stands, for a new event or one that waits for edges.
    pub(in crate::engine) verify: bool,
}

impl<F: Descriptor, D: Default, S: Storage> Fds<F, D, S> {
    pub(super) fn list_if_changed(&mut self, at: S::Index) {
        if let Some(row) = self.rows.at_mut(at).filter(|row| row.is_to_be_listed()) {
            row.list(at, &mut self.changes);
        }
    }

    /// What the events of an fd wait for, which is at most `wanted`: usually the first ones wait for all of that.
    fn union(watches: &Watches<S>, first: S::Index, wanted: Interest) -> Interest {
        let (mut at, mut union) = (first, Interest::empty());
        while let Some(watch) = watches.at(at).filter(|_| union != wanted) {
            union |= watch.interest();
            at = watch.next;
        }
        union
    }

    pub(in crate::engine) fn has_changes(&self) -> bool {
        S::HAS_FDS && !self.changes.is_none()
    }

    /// Takes the next row that really differs or must be verified.
    pub(in crate::engine) fn next_change(&mut self) -> Option<Change<F>> {
        // Written once for all rows that turn out to be as they were.
        let mut at = core::mem::replace(&mut self.changes, Link::NONE).place();
        while let Some(row) = self.rows.at_mut(at) {
            let next = row.unlist();
            if row.is_to_be_listed() {
                let verify = row.take_verify();
                if row.take_narrow() {
                    row.wanted = Self::union(&self.watches, row.head, row.wanted);
                }
                let (registered, wanted) = (row.registered(), row.wanted);
                if registered != wanted || verify && !wanted.is_empty() {
                    self.changes = Link::to(next);
                    return Some(Change { fd: row.fd, token: row.token(at), registered, wanted, verify });
                }
            }
            at = next;
        }
        None
    }

    pub(in crate::engine) fn applied(&mut self, change: &Change<F>) {
        let Some(row) = self.rows.as_mut_slice().get_mut(Self::place(change.token)) else { return };
        row.set_registered(change.wanted);
        if change.wanted.is_empty() {
            row.generation = row.generation.wrapping_add(1);
        }
        let mut next = if Row::<F, D, S>::VERIFIES && change.verify { row.head } else { Index::NIL };
        while let Some(watch) = self.watches.at_mut(next) {
            watch.set_unverified(false);
            next = watch.next;
        }
    }

    /// The backend has refused a change temporarily: the row is in no list until [`Fds::list_all`].
    pub(in crate::engine) fn refused(&mut self, change: &Change<F>) {
        if let Some(row) = self.rows.as_mut_slice().get_mut(Self::place(change.token)).filter(|_| change.verify) {
            row.set_verify();
        }
    }

    /// Lists every row that differs.
    pub(in crate::engine) fn list_all(&mut self) {
        for at in 0..self.rows.len() {
            self.list_if_changed(Index::new(at));
        }
    }

    /// The fd's number is another file's, which was registered. Another token keeps late reports of the old
    /// registration apart.
    pub(in crate::engine) fn renew(&mut self, token: Token) {
        let at = S::Index::new(Self::place(token));
        if let Some(row) = self.rows.at_mut(at) {
            row.generation = row.generation.wrapping_add(1);
            row.set_verify();
        }
        self.list_if_changed(at);
    }

    /// The backend has lost everything: every row must be registered again, under a new token.
    pub(in crate::engine) fn forget_all(&mut self) {
        for at in 0..self.rows.len() {
            if let Some(row) = self.rows.at_mut(S::Index::new(at)) {
                row.unregister();
                row.generation = row.generation.wrapping_add(1);
                row.info = D::default();
            }
        }
        self.list_all();
    }
}
