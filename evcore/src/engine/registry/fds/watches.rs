//! The events' parts in the fd map, found by event.

use super::row::Watch;
use crate::storage::{Full, Index, Owner, Storage, Table};

/// What each event on an fd waits for there. Where every event may be on an fd, its part has the event's own index; where fewer
/// may, which are few then, each part names its event and is looked for.
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

    /// Makes sure that the event of this index can be given a part.
    pub(super) fn reserve(&mut self, index: S::Index) -> Result<(), Full> {
        if S::IS_EACH_ON_FD {
            let places = index.get().saturating_add(1);
            return self.places.reserve(places.saturating_sub(self.places.len()));
        }
        if self.place(Index::NIL).is_some() { Ok(()) } else { self.places.reserve(1) }
    }

    /// Gives the event a part, for which room has been reserved.
    pub(super) fn create(&mut self, index: S::Index) {
        if S::IS_EACH_ON_FD {
            // Only events on fds take memory here.
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

    /// The event has given its part up.
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
        let place =
            if S::IS_EACH_ON_FD { self.places.at(index) } else { self.places.as_slice().get(self.found(index)?) };
        place.map(|place| &place.watch)
    }

    #[inline]
    pub(super) fn at_mut(&mut self, index: S::Index) -> Option<&mut Watch<S>> {
        if S::IS_EACH_ON_FD {
            return self.places.at_mut(index).map(|place| &mut place.watch);
        }
        let at = self.found(index)?;
        self.places.as_mut_slice().get_mut(at).map(|place| &mut place.watch)
    }

    /// Where the event's part is. Nobody's are not found.
    fn found(&self, index: S::Index) -> Option<usize> {
        if index.is_nil() { None } else { self.place(index) }
    }

    /// Where the part of an event is; of NIL, one that is nobody's.
    #[inline(never)]
    fn place(&self, index: S::Index) -> Option<usize> {
        self.places.as_slice().iter().position(|place| place.owner.is(index))
    }

    #[cfg(any(test, feature = "check"))]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Watch<S>> {
        self.places.as_slice().iter().map(|place| &place.watch)
    }
}
