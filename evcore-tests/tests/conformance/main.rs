//! The suite, on every backend of this project.

use evcore::WakeFlag;
#[cfg(unix)]
use evcore_tests::Unix;
use evcore_tests::{ByHand, conformance};

#[cfg(unix)]
mod sys;

conformance!(manual, {
    static FLAG: WakeFlag = WakeFlag::new();
    ByHand::with_flag(&FLAG)
});

#[cfg(target_os = "linux")]
conformance!(epoll, Unix::new(evplat_linux::Epoll::new, evplat_linux::Waker::wake).with(sys::powers()));

#[cfg(unix)]
conformance!(poll, Unix::new(evplat_posix::Poll::new, evplat_posix::Waker::wake).with(sys::powers()));

#[cfg(unix)]
conformance!(select, Unix::new(evplat_posix::Select::new, evplat_posix::Waker::wake).with(sys::powers()));
