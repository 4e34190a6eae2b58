//! The tasks of an executor, numbered for their wakers.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::task::Waker;

use super::inbox::{Inbox, Node};
use super::join::Head;
use crate::event::EventId;

#[derive(Default)]
pub(super) struct Places {
    list: Vec<Place>,
    /// Those of ended tasks.
    free: Vec<u32>,
}

/// A task, for its wakers. They serve one task after another, so an old waker can only cause a spurious wake.
struct Place {
    event: Option<EventId>,
    node: Arc<Node>,
}

impl Places {
    /// `None`: there are no more numbers.
    pub(super) fn take(&mut self, event: EventId, inbox: &Arc<Inbox>) -> Option<Head> {
        if self.free.is_empty() {
            let index = u32::try_from(self.list.len()).ok().filter(|index| *index < Inbox::LIMIT)?;
            self.list.push(Place { event: None, node: Arc::new(Node::new(index, inbox)) });
            self.free.push(index);
        }
        let index = self.free.pop()?;
        let place = self.list.get_mut(usize::try_from(index).ok()?)?;
        place.event = Some(event);
        Some(Head::new(event, index, Waker::from(Arc::clone(&place.node))))
    }

    pub(super) fn free(&mut self, index: u32) {
        if let Some(place) = usize::try_from(index).ok().and_then(|index| self.list.get_mut(index)) {
            place.event = None;
            self.free.push(index);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.list.len().saturating_sub(self.free.len())
    }

    /// Passes on the events of woken tasks.
    pub(super) fn take_woken(&self, inbox: &Inbox, mut wake: impl FnMut(EventId)) {
        let place = |index| self.list.get(usize::try_from(index).ok()?);
        inbox.take(
            |index| place(index).map(|place| &*place.node),
            // A task that has ended has no event.
            |index| place(index).and_then(|place| place.event).into_iter().for_each(&mut wake),
        );
    }
}
