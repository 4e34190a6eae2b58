//! The active column: events that are to be handed out, in one FIFO for each priority.

use crate::event::Ready;
use crate::storage::{Full, Index, Storage, Table};

/// One queue for each priority, threaded through the events; each event is in one queue at most.
///
/// ```text
///   levels[0]  head ─▶ 7 ⇄ 2 ◀─ tail        most urgent
///   levels[1]  head ─▶ 5 ◀─ tail
///   front      watchers of the wait, ahead of all levels
///   later      what is to come in the next turn
/// ```
pub(crate) struct Active<S: Storage> {
    nodes: S::Table<Node<S::Index>>,
    levels: S::Table<Queue<S::Index>>,
    front: Option<Queue<S::Index>>,
    later: Option<Queue<S::Index>>,
    len: u32,
}

struct Node<I> {
    next: I,
    /// Who stands before it; not kept up to date for the head of a queue.
    prev: I,
    /// What has been found since the event was last handed out; empty in an event that is not active.
    ready: Ready,
    place: Place,
    level: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Idle,
    Level,
    Front,
    Later,
}

struct Queue<I> {
    head: I,
    tail: I,
}

impl<I: Index> Queue<I> {
    const EMPTY: Self = Self { head: I::NIL, tail: I::NIL };

    #[inline]
    fn append(&mut self, nodes: &mut [Node<I>], index: I) {
        let last = self.tail;
        match nodes.get_mut(last.get()) {
            Some(last) => last.next = index,
            None => self.head = index,
        }
        if let Some(node) = nodes.get_mut(index.get()) {
            node.prev = last;
            node.next = I::NIL;
        }
        self.tail = index;
    }

    #[inline]
    fn pop<'n>(&mut self, nodes: &'n mut [Node<I>]) -> Option<(I, &'n mut Node<I>)> {
        let index = self.head;
        let node = nodes.get_mut(index.get())?;
        self.head = node.next;
        if node.next.is_nil() {
            self.tail = I::NIL;
        }
        Some((index, node))
    }

    fn unlink(&mut self, nodes: &mut [Node<I>], index: I) {
        let Some(node) = nodes.get(index.get()) else { return };
        let (next, prev) = (node.next, if self.head == index { I::NIL } else { node.prev });
        match nodes.get_mut(prev.get()) {
            Some(before) => before.next = next,
            None => self.head = next,
        }
        match nodes.get_mut(next.get()) {
            Some(after) => after.prev = prev,
            None => self.tail = prev,
        }
    }
}

impl<S: Storage> Active<S> {
    pub(crate) const fn new() -> Self {
        Self { nodes: S::Table::EMPTY, levels: S::Table::EMPTY, front: None, later: None, len: 0 }
    }

    /// Room for the event `index`, which is the next new one or an old one taken again.
    pub(crate) fn reserve(&mut self) -> Result<(), Full> {
        if self.levels.len() == 0 {
            self.levels.reserve(1)?;
            self.levels.push(Queue::EMPTY);
        }
        self.nodes.reserve(1)
    }

    /// The event begins to exist, idle.
    pub(crate) fn create(&mut self, index: S::Index, level: u8) {
        let node = Node { next: Index::NIL, prev: Index::NIL, ready: Ready::empty(), place: Place::Idle, level };
        match self.nodes.at_mut(index) {
            Some(place) => *place = node,
            None => self.nodes.push(node),
        }
    }

    /// How many levels there are; at least one.
    pub(crate) fn levels(&self) -> u8 {
        u8::try_from(self.levels.len().max(1)).unwrap_or(u8::MAX)
    }

    /// Sets the number of levels. Refused when the storage has no room for so many.
    pub(crate) fn set_levels(&mut self, levels: u8) -> Result<(), Full> {
        let wanted = usize::from(levels.max(1));
        while self.levels.len() > wanted {
            self.levels.pop();
        }
        self.levels.reserve(wanted.saturating_sub(self.levels.len()))?;
        while self.levels.len() < wanted {
            self.levels.push(Queue::EMPTY);
        }
        Ok(())
    }

    /// Queues the event at its level, or adds the bits to those it is queued for.
    #[inline]
    pub(crate) fn activate(&mut self, index: S::Index, ready: Ready) {
        let Some(node) = self.nodes.at_mut(index) else { return };
        node.ready |= ready;
        if node.place == Place::Idle {
            node.place = Place::Level;
            let level = usize::from(node.level);
            if let Some(queue) = self.levels.as_mut_slice().get_mut(level) {
                queue.append(self.nodes.as_mut_slice(), index);
            }
            self.len = self.len.wrapping_add(1);
        }
    }

    /// Queues the event ahead of all levels.
    pub(crate) fn activate_front(&mut self, index: S::Index, ready: Ready) {
        self.activate_aside(index, ready, Place::Front);
    }

    /// Queues the event for the next turn, unless it is queued already.
    pub(crate) fn activate_later(&mut self, index: S::Index, ready: Ready) {
        self.activate_aside(index, ready, Place::Later);
    }

