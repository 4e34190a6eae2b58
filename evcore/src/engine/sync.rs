//! Brings the backend up to date: changes of interest, rebuilds.

use super::Engine;
use super::registry::Change;
use crate::backend::{EventOp, Modified};
use crate::storage::Storage;

impl<B: EventOp, S: Storage, T> Engine<B, S, T> {
    /// Rebuilds the backend, if it asked for that or keeps reporting what has ended, and then applies the pending changes.
    pub(super) fn sync_backend(&mut self) -> Result<(), B::Error> {
        if self.registry.has_news() {
            self.registry.forget_wake();
            if self.registry.is_rebuild_due() {
                self.reinit()?;
                self.registry.rebuilt();
            }
        }
        if self.registry.has_changes() {
            self.apply_changes();
        }
        Ok(())
    }

    /// Rebuilds the backend and registers everything again.
    pub(crate) fn reinit(&mut self) -> Result<(), B::Error> {
        self.backend.reinit()?;
        self.registry.forget_registrations();
        self.apply_changes();
        Ok(())
    }

    /// Calls the backend once for each fd whose events want something else than is registered.
    // Out of line: most turns have no changes.
    #[inline(never)]
    fn apply_changes(&mut self) {
        while let Some(change) = self.registry.next_change() {
            let stats = &mut self.registry.stats;
            stats.changes = stats.changes.saturating_add(1);
            self.apply(&change);
        }
    }

    fn apply(&mut self, change: &Change<B::Fd>) {
        let Change { fd, token, registered, wanted, verify } = *change;
        let registry = &mut self.registry;
        let outcome = if wanted.is_empty() {
            self.backend.del(fd, token, registered, registry);
            Ok(Modified::Kept)
        } else if registered.is_empty() {
            self.backend.add(fd, token, wanted, registry).map(|()| Modified::Kept)
        } else {
            self.backend.modify(fd, token, registered, wanted, registry)
        };
        match outcome {
            Ok(Modified::Kept) => registry.applied(change),
            Ok(Modified::Replaced) => registry.replaced(change),
            // What was registered stands, and the backend is asked again when something else changes.
            Err(_) => {
                registry.stats.refused = registry.stats.refused.saturating_add(1);
                match registered.is_empty() {
                    // Nothing is registered, so no event waits for it.
                    true => registry.detach_all(token),
                    false => registry.report_refusal(token, registered, verify),
                }
            }
        }
    }
}
