//! What interests and readiness are called in a `pollfd`.

use evcore::{Interest, Ready};

/// Tells that the peer has shut down its writing side, where the system has a word for that.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "illumos"))]
pub(crate) const POLLRDHUP: i16 = libc::POLLRDHUP;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "illumos")))]
pub(crate) const POLLRDHUP: i16 = 0;

/// What an interest is asked for as.
pub(crate) const EVENTS: [(Interest, i16); 4] = [
    (Interest::READ, libc::POLLIN),
    (Interest::URGENT, libc::POLLPRI),
    (Interest::WRITE, libc::POLLOUT),
    (Interest::CLOSED, POLLRDHUP),
];

/// What an answer means.
pub(crate) const REVENTS: [(i16, Ready); 6] = [
    (libc::POLLIN, Ready::READ),
    (libc::POLLPRI, Ready::URGENT),
    (libc::POLLOUT, Ready::WRITE),
    (libc::POLLERR, Ready::ERROR),
    (libc::POLLHUP, Ready::HANGUP),
    (POLLRDHUP, Ready::CLOSED),
];

/// The interest that a word of `pollfd` asks for.
pub(crate) fn interest(events: i16) -> Interest {
    let bits = EVENTS.iter().filter(|(_, event)| events & event != 0);
    bits.fold(Interest::empty(), |all, (bit, _)| all | *bit)
}
