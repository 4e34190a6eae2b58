//! The event column: which events exist, what they are, and the user's data.

use core::num::NonZeroU32;

use bitflags::bitflags;

use crate::event::{EventId, Missed};
use crate::storage::{Full, Index, Storage, Table};

bitflags! {
    /// What an event is, and where in its life.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub(crate) struct State: u16 {
        /// Is not pending any more once it is handed out.
        const ONE_SHOT = 0x0001;
        /// Is removed after it has been handed out.
        const ONCE = 0x0002;
        /// Waits for a signal.
        const SIGNAL = 0x0004;
        /// Has a timeout: armed, or expired and queued.
        const TIMED = 0x0008;
        /// Its fd is left alone until its timer ends the pause.
        const PAUSED = 0x0010;
        /// What makes a hand-out more than taking it off its queue.
        const SPECIAL = 0x001f;
        /// Waits for an fd.
        const IO = 0x0020;
        /// Is handed out around each wait.
        const WATCHER = 0x0040;
        /// Waits for something besides time.
        const SOURCE = 0x0064;
        /// Its fd, signal or watcher is registered.
        const PENDING = 0x0080;
        /// Does not keep the loop alive.
        const BACKGROUND = 0x0100;
        const BURST = 0x0200;
        const DELAY = 0x0400;
        /// Had a timeout when its pause began.
        const TIMED_BEFORE = 0x0800;
        /// What ends when it is disarmed: it waits for nothing any more.
        const ARMED = 0x0898;
    }
}

impl State {
    pub(crate) const fn missed(self) -> Missed {
        if self.contains(Self::BURST) {
            Missed::Burst
        } else if self.contains(Self::DELAY) {
            Missed::Delay
        } else {
            Missed::Skip
        }
    }

    /// Whether its fd is to be watched.
    pub(crate) const fn is_watched(self) -> bool {
        self.intersection(Self::PENDING.union(Self::PAUSED)).bits() == Self::PENDING.bits()
    }

    /// Whether it waits for anything.
    pub(crate) const fn is_waiting(self) -> bool {
        self.intersects(Self::PENDING.union(Self::TIMED))
    }
}

/// Generational slots: a freed one is taken again at once, under another generation. A slot whose generations are used up
/// is never taken again.
pub(crate) struct Events<T, S: Storage> {
    slots: S::Table<Slot<T>>,
    free: Option<S::Index>,
    len: u32,
}

struct Slot<T> {
    generation: NonZeroU32,
    state: State,
    /// The turn in which it was last handed out; in a slot that is free, the next free one.
    turn: u32,
    /// `None` in a slot that is free.
    data: Option<T>,
}

impl<T> Slot<T> {
    #[expect(clippy::as_conversions, reason = "it was an index")]
    fn next_free<I: Index>(&self) -> Option<I> {
        Some(I::new(self.turn as usize)).filter(|next| !next.is_nil())
    }

    fn set_next_free<I: Index>(&mut self, next: Option<I>) {
        self.turn = next.and_then(|next| u32::try_from(next.get()).ok()).unwrap_or(u32::MAX);
    }
}

impl<T, S: Storage> Events<T, S> {
    pub(crate) const fn new() -> Self {
        Self { slots: S::Table::EMPTY, free: None, len: 0 }
    }

    /// How many events exist.
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// Whether a freed slot can be taken again, so that no column has to grow.
    pub(crate) fn has_free(&self) -> bool {
        self.free.is_some()
    }

    pub(crate) fn reserve(&mut self) -> Result<(), Full> {
        // One place less than indices: the last one is nobody's.
        if S::Index::new(self.slots.len().saturating_add(1)).is_nil() {
            return Err(Full);
        }
        self.slots.reserve(1)
    }

    /// Takes a slot, for which room has been reserved.
    pub(crate) fn create(&mut self, state: State, turn: u32, data: T) -> (S::Index, EventId) {
        let turn = turn.wrapping_sub(1);
        let index = self.free.unwrap_or(Index::new(self.slots.len()));
        let mut generation = NonZeroU32::MIN;
        match self.slots.at_mut(index) {
            Some(slot) => {
                self.free = slot.next_free();
                generation = slot.generation;
                *slot = Slot { generation, state, turn, data: Some(data) };
            }
            None => self.slots.push(Slot { generation, state, turn, data: Some(data) }),
        }
        self.len = self.len.saturating_add(1);
        (index, Self::id_of(index, generation))
    }

