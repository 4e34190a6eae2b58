//! Verifies the fd map.

use super::Fds;
use crate::backend::Descriptor;
use crate::ready::Interest;
use crate::storage::{Index, Storage, Table};

impl<F: Descriptor, D: Default, S: Storage> Fds<F, D, S> {
    /// Walks every row; returns whether lists and unions agree. What is registered and unwanted must be listed.
    pub(in crate::engine) fn check(&self) -> bool {
        let mut linked = 0usize;
        for (place, row) in self.rows.as_slice().iter().enumerate() {
            // A free row names the next one there.
            let first = if row.created > 0 { row.head } else { S::Index::NIL };
            let (mut wanted, mut before, mut at) = (Interest::empty(), S::Index::NIL, first);
            while let Some(watch) = self.watches.at(at) {
                if before != S::Index::NIL && watch.prev != before || watch.row.get() != place || !watch.is_linked() {
                    return false;
                }
                wanted |= watch.interest();
                linked = linked.saturating_add(1);
                if linked > self.watches.iter().count() {
                    return false;
                }
                (before, at) = (at, watch.next);
            }
            let is_more = row.is_to_be_narrowed() && row.wanted.contains(wanted);
            let created = self.watches.iter().filter(|watch| watch.row.get() == place).count();
            if self.watches.at(first).is_some_and(|first| first.prev != before)
                || wanted != row.wanted && !is_more
                || created != usize::from(row.created)
                || row.is_registered() && first.is_nil() && !row.is_listed()
                || (created > 0) != (self.find(row.fd) == Some(S::Index::new(place)))
            {
                return false;
            }
        }
        self.watches.iter().filter(|watch| watch.is_linked()).count() == linked && self.changes_agree()
    }

    /// Whether the list of changes has each row that says so, once.
    fn changes_agree(&self) -> bool {
        let listed = self.rows.as_slice().iter().filter(|row| row.is_listed()).count();
        let mut at = self.changes.place();
        for _ in 0..listed {
            match self.rows.at(at).filter(|row| row.is_listed()) {
                Some(row) => at = row.next_listed(),
                None => return false,
            }
        }
        at.is_nil()
    }
}
