//! The slots: which events exist, their state and data.

use core::num::NonZeroU32;

use super::queue::{List, Node};
use super::state::{Kind, State};
use crate::event::EventId;
use crate::ready::Ready;
use crate::storage::{Full, Index, Storage, Table};

/// Generational slots. A freed slot is reused at once with another generation, until its generations are used up. Those
/// of events are odd and those of free slots even, so that an id needs no look at the data, which may be in another
/// cache line.
pub(super) struct Slots<T, S: Storage> {
    slots: S::Table<Slot<T, S>>,
    free: S::Index,
    len: u32,
    /// The generation that slots begin with.
    #[cfg(debug_assertions)]
    first: Option<NonZeroU32>,
}

/// All that a report and a hand-out touch.
struct Slot<T, S: Storage> {
    generation: NonZeroU32,
    /// The turn of the last hand-out; in a free slot, the next free one.
    turn: u32,
    node: Node<S::Index>,
    state: State<S>,
    data: Option<T>,
}

/// The last one of a free slot.
const LAST_GENERATION: u32 = u32::MAX - 1;

pub(super) struct HandOut<'a, T, I> {
    pub(super) index: I,
    pub(super) id: EventId,
    pub(super) ready: Ready,
    /// Its timeout restarts, and its slot is not listed yet.
    pub(super) is_to_be_listed: bool,
    pub(super) data: &'a mut T,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    None,
    /// Restarts its timeout at the end of the turn.
    Restart,
    /// More than that.
    More,
    /// The next event must be determined first.
    Unknown,
}

impl<T, S: Storage> Slot<T, S> {
    #[expect(clippy::as_conversions, reason = "it was an index")]
    fn next_free(&self) -> S::Index {
        S::Index::new(self.turn as usize)
    }

    fn set_next_free(&mut self, next: S::Index) {
        self.turn = u32::try_from(next.get()).unwrap_or(u32::MAX);
    }
}

impl<T, S: Storage> Slots<T, S> {
    pub(super) const fn new() -> Self {
        // In an empty table every index is beyond the end, and zero takes no flash.
        Self {
            slots: S::Table::EMPTY,
            free: Index::FIRST,
            len: 0,
            #[cfg(debug_assertions)]
            first: None,
        }
    }

    pub(super) fn len(&self) -> u32 {
        self.len
    }

    pub(super) fn is_unused(&self) -> bool {
        self.slots.len() == 0
    }

    /// Whether a freed slot can be reused, so that no table grows.
    pub(super) fn has_free(&self) -> bool {
        self.slots.at(self.free).is_some()
    }

    pub(super) fn next_index(&self) -> S::Index {
        if self.has_free() { self.free } else { Index::new(self.slots.len()) }
    }

