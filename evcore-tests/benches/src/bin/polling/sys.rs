//! Registration, whose safety polling leaves to the caller.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use polling::{Event, PollMode, Poller};

/// Watches `source`, which must stay open while it is watched. All callers keep it for that long, or delete it first.
pub(crate) fn add(poller: &Poller, source: &impl AsFd, interest: Event, mode: PollMode) -> io::Result<()> {
    let fd = source.as_fd().as_raw_fd();
    // SAFETY: the descriptor is open, and is deleted before it is closed, or the poller is gone by then.
    unsafe { poller.add_with_mode(fd, interest, mode) }
}
