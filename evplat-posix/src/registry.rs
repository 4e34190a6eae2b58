//! Installing the handler, and putting back what was there before.

use std::io;

use evcore::backend::Signum;

use crate::account::{Locked, Row};
use crate::handler::{self, is_ours};
use crate::inbox::{self, Inbox};
use crate::sys::{Action, Disposition};

/// Has the handler called when `signum` arrives. It is installed again for each watcher: another owner's may stand over it.
pub(crate) fn watch(accounts: &mut Locked, signum: Signum) -> io::Result<()> {
    install(accounts, signum, |_| true)
}

/// As `watch`, in the child of a fork. One that has set its signals back has no handler under that, ours or another's.
pub(crate) fn watch_again(accounts: &mut Locked, signum: Signum) -> io::Result<()> {
    install(accounts, signum, |found| matches!(found.action(), Action::Call(_)))
}

/// Installs ours. `may_cover`: whether this, found where ours was, may have ours below it.
fn install(accounts: &mut Locked, signum: Signum, may_cover: impl Fn(&Disposition) -> bool) -> io::Result<()> {
    let row = accounts.row(signum).ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
    // What is there is noted before the handler stands, which may need it at once: in the child of a fork. What really was
    // there, only the exchange can tell.
    let seen = Disposition::of(signum)?;
    note(row, signum, seen, &may_cover);
    let found = handler::ours().exchange(signum)?;
    if !found.does_the_same_as(&seen) {
        note(row, signum, found, &may_cover);
    }
    row.is_installed = true;
    Ok(())
}

/// Notes what ours is installed over.
fn note(row: &mut Row, signum: Signum, found: Disposition, may_cover: impl Fn(&Disposition) -> bool) {
    // Taken for what the signal did before us, one that leads to ours would be called by ours, for ever.
    row.is_covered |= row.is_installed && may_cover(&found);
    if is_ours(&found) {
        // Ours, where we have left it; or the handler that was over it is gone and has restored ours.
        row.is_covered = row.over.get().is_some();
    } else if row.is_covered {
        // Theirs may lead to ours. What the signal did before both is known already.
        row.over.set(found);
    } else {
        handler::set_origin(signum, &found);
        row.origin.set(found);
    }
}

/// `inbox` will watch `signum` no more; the last puts back what was there before the first. Someone who has put his own
/// handler over ours since keeps it.
pub(crate) fn unwatch(accounts: &mut Locked, signum: Signum, inbox: &Inbox) {
    if inbox::is_watched_besides(inbox, signum) {
        return;
    }
    let Some(row) = accounts.row(signum) else { return };
    let before = row.over.get().or_else(|| row.origin.get()).unwrap_or_else(|| handler::origin(signum));
    let is_on_top = Disposition::of(signum).is_ok_and(|now| is_ours(&now));
    if is_on_top && before.put_over(signum, &handler::ours()) {
        // Theirs, if it was that, is on top now.
        row.over.forget();
    } else {
        row.is_covered = true;
    }
    row.is_installed = false;
}
