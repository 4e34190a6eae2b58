//! The ready queues: active events, in one FIFO for each priority.

use super::budget::Budget;
use super::slots::{HandOut, Slots};
use crate::limits::{Bounds, Fairness};
use crate::ready::Ready;
use crate::storage::{Full, Index, Storage};

mod levels;

use levels::Levels;

/// FIFOs threaded through the slots; each event is in at most one.
///
/// ```text
///   levels[0]  head ─▶ 7 ⇄ 2 ◀─ tail        most urgent
///   levels[1]  head ─▶ 5 ◀─ tail
///   front      watchers of the wait, ahead of all levels
///   postponed  events for the next turn
/// ```
pub(super) struct Queue<S: Storage> {
    levels: Levels<S>,
    front: List<S::Index>,
    postponed: List<S::Index>,
    len: u32,
    /// Counts turns; each event stores that of its last hand-out.
    turn: u32,
    budget: Budget<S>,
}

/// An event's links in a queue.
pub(super) struct Node<I> {
    /// The event after it; not maintained for the tail.
    next: I,
    /// The event before it; not maintained for the head.
    prev: I,
    /// What was found since the last hand-out; empty if the event is not active.
    ready: Ready,
    place: Place,
    level: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    None,
    Level,
    Front,
    Postponed,
}

impl<I: Index> Node<I> {
    pub(super) const fn new(level: u8) -> Self {
        Self { next: I::NIL, prev: I::NIL, ready: Ready::empty(), place: Place::None, level }
    }

    #[inline]
    pub(super) fn is_active(&self) -> bool {
        self.place != Place::None
    }

    #[inline]
    pub(super) fn is_expired(&self) -> bool {
        self.ready.contains(Ready::TIMEOUT)
    }
}

pub(super) struct List<I> {
    head: I,
    tail: I,
}

impl<I: Index> List<I> {
    const EMPTY: Self = Self { head: I::NIL, tail: I::NIL };
    /// All zeros, for a base in a `static`: empty while no event exists.
    const UNUSED: Self = Self { head: I::FIRST, tail: I::FIRST };

    fn is_empty(&self) -> bool {
        self.head.is_nil()
    }

    /// Appends an event. Returns whether it is the first.
    #[inline(always)]
    fn append<T, S: Storage<Index = I>>(&mut self, slots: &mut Slots<T, S>, index: I) -> bool {
        let last = self.tail;
        self.tail = index;
        if let Some(node) = slots.node_mut(index) {
            node.prev = last;
        }
        let Some(last) = slots.node_mut(last) else {
            self.head = index;
            return true;
        };
        last.next = index;
        false
    }

    fn pop<T, S: Storage<Index = I>>(&mut self, slots: &mut Slots<T, S>) -> Option<(I, Ready)> {
        let first = self.head;
        let node = slots.node_mut(first)?;
        Some((first, self.take_first(node)))
    }

    /// The first event; in an empty list, an index of none.
    #[inline(always)]
    pub(super) fn first(&self) -> I {
        self.head
    }

    /// Takes the first event, whose node this is. Returns what it was queued for.
    #[inline(always)]
    pub(super) fn take_first(&mut self, node: &mut Node<I>) -> Ready {
        let is_last = self.head == self.tail;
        self.head = node.next;
        if is_last {
            (self.head, self.tail) = (I::NIL, I::NIL);
        }
        node.place = Place::None;
        core::mem::take(&mut node.ready)
    }

    fn unlink<T, S: Storage<Index = I>>(&mut self, slots: &mut Slots<T, S>, index: I) {
        let Some(node) = slots.node(index) else { return };
        let next = if self.tail == index { I::NIL } else { node.next };
        let prev = if self.head == index { I::NIL } else { node.prev };
        match slots.node_mut(prev) {
            Some(before) => before.next = next,
            None => self.head = next,
        }
        match slots.node_mut(next) {
            Some(after) => after.prev = prev,
            None => self.tail = prev,
        }
    }
}

impl<S: Storage> Queue<S> {
    pub(super) const fn new() -> Self {
        Self {
            levels: Levels::new(),
            front: List::UNUSED,
            postponed: List::UNUSED,
            len: 0,
            turn: 0,
            budget: Budget::new(),
        }
    }

    /// Allocates the levels, for the first event.
    pub(super) fn begin(&mut self) -> Result<(), Full> {
        (self.front, self.postponed) = (List::EMPTY, List::EMPTY);
        self.set_levels(self.levels())
    }

    pub(super) fn levels(&self) -> u8 {
        if S::HAS_LEVELS { u8::try_from(self.levels.len().max(1)).unwrap_or(u8::MAX) } else { 1 }
    }

    pub(super) fn set_levels(&mut self, levels: u8) -> Result<(), Full> {
        self.levels.set_len(usize::from(levels.max(1)))?;
        self.budget.change_levels();
        Ok(())
    }

    pub(super) fn turn(&self) -> u32 {
        self.turn
    }

