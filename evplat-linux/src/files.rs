//! What epoll refuses with EPERM: regular files, /dev/null, /dev/urandom.

use std::collections::TryReserveError;

use evcore::{Fd, Interest, Ready, Sink, Token};

/// The registrations of descriptors that never block. poll(2) and select(2) say of them that they are always ready, so
/// epoll is made to say so too.
///
/// A list that is searched from its start: a file is a rare guest in an event loop, and one search is far cheaper than the
/// system call beside it until there are thousands.
#[derive(Debug, Default)]
pub(crate) struct Files {
    list: Vec<File>,
}

#[derive(Debug)]
struct File {
    fd: Fd,
    token: Token,
    interest: Interest,
    /// To be reported at the next dispatch. Level: always. Edge: once for each registration and change.
    due: bool,
}

impl File {
    /// READ and WRITE, as far as they are asked for. There is never urgent data and never a peer that closes.
    fn ready(&self) -> Ready {
        Ready::from_bits_retain((self.interest & (Interest::READ | Interest::WRITE)).bits())
    }
}

impl Files {
    /// Puts a file on the list.
    pub(crate) fn insert(&mut self, fd: Fd, token: Token, interest: Interest) -> Result<(), TryReserveError> {
        self.list.try_reserve(1)?;
        self.list.push(File { fd, token, interest, due: true });
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether the descriptor was registered as a file.
    pub(crate) fn contains(&self, fd: Fd) -> bool {
        self.list.iter().any(|file| file.fd == fd)
    }

    /// Changes what a file is watched for, and by whom.
    pub(crate) fn change(&mut self, fd: Fd, token: Token, interest: Interest) {
        if let Some(file) = self.list.iter_mut().find(|file| file.fd == fd) {
            *file = File { fd, token, interest, due: true };
        }
    }

    /// Takes a file off the list; `false` when it is not on it.
    pub(crate) fn remove(&mut self, fd: Fd) -> bool {
        let found = self.list.iter().position(|file| file.fd == fd);
        found.map(|index| self.list.swap_remove(index)).is_some()
    }

    /// Takes everything off.
    pub(crate) fn clear(&mut self) {
        self.list.clear();
    }

    /// Whether there is something to report now, so that nobody may sleep.
    pub(crate) fn is_due(&self) -> bool {
        self.list.iter().any(|file| file.due && !file.ready().is_empty())
    }

    /// Reports what is due. A file whose registration has ended is dropped.
    pub(crate) fn report(&mut self, sink: &mut impl Sink<Fd>) {
        self.list.retain_mut(|file| {
            let ready = file.ready();
            if !file.due || ready.is_empty() {
                return true;
            }
            file.due = !file.interest.contains(Interest::EDGE);
            sink.ready(file.token, ready)
        });
    }
}