    fn activate_aside(&mut self, index: S::Index, ready: Ready, place: Place) {
        let Some(node) = self.nodes.at_mut(index) else { return };
        node.ready |= ready;
        if node.place == Place::Idle {
            node.place = place;
            let queue = if place == Place::Front { &mut self.front } else { &mut self.later };
            queue.get_or_insert(Queue::EMPTY).append(self.nodes.as_mut_slice(), index);
            self.len = self.len.wrapping_add(1);
        }
    }

    /// Moves what was kept for the next turn to its levels, in order.
    pub(crate) fn promote(&mut self) {
        let Some(mut later) = self.later.take() else { return };
        while let Some((index, node)) = later.pop(self.nodes.as_mut_slice()) {
            node.place = Place::Level;
            let level = usize::from(node.level);
            if let Some(queue) = self.levels.as_mut_slice().get_mut(level) {
                queue.append(self.nodes.as_mut_slice(), index);
            }
        }
    }

    /// Takes the first event of a level.
    #[inline]
    pub(crate) fn pop(&mut self, level: u8) -> Option<(S::Index, Ready)> {
        let queue = self.levels.as_mut_slice().get_mut(usize::from(level))?;
        let (index, node) = queue.pop(self.nodes.as_mut_slice())?;
        self.len = self.len.wrapping_sub(1);
        node.place = Place::Idle;
        let ready = node.ready;
        node.ready = Ready::empty();
        Some((index, ready))
    }

    /// Takes the first event of those ahead of all levels.
    pub(crate) fn pop_front(&mut self) -> Option<(S::Index, Ready)> {
        let taken = self.front.as_mut()?.pop(self.nodes.as_mut_slice());
        let Some((index, node)) = taken else {
            self.front = None;
            return None;
        };
        self.len = self.len.wrapping_sub(1);
        node.place = Place::Idle;
        Some((index, core::mem::take(&mut node.ready)))
    }

    /// Takes the event out of its queue, if it is in one.
    #[inline]
    pub(crate) fn cancel(&mut self, index: S::Index) {
        let is_queued = self.nodes.at(index).is_some_and(|node| node.place != Place::Idle);
        if is_queued {
            self.take_out(index);
        }
    }

    #[inline(never)]
    fn take_out(&mut self, index: S::Index) {
        let Some(node) = self.nodes.at_mut(index) else { return };
        let (place, level) = (node.place, usize::from(node.level));
        (node.place, node.ready) = (Place::Idle, Ready::empty());
        let queue = match place {
            Place::Idle => return,
            Place::Level => self.levels.as_mut_slice().get_mut(level),
            Place::Front => self.front.as_mut(),
            Place::Later => self.later.as_mut(),
        };
        if let Some(queue) = queue {
            queue.unlink(self.nodes.as_mut_slice(), index);
        }
        self.len = self.len.wrapping_sub(1);
    }

    /// Drops some bits of what an active event was queued for. An event that was queued for nothing else is taken out.
    #[inline]
    pub(crate) fn retract(&mut self, index: S::Index, bits: Ready) {
        let Some(node) = self.nodes.at_mut(index) else { return };
        // Empty in an event that is not queued.
        if node.ready.intersects(bits) {
            node.ready.remove(bits);
            if node.ready.is_empty() {
                self.cancel(index);
            }
        }
    }

    /// What the event is queued for; `None` when it is not active.
    pub(crate) fn ready(&self, index: S::Index) -> Option<Ready> {
        self.nodes.at(index).filter(|node| node.place != Place::Idle).map(|node| node.ready)
    }

    pub(crate) fn level(&self, index: S::Index) -> u8 {
        self.nodes.at(index).map_or(0, |node| node.level)
    }

    /// Moves the event to another level; a queued one goes to that level's end.
    pub(crate) fn set_level(&mut self, index: S::Index, level: u8) {
        let Some(node) = self.nodes.at_mut(index) else { return };
        let (queued, ready) = (node.place == Place::Level, node.ready);
        if queued {
            self.cancel(index);
        }
        if let Some(node) = self.nodes.at_mut(index) {
            node.level = level;
        }
        if queued {
            self.activate(index, ready);
        }
    }

    /// The most urgent level, from `from` on, at which an event waits.
    pub(crate) fn first_level(&self, from: u8) -> Option<u8> {
        let is_busy = |level: &u8| self.levels.as_slice().get(usize::from(*level)).is_some_and(|q| !q.head.is_nil());
        (from..self.levels()).find(is_busy)
    }

    /// At how many levels after `level` an event waits.
    pub(crate) fn busy_after(&self, level: u8) -> u32 {
        let levels = self.levels.as_slice().iter().skip(usize::from(level).saturating_add(1));
        levels.filter(|queue| !queue.head.is_nil()).fold(0, |busy, _| busy.saturating_add(1))
    }

    pub(crate) fn has_front(&self) -> bool {
        self.front.as_ref().is_some_and(|queue| !queue.head.is_nil())
    }

