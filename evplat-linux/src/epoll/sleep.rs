//! Sleeps that do not borrow the base.

use std::mem;
use std::os::fd::AsFd;
use std::time::Duration;

use evcore::backend::{EventOp, Sleep, Sleeper as _, Split};
use evplat_posix::backend::Interrupts;
use evplat_posix::{Error, Sleeper};

use super::{Epoll, IDLE};

impl Split for Epoll {
    type Sleeper = Sleeper;

    /// The sleeper waits with `poll(2)` on a duplicate of the set's descriptor and takes no report out of the set, so
    /// an edge is still there when the base is awake. The first sleep creates the duplicate and the eventfd.
    fn begin_sleep(&mut self, sleep: Sleep) -> Result<Sleeper, Error> {
        self.check_awake()?;
        let wake = self.with_doorbell(Interrupts::waker)?;
        let mut sleeper = self.sleepers.take(wake)?;
        sleeper.watch_set(self.set.as_fd(), self.rebuilds)?;
        self.duplicate = sleeper.descriptors().next().map_or(self.duplicate, |(number, _)| number);
        // If a file is due or the set must be rebuilt, there is no time to sleep.
        let must_look = self.is_damaged || self.files.is_due();
        let part = if must_look { Sleep::None } else { self.first_part(sleep) };
        self.is_cut = part != sleep;
        Ok(self.sleepers.begin(sleeper, part, self.clock, &self.guard))
    }

    fn end_sleep(&mut self, sleeper: Sleeper) -> Result<(), Error> {
        let may_have_slept = sleeper.until() != Sleep::None;
        self.sleepers.end(sleeper, &self.guard)?;
        self.has_slept = self.is_overdue && may_have_slept;
        if may_have_slept && self.registered > 0 {
            self.note_sleep();
        }
        Ok(())
    }
}

impl Epoll {
    /// How long to sleep: as long as requested, or until it is time to verify numbers. A sleep directly after a
    /// shortened one gets its full length.
    fn first_part(&mut self, sleep: Sleep) -> Sleep {
        if self.registered == 0 || sleep == Sleep::None {
            return sleep;
        }
        self.slept_from = self.clock.now();
        let end = self.slept_from.saturating_add(Duration::from_nanos(IDLE.saturating_sub(self.idle)));
        match sleep {
            Sleep::Until(point) if point <= end => sleep,
            _ if mem::take(&mut self.is_rested) => sleep,
            _ => Sleep::Until(end),
        }
    }

    /// The wait after the sleep verifies numbers if it finds nothing and it is time.
    fn note_sleep(&mut self) {
        let slept = self.clock.now().saturating_since(self.slept_from);
        self.idle = self.idle.saturating_add(u64::try_from(slept.as_nanos()).unwrap_or(u64::MAX));
        if self.idle >= IDLE {
            self.idle = 0;
            self.is_to_verify = true;
            self.be_special();
        }
    }
}
