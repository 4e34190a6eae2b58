//! Reports of the backend, and the events that they concern.

use super::{News, Registry};
use crate::backend::{Descriptor, Signum, Sink, Token};
use crate::ready::{Interest, Ready};
use crate::storage::Storage;

/// Stale reports until the backend is rebuilt.
const STALE_LIMIT: u32 = 16;

impl<F: Descriptor, D: Default, T, S: Storage> Registry<F, D, T, S> {
    /// Queues the events that a report concerns. `false`: the registration has ended.
    // Cold, so that the loop over the reports is laid out for events alone on their fds.
    #[cold]
    #[inline(never)]
    fn report(&mut self, token: Token, ready: Ready) -> bool {
        let (queue, slots) = (&mut self.queue, &mut self.slots);
        let found = self.fds.report(token, ready, |index, ready| queue.push(slots, index, ready));
        if found.is_none() && token != Token::NONE {
            self.note_stale();
        }
        found.is_some()
    }

    /// Counts a stale report. The system then holds an entry that cannot be removed: a descriptor was closed without
    /// `del`, and a duplicate keeps its file open. If such reports go on, the backend is rebuilt.
    #[cold]
    fn note_stale(&mut self) {
        self.count(|stats| stats.stale = stats.stale.saturating_add(1));
        self.stale = self.stale.saturating_add(1);
        if self.stale >= STALE_LIMIT {
            self.request_rebuild();
        }
    }

    /// Queues the events that are pending on an fd, for what they wait for among `ready`.
    pub(in crate::engine) fn activate_fd(&mut self, fd: F, ready: Ready) {
        let Some(token) = self.fds.registration_of(fd) else { return };
        self.for_each_watcher(token, |registry, index| {
            let mut matching = registry.fds.matching(index, ready);
            let is_timed = registry.state(index).is_timed();
            matching.set(Ready::TIMEOUT, is_timed && ready.contains(Ready::TIMEOUT));
            if !matching.is_empty() {
                registry.activate(index, matching);
            }
        });
    }

    pub(in crate::engine) fn activate_signal(&mut self, signum: Signum, count: u32) {
        self.settle_before_hand_outs();
        let (queue, slots) = (&mut self.queue, &mut self.slots);
        self.signals.report(signum, count, |index| queue.activate(slots, index, Ready::SIGNAL));
        self.note_active();
    }

    /// The backend has refused a change: reports ERROR to the events that wait for more than is registered and, after a
    /// verification, to those that required it.
    pub(in crate::engine) fn report_refusal(&mut self, token: Token, registered: Interest, was_asked: bool) {
        self.for_each_watcher(token, |registry, index| {
            let interest = registry.fds.interest(index);
            let is_asked_for = registry.fds.is_unverified(index) || interest.contains(Interest::EDGE);
            if !registered.contains(interest) || was_asked && is_asked_for {
                registry.activate(index, Ready::ERROR);
            }
        });
    }

    pub(in crate::engine) fn detach_all(&mut self, token: Token) {
        self.detach_watchers(token, true);
    }

    /// Detaches the events of a registration that had joined before its last verification.
    pub(in crate::engine) fn detach_verified(&mut self, token: Token) {
        self.detach_watchers(token, false);
    }

    fn detach_watchers(&mut self, token: Token, with_unverified: bool) {
        self.for_each_watcher(token, |registry, index| {
            if with_unverified || !registry.fds.is_unverified(index) {
                registry.detach(index);
            }
        });
    }

    /// Calls `act` with each event of a registration, which `act` may take out.
    fn for_each_watcher(&mut self, token: Token, mut act: impl FnMut(&mut Self, S::Index)) {
        let mut next = self.fds.first(token);
        while let Some(index) = next {
            next = self.fds.next(index);
            act(self, index);
        }
    }
}

impl<F: Descriptor, D: Default, T, S: Storage> Sink<F> for Registry<F, D, T, S> {
    #[inline]
    fn ready(&mut self, token: Token, ready: Ready) -> bool {
        let Some(index) = self.fds.sole_watcher(token, ready) else { return self.report(token, ready) };
        self.queue.push_reported(&mut self.slots, index, ready);
        true
    }

    fn ready_fd(&mut self, fd: F, ready: Ready) -> bool {
        match self.fds.registration_of(fd) {
            Some(token) => self.ready(token, ready),
            None => {
                self.note_stale();
                false
            }
        }
    }

    fn failed(&mut self, token: Token) {
        self.detach_all(token);
    }

    fn signal(&mut self, signum: Signum, count: u32) {
        if count > 0 {
            let (queue, slots) = (&mut self.queue, &mut self.slots);
            self.signals.report(signum, count, |index| queue.push(slots, index, Ready::SIGNAL));
        }
    }

    fn woken(&mut self) {
        self.news.insert(News::WOKEN);
    }

    fn rebuild(&mut self) {
        self.request_rebuild();
    }

    fn fd_of(&self, token: Token) -> Option<F> {
        self.fds.fd_of(token)
    }

    fn next_registration(&self, after: Token) -> Option<(Token, F)> {
        self.fds.next_registration(after)
    }
}