    /// Whether there is a place for another event here, and so in the other tables. In small storages only a freed one, as
    /// it takes less code to ask every table.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        self.has_free() || !S::IS_SMALL && !self.slots.may_be_full()
    }

    /// How many slots there must be room for in each table.
    #[cfg(any(test, feature = "check"))]
    pub(super) fn room(&self) -> usize {
        let slots = self.slots.len();
        if self.slots.may_be_full() { slots } else { self.slots.next_room() }
    }

    /// How many slots to make room for when there is no place.
    pub(super) fn next_room(&self) -> Result<usize, Full> {
        let slots = self.slots.next_room();
        // The last index is NIL.
        if slots > S::Index::NIL.get() { Err(Full) } else { Ok(slots) }
    }

    pub(super) fn reserve_all(&mut self, slots: usize) -> Result<(), Full> {
        self.slots.reserve_all(slots)
    }

    /// Takes a slot, for which room is reserved.
    pub(super) fn create(&mut self, state: State<S>, level: u8, turn: u32, data: T) -> (S::Index, EventId) {
        // Not handed out in this turn.
        let turn = turn.wrapping_sub(1);
        let slot = |generation, state| Slot { generation, turn, node: Node::new(level), state, data: Some(data) };
        self.len = self.len.saturating_add(1);
        let place = self.slots.len();
        let first = self.first_generation();
        match self.slots.at_mut(self.free) {
            Some(freed) => {
                let index = core::mem::replace(&mut self.free, freed.next_free());
                let generation = freed.generation.saturating_add(1);
                *freed = slot(generation, state.listed_as(freed.state));
                (index, Self::id_of(index, generation))
            }
            None => {
                self.slots.push(slot(first, state));
                self.free = Index::NIL;
                (Index::new(place), Self::id_of(Index::new(place), first))
            }
        }
    }

    /// In debug builds each base has its own generations, up to half a million in each slot, so that an id of another base
    /// is recognised like a stale one.
    #[cfg(debug_assertions)]
    fn first_generation(&mut self) -> NonZeroU32 {
        use core::sync::atomic::{AtomicU32, Ordering};
        static BASES: AtomicU32 = AtomicU32::new(0);
        *self.first.get_or_insert_with(|| {
            // Not a read-modify-write, which small parts lack: two threads may get the same number.
            let number = BASES.load(Ordering::Relaxed);
            BASES.store(number.wrapping_add(1), Ordering::Relaxed);
            // Leaves half of all generations to the last of them.
            NonZeroU32::MIN.saturating_add((number & 0x7ff) << 20)
        })
    }

    #[cfg(not(debug_assertions))]
    #[expect(clippy::unused_self, reason = "only debug builds need it")]
    const fn first_generation(&self) -> NonZeroU32 {
        NonZeroU32::MIN
    }

    pub(super) fn remove(&mut self, index: S::Index) -> Option<T> {
        let slot = self.slots.at_mut(index)?;
        let data = slot.data.take()?;
        self.len = self.len.saturating_sub(1);
        slot.generation = slot.generation.saturating_add(1);
        if slot.generation.get() < LAST_GENERATION {
            slot.set_next_free(self.free);
            self.free = index;
        }
        Some(data)
    }

    /// The slot of an id, if the event still exists.
    #[inline]
    pub(super) fn resolve(&self, id: EventId) -> Option<S::Index> {
        let index = S::Index::new(usize::try_from(id.slot).ok()?);
        (self.slots.at(index)?.generation == id.generation).then_some(index)
    }

    pub(super) fn id(&self, index: S::Index) -> Option<EventId> {
        self.slots.at(index).map(|slot| Self::id_of(index, slot.generation))
    }

    fn id_of(index: S::Index, generation: NonZeroU32) -> EventId {
        EventId { slot: u32::try_from(index.get()).unwrap_or(u32::MAX), generation }
    }

    #[inline]
    pub(super) fn state(&self, index: S::Index) -> State<S> {
        self.slots.at(index).map(|slot| slot.state).unwrap_or_default()
    }

    /// Whether an entry of the event in the timer heap is right, and not one of a cancelled timer.
    #[inline]
    pub(super) fn has_timer(&self, index: S::Index) -> bool {
        self.state(index).has_timer()
    }

    /// The event is given a timeout, if it can wait for nothing else and is not active. Returns the old state.
    #[inline]
    pub(super) fn start_timer(&mut self, index: S::Index) -> Option<State<S>> {
        let slot = self.slots.at_mut(index)?;
        let old = slot.state;
        if !old.is_of(Kind::Plain) || slot.node.is_active() {
            return None;
        }
        slot.state = old.given_timeout();
        Some(old)
    }

    /// Stops the timer of an event that waits for nothing else and is not active. Returns the new state.
    #[inline]
    pub(super) fn stop_timer(&mut self, index: S::Index) -> Option<State<S>> {
        let slot = self.slots.at_mut(index)?;
        if !slot.state.is_running_timer() || slot.node.is_active() {
            return None;
        }
        slot.state = slot.state.disarmed();
        Some(slot.state)
    }

    /// The event is given a timeout. Returns the old state, and whether it is queued for a timeout.
    #[inline]
    pub(super) fn give_timeout(&mut self, index: S::Index) -> Option<(State<S>, bool)> {
        let slot = self.slots.at_mut(index)?;
        let old = slot.state;
        slot.state = old.given_timeout();
        Some((old, slot.node.is_expired()))
    }

    #[inline(always)]
    pub(super) fn effect(&self, index: S::Index) -> Effect {
        let Some(slot) = self.slots.at(index) else { return Effect::Unknown };
        if slot.state.is_plain() {
            Effect::None
        } else if slot.state.is_simple() && !slot.node.is_expired() {
            Effect::Restart
        } else {
            Effect::More
        }
    }

    #[inline]
    pub(super) fn state_mut(&mut self, index: S::Index) -> Option<&mut State<S>> {
        self.slots.at_mut(index).map(|slot| &mut slot.state)
    }

    #[inline]
    pub(super) fn node(&self, index: S::Index) -> Option<&Node<S::Index>> {
        self.slots.at(index).map(|slot| &slot.node)
    }

    #[inline]
    pub(super) fn node_mut(&mut self, index: S::Index) -> Option<&mut Node<S::Index>> {
        self.slots.at_mut(index).map(|slot| &mut slot.node)
    }

    pub(super) fn data(&self, index: S::Index) -> Option<&T> {
        self.slots.at(index)?.data.as_ref()
    }

    pub(super) fn data_mut(&mut self, index: S::Index) -> Option<&mut T> {
        self.slots.at_mut(index)?.data.as_mut()
    }

    /// The id and data of an event that this turn hands out.
    pub(super) fn hand_out(&mut self, index: S::Index, turn: u32) -> Option<(EventId, &mut T)> {
        let slot = self.slots.at_mut(index)?;
        slot.turn = turn;
        Some((Self::id_of(index, slot.generation), slot.data.as_mut()?))
    }

    /// As [`Slots::hand_out`], taking the first event of a list.
    #[inline(always)]
    pub(super) fn hand_out_first(
        &mut self,
        list: &mut List<S::Index>,
        turn: u32,
        restarts: bool,
    ) -> Option<HandOut<'_, T, S::Index>> {
        let index = list.first();
        let slot = self.slots.at_mut(index)?;
        let ready = list.take_first(&mut slot.node);
        slot.turn = turn;
        let is_to_be_listed = restarts && slot.state.restart();
        let id = Self::id_of(index, slot.generation);
        Some(HandOut { index, id, ready, is_to_be_listed, data: slot.data.as_mut()? })
    }

    pub(super) fn turn(&self, index: S::Index) -> u32 {
        self.slots.at(index).map_or(0, |slot| slot.turn)
    }

    /// Unlists the slot from the restarts. Returns the turn of the hand-out that restarts the event's timeout.
    #[inline]
    pub(super) fn end_restart(&mut self, index: S::Index) -> Option<u32> {
        let slot = self.slots.at_mut(index)?;
        slot.state.end_restart().then_some(slot.turn)
    }

    pub(super) fn was_handed_out(&self, index: S::Index, turn: u32) -> bool {
        self.slots.at(index).is_some_and(|slot| slot.turn == turn && slot.data.is_some())
    }

    pub(super) fn indices(&self) -> impl Iterator<Item = S::Index> {
        let slots = self.slots.as_slice();
        (0..slots.len()).filter(|place| slots.get(*place).is_some_and(|slot| slot.data.is_some())).map(Index::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Fixed;

    #[test]
    fn a_freed_slot_is_taken_again_and_the_old_id_is_stale() {
        let mut slots = Slots::<&str, Fixed<2>>::new();
        slots.reserve_all(1).unwrap();
        let (index, first) = slots.create(State::default(), 0, 0, "first");
        assert!(!slots.has_free());
        assert_eq!(slots.remove(index), Some("first"));
        assert!(slots.has_free());
        let (again, second) = slots.create(State::default(), 0, 0, "second");
        assert_eq!((again, first.slot), (index, second.slot));
        assert_eq!(slots.resolve(first), None);
        assert_eq!(slots.resolve(second), Some(index));
        assert_eq!(slots.len(), 1);
        assert!(!slots.has_free());
    }

    #[test]
    fn there_is_room_until_the_end_of_a_large_storage() {
        let mut slots = Slots::<(), Fixed<65>>::new();
        slots.reserve_all(65).unwrap();
        for made in 0..66 {
            // Before the first one, the other tables are asked too.
            assert_eq!(slots.has_room(), (1..65).contains(&made), "{made}");
            slots.create(State::default(), 0, 0, ());
        }
    }

    #[test]
    fn a_slot_whose_generations_are_used_up_is_retired() {
        let mut slots = Slots::<(), Fixed<1>>::new();
        slots.reserve_all(1).unwrap();
        let (index, _) = slots.create(State::default(), 0, 0, ());
        slots.slots.at_mut(index).unwrap().generation = NonZeroU32::new(u32::MAX - 2).unwrap();
        let last = slots.id(index).unwrap();
        slots.remove(index);
        assert!(!slots.has_free());
        assert!(!slots.has_room());
        assert_eq!(slots.next_room().and_then(|more| slots.reserve_all(more)), Err(Full));
        assert_eq!(slots.resolve(last), None);
    }
}