    /// Frees a slot and gives the data back.
    pub(crate) fn remove(&mut self, index: S::Index) -> Option<T> {
        let slot = self.slots.at_mut(index)?;
        let data = slot.data.take()?;
        slot.state = State::empty();
        self.len = self.len.saturating_sub(1);
        if let Some(generation) = slot.generation.checked_add(1) {
            slot.generation = generation;
            slot.set_next_free(self.free);
            self.free = Some(index);
        }
        Some(data)
    }

    /// The slot that an id names, if the event still exists.
    #[inline]
    pub(crate) fn resolve(&self, id: EventId) -> Option<S::Index> {
        let index = S::Index::new(usize::try_from(id.slot).ok()?);
        let slot = self.slots.at(index)?;
        (slot.generation == id.generation && slot.data.is_some()).then_some(index)
    }

    pub(crate) fn id(&self, index: S::Index) -> Option<EventId> {
        let slot = self.slots.at(index)?;
        slot.data.as_ref()?;
        Some(Self::id_of(index, slot.generation))
    }

    fn id_of(index: S::Index, generation: NonZeroU32) -> EventId {
        EventId { slot: u32::try_from(index.get()).unwrap_or(u32::MAX), generation }
    }

    /// `None` where there is no such slot.
    #[inline]
    pub(crate) fn get_state(&self, index: S::Index) -> Option<State> {
        self.slots.at(index).map(|slot| slot.state)
    }

    #[inline]
    pub(crate) fn state(&self, index: S::Index) -> State {
        self.get_state(index).unwrap_or(State::empty())
    }

    /// Sets the state, and answers what it was.
    #[inline]
    pub(crate) fn replace_state(&mut self, index: S::Index, state: State) -> Option<State> {
        self.slots.at_mut(index).map(|slot| core::mem::replace(&mut slot.state, state))
    }

    pub(crate) fn data(&self, index: S::Index) -> Option<&T> {
        self.slots.at(index)?.data.as_ref()
    }

    /// The id and the data of an event that is handed out in this turn.
    #[inline]
    pub(crate) fn hand_out(&mut self, index: S::Index, turn: u32) -> Option<(EventId, &mut T)> {
        let slot = self.slots.at_mut(index)?;
        slot.turn = turn;
        Some((Self::id_of(index, slot.generation), slot.data.as_mut()?))
    }

    /// Whether the event has been handed out in this turn already.
    pub(crate) fn was_handed_out(&self, index: S::Index, turn: u32) -> bool {
        self.slots.at(index).is_some_and(|slot| slot.turn == turn)
    }

    /// The id and the data of an event.
    #[inline]
    pub(crate) fn lend(&mut self, index: S::Index) -> Option<(EventId, &mut T)> {
        let slot = self.slots.at_mut(index)?;
        Some((Self::id_of(index, slot.generation), slot.data.as_mut()?))
    }

    /// The indices of all events that exist.
    pub(crate) fn indices(&self) -> impl Iterator<Item = S::Index> {
        let slots = self.slots.as_slice();
        (0..slots.len()).filter(|place| slots.get(*place).is_some_and(|slot| slot.data.is_some())).map(Index::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Fixed;

    #[test]
    fn a_freed_slot_is_taken_again_at_once_and_the_old_id_is_stale() {
        let mut events = Events::<&str, Fixed<2>>::new();
        events.reserve().unwrap();
        let (index, first) = events.create(State::empty(), 0, "first");
        assert_eq!(events.remove(index), Some("first"));
        assert!(events.has_free());
        let (again, second) = events.create(State::empty(), 0, "second");
        assert_eq!((again, first.slot), (index, second.slot));
        assert_eq!(events.resolve(first), None);
        assert_eq!(events.resolve(second), Some(index));
        assert_eq!(events.len(), 1);
    }

    #[test]
    fn a_slot_whose_generations_are_used_up_is_retired() {
        let mut events = Events::<(), Fixed<1>>::new();
        events.reserve().unwrap();
        let (index, _) = events.create(State::empty(), 0, ());
        events.slots.at_mut(index).unwrap().generation = NonZeroU32::MAX;
        let last = events.id(index).unwrap();
        events.remove(index);
        assert!(!events.has_free());
        assert_eq!(events.reserve(), Err(Full));
        assert_eq!(events.resolve(last), None);
    }
}
