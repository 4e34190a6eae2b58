//! Verifies that numbers still belong to the registered files.

use std::os::fd::{AsFd, AsRawFd};

use evcore::Fd;
use evcore::backend::{Sink, Token};

use super::{Epoll, is};
use crate::sys;

impl Epoll {
    /// Verifies the numbers that the last wait reported.
    pub(super) fn verify_found(&mut self, sink: &mut impl Sink<Fd>) {
        for report in self.reports.found() {
            let token = Token::from_bits(report.u64);
            if let Some(fd) = sink.fd_of(token) {
                self.verify(fd, token, sink);
            }
        }
    }

    /// Verifies the next `count` registrations. Returns `true` if none was stale.
    pub(super) fn verify_some(&mut self, count: usize, sink: &mut impl Sink<Fd>) -> bool {
        let mut all_stand = true;
        let count = count.min(self.registered);
        for _ in 0..count {
            let next = sink.next_registration(self.verified).or_else(|| sink.next_registration(Token::NONE));
            let Some((token, fd)) = next else { break };
            self.verified = token;
            all_stand &= self.verify(fd, token, sink);
        }
        all_stand
    }

    /// Reports ERROR to the events of a number that no longer belongs to their file.
    pub(super) fn verify(&self, fd: Fd, token: Token, sink: &mut impl Sink<Fd>) -> bool {
        let stands = self.stands_now(fd);
        if !stands {
            log!(Warn, "epoll: {fd:?} was closed while registered, or now belongs to another file");
            sink.failed(token);
        }
        stands
    }

    /// Whether the set has an entry for this number and the file it belongs to now. Adding it fails if so and then
    /// changes nothing.
    pub(super) fn stands_now(&self, fd: Fd) -> bool {
        let set = self.set.as_fd();
        // The doorbell's number is in the set, too.
        if self.bell.has(fd) {
            return false;
        }
        match sys::epoll_add(set, fd, 0, Token::NONE.to_bits()) {
            Ok(()) => {
                // This cannot fail, because the entry was just added.
                let _ = sys::epoll_del(set, fd);
                false
            }
            Err(error) if is(&error, libc::EPERM) => self.files.is_same(fd),
            // The descriptor is a set that contains this one, or contains sets nested too deep. Kernels that check
            // only what is below a set allow that to grow later, and then refuse a set that is already registered.
            Err(error) if is(&error, libc::ELOOP) => sys::epoll_has(set, fd).unwrap_or(true),
            // It is closed, or is this set itself. Other errors say nothing about the registration.
            Err(error) if is(&error, libc::EINVAL) => !self.is_this_set(fd),
            Err(error) => !is(&error, libc::EBADF),
        }
    }

    /// Whether a number is that of the set, or of the last sleeper's duplicate of it.
    fn is_this_set(&self, fd: Fd) -> bool {
        [self.set.as_raw_fd(), self.duplicate].contains(&fd.as_raw_fd())
    }
}
