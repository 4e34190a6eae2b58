//! Installs no handler: a model decides itself which handlers run.

use std::io;

use evcore::backend::Signum;

use crate::account::Locked;
use crate::inbox::Inbox;

pub fn watch(_: &mut Locked, _: Signum) -> io::Result<()> {
    Ok(())
}

pub fn watch_again(_: &mut Locked, _: Signum) -> io::Result<()> {
    Ok(())
}

pub fn unwatch(_: &mut Locked, _: Signum, _: &Inbox) {}
