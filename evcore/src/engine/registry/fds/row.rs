//! What the fd map keeps of an fd, and of an event that watches it.

use crate::backend::Token;
use crate::ready::{Interest, Ready};
use crate::storage::{Index, Storage};

/// An fd on which events exist. In a row that is free, `created` is 0.
pub(super) struct Row<F, D, S: Storage> {
    pub(super) fd: F,
    /// Of this registration; the next one has another. With the row's place it is the token.
    pub(super) generation: u32,
    /// The first of the events that watch; its `prev` is the last one.
    pub(super) head: S::Index,
    /// How many watching events wait for each of READ, URGENT, WRITE and CLOSED: kept where there are several.
    pub(super) counts: [u16; 4],
    /// What the events want.
    pub(super) wanted: Interest,
    /// What the backend has registered; and VERIFY, where it is to be asked whether that still stands.
    registered: Interest,
    /// The bits of a report that need more than to be passed on to the only event that watches: all, unless there is one.
    pub(super) unexpected: u16,
    /// How many events have been created on this fd.
    pub(super) created: u16,
    /// The next row in the list of changes, or the next free row.
    pub(super) next: S::Index,
    /// The row before it in the list of changes; not kept up to date for the first.
    pub(super) prev: S::Index,
    pub(super) in_changes: bool,
    pub(super) info: D,
}

/// A bit of `Row::registered`, which no interest has: so the two of them differ, and the row is listed.
const VERIFY: Interest = Interest::from_bits_retain(0x0100);

impl<F, D, S: Storage> Row<F, D, S> {
    /// A row of an fd on which one event has been created.
    pub(super) fn new(fd: F, info: D) -> Self {
        Self {
            fd,
            generation: 1,
            head: S::Index::NIL,
            counts: [0; 4],
            wanted: Interest::empty(),
            registered: Interest::empty(),
            unexpected: u16::MAX,
            created: 1,
            next: S::Index::NIL,
            prev: S::Index::NIL,
            in_changes: false,
            info,
        }
    }

    /// Whether the backend is ever asked about a registration: descriptors may be closed without the base's knowledge, or an
    /// edge-triggered event is to be reported what is ready.
    const VERIFIES: bool = S::IS_SHARED || S::HAS_EDGE;

    pub(super) fn registered(&self) -> Interest {
        if Self::VERIFIES { self.registered.difference(VERIFY) } else { self.registered }
    }

    pub(super) fn is_registered(&self) -> bool {
        !self.registered().is_empty()
    }

    /// Whether it is registered, and events wait for it.
    pub(super) fn is_watched(&self) -> bool {
        self.is_registered() && !self.wanted.is_empty()
    }

    /// The backend has registered this.
    pub(super) fn set_registered(&mut self, interest: Interest) {
        self.registered = interest;
    }

    /// The registration has ended. Whether the backend is to be asked about it is another matter.
    pub(super) fn unregister(&mut self) {
        self.registered = self.registered.intersection(VERIFY);
    }

    /// Whether the backend is to be asked whether the registration still stands; it is now.
    pub(super) fn take_verify(&mut self) -> bool {
        let verify = Self::VERIFIES && self.registered.contains(VERIFY);
        self.registered = self.registered();
        verify
    }

    pub(super) fn set_verify(&mut self) {
        if Self::VERIFIES {
            self.registered = self.registered.union(VERIFY);
        }
    }

    pub(super) fn token(&self, at: S::Index) -> Token {
        Token::new(u32::try_from(at.get()).unwrap_or(u32::MAX), self.generation)
    }

    /// Sets what the only watching event waits for.
    pub(super) fn wait_for(&mut self, interest: Interest) {
        self.wanted = interest;
        self.unexpected = !interest.difference(Interest::EDGE).bits();
    }

    /// Whether the backend is to be called for this row, and that is not noted yet.
    pub(super) fn is_to_be_listed(&self) -> bool {
        !self.in_changes && self.registered != self.wanted
    }

    /// Has the backend asked whether the registration still stands, if the event calls for that.
    pub(super) fn verify_for(&mut self, watch: &Watch<S>) {
        if watch.is_unverified() || S::HAS_EDGE && watch.mask & Interest::EDGE.bits() != 0 {
            self.set_verify();
        }
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
pub(super) const COUNTED: [Interest; 4] = [Interest::READ, Interest::URGENT, Interest::WRITE, Interest::CLOSED];

/// An event's part in the fd map.
pub(super) struct Watch<S: Storage> {
    /// NIL in an event without an fd.
    pub(super) row: S::Index,
    pub(super) next: S::Index,
    /// NIL in an event that is in no list. The first one of a list names the last.
    pub(super) prev: S::Index,
    /// The interest, what every interest wakes for, which is ERROR and HANGUP, and UNVERIFIED.
    mask: u16,
}

const ALWAYS: u16 = Ready::ERROR.union(Ready::HANGUP).bits();
/// Has not been registered yet: if the fd turns out to be another one now, this event means the new one.
const UNVERIFIED: u16 = 0x0100;
// No part of an interest, nor of what is reported of an fd.
const _: () = assert!(UNVERIFIED & (Ready::IO.bits() | Interest::all().bits()) == 0);

impl<S: Storage> Watch<S> {
    /// An event without an fd.
    pub(super) const fn new() -> Self {
        Self { row: S::Index::NIL, next: S::Index::NIL, prev: S::Index::NIL, mask: 0 }
    }

    pub(super) fn is_linked(&self) -> bool {
        !self.prev.is_nil()
    }

    pub(super) const fn is_unverified(&self) -> bool {
        S::IS_SHARED && self.mask & UNVERIFIED != 0
    }

    pub(super) const fn set_unverified(&mut self, is_unverified: bool) {
        self.mask = self.mask & !UNVERIFIED | if S::IS_SHARED && is_unverified { UNVERIFIED } else { 0 };
    }

    pub(super) const fn interest(&self) -> Interest {
        Interest::from_bits_truncate(self.mask & !ALWAYS)
    }

    pub(super) const fn set_interest(&mut self, interest: Interest) {
        if is_silent(interest) {
            self.mask &= UNVERIFIED;
        } else {
            self.wait_for(interest);
        }
    }

    /// As [`Watch::set_interest`], for one that is not silent.
    pub(super) const fn wait_for(&mut self, interest: Interest) {
        self.mask = self.mask & UNVERIFIED | interest.bits() | ALWAYS;
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
