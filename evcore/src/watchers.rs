//! The watcher column: events that are handed out around each wait.

use crate::storage::{Full, Storage, Table};

/// When a watcher is handed out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    Prepare,
    Check,
}

/// Prepare and check watchers in the order they were added, libevent's `evwatch` lists.
pub(crate) struct Watchers<S: Storage> {
    entries: S::Table<Entry<S::Index>>,
}

struct Entry<I> {
    phase: Phase,
    event: I,
    pending: bool,
}

impl<S: Storage> Watchers<S> {
    pub(crate) const fn new() -> Self {
        Self { entries: S::Table::EMPTY }
    }

    pub(crate) fn reserve(&mut self) -> Result<(), Full> {
        self.entries.reserve(1)
    }

    pub(crate) fn create(&mut self, event: S::Index, phase: Phase) {
        self.entries.push(Entry { phase, event, pending: false });
    }

    pub(crate) fn remove(&mut self, event: S::Index) {
        let Some(at) = self.entries.as_slice().iter().position(|entry| entry.event == event) else { return };
        self.entries.remove(at);
    }

    pub(crate) fn set_pending(&mut self, event: S::Index, pending: bool) {
        if let Some(entry) = self.entries.as_mut_slice().iter_mut().find(|entry| entry.event == event) {
            entry.pending = pending;
        }
    }

    /// The pending watchers of a phase.
    pub(crate) fn of(&self, phase: Phase) -> impl Iterator<Item = S::Index> {
        let entries = self.entries.as_slice().iter();
        entries.filter(move |entry| entry.phase == phase && entry.pending).map(|entry| entry.event)
    }
}
