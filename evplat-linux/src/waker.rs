//! Wakes the base.

use evcore::backend::Wake;
use evplat_posix::backend::Interrupts;
use evplat_posix::{Error, Waker};

use crate::epoll::Epoll;

impl Wake for Epoll {
    type Waker = Waker;

    /// Creates a waker of this base. The first one creates an eventfd; the others share it.
    ///
    /// # Errors
    ///
    /// When there is no descriptor left for the eventfd, and in the child of a fork before `reinit`.
    #[doc(alias = "evthread_make_base_notifiable")]
    fn waker(&mut self) -> Result<Waker, Error> {
        self.with_doorbell(Interrupts::waker)
    }
}
