//! The base of an executor: the purpose of its events, and how futures reach it.

use alloc::rc::Rc;
use core::any::Any;
use core::cell::RefMut;
use core::ops::{Deref, DerefMut};
use core::time::Duration;

use super::join::Run;
use super::leaf::Leaf;
use super::shared::Core;
use crate::backend::EventOp;
use crate::base::EventBase;
use crate::error::Error;
use crate::event::{Event, EventId};
use crate::ready::{Interest, Ready};
use crate::storage::Storage;
use crate::time::Instant;

/// The data of an event on a base with tasks: yours, made by `from`, or the executor's.
///
/// ```
/// use evcore::task::Item;
///
/// let mut item = Item::from("mine");
/// assert_eq!(item.get_mut(), Some(&mut "mine"));
/// assert_eq!(item.into_inner(), Some("mine"));
/// ```
pub struct Item<T>(pub(super) Data<T>);

pub(super) enum Data<T> {
    Own(T),
    Ours(Ours),
}

/// The purpose of an executor's event.
pub(super) enum Ours {
    /// Polls a task, whose last poll was in the turn `polled`. `None`: the future of [`Executor::run`](super::Executor::run).
    Task { polled: Option<u32>, task: Option<Rc<dyn Run>> },
    /// Records what was reported, for waiting tasks. It keeps the value of a source until the event is gone.
    Leaf(Rc<Leaf<dyn Any>>),
}

impl Drop for Ours {
    fn drop(&mut self) {
        match self {
            Self::Task { task, .. } => task.iter().for_each(|task| task.end()),
            Self::Leaf(leaf) => leaf.end(),
        }
    }
}

impl<T> Item<T> {
    /// Your data; `None` for an executor's event.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        if let Data::Own(data) = &mut self.0 { Some(data) } else { None }
    }

    /// Your data; `None` for an executor's event.
    #[must_use]
    pub fn into_inner(self) -> Option<T> {
        if let Data::Own(data) = self.0 { Some(data) } else { None }
    }
}

impl<T> From<T> for Item<T> {
    fn from(data: T) -> Self {
        Self(Data::Own(data))
    }
}

/// An executor's base, until the executor is dropped.
pub(super) type Owned<B, S, T> = Option<EventBase<B, S, Item<T>>>;

/// The base of an executor, for futures. `of` is the event of a task, with whose priority it waits.
pub(super) trait Base<F, E> {
    fn create(&mut self, event: Event<F>, of: Option<EventId>) -> Result<EventId, Error<E>>;
    /// Gives an event its purpose. A task's is activated.
    fn put(&mut self, id: EventId, ours: Ours);
    /// Makes an event wait again: a source's for `on`, with the timeout `idle`.
    fn want(&mut self, id: EventId, on: Interest, idle: Option<Duration>, of: Option<EventId>) -> Result<(), Error<E>>;
    fn remove(&mut self, id: EventId);
    fn now(&self) -> Result<Instant, Error<E>>;
    /// Fails as the next event would.
    fn room(&mut self) -> Result<(), Error<E>>;
}

impl<F, E, B: EventOp<Fd = F, Error = E>, S: Storage, T> Base<F, E> for Owned<B, S, T> {
    fn create(&mut self, event: Event<F>, of: Option<EventId>) -> Result<EventId, Error<E>> {
        let base = self.as_mut().ok_or(Error::Ended)?;
        let priority = event.priority.or_else(|| base.priority(of?));
        Ok(base.create(Event { priority, ..event }, Item(Data::Ours(Ours::Task { polled: None, task: None })))?)
    }

    fn put(&mut self, id: EventId, ours: Ours) {
        let Some(base) = self else { return };
        if let Ours::Task { .. } = ours {
            let _ = base.activate(id, Ready::empty());
        }
        if let Some(item) = base.get_mut(id) {
            *item = Item(Data::Ours(ours));
        }
    }

    fn want(&mut self, id: EventId, on: Interest, idle: Option<Duration>, of: Option<EventId>) -> Result<(), Error<E>> {
        let base = self.as_mut().ok_or(Error::Ended)?;
        if !on.is_empty() {
            base.modify(id, on)?;
        }
        // It may have been made by another task, such as one that accepts.
        if let Some(priority) = of.and_then(|of| base.priority(of)).filter(|own| base.priority(id) != Some(*own)) {
            base.set_priority(id, priority)?;
        }
        base.add(id, idle)
    }

    fn remove(&mut self, id: EventId) {
        self.as_mut().and_then(|base| base.remove(id));
    }

    fn now(&self) -> Result<Instant, Error<E>> {
        self.as_ref().map(EventBase::now).ok_or(Error::Ended)
    }

    fn room(&mut self) -> Result<(), Error<E>> {
        if self.as_mut().ok_or(Error::Ended)?.has_room() { Ok(()) } else { Err(Error::Full) }
    }
}

/// The base of an [`Executor`](super::Executor), lent. Events of futures that are dropped meanwhile end before its next
/// change.
pub struct Lent<'a, B: EventOp, S: Storage, T> {
    pub(super) core: &'a Core<B::Fd, B::Error>,
    pub(super) base: RefMut<'a, EventBase<B, S, Item<T>>>,
}

impl<B: EventOp, S: Storage, T> Deref for Lent<'_, B, S, T> {
    type Target = EventBase<B, S, Item<T>>;

    fn deref(&self) -> &Self::Target {
        &self.base
    }
}

impl<B: EventOp, S: Storage, T> DerefMut for Lent<'_, B, S, T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.core.settle(|event| drop(self.base.remove(event)));
        &mut self.base
    }
}
