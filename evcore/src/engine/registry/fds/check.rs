//! Verifies the fd map.

use super::Fds;
use super::row::COUNTED;
use crate::backend::Descriptor;
use crate::ready::Interest;
use crate::storage::{Index, Storage, Table};

impl<F: Descriptor, D: Default, S: Storage> Fds<F, D, S> {
    /// Walks every row; returns whether lists, counts and unions agree.
    pub(in crate::engine) fn check(&self) -> bool {
        let mut linked = 0usize;
        for (place, row) in self.rows.as_slice().iter().enumerate() {
            let (mut counts, mut before, mut at, mut edge) = ([0u16; 4], S::Index::NIL, row.head, false);
            let mut members = 0u32;
            while let Some(watch) = self.watches.at(at) {
                if before != S::Index::NIL && watch.prev != before || watch.row.get() != place || !watch.is_linked() {
                    return false;
                }
                edge |= watch.interest().contains(Interest::EDGE);
                for (bit, count) in COUNTED.into_iter().zip(&mut counts) {
                    *count = count.saturating_add(watch.interest().contains(bit).into());
                }
                (linked, members) = (linked.saturating_add(1), members.saturating_add(1));
                if linked > self.watches.iter().count() {
                    return false;
                }
                (before, at) = (at, watch.next);
            }
            let mut wanted: Interest =
                COUNTED.into_iter().zip(counts).filter(|(_, count)| *count > 0).map(|(bit, _)| bit).collect();
            wanted.set(Interest::EDGE, edge);
            let created = self.watches.iter().filter(|watch| watch.row.get() == place).count();
            if self.watches.at(row.head).is_some_and(|first| first.prev != before)
                || members > 1 && counts != row.counts
                || wanted != row.wanted
                || created != usize::from(row.created)
                || (created > 0) != (self.find(row.fd) == Some(S::Index::new(place)))
            {
                return false;
            }
        }
        self.watches.iter().filter(|watch| watch.is_linked()).count() == linked
    }
}
