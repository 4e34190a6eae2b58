//! What the fd map keeps of an fd, and of an event that watches it.

use crate::backend::Token;
use crate::event::{Interest, Ready};
use crate::storage::Index;

/// An fd on which events exist.
pub(super) struct Row<F, D, I> {
    /// `None` in a row that is free.
    pub(super) fd: Option<F>,
    /// Of this registration; the next one has another. With the row's place it is the token.
    pub(super) generation: u32,
    pub(super) head: I,
    pub(super) tail: I,
    /// How many watching events wait for each of READ, PRIORITY, WRITE and CLOSED: kept where there are several.
    pub(super) counts: [u16; 4],
    /// What the events want, and what the backend has registered.
    pub(super) wanted: Interest,
    pub(super) registered: Interest,
    /// The bits of a report that need more than to be passed on to the only event that watches: all, unless there is one.
    pub(super) unexpected: u16,
    /// How many events have been created on this fd.
    pub(super) created: u16,
    /// The next row in the list of changes, or the next free row.
    pub(super) next: I,
    /// The row before it in the list of changes; not kept up to date for the first.
    pub(super) prev: I,
    pub(super) in_changes: bool,
    /// The backend is to be asked whether the registration still stands.
    pub(super) verify: bool,
    pub(super) info: D,
}

impl<F, D, I: Index> Row<F, D, I> {
    pub(super) fn token(&self, at: I) -> Token {
        Token::new(u32::try_from(at.get()).unwrap_or(u32::MAX), self.generation)
    }

    /// Whether one event watches the fd; true where none does, too.
    pub(super) fn is_alone(&self) -> bool {
        self.head == self.tail
    }

    /// Sets what the only watching event waits for.
    pub(super) fn wait_for(&mut self, interest: Interest) {
        self.wanted = interest;
        self.unexpected = !interest.difference(Interest::EDGE).bits();
    }

    /// Whether the backend is to be called for this row, and that is not noted yet.
    pub(super) fn is_to_be_listed(&self) -> bool {
        !self.in_changes && (self.verify || self.registered != self.wanted)
    }

    /// Counts the interest of one of several events in.
    pub(super) fn count_in(&mut self, interest: Interest) {
        self.count(interest, |count| count.saturating_add(1));
    }

    /// Counts the interest of one of several events out.
    pub(super) fn count_out(&mut self, interest: Interest) {
        self.count(interest, |count| count.saturating_sub(1));
    }

    fn count(&mut self, interest: Interest, step: impl Fn(u16) -> u16) {
        for (bit, count) in COUNTED.into_iter().zip(&mut self.counts) {
            if interest.contains(bit) {
                *count = step(*count);
                self.wanted.set(bit, *count > 0);
            }
        }
    }
}

/// The bits that `Row::counts` counts.
pub(super) const COUNTED: [Interest; 4] = [Interest::READ, Interest::PRIORITY, Interest::WRITE, Interest::CLOSED];

/// An event's part in the fd map.
pub(super) struct Watch<I> {
    pub(super) row: I,
    pub(super) next: I,
    pub(super) prev: I,
    /// The interest, and what every interest wakes for: ERROR and HANGUP.
    mask: u16,
    pub(super) is_linked: bool,
    /// Has not been registered yet: if the fd turns out to be another one now, this event means the new one.
    pub(super) is_unverified: bool,
}

const ALWAYS: u16 = Ready::ERROR.union(Ready::HANGUP).bits();

impl<I: Index> Watch<I> {
    /// An event without an fd.
    pub(super) const fn new() -> Self {
        Self { row: I::NIL, next: I::NIL, prev: I::NIL, mask: 0, is_linked: false, is_unverified: true }
    }

    pub(super) const fn interest(&self) -> Interest {
        Interest::from_bits_truncate(self.mask & !ALWAYS)
    }

    pub(super) const fn set_interest(&mut self, interest: Interest) {
        self.mask = if is_silent(interest) { 0 } else { interest.bits() | ALWAYS };
    }

    /// What of a report it is handed out for. An event that waits for READ or WRITE learns of an error or a hang-up by
    /// trying, as on every Unix.
    pub(super) fn matching(&self, mut ready: Ready) -> Ready {
        if ready.intersects(Ready::ERROR.union(Ready::HANGUP)) {
            ready |= Ready::READ.union(Ready::WRITE);
        }
        Ready::from_bits_retain(ready.bits() & self.mask & Ready::IO.bits())
    }
}

/// Whether nothing is waited for; EDGE alone is nothing.
pub(super) const fn is_silent(interest: Interest) -> bool {
    interest.difference(Interest::EDGE).is_empty()
}
