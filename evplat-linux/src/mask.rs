//! The kernel's event bits. `Interest` and `Ready` use the same values, except for EDGE, so one `and` converts each.

use evcore::{Interest, Ready};
use static_assertions::const_assert_eq;

const WATCHED: u32 = bits(Interest::READ.union(Interest::URGENT).union(Interest::WRITE).union(Interest::CLOSED));
const REPORTED: u16 = Ready::READ
    .union(Ready::URGENT)
    .union(Ready::WRITE)
    .union(Ready::ERROR)
    .union(Ready::HANGUP)
    .union(Ready::CLOSED)
    .bits();
const EDGE_SHIFT: u32 = 16;

const_assert_eq!(Interest::READ.bits() as i32, libc::EPOLLIN);
const_assert_eq!(Interest::URGENT.bits() as i32, libc::EPOLLPRI);
const_assert_eq!(Interest::WRITE.bits() as i32, libc::EPOLLOUT);
const_assert_eq!(Interest::CLOSED.bits() as i32, libc::EPOLLRDHUP);
const_assert_eq!(bits(Interest::EDGE) << EDGE_SHIFT, libc::EPOLLET as u32);
const_assert_eq!(Ready::READ.bits() as i32, libc::EPOLLIN);
const_assert_eq!(Ready::URGENT.bits() as i32, libc::EPOLLPRI);
const_assert_eq!(Ready::WRITE.bits() as i32, libc::EPOLLOUT);
const_assert_eq!(Ready::ERROR.bits() as i32, libc::EPOLLERR);
const_assert_eq!(Ready::HANGUP.bits() as i32, libc::EPOLLHUP);
const_assert_eq!(Ready::CLOSED.bits() as i32, libc::EPOLLRDHUP);

const fn bits(interest: Interest) -> u32 {
    interest.bits() as u32
}

/// The events that the kernel watches for. It always adds ERR and HUP.
pub(crate) const fn events(interest: Interest) -> u32 {
    bits(interest) & WATCHED | bits(interest.intersection(Interest::EDGE)) << EDGE_SHIFT
}

/// The readiness that the kernel reported.
#[inline]
pub(crate) const fn ready(events: u32) -> Ready {
    Ready::from_bits_retain(events as u16 & REPORTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interest_keeps_its_meaning() {
        assert_eq!(events(Interest::all()), 0x8000_2007);
        assert_eq!(events(Interest::READ), 0x1);
        assert_eq!(events(Interest::WRITE | Interest::EDGE), 0x8000_0004);
        assert_eq!(events(Interest::CLOSED), 0x2000);
    }

    #[test]
    fn a_bit_without_interest_is_never_passed_on() {
        // EPOLLRDNORM, EPOLLRDBAND, EPOLLWRNORM (which is TIMEOUT's bit), EPOLLWRBAND (SIGNAL's), EPOLLMSG (AGAIN's), EPOLLET.
        assert_eq!(ready(0x8000_07C0), Ready::empty());
        assert_eq!(
            ready(u32::MAX),
            Ready::READ | Ready::URGENT | Ready::WRITE | Ready::ERROR | Ready::HANGUP | Ready::CLOSED
        );
    }
}
