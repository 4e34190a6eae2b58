//! The signal map: the events of each signal.

use crate::backend::Signum;
use crate::storage::{Full, Index, Link, Storage, Table};

#[cfg(test)]
mod tests;

/// libevent's `event_signal_map`: one list of all events on signals, grouped by signal, in the order of creation.
///
/// ```text
///   first ─▶ 4 ─▶ 7 ─▶ 9 ─▶ 5 ─▶ 6       4, 7 and 9 on SIGTERM, 5 and 6 on SIGHUP
///            └── prev ──┘   └prev┘       the first event of a signal names its last one
/// ```
///
/// Finding a signal takes a step for each watched one, of which there are few.
pub(super) struct Signals<S: Storage> {
    /// By event.
    watches: S::Signals<Watch<S::Index>>,
    first: Link<S::Index>,
}

/// An event's place in the signal map. Numbers are bytes, since aligned ones would add padding beside 16-bit indices.
struct Watch<I> {
    signum: [u8; 4],
    /// 0: not pending. Otherwise the arrivals since the last hand-out, plus one.
    arrivals: [u8; 4],
    next: I,
    /// NIL without a signal.
    prev: I,
    /// In the first event of a signal: how many of its events are pending.
    pending: I,
}

impl<I: Index> Watch<I> {
    const NONE: Self = Self { signum: [0; 4], arrivals: [0; 4], next: I::NIL, prev: I::NIL, pending: I::FIRST };

    fn signum(&self) -> Signum {
        Signum::from_ne_bytes(self.signum)
    }

    fn arrivals(&self) -> u32 {
        u32::from_ne_bytes(self.arrivals)
    }

    fn set_arrivals(&mut self, arrivals: u32) {
        self.arrivals = arrivals.to_ne_bytes();
    }
}

struct Group<I> {
    first: I,
    /// The event before it in the list, or NIL.
    before: I,
}

impl<S: Storage> Signals<S> {
    pub(super) const fn new() -> Self {
        Self { watches: S::Signals::EMPTY, first: Link::NONE }
    }

    pub(super) fn reserve(&mut self, index: S::Index) -> Result<(), Full> {
        let places = index.get().saturating_add(1);
        self.watches.reserve(places.saturating_sub(self.watches.len()))
    }

    pub(super) fn create(&mut self, event: S::Index, signum: Signum) {
        // Only signal events use memory here.
        while self.watches.len() <= event.get() {
            self.watches.push(Watch::NONE);
        }
        let (prev, next) = match self.group(signum) {
            Some(group) => self.append(group.first, event),
            None => (event, core::mem::replace(&mut self.first, Link::to(event)).place()),
        };
        if let Some(watch) = self.watches.at_mut(event) {
            watch.signum = signum.to_ne_bytes();
            (watch.prev, watch.next, watch.pending) = (prev, next, Index::FIRST);
        }
    }

    /// Appends an event to a signal's. Returns its neighbours, before and after.
    fn append(&mut self, first: S::Index, event: S::Index) -> (S::Index, S::Index) {
        let last = self.watches.at_mut(first).map_or(Index::NIL, |first| core::mem::replace(&mut first.prev, event));
        let next = self.watches.at_mut(last).map_or(Index::NIL, |last| core::mem::replace(&mut last.next, event));
        (last, next)
    }

    pub(super) fn remove(&mut self, event: S::Index) {
        self.set_pending(event, false);
        let Some(group) = self.signum(event).and_then(|signum| self.group(signum)) else { return };
        let Some(watch) = self.watches.at_mut(event) else { return };
        let (next, prev, pending) = (watch.next, watch.prev, watch.pending);
        watch.prev = Index::NIL;
        if event != group.first {
            self.lead(prev, next);
            let is_last = self.watches.at(group.first).is_some_and(|first| first.prev == event);
            if let Some(after) = self.watches.at_mut(if is_last { group.first } else { next }) {
                after.prev = prev;
            }
            return;
        }
        self.lead(group.before, next);
        if prev == event {
            return;
        }
        if let Some(first) = self.watches.at_mut(next) {
            (first.prev, first.pending) = (prev, pending);
        }
    }

    /// Links `next` after the event `at`, or at the beginning.
    fn lead(&mut self, at: S::Index, next: S::Index) {
        match self.watches.at_mut(at) {
            Some(before) => before.next = next,
            None => self.first = Link::to(next),
        }
    }

    /// Finds a signal's events.
    fn group(&self, signum: Signum) -> Option<Group<S::Index>> {
        let mut group = Group { first: self.first.place(), before: Index::NIL };
        loop {
            let first = self.watches.at(group.first)?;
            if first.signum() == signum {
                return Some(group);
            }
            group = Group { first: self.watches.at(first.prev)?.next, before: first.prev };
        }
    }

    pub(super) fn signum(&self, event: S::Index) -> Option<Signum> {
        self.watches.at(event).filter(|watch| !watch.prev.is_nil()).map(Watch::signum)
    }

    pub(super) fn is_watched(&self, signum: Signum) -> bool {
        let first = self.group(signum).and_then(|group| self.watches.at(group.first));
        first.is_some_and(|first| first.pending != Index::FIRST)
    }

    /// Begins to count arrivals from zero, or stops.
    pub(super) fn set_pending(&mut self, event: S::Index, pending: bool) {
        let Some(watch) = self.watches.at_mut(event).filter(|watch| !watch.prev.is_nil()) else { return };
        let was_pending = watch.arrivals() > 0;
        watch.set_arrivals(pending.into());
        if was_pending == pending {
            return;
        }
        let signum = watch.signum();
        let Some(group) = self.group(signum) else { return };
        if let Some(first) = self.watches.at_mut(group.first) {
            let count = first.pending.get();
            first.pending = Index::new(if pending { count.saturating_add(1) } else { count.saturating_sub(1) });
        }
    }

    /// Counts an arrival, and calls `found` with each event that it concerns.
    pub(super) fn report(&mut self, signum: Signum, count: u32, mut found: impl FnMut(S::Index)) {
        let Some(Group { first: mut at, .. }) = self.group(signum) else { return };
        let Some(last) = self.watches.at(at).map(|first| first.prev) else { return };
        while let Some(watch) = self.watches.at_mut(at) {
            let arrivals = watch.arrivals();
            if arrivals > 0 {
                watch.set_arrivals(arrivals.saturating_add(count));
                found(at);
            }
            if at == last {
                return;
            }
            at = watch.next;
        }
    }

    pub(super) fn count(&mut self, event: S::Index, count: u32) {
        if let Some(watch) = self.watches.at_mut(event) {
            watch.set_arrivals(watch.arrivals().saturating_add(count));
        }
    }

    pub(super) fn take_count(&mut self, event: S::Index) -> u32 {
        let Some(watch) = self.watches.at_mut(event) else { return 0 };
        let arrivals = watch.arrivals();
        watch.set_arrivals(arrivals.min(1));
        arrivals.saturating_sub(1)
    }
}