    /// Begins a turn whose only limit is the number of hand-outs.
    pub(super) fn open_turn(&mut self, bounds: &Bounds) {
        // Watchers come first.
        let is_only_level = !S::HAS_LEVELS || self.levels.len() == 1;
        if is_only_level && !self.has_front() {
            self.budget.open_only_level(bounds, self.len);
        } else {
            self.open_levels(bounds);
        }
    }

    // Out of line: most bases have one level and default limits.
    #[inline(never)]
    pub(super) fn open_levels(&mut self, bounds: &Bounds) {
        self.levels.settle(self.budget.level());
        self.budget.open(bounds);
    }

    /// Ends the turn. Returns its number of hand-outs.
    pub(super) fn close_turn(&mut self) -> u32 {
        self.turn = self.turn.wrapping_add(1);
        self.budget.close()
    }

    pub(super) fn handed_out(&self) -> u32 {
        self.budget.handed_out()
    }

    /// Whether this turn is limited in time and has made a hand-out under that limit.
    pub(super) fn is_time_limited(&self) -> bool {
        self.budget.is_timed() && self.budget.has_begun()
    }

    /// Ends the limited hand-outs of this turn.
    pub(super) fn exhaust(&mut self) {
        self.budget.exhaust();
    }

    /// Makes [`Queue::pop`] return `None`, so that the next hand-out checks everything first.
    pub(super) fn interrupt(&mut self) {
        self.budget.reclaim();
    }

    // Queueing.

    /// As [`Queue::push_reported`], out of line.
    #[inline(never)]
    pub(super) fn push<T>(&mut self, slots: &mut Slots<T, S>, index: S::Index, ready: Ready) {
        self.push_reported(slots, index, ready);
    }

    /// Queues the event at its level, or adds the bits to a queued one.
    #[inline(always)]
    pub(super) fn push_reported<T>(&mut self, slots: &mut Slots<T, S>, index: S::Index, ready: Ready) {
        let Some(node) = slots.node_mut(index) else { return };
        node.ready |= ready;
        if node.place != Place::None {
            return;
        }
        node.place = Place::Level;
        let level = node.level;
        self.levels.append(slots, level, index);
        self.len = self.len.wrapping_add(1);
    }

    /// Queues the event for the user: in this turn, or the next if this one has handed it out.
    pub(super) fn activate<T>(&mut self, slots: &mut Slots<T, S>, index: S::Index, ready: Ready) {
        if slots.was_handed_out(index, self.turn) {
            return self.postpone(slots, index, ready);
        }
        self.push(slots, index, ready);
        if S::HAS_LEVELS && self.level(slots, index) < self.budget.level() {
            self.interrupt();
        }
    }

    pub(super) fn push_front<T>(&mut self, slots: &mut Slots<T, S>, index: S::Index) {
        self.push_aside(slots, index, Ready::empty(), Place::Front);
    }

    /// Queues the event for the next turn, unless it is queued.
    pub(super) fn postpone<T>(&mut self, slots: &mut Slots<T, S>, index: S::Index, ready: Ready) {
        self.push_aside(slots, index, ready, Place::Postponed);
    }

    fn push_aside<T>(&mut self, slots: &mut Slots<T, S>, index: S::Index, ready: Ready, place: Place) {
        let Some(node) = slots.node_mut(index) else { return };
        node.ready |= ready;
        if node.place == Place::None {
            node.place = place;
            let list = if place == Place::Front { &mut self.front } else { &mut self.postponed };
            list.append(slots, index);
            self.len = self.len.wrapping_add(1);
        }
    }

    #[inline]
    pub(super) fn admit_postponed<T>(&mut self, slots: &mut Slots<T, S>) {
        if !self.postponed.is_empty() {
            self.admit(slots);
        }
    }

    fn admit<T>(&mut self, slots: &mut Slots<T, S>) {
        while let Some((index, ready)) = self.postponed.pop(slots) {
            self.len = self.len.wrapping_sub(1);
            self.push(slots, index, ready);
        }
    }

    // Taking out.

    /// The next event while the grant lasts; an index of none if its level is empty.
    #[inline(always)]
    pub(super) fn first(&self) -> Option<S::Index> {
        self.levels.get(self.budget.served()?).map(List::first)
    }

    /// Takes the next event while the grant lasts.
    pub(super) fn pop<T>(&mut self, slots: &mut Slots<T, S>) -> Option<(S::Index, Ready)> {
        let level = self.budget.served()?;
        let taken = self.levels.get_mut(level)?.pop(slots)?;
        self.len = self.len.wrapping_sub(1);
        self.budget.count();
        Some(taken)
    }

