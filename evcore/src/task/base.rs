//! The base of an executor: the purpose of its events, and how futures reach it.

use alloc::rc::Rc;
use core::cell::{RefCell, RefMut};
use core::fmt;
use core::ops::{Deref, DerefMut};
use core::time::Duration;

use super::join::Task;
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
    /// Polls this task.
    Task(Rc<Task>),
    /// Notes what has come for waiting tasks.
    Leaf(Rc<Leaf<dyn Kept>>),
    /// None yet.
    Nothing,
}

/// A value kept until its event is gone.
pub(super) trait Kept {}
impl<D> Kept for D {}

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

    pub(super) fn task(&self) -> Option<&Rc<Task>> {
        if let Data::Ours(Ours::Task(task)) = &self.0 { Some(task) } else { None }
    }
}

impl<T> From<T> for Item<T> {
    fn from(data: T) -> Self {
        Self(Data::Own(data))
    }
}

/// The base of an executor, for futures.
pub(super) trait Base<F, E> {
    /// Starts an event, by default with the priority of `of`; a task's is activated.
    fn start(&self, event: Event<F>, at: Option<Instant>, ours: Ours, of: Option<EventId>)
    -> Result<EventId, Error<E>>;
    /// Replaces an event's data.
    fn put(&self, id: EventId, ours: Ours);
    /// Makes an event wait again: a source's for `interest`, with the timeout `idle` and the priority of `of`.
    fn want(
        &self,
        id: EventId,
        interest: Interest,
        idle: Option<Duration>,
        of: Option<EventId>,
    ) -> Result<(), Error<E>>;
    /// Ends an event. `false`: the base is in use.
    fn remove(&self, id: EventId) -> bool;
    fn now(&self) -> Result<Instant, Error<E>>;
    /// Fails as the next event would.
    fn room(&self) -> Result<(), Error<E>>;
}

/// An executor's base, until the executor is dropped.
pub(super) type Owned<B, S, T> = RefCell<Option<EventBase<B, S, Item<T>>>>;

/// Uses the base, if it exists and is not in use.
fn with<B: EventOp, S: Storage, T, R>(
    cell: &Owned<B, S, T>,
    act: impl FnOnce(&mut EventBase<B, S, Item<T>>) -> Result<R, Error<B::Error>>,
) -> Result<R, Error<B::Error>> {
    act(cell.try_borrow_mut().map_err(|_| Error::Reentered)?.as_mut().ok_or(Error::Ended)?)
}

impl<B: EventOp, S: Storage, T> Base<B::Fd, B::Error> for Owned<B, S, T> {
    fn start(
        &self,
        event: Event<B::Fd>,
        at: Option<Instant>,
        ours: Ours,
        of: Option<EventId>,
    ) -> Result<EventId, Error<B::Error>> {
        with(self, |base| {
            let is_task = matches!(ours, Ours::Task(_));
            let priority = event.priority.or_else(|| base.priority(of?));
            let id = base.create(Event { priority, ..event }, Item(Data::Ours(ours)))?;
            let started = match at {
                _ if is_task => base.activate(id, Ready::empty()),
                Some(deadline) => base.add_at(id, deadline),
                None => base.add(id, None),
            };
            started.map(|()| id).inspect_err(|_| drop(base.remove(id)))
        })
    }

    fn put(&self, id: EventId, ours: Ours) {
        let _ = with(self, |base| Ok(base.get_mut(id).map(|item| *item = Item(Data::Ours(ours)))));
    }

    fn want(
        &self,
        id: EventId,
        interest: Interest,
        idle: Option<Duration>,
        of: Option<EventId>,
    ) -> Result<(), Error<B::Error>> {
        with(self, |base| {
            if !interest.is_empty() {
                base.modify(id, interest)?;
                // It may have been made by another task, such as one that accepts.
                let priority = of.and_then(|of| base.priority(of)).filter(|own| base.priority(id) != Some(*own));
                priority.map_or(Ok(()), |priority| base.set_priority(id, priority))?;
            }
            base.add(id, idle)
        })
    }

    fn remove(&self, id: EventId) -> bool {
        let Ok(mut base) = self.try_borrow_mut() else { return false };
        let item = base.as_mut().and_then(|base| base.remove(id));
        // It may hold a waker or descriptor whose drop needs the base.
        drop(base);
        drop(item);
        true
    }

    fn now(&self) -> Result<Instant, Error<B::Error>> {
        with(self, |base| Ok(base.now()))
    }

    fn room(&self) -> Result<(), Error<B::Error>> {
        with(self, |base| if base.has_room() { Ok(()) } else { Err(Error::Full) })
    }
}

/// The base of an [`Executor`](super::Executor), lent. Events of futures that are dropped meanwhile end before its next
/// change.
pub struct Lent<'a, B: EventOp, S: Storage, T> {
    core: &'a Core<B::Fd, B::Error>,
    base: RefMut<'a, EventBase<B, S, Item<T>>>,
}

impl<'a, B: EventOp, S: Storage, T> Lent<'a, B, S, T> {
    /// `None` if the base is in use, or gone.
    pub(super) fn new(core: &'a Core<B::Fd, B::Error>, cell: &'a Owned<B, S, T>) -> Option<Self> {
        let base = RefMut::filter_map(cell.try_borrow_mut().ok()?, Option::as_mut).ok()?;
        let mut lent = Self { core, base };
        lent.end_doomed();
        Some(lent)
    }

    /// Ends the events of futures that were dropped while the base was in use.
    fn end_doomed(&mut self) {
        while let Some(event) = self.core.next_doomed() {
            self.base.remove(event);
        }
    }
}

impl<B: EventOp, S: Storage, T> Deref for Lent<'_, B, S, T> {
    type Target = EventBase<B, S, Item<T>>;

    fn deref(&self) -> &Self::Target {
        &self.base
    }
}

impl<B: EventOp, S: Storage, T> DerefMut for Lent<'_, B, S, T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.end_doomed();
        &mut self.base
    }
}

impl<B: EventOp, S: Storage, T> fmt::Debug for Lent<'_, B, S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").finish_non_exhaustive()
    }
}
