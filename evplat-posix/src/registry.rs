//! Installs the signal handler, and restores what was there before.

use std::io;

use evcore::backend::Signum;

use crate::account::{Locked, Row};
use crate::handler::{self, is_ours};
use crate::inbox::{self, Inbox};
use crate::sys::{Action, Disposition};

/// Has the handler called when `signum` arrives. Installs it again for each watcher, because another owner's handler
/// may be on top.
pub(crate) fn watch(accounts: &mut Locked, signum: Signum) -> io::Result<()> {
    install(accounts, signum, |_| true)
}

/// Like `watch`, in the child of a fork. If the child has reset its signals, neither our handler nor another is
/// below.
pub(crate) fn watch_again(accounts: &mut Locked, signum: Signum) -> io::Result<()> {
    install(accounts, signum, |found| matches!(found.action(), Action::Call(_)))
}

/// Installs our handler. `may_cover` says whether a handler found in place of ours may call ours.
fn install(accounts: &mut Locked, signum: Signum, may_cover: impl Fn(&Disposition) -> bool) -> io::Result<()> {
    let row = accounts.row(signum).ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
    // The current disposition is recorded before our handler is installed, because in a forked child the handler may
    // need it at once. Only the exchange returns the one that was really replaced.
    let seen = Disposition::of(signum)?;
    note(row, signum, seen, &may_cover);
    let found = handler::ours().exchange(signum)?;
    if !found.does_the_same_as(&seen) {
        note(row, signum, found, &may_cover);
    }
    row.is_installed = true;
    Ok(())
}

/// Records the disposition that our handler replaced.
fn note(row: &mut Row, signum: Signum, found: Disposition, may_cover: impl Fn(&Disposition) -> bool) {
    // If a handler that calls ours were recorded as the original disposition, ours would call it and recurse for
    // ever.
    row.is_covered |= row.is_installed && may_cover(&found);
    if is_ours(&found) {
        // We installed ours, or the handler above it has restored ours and gone.
        row.is_covered = row.over.get().is_some();
    } else if row.is_covered {
        // Their handler may call ours. What the signal did before both is already recorded.
        row.over.set(found);
    } else {
        handler::set_origin(signum, &found);
        row.origin.set(found);
    }
}

/// Stops watching `signum` for `inbox`. The last watcher restores the disposition from before the first. If another
/// owner has installed a handler over ours since, that one stays.
pub(crate) fn unwatch(accounts: &mut Locked, signum: Signum, inbox: &Inbox) {
    if inbox::is_watched_besides(inbox, signum) {
        return;
    }
    let Some(row) = accounts.row(signum) else { return };
    let before = row.over.get().or_else(|| row.origin.get()).unwrap_or_else(|| handler::origin(signum));
    let is_on_top = Disposition::of(signum).is_ok_and(|now| is_ours(&now));
    if is_on_top && before.put_over(signum, &handler::ours()) {
        // If the restored disposition was their handler, it is on top now.
        row.over.forget();
    } else {
        row.is_covered = true;
    }
    row.is_installed = false;
}
