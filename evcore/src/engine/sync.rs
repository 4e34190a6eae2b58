//! Brings the backend up to date: changes of interest, rebuilds.

use super::Engine;
use super::registry::Change;
use crate::backend::{EventOp, Modified, Token};
use crate::storage::Storage;
use crate::time::Instant;

/// Nanoseconds until a temporary refusal is retried.
const RETRY: u64 = 10_000_000;

impl<B: EventOp, S: Storage, T> Engine<B, S, T> {
    /// Rebuilds the backend if it requested that or keeps sending stale reports; then applies pending changes.
    pub(super) fn sync_backend(&mut self) {
        if self.registry.has_news() {
            self.registry.forget_wake();
            if self.registry.is_rebuild_due() {
                self.rebuild();
            }
        }
        if self.registry.has_changes() {
            self.apply_changes();
        }
    }

    /// If this fails, the loop continues as before.
    #[cold]
    fn rebuild(&mut self) {
        match self.reinit() {
            Ok(()) => self.registry.count(|stats| stats.rebuilds = stats.rebuilds.saturating_add(1)),
            Err(_) => {
                self.registry.count(|stats| stats.refused = stats.refused.saturating_add(1));
                // Otherwise it is still due.
                if B::IS_SHARED {
                    self.registry.postpone_rebuild();
                    self.retry_later();
                }
            }
        }
    }

    /// Rebuilds the backend and registers everything again, except numbers that are another file's now.
    pub(crate) fn reinit(&mut self) -> Result<(), B::Error> {
        if B::IS_SHARED {
            self.detach_what_has_gone();
        }
        self.backend.reinit()?;
        self.registry.forget_registrations();
        self.apply_changes();
        Ok(())
    }

    fn detach_what_has_gone(&mut self) {
        let mut next = self.registry.next_registration(Token::NONE);
        while let Some((token, fd)) = next {
            next = self.registry.next_registration(token);
            if !self.backend.stands(fd, token, &mut self.registry) {
                // Events that joined since mean the current file.
                self.registry.detach_verified(token);
            }
        }
    }

    pub(super) fn retry_later(&mut self) {
        if self.retry_at == Instant::ZERO {
            self.retry_at = self.fresh_now().saturating_add_nanos(RETRY);
            self.note_chores();
        }
    }

    /// Calls the backend once for each fd whose registration differs from its events' interest.
    // Out of line: most turns have no changes.
    #[inline(never)]
    fn apply_changes(&mut self) {
        while let Some(change) = self.registry.next_change() {
            self.registry.count(|stats| stats.changes = stats.changes.saturating_add(1));
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
            Err(error) => {
                registry.count(|stats| stats.refused = stats.refused.saturating_add(1));
                if B::IS_SHARED && B::is_temporary(&error) {
                    registry.refused(change);
                    return self.retry_later();
                }
                // Without a registration, or if the number is another file's, no event waits for it.
                let stands = !registered.is_empty() && (!B::IS_SHARED || self.backend.stands(fd, token, registry));
                match stands {
                    // What was registered stays; the backend is asked again at the next change.
                    true => registry.report_refusal(token, registered, verify),
                    false => registry.detach_all(token),
                }
            }
        }
    }
}
