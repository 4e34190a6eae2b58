//! Watches signals through the process's registry.

use evcore::backend::{SignalOp, Signum};
use evplat_posix::Error;

use crate::epoll::Epoll;

impl SignalOp for Epoll {
    type Error = Error;

    fn add(&mut self, signum: Signum) -> Result<(), Error> {
        self.with_doorbell(|interrupts| interrupts.add(signum))
    }

    fn del(&mut self, signum: Signum) -> u32 {
        self.bell_mut().interrupts.del(signum)
    }
}
