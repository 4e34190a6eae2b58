//! The record of who changed a signal's disposition, one for the whole process, and its lock.

use core::sync::atomic::{Ordering, compiler_fence};

use evcore::backend::Signum;

use crate::fork;
use crate::sys::{Disposition, ForkLock, ForkLockGuard, SIGNALS};

/// The record of one signal.
///
/// ```text
///   origin                    the original disposition: our handler does the same when nobody watches
///   origin ─ ours             our handler is installed; the last watcher restores `origin`
///   origin ─ ours ─ theirs    another owner installed its handler over ours, and may reinstall ours later
///   origin ─ ours ─ theirs ─ ours    watched again: the last watcher restores `over`, which is theirs
/// ```
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) origin: Kept,
    pub(crate) over: Kept,
    /// Our handler was installed, and nothing since then shows that another one is on top of it.
    pub(crate) is_installed: bool,
    /// Another owner installed a handler over ours, and ours has not been seen on top since.
    pub(crate) is_covered: bool,
}

/// An optional disposition. If a fork happens while another thread writes it, the child finds `NONE`.
#[derive(Clone, Copy)]
pub(crate) struct Kept {
    is_whole: bool,
    disposition: Disposition,
}

impl Kept {
    const NONE: Self = Self { is_whole: false, disposition: Disposition::DEFAULT };

    pub(crate) fn get(&self) -> Option<Disposition> {
        self.is_whole.then_some(self.disposition)
    }

    /// A single store, so a fork cannot copy a half-written value.
    pub(crate) fn forget(&mut self) {
        self.is_whole = false;
    }

    pub(crate) fn set(&mut self, disposition: Disposition) {
        self.is_whole = false;
        compiler_fence(Ordering::SeqCst);
        self.disposition = disposition;
        compiler_fence(Ordering::SeqCst);
        self.is_whole = true;
    }
}

/// The records of all signals.
pub(crate) struct Accounts {
    rows: [Row; SIGNALS],
}

const UNKNOWN: Row = Row { origin: Kept::NONE, over: Kept::NONE, is_installed: false, is_covered: false };

static ACCOUNTS: ForkLock<Accounts> = ForkLock::new(Accounts { rows: [UNKNOWN; SIGNALS] });

/// The records and the list of inboxes; this thread may change both while it holds this.
pub(crate) struct Locked {
    accounts: ForkLockGuard<'static, Accounts>,
}

/// Takes the lock of the records and the list. In the child of a fork it is free, even if the parent held it.
pub(crate) fn lock() -> Locked {
    Locked { accounts: ACCOUNTS.lock(fork::epoch) }
}

impl Locked {
    pub(crate) fn row(&mut self, signum: Signum) -> Option<&mut Row> {
        self.accounts.rows.get_mut(usize::try_from(signum).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::AtomicBool;

    use super::*;
    use crate::fork::ForkGuard;
    use crate::sys;

    #[test]
    fn the_child_can_use_the_registry_that_another_thread_was_changing() {
        let _guard = ForkGuard::new().unwrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    drop(lock());
                }
            });
            let good = (0..50).all(|_| {
                sys::tests::in_child(|| {
                    drop(lock());
                    true
                }) == 0
            });
            stop.store(true, Ordering::Relaxed);
            assert!(good);
        });
    }
}
