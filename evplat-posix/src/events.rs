//! Maps interests and readiness to the flags of a `pollfd`.

use evcore::{Interest, Ready};

/// The peer has shut down its writing side; zero on systems that cannot report it.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "illumos"))]
pub(crate) const POLLRDHUP: i16 = libc::POLLRDHUP;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "illumos")))]
pub(crate) const POLLRDHUP: i16 = 0;

/// The flag that requests each interest.
pub(crate) const EVENTS: [(Interest, i16); 4] = [
    (Interest::READ, libc::POLLIN),
    (Interest::URGENT, libc::POLLPRI),
    (Interest::WRITE, libc::POLLOUT),
    (Interest::CLOSED, POLLRDHUP),
];

/// The readiness that each returned flag means.
pub(crate) const REVENTS: [(i16, Ready); 6] = [
    (libc::POLLIN, Ready::READ),
    (libc::POLLPRI, Ready::URGENT),
    (libc::POLLOUT, Ready::WRITE),
    (libc::POLLERR, Ready::ERROR),
    (libc::POLLHUP, Ready::HANGUP),
    (POLLRDHUP, Ready::CLOSED),
];

/// The interest that `events` requests.
pub(crate) fn interest(events: i16) -> Interest {
    let bits = EVENTS.iter().filter(|(_, event)| events & event != 0);
    bits.fold(Interest::empty(), |all, (bit, _)| all | *bit)
}
