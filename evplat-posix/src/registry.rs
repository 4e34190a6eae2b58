//! Who has changed what a signal does: one account for the whole process.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use evcore::backend::Signum;

use crate::inbox::SIGNALS;
use crate::sys::{self, Disposition, SignalsBlocked};

/// The account of one signal.
#[derive(Clone, Copy)]
struct Row {
    /// How many inboxes watch it.
    watchers: usize,
    /// What happened before the first of them came.
    before: Option<Disposition>,
}

/// For each signal: how many watch it, and what the last of them has to put back.
pub(crate) struct Registry {
    rows: [Row; SIGNALS],
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { rows: [Row { watchers: 0, before: None }; SIGNALS] });

/// The registry, while this thread may change it.
///
/// All signals are blocked meanwhile: a handler that the program installed itself may fork, and forking takes this lock.
pub(crate) struct Locked {
    // In this order: the lock is released first.
    registry: MutexGuard<'static, Registry>,
    _blocked: SignalsBlocked,
}

/// Takes the registry's lock.
pub(crate) fn lock() -> Locked {
    let blocked = SignalsBlocked::new();
    let registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    Locked { registry, _blocked: blocked }
}

impl Locked {
    /// One more inbox watches `signum`; the first has the handler installed.
    pub(crate) fn watch(&mut self, signum: Signum) -> io::Result<()> {
        let row = self.row(signum).ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
        if row.watchers == 0 {
            let before = Disposition::of(signum)?;
            sys::handle(signum)?;
            // Ours without a watcher: another owner of handlers had saved it and put it back. What was there before us is
            // then still noted in the row.
            if !before.is_ours() {
                row.before = Some(before);
            }
        }
        row.watchers = row.watchers.saturating_add(1);
        Ok(())
    }

    /// One inbox less watches `signum`; the last puts back what was there before the first.
    pub(crate) fn unwatch(&mut self, signum: Signum) {
        let Some(row) = self.row(signum) else { return };
        row.watchers = row.watchers.saturating_sub(1);
        if row.watchers > 0 {
            return;
        }
        // Someone who has put his own handler over ours since keeps it.
        if let (Ok(now), Some(before)) = (Disposition::of(signum), row.before) {
            if now.is_ours() && before.set(signum).is_ok() {
                row.before = None;
            }
        }
    }

    fn row(&mut self, signum: Signum) -> Option<&mut Row> {
        self.registry.rows.get_mut(usize::try_from(signum).ok()?)
    }
}
