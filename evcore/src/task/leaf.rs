//! What an event reports to the tasks that wait for it.

use core::cell::Cell;
use core::task::Waker;

use crate::event::EventId;
use crate::ready::{Interest, Ready};

/// For both directions of a source.
const BOTH: Ready = Ready::ERROR.union(Ready::HANGUP).union(Ready::TIMEOUT);
/// For the writing task. All else is for the reading one.
const WRITE: Ready = Ready::WRITE;

/// Shared by a future and its event.
pub(super) struct Leaf<D: ?Sized> {
    /// The reader's of a source, or the only one of another event; the writer's.
    sides: [Side; 2],
    /// Hand-outs of an event that is no source's.
    pub(super) count: Cell<u32>,
    /// The executor's turn of the last hand-out for a task, if that has restarted the timeout.
    pub(super) turn: Cell<Option<u32>>,
    is_source: bool,
    /// The value of a source.
    pub(super) data: D,
}

/// A direction of a source: who waits, and what was reported.
#[derive(Default)]
pub(super) struct Side {
    /// A task of this executor, by its event, without reference counts.
    pub(super) task: Cell<Option<EventId>>,
    other: Cell<Option<Waker>>,
    has_other: Cell<bool>,
    pub(super) ready: Cell<Ready>,
    /// What the event waits for in this direction. `None`: the next wait must add it.
    pub(super) wanted: Cell<Option<Interest>>,
}

impl Side {
    pub(super) fn set_other(&self, waker: Waker) {
        self.other.set(Some(waker));
        self.has_other.set(true);
    }

    #[inline]
    pub(super) fn is_awaited(&self) -> bool {
        self.task.get().is_some() || self.has_other.get()
    }

    /// The waiting task. One elsewhere is woken.
    #[inline]
    fn claim(&self) -> Option<EventId> {
        if self.has_other.take() {
            self.other.take().into_iter().for_each(Waker::wake);
        }
        self.task.take()
    }
}

impl<D> Leaf<D> {
    pub(super) fn new(is_source: bool, data: D) -> Self {
        Self { sides: Default::default(), count: Cell::new(0), turn: Cell::new(None), is_source, data }
    }
}

impl<D: ?Sized> Leaf<D> {
    /// Records a hand-out, and wakes waiters elsewhere. Returns the tasks that can continue, and what of a source no task
    /// waited for: it would be reported in each turn, and is no longer wanted.
    #[inline]
    pub(super) fn note(&self, ready: Ready, count: u32, turn: u32) -> ([Option<EventId>; 2], Ready) {
        let [reading, writing] = &self.sides;
        if !self.is_source {
            self.count.set(self.count.get().saturating_add(count));
            return ([reading.claim(), None], Ready::empty());
        }
        let mut unclaimed = ready;
        let parts = [(reading, ready.difference(WRITE)), (writing, ready & WRITE.union(BOTH))];
        let tasks = parts.map(|(side, part)| {
            if part.is_empty() {
                return None;
            }
            let is_awaited = side.is_awaited();
            // The system may end the registration after an error.
            if !is_awaited || part.is_error() {
                side.wanted.set(None);
            }
            if !is_awaited {
                // If it was the timeout, it ends.
                self.turn.set(None);
                return None;
            }
            // A timeout that comes late is followed by a shorter one: periods count from deadlines.
            self.turn.set((!part.is_timeout()).then_some(turn));
            unclaimed.remove(part);
            side.ready.set(side.ready.get() | part);
            side.claim()
        });
        (tasks, unclaimed)
    }

    /// The sides of which `interest` is, and what of it.
    #[inline]
    pub(super) fn sides(&self, interest: Interest) -> impl Iterator<Item = (&Side, Interest)> {
        let [reading, writing] = &self.sides;
        let reads = (interest != Interest::WRITE).then_some((reading, interest.difference(Interest::WRITE)));
        let writes = interest.contains(Interest::WRITE).then_some((writing, Interest::WRITE));
        [reads, writes].into_iter().flatten()
    }

    /// What the event waits for.
    pub(super) fn interest(&self) -> Interest {
        self.sides.iter().filter_map(|side| side.wanted.get()).fold(Interest::empty(), Interest::union)
    }

    /// Wakes waiting tasks elsewhere, when the event is gone.
    pub(super) fn end(&self) {
        for side in &self.sides {
            side.wanted.set(None);
            side.claim();
        }
    }
}
