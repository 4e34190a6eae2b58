//! Which file does a number stand for now?

use std::os::fd::{AsFd, AsRawFd};

use evcore::Fd;
use evcore::backend::{Sink, Token};

use super::{Epoll, is};
use crate::sys;

impl Epoll {
    /// Verifies the numbers of what the last wait has found.
    pub(super) fn verify_found(&mut self, sink: &mut impl Sink<Fd>) {
        for report in self.reports.found() {
            let token = Token::from_bits(report.u64);
            if let Some(fd) = sink.fd_of(token) {
                self.verify(fd, token, sink);
            }
        }
    }

    /// Verifies the next so many registrations. `true`: all of them stand.
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

    /// Reports ERROR to the events of a number that does not stand for their file any more.
    pub(super) fn verify(&self, fd: Fd, token: Token, sink: &mut impl Sink<Fd>) -> bool {
        let stands = self.stands_now(fd);
        if !stands {
            log!(Warn, "epoll: {fd:?} was closed while it was registered, or stands for another file now");
            sink.failed(token);
        }
        stands
    }

    /// Whether the set holds the file that a number stands for, under that number. Adding it says so and changes nothing,
    /// if it does.
    pub(super) fn stands_now(&self, fd: Fd) -> bool {
        let set = self.set.as_fd();
        // The doorbell is in the set under its number, too.
        if self.bell.has(fd) {
            return false;
        }
        match sys::epoll_add(set, fd, 0, Token::NONE.to_bits()) {
            Ok(()) => {
                // It cannot fail: the entry has just been made.
                let _ = sys::epoll_del(set, fd);
                false
            }
            Err(error) if is(&error, libc::EPERM) => self.files.is_same(fd),
            // It is a set that this one is in, or one in which sets are nested too deep: kernels that count only what is below a
            // set allow that to grow, and then refuse what is registered already.
            Err(error) if is(&error, libc::ELOOP) => sys::epoll_has(set, fd).unwrap_or(true),
            // It is closed, or this set itself. Anything else says nothing.
            Err(error) if is(&error, libc::EINVAL) => !self.is_this_set(fd),
            Err(error) => !is(&error, libc::EBADF),
        }
    }

    /// Whether a number is that of the set, or of the last sleeper's duplicate of it.
    fn is_this_set(&self, fd: Fd) -> bool {
        [self.set.as_raw_fd(), self.duplicate].contains(&fd.as_raw_fd())
    }
}
