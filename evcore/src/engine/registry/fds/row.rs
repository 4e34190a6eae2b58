//! The rows of the fd map, and the events' links in them.

use crate::backend::Token;
use crate::ready::{Interest, Ready};
use crate::storage::{Index, Link, Storage};

/// An fd with events. In a free row `created` is 0.
pub(super) struct Row<F, D, S: Storage> {
    pub(super) fd: F,
    /// The registration's generation; with the row's index it is the token.
    pub(super) generation: u32,
    /// The first watching event; its `prev` is the last one. In a free row, the next free one.
    pub(super) head: S::Index,
    /// The union of the events' interests, or more.
    pub(super) wanted: Interest,
    /// What the backend has registered; VERIFY, if it must check that this still stands; NARROW, if `wanted` may be more than
    /// the union; LISTED, in the list of changes.
    registered: Interest,
    /// Bits of a report that cannot simply be passed to a sole watcher; all bits if there is none.
    pub(super) unexpected: u16,
    pub(super) created: u16,
    /// The next row in the list of changes.
    next: S::Index,
    pub(super) info: D,
}

// In `Row::registered`. No interest has them, so the row differs from `wanted` and is listed.
const VERIFY: Interest = Interest::from_bits_retain(0x0100);
const NARROW: Interest = Interest::from_bits_retain(0x0400);

/// As they are, but not looked at.
const LISTED: Interest = Interest::from_bits_retain(0x0200);
const NOTES: Interest = VERIFY.union(NARROW).union(LISTED);

impl<F, D, S: Storage> Row<F, D, S> {
    pub(super) fn new(fd: F, info: D) -> Self {
        Self {
            fd,
            generation: 1,
            head: S::Index::NIL,
            wanted: Interest::empty(),
            registered: Interest::empty(),
            unexpected: u16::MAX,
            created: 1,
            next: S::Index::NIL,
            info,
        }
    }

    /// Whether registrations are ever verified: other code may close descriptors, or an edge-triggered event needs a
    /// report of what is ready.
    pub(super) const VERIFIES: bool = S::IS_SHARED || S::HAS_EDGE;

    pub(super) fn registered(&self) -> Interest {
        self.registered.difference(NOTES)
    }

    pub(super) fn is_registered(&self) -> bool {
        !self.registered().is_empty()
    }

    pub(super) fn is_watched(&self) -> bool {
        self.is_registered() && !self.wanted.is_empty()
    }

    /// The backend has registered the fd for this. Nothing is to be verified.
    pub(super) fn set_registered(&mut self, interest: Interest) {
        self.registered = interest.union(self.registered.intersection(NARROW.union(LISTED)));
    }

    /// The registration has ended. VERIFY stays.
    pub(super) fn unregister(&mut self) {
        self.registered = self.registered.intersection(NOTES);
    }

    pub(super) fn set_verify(&mut self) {
        if Self::VERIFIES {
            self.registered = self.registered.union(VERIFY);
        }
    }

    /// One of several events waits for less: the union is determined before the wait, once for all of them.
    pub(super) fn narrow_later(&mut self) {
        self.registered = self.registered.union(NARROW);
    }

    /// The next row in the list of changes.
    #[cfg(any(test, feature = "check"))]
    pub(super) const fn next_listed(&self) -> S::Index {
        self.next
    }

    #[cfg(any(test, feature = "check"))]
    pub(super) fn is_to_be_narrowed(&self) -> bool {
        self.is_listed() && self.registered.contains(NARROW)
    }

    pub(super) fn token(&self, at: S::Index) -> Token {
        Token::new(u32::try_from(at.get()).unwrap_or(u32::MAX), self.generation)
    }

    pub(super) fn wait_for(&mut self, interest: Interest) {
        self.wanted = interest;
        self.unexpected = !interest.difference(Interest::EDGE).bits();
    }

    /// Whether the row needs a call of the backend and is not listed.
    pub(super) fn is_to_be_listed(&self) -> bool {
        self.registered != self.wanted && !self.is_listed()
    }

    #[inline]
    pub(super) fn is_listed(&self) -> bool {
        self.registered.contains(LISTED)
    }

    /// Puts the row, which is at `at`, into the list of changes, unless it is there.
    #[inline]
    pub(super) fn list(&mut self, at: S::Index, changes: &mut Link<S::Index>) {
        if !self.is_listed() {
            self.registered = self.registered.union(LISTED);
            self.next = core::mem::replace(changes, Link::to(at)).place();
        }
    }

    /// Takes the first row out of the list of changes. Returns the next one.
    pub(super) fn unlist(&mut self) -> S::Index {
        self.registered = self.registered.difference(LISTED);
        self.next
    }

    /// Whether the backend must verify the registration, which is done now.
    pub(super) fn take_verify(&mut self) -> bool {
        let verify = Self::VERIFIES && self.registered.contains(VERIFY);
        self.registered = self.registered.difference(VERIFY);
        verify
    }

    pub(super) fn take_narrow(&mut self) -> bool {
        let narrow = S::HAS_SHARED_FDS && self.registered.contains(NARROW);
        self.registered = self.registered.difference(NARROW);
        narrow
    }

    /// Takes the place of a freed row, which may still be listed.
    pub(super) fn replace(&mut self, freed: &Self) {
        self.generation = freed.generation;
        self.next = freed.next;
        self.registered = freed.registered.intersection(LISTED);
    }

    /// Has the registration verified if the event needs that.
    pub(super) fn verify_for(&mut self, watch: &Watch<S>) {
        if watch.is_unverified() || S::HAS_EDGE && watch.mask & Interest::EDGE.bits() != 0 {
            self.set_verify();
        }
    }
}

/// An event's place in the fd map.
pub(super) struct Watch<S: Storage> {
    /// NIL without an fd.
    pub(super) row: S::Index,
    pub(super) next: S::Index,
    /// NIL outside of lists. The first of a list names the last.
    pub(super) prev: S::Index,
    /// The interest, with ERROR and HANGUP, which every interest wakes for, and UNVERIFIED.
    mask: u16,
}

const ALWAYS: u16 = Ready::ERROR.union(Ready::HANGUP).bits();
/// Not registered yet: if the number is another file's by now, this event means that one.
const UNVERIFIED: u16 = 0x0100;
// Neither in an interest nor in a report.
const _: () = assert!(UNVERIFIED & (Ready::IO.bits() | Interest::all().bits()) == 0);

impl<S: Storage> Watch<S> {
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

    /// Whether that is its interest, which is not silent, and it is verified.
    pub(super) const fn is_waiting_for(&self, interest: Interest) -> bool {
        self.mask == interest.bits() | ALWAYS
    }

    /// Whether each change has the registration verified.
    pub(super) const fn is_verified_always(&self) -> bool {
        self.mask & (UNVERIFIED | Interest::EDGE.bits()) != 0
    }

    /// The interest, if every backend supports it, it is not silent and needs no verification.
    #[inline(always)]
    pub(super) fn usual_interest(&self) -> Option<Interest> {
        const USUAL: u16 = Interest::READ.union(Interest::WRITE).bits();
        let is_usual = self.mask & !USUAL == ALWAYS;
        is_usual.then_some(Interest::from_bits_retain(self.mask ^ ALWAYS))
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

    /// The part of a report that it is handed out for. As on every Unix, an event that waits for READ or WRITE learns
    /// of an error or a hang-up by trying.
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
