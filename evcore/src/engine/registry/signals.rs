//! The signal map: signal number → the events that watch it.

use crate::backend::Signum;
use crate::storage::{Full, Storage, Table};

/// The signal map, libevent's `event_signal_map`. Programs watch few signals, so it is a list in the order of creation;
/// each operation looks through it once.
pub(super) struct Signals<S: Storage> {
    watches: S::Table<Watch<S::Index>>,
}

struct Watch<I> {
    signum: Signum,
    event: I,
    pending: bool,
    /// How often the signal has arrived since the event was last handed out.
    count: u32,
}

impl<S: Storage> Signals<S> {
    pub(super) const fn new() -> Self {
        Self { watches: S::Table::EMPTY }
    }

    pub(super) fn reserve(&mut self) -> Result<(), Full> {
        self.watches.reserve(1)
    }

    pub(super) fn create(&mut self, event: S::Index, signum: Signum) {
        self.watches.push(Watch { signum, event, pending: false, count: 0 });
    }

    pub(super) fn remove(&mut self, event: S::Index) {
        let Some(at) = self.watches.as_slice().iter().position(|watch| watch.event == event) else { return };
        self.watches.remove(at);
    }

    fn watch(&self, event: S::Index) -> Option<&Watch<S::Index>> {
        self.watches.as_slice().iter().find(|watch| watch.event == event)
    }

    fn watch_mut(&mut self, event: S::Index) -> Option<&mut Watch<S::Index>> {
        self.watches.as_mut_slice().iter_mut().find(|watch| watch.event == event)
    }

    pub(super) fn signum(&self, event: S::Index) -> Option<Signum> {
        self.watch(event).map(|watch| watch.signum)
    }

    /// Whether any event is pending on this signal.
    pub(super) fn is_watched(&self, signum: Signum) -> bool {
        self.watches.as_slice().iter().any(|watch| watch.signum == signum && watch.pending)
    }

    pub(super) fn set_pending(&mut self, event: S::Index, pending: bool) {
        if let Some(watch) = self.watch_mut(event) {
            watch.pending = pending;
            watch.count = 0;
        }
    }

    /// Counts an arrival, and calls `found` with each event that it concerns.
    pub(super) fn report(&mut self, signum: Signum, count: u32, mut found: impl FnMut(S::Index)) {
        let watches = self.watches.as_mut_slice().iter_mut();
        for watch in watches.filter(|watch| watch.signum == signum && watch.pending) {
            watch.count = watch.count.saturating_add(count);
            found(watch.event);
        }
    }

    /// How often the event's signal arrived, counted from zero again.
    pub(super) fn take_count(&mut self, event: S::Index) -> u32 {
        self.watch_mut(event).map_or(0, |watch| core::mem::take(&mut watch.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Fixed;
    use std::vec::Vec;

    #[test]
    fn a_signal_reaches_its_pending_events_in_order_with_its_count() {
        let mut signals = Signals::<Fixed<4>>::new();
        for (event, signum) in [(0, 10), (1, 12), (2, 10), (3, 10)] {
            signals.reserve().unwrap();
            signals.create(event, signum);
            signals.set_pending(event, event != 3);
        }
        let mut found = Vec::new();
        signals.report(10, u32::MAX, |event| found.push(event));
        signals.report(10, 7, |_| {});
        assert_eq!(found, [0, 2]);
        assert_eq!((signals.take_count(0), signals.take_count(0)), (u32::MAX, 0));
        signals.remove(0);
        assert!(signals.is_watched(10));
        signals.set_pending(2, false);
        assert!(!signals.is_watched(10));
        assert_eq!(signals.signum(3), Some(10));
    }
}