    #[inline(always)]
    pub(super) fn hand_out<'s, T>(
        &mut self,
        slots: &'s mut Slots<T, S>,
        restarts: bool,
    ) -> Option<HandOut<'s, T, S::Index>> {
        let (level, turn) = (self.budget.served()?, self.turn);
        let taken = slots.hand_out_first(self.levels.get_mut(level)?, turn, restarts)?;
        self.len = self.len.wrapping_sub(1);
        self.budget.count();
        Some(taken)
    }

    pub(super) fn set_fairness(&mut self, fairness: Fairness) {
        self.budget.set_fairness(fairness);
    }

    /// Chooses the level that [`Queue::pop`] takes from, if hand-outs are left.
    pub(super) fn choose_level(&mut self) {
        self.levels.settle(self.budget.level());
        self.budget.choose(&self.levels, || self.len);
    }

    #[inline]
    pub(super) fn has_front(&self) -> bool {
        S::HAS_WATCHERS && !self.front.is_empty()
    }

    pub(super) fn pop_front<T>(&mut self, slots: &mut Slots<T, S>) -> Option<(S::Index, Ready)> {
        let taken = if S::HAS_WATCHERS { self.front.pop(slots)? } else { return None };
        self.len = self.len.wrapping_sub(1);
        self.budget.count_unlimited();
        Some(taken)
    }

    #[inline]
    pub(super) fn cancel<T>(&mut self, slots: &mut Slots<T, S>, index: S::Index) {
        if slots.node(index).is_some_and(|node| node.place != Place::None) {
            self.take_out(slots, index);
        }
    }

    #[inline(never)]
    fn take_out<T>(&mut self, slots: &mut Slots<T, S>, index: S::Index) {
        let Some(node) = slots.node_mut(index) else { return };
        let (place, level) = (node.place, node.level);
        (node.place, node.ready) = (Place::None, Ready::empty());
        match place {
            Place::None => return,
            Place::Level => self.levels.unlink(slots, level, index),
            Place::Front if S::HAS_WATCHERS => self.front.unlink(slots, index),
            Place::Front => {}
            Place::Postponed => self.postponed.unlink(slots, index),
        }
        self.len = self.len.wrapping_sub(1);
    }

    /// Drops bits of an active event, and takes it out if none is left.
    #[inline]
    pub(super) fn retract<T>(&mut self, slots: &mut Slots<T, S>, index: S::Index, bits: Ready) {
        let Some(node) = slots.node_mut(index) else { return };
        // Empty if it is not queued.
        if node.ready.intersects(bits) {
            node.ready.remove(bits);
            if node.ready.is_empty() {
                self.take_out(slots, index);
            }
        }
    }

    // Queries.

    pub(super) fn ready<T>(slots: &Slots<T, S>, index: S::Index) -> Option<Ready> {
        slots.node(index).filter(|node| node.place != Place::None).map(|node| node.ready)
    }

    pub(super) fn level<T>(&self, slots: &Slots<T, S>, index: S::Index) -> u8 {
        slots.node(index).map_or(0, |node| node.level)
    }

    /// Moves the event to another level, a queued one to its end.
    pub(super) fn set_level<T>(&mut self, slots: &mut Slots<T, S>, index: S::Index, level: u8) {
        let Some(node) = slots.node(index) else { return };
        let (is_queued, ready) = (node.place == Place::Level, node.ready);
        if is_queued {
            self.take_out(slots, index);
        }
        if let Some(node) = slots.node_mut(index) {
            node.level = level;
        }
        if is_queued {
            self.push(slots, index, ready);
            if S::HAS_LEVELS && level < self.budget.level() {
                self.interrupt();
            }
        }
    }

    /// The number of active events, postponed ones included.
    #[inline]
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// Walks every queue and verifies links and positions.
    #[cfg(any(test, feature = "check"))]
    pub(super) fn check<T>(&self, slots: &Slots<T, S>) -> bool {
        let walk = |list: &List<S::Index>, place: Place, level: Option<u8>| -> Option<u32> {
            let (mut at, mut before, mut steps) = (list.head, S::Index::NIL, 0u32);
            while let Some(node) = slots.node(at) {
                let linked = at == list.head || node.prev == before;
                if !linked || node.place != place || level.is_some_and(|level| node.level != level) {
                    return None;
                }
                steps = steps.checked_add(1).filter(|steps| *steps <= slots.len())?;
                (before, at) = (at, if at == list.tail { S::Index::NIL } else { node.next });
            }
            // Lists have an end only once an event exists.
            (before == list.tail || slots.is_unused()).then_some(steps)
        };
        let levels = self.levels.iter().map(|(level, list)| walk(list, Place::Level, Some(level)));
        let aside = [walk(&self.front, Place::Front, None), walk(&self.postponed, Place::Postponed, None)];
        let total = levels.chain(aside).try_fold(0u32, |total, steps| Some(total.saturating_add(steps?)));
        let nodes = || slots.indices().filter_map(|index| slots.node(index));
        let queued = nodes().filter(|node| node.place != Place::None).count();
        let idle_are_empty = nodes().all(|node| node.place != Place::None || node.ready.is_empty());
        idle_are_empty
            && self.levels.check(self.budget.level())
            && total == Some(self.len)
            && usize::try_from(self.len) == Ok(queued)
    }
}

#[cfg(test)]
mod tests;
