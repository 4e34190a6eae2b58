//! The wait without the base.

use std::os::fd::AsFd;

use evcore::backend::{EventOp, Sleep, Sleeper as _, Split};
use evplat_posix::backend::Interrupts;
use evplat_posix::{Error, Sleeper};

use super::Epoll;

impl Split for Epoll {
    type Sleeper = Sleeper;

    /// A sleeper that waits by `poll(2)` on another descriptor of the set, which takes no report out of it: so an edge is still
    /// there when the base is awake. The first one makes that descriptor, and the eventfd.
    fn begin_sleep(&mut self, sleep: Sleep) -> Result<Sleeper, Error> {
        self.check_awake()?;
        let wake = self.with_doorbell(Interrupts::waker)?;
        let mut sleeper = self.sleepers.take(wake)?;
        sleeper.watch_set(self.set.as_fd(), self.rebuilds)?;
        // A file that is due, and a set that is to be made anew, leave no time to sleep.
        let must_look = self.is_damaged || self.files.is_due();
        let sleep = if must_look { Sleep::None } else { sleep };
        Ok(self.sleepers.begin(sleeper, sleep, self.clock, &self.guard))
    }

    fn end_sleep(&mut self, sleeper: Sleeper) -> Result<(), Error> {
        let may_have_slept = sleeper.until() != Sleep::None;
        self.sleepers.end(sleeper, &self.guard)?;
        self.has_slept = self.is_overdue && may_have_slept;
        Ok(())
    }
}