    /// How many events are active, those for the next turn included.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// Walks every queue. `true` when all links agree and each event is where it says it is.
    #[cfg(any(test, feature = "check"))]
    pub(crate) fn check(&self) -> bool {
        let walk = |queue: &Queue<S::Index>, place: Place, level: Option<u8>| -> Option<u32> {
            let (mut at, mut before, mut steps) = (queue.head, S::Index::NIL, 0u32);
            while let Some(node) = self.nodes.at(at) {
                let linked = at == queue.head || node.prev == before;
                if !linked || node.place != place || level.is_some_and(|level| node.level != level) {
                    return None;
                }
                steps = steps
                    .checked_add(1)
                    .filter(|steps| usize::try_from(*steps).is_ok_and(|s| s <= self.nodes.len()))?;
                (before, at) = (at, node.next);
            }
            (before == queue.tail).then_some(steps)
        };
        let mut total = 0u32;
        let levels = (0u8..).zip(self.levels.as_slice()).map(|(level, queue)| walk(queue, Place::Level, Some(level)));
        let front = self.front.iter().map(|queue| walk(queue, Place::Front, None));
        let later = self.later.iter().map(|queue| walk(queue, Place::Later, None));
        for steps in levels.chain(front).chain(later) {
            let Some(steps) = steps else { return false };
            total = total.saturating_add(steps);
        }
        let queued = self.nodes.as_slice().iter().filter(|node| node.place != Place::Idle).count();
        let idle_are_empty = self.nodes.as_slice().iter().all(|n| n.place != Place::Idle || n.ready.is_empty());
        idle_are_empty && total == self.len && usize::try_from(total) == Ok(queued)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Fixed;

    fn active(events: u16, levels: u8) -> Active<Fixed<8>> {
        let mut active = Active::new();
        active.set_levels(levels).unwrap();
        for index in 0..events {
            active.reserve().unwrap();
            active.create(index, 0);
        }
        active
    }

    fn drain(active: &mut Active<Fixed<8>>, level: u8) -> std::vec::Vec<u16> {
        core::iter::from_fn(|| active.pop(level).map(|(index, _)| index)).collect()
    }

    #[test]
    fn a_level_is_first_in_first_out() {
        let mut active = active(4, 1);
        for index in [2, 0, 3] {
            active.activate(index, Ready::READ);
        }
        active.activate(0, Ready::WRITE);
        assert_eq!(active.ready(0), Some(Ready::READ | Ready::WRITE));
        assert!(active.check());
        assert_eq!(drain(&mut active, 0), [2, 0, 3]);
        assert!(active.check());
    }

    #[test]
    fn cancelled_from_head_middle_tail_and_after_a_pop() {
        for gone in 0..4 {
            let mut active = active(5, 1);
            for index in 0..5 {
                active.activate(index, Ready::READ);
            }
            assert_eq!(active.pop(0), Some((0, Ready::READ)));
            active.cancel(gone + 1);
            assert!(active.check(), "{gone}");
            let left: std::vec::Vec<u16> = (1..5).filter(|index| *index != gone + 1).collect();
            assert_eq!(drain(&mut active, 0), left);
        }
    }

    #[test]
    fn cancelled_and_activated_again_goes_to_the_end() {
        let mut active = active(3, 1);
        for index in 0..3 {
            active.activate(index, Ready::READ);
        }
        active.cancel(0);
        active.activate(0, Ready::WRITE);
        assert_eq!(active.ready(0), Some(Ready::WRITE));
        assert_eq!(drain(&mut active, 0), [1, 2, 0]);
    }

    #[test]
    fn what_is_for_later_comes_later_and_in_order() {
        let mut active = active(3, 1);
        active.activate_later(2, Ready::AGAIN);
        active.activate_later(1, Ready::AGAIN);
        active.activate(0, Ready::READ);
        assert_eq!(drain(&mut active, 0), [0]);
        assert_eq!(active.len(), 2);
        active.cancel(2);
        active.promote();
        assert!(active.check());
        assert_eq!(drain(&mut active, 0), [1]);
    }

    #[test]
    fn a_level_change_moves_a_queued_event() {
        let mut active = active(3, 2);
        active.activate(0, Ready::READ);
        active.activate(1, Ready::READ);
        active.set_level(0, 1);
        assert_eq!((active.first_level(0), active.busy_after(0)), (Some(0), 1));
        assert!(active.check());
        assert_eq!((drain(&mut active, 0), drain(&mut active, 1)), (std::vec![1], std::vec![0]));
    }

    #[test]
    fn retracting_the_last_bit_takes_the_event_out() {
        let mut active = active(1, 1);
        active.activate(0, Ready::READ | Ready::TIMEOUT);
        active.retract(0, Ready::TIMEOUT);
        assert_eq!(active.ready(0), Some(Ready::READ));
        active.retract(0, Ready::READ);
        assert_eq!(active.ready(0), None);
        assert!(active.check());
    }
}
