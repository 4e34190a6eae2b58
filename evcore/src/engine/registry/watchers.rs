//! The watchers: events that are handed out around each wait.

use crate::storage::{Full, Storage, Table};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::engine) enum Moment {
    Prepare,
    Check,
    Wake,
}

/// Prepare and check watchers in the order they were added, libevent's `evwatch` lists.
pub(super) struct Watchers<S: Storage> {
    entries: S::Watchers<Entry<S::Index>>,
}

struct Entry<I> {
    moment: Moment,
    event: I,
    pending: bool,
}

impl<S: Storage> Watchers<S> {
    pub(super) const fn new() -> Self {
        Self { entries: S::Watchers::EMPTY }
    }

    pub(super) fn reserve(&mut self) -> Result<(), Full> {
        self.entries.reserve(1)
    }

    pub(super) fn create(&mut self, event: S::Index, moment: Moment) {
        self.entries.push(Entry { moment, event, pending: false });
    }

    pub(super) fn remove(&mut self, event: S::Index) {
        let Some(at) = self.entries.as_slice().iter().position(|entry| entry.event == event) else { return };
        self.entries.remove(at);
    }

    pub(super) fn set_pending(&mut self, event: S::Index, pending: bool) {
        if let Some(entry) = self.entries.as_mut_slice().iter_mut().find(|entry| entry.event == event) {
            entry.pending = pending;
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.entries.len() == 0
    }

    /// The pending watchers of a moment.
    pub(super) fn of(&self, moment: Moment) -> impl Iterator<Item = S::Index> {
        let entries = self.entries.as_slice().iter();
        entries.filter(move |entry| entry.moment == moment && entry.pending).map(|entry| entry.event)
    }
}
