//! Who has changed what a signal does: one account for the whole process.

use core::sync::atomic::{Ordering, compiler_fence};
use std::io;

use evcore::backend::Signum;

use crate::inbox::{self, Inbox, SIGNALS};
use crate::sys::{self, Disposition, ForkLock, ForkLockGuard};

/// The account of one signal.
///
/// ```text
///   origin                    what the signal did before us: the handler does it when nobody watches
///   origin ─ ours             the last watcher puts `origin` back
///   origin ─ ours ─ theirs    another owner's handler stands over ours, which may put ours back one day
///   origin ─ ours ─ theirs ─ ours    watched again: the last watcher puts `over` back, theirs
/// ```
#[derive(Clone, Copy)]
struct Row {
    origin: Kept,
    over: Kept,
    /// Ours was installed, and nothing was seen or done since that puts it elsewhere than on top.
    is_installed: bool,
    /// Another owner's handler was put over ours, and ours was not seen again since.
    is_covered: bool,
}

/// A disposition that is kept, or none. A fork may come while another thread writes it: the child then finds none.
#[derive(Clone, Copy)]
struct Kept {
    is_whole: bool,
    disposition: Disposition,
}

impl Kept {
    const NONE: Self = Self { is_whole: false, disposition: Disposition::DEFAULT };

    fn get(&self) -> Option<Disposition> {
        self.is_whole.then_some(self.disposition)
    }

    /// One store, so that no fork finds the half of it.
    fn forget(&mut self) {
        self.is_whole = false;
    }

    fn set(&mut self, disposition: Disposition) {
        self.is_whole = false;
        compiler_fence(Ordering::SeqCst);
        self.disposition = disposition;
        compiler_fence(Ordering::SeqCst);
        self.is_whole = true;
    }
}

/// What each signal did before us.
pub(crate) struct Registry {
    rows: [Row; SIGNALS],
}

const UNKNOWN: Row = Row { origin: Kept::NONE, over: Kept::NONE, is_installed: false, is_covered: false };

static REGISTRY: ForkLock<Registry> = ForkLock::new(Registry { rows: [UNKNOWN; SIGNALS] });

/// The registry, while this thread may change it.
pub(crate) struct Locked {
    registry: ForkLockGuard<'static, Registry>,
}

/// Takes the registry's lock. In the child of a fork it is free, whoever had it in the parent.
pub(crate) fn lock() -> Locked {
    Locked { registry: REGISTRY.lock() }
}

impl Locked {
    /// Has the handler called when `signum` arrives. It is installed for each watcher anew: another owner's may stand over it.
    pub(crate) fn watch(&mut self, signum: Signum) -> io::Result<()> {
        self.install(signum, |_| true)
    }

    /// As `watch`, in the child of a fork. One that has set its signals back has no handler under that, ours or another's.
    pub(crate) fn watch_again(&mut self, signum: Signum) -> io::Result<()> {
        self.install(signum, |found| found.calls_a_handler())
    }

    /// Installs ours. `may_cover`: whether this, found where ours was, may have ours below it.
    fn install(&mut self, signum: Signum, may_cover: impl Fn(&Disposition) -> bool) -> io::Result<()> {
        let row = self.row(signum).ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
        // What is there is noted before the handler stands, which may need it at once: in the child of a fork. What really was
        // there, only the exchange can tell.
        let seen = Disposition::of(signum)?;
        row.note(signum, seen, &may_cover);
        let found = Disposition::ours().exchange(signum)?;
        if !found.does_the_same_as(&seen) {
            row.note(signum, found, &may_cover);
        }
        row.is_installed = true;
        Ok(())
    }

    /// `inbox` will watch `signum` no more; the last puts back what was there before the first. Someone who has put his own
    /// handler over ours since keeps it.
    pub(crate) fn unwatch(&mut self, signum: Signum, inbox: &Inbox) {
        if inbox::is_watched_besides(inbox, signum) {
            return;
        }
        let Some(row) = self.row(signum) else { return };
        let before = row.over.get().or_else(|| row.origin.get()).unwrap_or_else(|| sys::origin(signum));
        let is_ours = Disposition::of(signum).is_ok_and(|now| now.is_ours());
        if is_ours && before.put_back(signum) {
            // Theirs, if it was that, is on top now.
            row.over.forget();
        } else {
            row.is_covered = true;
        }
        row.is_installed = false;
    }

    fn row(&mut self, signum: Signum) -> Option<&mut Row> {
        self.registry.rows.get_mut(usize::try_from(signum).ok()?)
    }
}

impl Row {
    /// Notes what ours is installed over.
    fn note(&mut self, signum: Signum, found: Disposition, may_cover: impl Fn(&Disposition) -> bool) {
        // Taken for what the signal did before us, one that leads to ours would be called by ours, for ever.
        self.is_covered |= self.is_installed && may_cover(&found);
        if found.is_ours() {
            // Ours, where we have left it; or whoever was over it has gone, and has put it back.
            self.is_covered = self.over.is_whole;
        } else if self.is_covered {
            // Theirs may lead to ours. What the signal did before both is known already.
            self.over.set(found);
        } else {
            self.over.forget();
            sys::set_origin(signum, &found);
            self.origin.set(found);
        }
    }
}
