//! The backend's wait.

use std::io;
use std::mem;
use std::os::fd::AsFd;

use evcore::backend::{Sink, Sleep};
use evcore::{Fd, Instant};
use evplat_posix::Error;

use super::{Epoll, IDLE, VERIFIED_AT_ONCE, is};
use crate::sys;

impl Epoll {
    /// Waits, and leaves the reports in the buffer. Returns whether a wake has come.
    pub(super) fn wait(&mut self, wait: Sleep, sink: &mut impl Sink<Fd>) -> Result<bool, Error> {
        let must_look = self.is_special && (self.is_damaged || self.files.is_due());
        let is_look = wait == Sleep::None;
        let wait = if must_look { Sleep::None } else { self.bell.interrupts.prepare(wait) };
        let has_looked = mem::take(&mut self.has_looked);
        let found = match wait {
            Sleep::None if is_look && has_looked => Ok(()),
            // Or a wake came between the previous check and this wait.
            Sleep::None => self.look_now(),
            Sleep::Forever if has_looked => self.wait_until(Instant::MAX, has_looked, sink),
            // Something is probably ready already, and this check costs less than a wait with a timeout.
            Sleep::Forever => match self.look_now() {
                Ok(()) if self.reports.found().is_empty() => self.wait_until(Instant::MAX, true, sink),
                looked => looked,
            },
            Sleep::Until(point) => self.wait_until(point, has_looked, sink),
        };
        let woken = self.bell.awake();
        match found {
            Ok(()) => Ok(woken),
            Err(error) => self.after_failed_wait(error).map(|()| woken),
        }
    }

    #[inline(always)]
    pub(super) fn look_now(&mut self) -> io::Result<()> {
        sys::epoll_wait(self.set.as_fd(), &mut self.reports, false)
    }

    /// Waits. If nothing has been found for a while, verifies the numbers once: a file whose number was replaced is
    /// no longer in the set and would never be reported.
    #[inline(never)]
    fn wait_until(&mut self, point: Instant, has_looked: bool, sink: &mut impl Sink<Fd>) -> io::Result<()> {
        let nanos = self.nanos_until(point);
        if nanos == 0 {
            return if has_looked { Ok(()) } else { self.look_now() };
        }
        let idle = IDLE.saturating_sub(self.idle);
        if self.registered == 0 {
            return self.wait_for(nanos);
        }
        if nanos <= idle {
            self.wait_for(nanos)?;
            if self.reports.found().is_empty() {
                self.idle = self.idle.saturating_add(nanos);
            }
            return Ok(());
        }
        self.wait_for(idle)?;
        if !self.reports.found().is_empty() {
            return Ok(());
        }
        self.idle = 0;
        if self.verify_some(VERIFIED_AT_ONCE, sink) { self.wait_for(self.nanos_until(point)) } else { Ok(()) }
    }

    fn nanos_until(&self, point: Instant) -> u64 {
        match point {
            Instant::MAX => u64::MAX,
            point => point.as_nanos().saturating_sub(self.clock.now().as_nanos()),
        }
    }

    /// Waits for at most `nanos` nanoseconds; `u64::MAX` waits for ever.
    fn wait_for(&mut self, nanos: u64) -> io::Result<()> {
        let set = self.set.as_fd();
        if matches!(nanos, 0 | u64::MAX) {
            return sys::epoll_wait(set, &mut self.reports, nanos != 0);
        }
        match (self.timed_wait)(set, &mut self.reports, nanos) {
            Err(error) if is(&error, libc::ENOSYS) || is(&error, libc::EPERM) || is(&error, libc::EOPNOTSUPP) => {
                log!(Info, "epoll_pwait2: {error}; timers are precise to the millisecond from here on");
                self.timed_wait = sys::epoll_pwait;
                (self.timed_wait)(set, &mut self.reports, nanos)
            }
            other => other,
        }
    }
}
