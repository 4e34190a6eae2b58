//! The events' places in the fd map.

use super::row::Watch;
use crate::storage::{Full, Index, Owner, Storage, Table};

/// The interest of each event on an fd. If every event may be on an fd, an event has its own index here; otherwise
/// entries, of which there are few, name their events and are searched.
pub(super) struct Watches<S: Storage> {
    places: S::Fds<Place<S>>,
}

struct Place<S: Storage> {
    watch: Watch<S>,
    owner: S::Owner,
}

impl<S: Storage> Watches<S> {
    pub(super) const fn new() -> Self {
        Self { places: S::Fds::EMPTY }
    }

    pub(super) fn reserve(&mut self, index: S::Index) -> Result<(), Full> {
        if S::IS_EACH_ON_FD {
            let places = index.get().saturating_add(1);
            return self.places.reserve(places.saturating_sub(self.places.len()));
        }
        if self.place(Index::NIL).is_some() { Ok(()) } else { self.places.reserve(1) }
    }

    pub(super) fn create(&mut self, index: S::Index) {
        if S::IS_EACH_ON_FD {
            // Only events on fds use memory here.
            while self.places.len() <= index.get() {
                self.push(S::Owner::NONE);
            }
            return;
        }
        let free = self.place(Index::NIL);
        match free.and_then(|free| self.places.as_mut_slice().get_mut(free)) {
            Some(place) => place.owner = S::Owner::of(index),
            None => self.push(S::Owner::of(index)),
        }
    }

    fn push(&mut self, owner: S::Owner) {
        self.places.push(Place { watch: Watch::new(), owner });
    }

    pub(super) fn remove(&mut self, index: S::Index) {
        if !S::IS_EACH_ON_FD {
            let at = self.place(index);
            if let Some(place) = at.and_then(|at| self.places.as_mut_slice().get_mut(at)) {
                place.owner = S::Owner::NONE;
            }
        }
    }

    #[inline]
    pub(super) fn at(&self, index: S::Index) -> Option<&Watch<S>> {
        if S::IS_EACH_ON_FD {
            return self.places.at(index).map(|place| &place.watch);
        }
        self.found(index)
    }

    #[inline]
    pub(super) fn at_mut(&mut self, index: S::Index) -> Option<&mut Watch<S>> {
        if S::IS_EACH_ON_FD {
            return self.places.at_mut(index).map(|place| &mut place.watch);
        }
        self.found_mut(index)
    }

    // Out of line: there are many callers.

    #[inline(never)]
    fn found(&self, index: S::Index) -> Option<&Watch<S>> {
        // NIL would find a free place.
        let place = if index.is_nil() { None } else { self.place(index) };
        self.places.as_slice().get(place?).map(|place| &place.watch)
    }

    #[inline(never)]
    fn found_mut(&mut self, index: S::Index) -> Option<&mut Watch<S>> {
        let place = if index.is_nil() { None } else { self.place(index) };
        self.places.as_mut_slice().get_mut(place?).map(|place| &mut place.watch)
    }

    /// The place of an event; for NIL, a free one.
    fn place(&self, index: S::Index) -> Option<usize> {
        self.places.as_slice().iter().position(|place| place.owner.is(index))
    }

    #[cfg(any(test, feature = "check"))]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Watch<S>> {
        self.places.as_slice().iter().map(|place| &place.watch)
    }
}
