//! Shared by an executor, its tasks and what they wait for: tasks, the current task, the base.

use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use super::inbox::{Inbox, Node};
use super::join::Run;
use super::leaf::{Leaf, Waiter};
use crate::backend::EventOp;
use crate::base::EventBase;
use crate::error::Error;
use crate::event::{Event, EventId};
use crate::ready::{Interest, Ready};
use crate::storage::Storage;
use crate::time::Instant;

/// Operations that a task may complete without waiting before others run.
const BUDGET: u8 = 128;

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
    Task(u32),
    /// Notes what has come for waiting tasks.
    Leaf(Rc<Leaf<dyn Kept>>),
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

pub(super) struct Core<F, E> {
    /// The task that is being polled.
    pub(super) current: Cell<Option<Rc<Slot>>>,
    /// The event of the task polled last, until wakes are processed.
    pub(super) polled: Cell<Option<EventId>>,
    budget: Cell<u8>,
    slots: RefCell<Vec<Rc<Slot>>>,
    /// Free places of tasks.
    free: RefCell<Vec<u32>>,
    pub(super) alive: Cell<u32>,
    pub(super) is_closed: Cell<bool>,
    /// Shared with wakers in any thread.
    pub(super) inbox: Arc<Inbox>,
    /// Events whose futures were dropped while the base was in use.
    doomed: RefCell<Vec<EventId>>,
    pub(super) base: Rc<dyn Base<F, E>>,
}

/// The place of a task. Its waker serves one task after another, so an old waker can only cause a spurious wake.
pub(super) struct Slot {
    pub(super) task: Cell<Option<Rc<dyn Run>>>,
    pub(super) event: Cell<Option<EventId>>,
    pub(super) waker: Waker,
    pub(super) index: u32,
    node: Arc<TaskNode>,
}

/// What a task's waker points to.
struct TaskNode {
    node: Node,
    inbox: Arc<Inbox>,
}

impl alloc::task::Wake for TaskNode {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.inbox.push(&self.node);
    }
}

impl<F, E> Core<F, E> {
    pub(super) fn new(base: Rc<dyn Base<F, E>>, waker: Option<Waker>) -> Self {
        Self {
            current: Cell::default(),
            polled: Cell::default(),
            budget: Cell::new(BUDGET),
            slots: RefCell::default(),
            free: RefCell::default(),
            alive: Cell::new(0),
            is_closed: Cell::new(false),
            inbox: Arc::new(Inbox::new(waker)),
            doomed: RefCell::default(),
            base,
        }
    }

    pub(super) fn slot(&self, index: u32) -> Option<Rc<Slot>> {
        self.slots.try_borrow().ok()?.get(usize::try_from(index).ok()?).cloned()
    }

    /// Takes a place and an event for a task, which is polled in this turn or the next.
    pub(super) fn place(&self, priority: Option<u8>) -> Result<Rc<Slot>, Error<E>> {
        if self.is_closed.get() {
            return Err(Error::Ended);
        }
        let index = pop(&self.free).map_or_else(|| self.new_slot(), Ok)?;
        let event = self.start(Event { priority, ..Event::user().persist() }, None, Ours::Task(index));
        let event = event.inspect_err(|_| push(&self.free, index))?;
        let slot = self.slot(index).ok_or(Error::Full)?;
        slot.event.set(Some(event));
        self.alive.set(self.alive.get().saturating_add(1));
        Ok(slot)
    }

    fn new_slot(&self) -> Result<u32, Error<E>> {
        let mut slots = self.slots.try_borrow_mut().map_err(|_| Error::Full)?;
        let index = u32::try_from(slots.len()).ok().filter(|index| *index < Inbox::LIMIT).ok_or(Error::Full)?;
        let node = Arc::new(TaskNode { node: Node::new(index), inbox: Arc::clone(&self.inbox) });
        let waker = Waker::from(Arc::clone(&node));
        slots.push(Rc::new(Slot { task: Cell::new(None), event: Cell::new(None), waker, index, node }));
        Ok(index)
    }

    /// Ends the task and frees its place.
    pub(super) fn vacate(&self, slot: &Slot) {
        if let Some(event) = slot.event.take() {
            self.alive.set(self.alive.get().saturating_sub(1));
            push(&self.free, slot.index);
            self.end(event);
        }
    }

    /// Polls something as this task.
    pub(super) fn poll_as<X>(&self, slot: &Rc<Slot>, poll: impl FnOnce(&mut Context<'_>) -> X) -> X {
        self.current.set(Some(Rc::clone(slot)));
        self.polled.set(slot.event.get());
        self.budget.set(BUDGET);
        let polled = poll(&mut Context::from_waker(&slot.waker));
        self.current.set(None);
        polled
    }

    /// The events of woken tasks.
    pub(super) fn woken(&self) -> impl Iterator<Item = EventId> + '_ {
        let mut listed = self.inbox.take();
        let slots = core::iter::from_fn(move || {
            let slot = self.slot(listed?)?;
            listed = Inbox::pass(&slot.node.node);
            Some(slot)
        });
        // A task that has ended has no event.
        slots.filter_map(|slot| slot.event.get())
    }

    /// The task to poll when the current one, by `waker`, can continue.
    pub(super) fn waiter(&self, waker: &Waker) -> Waiter {
        let current = self.current.take();
        let slot = current.as_ref().filter(|slot| slot.waker.will_wake(waker));
        let task = slot.and_then(|slot| Some(Waiter::Task(slot.event.get()?, slot.index)));
        self.current.set(current);
        task.unwrap_or(Waiter::Other)
    }

    /// Counts an operation that did not wait. After many, the task continues in the next turn.
    pub(super) fn proceed(&self, waker: &Waker) -> Poll<()> {
        let left = self.budget.get().checked_sub(1);
        self.budget.set(left.unwrap_or(BUDGET));
        if left.is_some() {
            return Poll::Ready(());
        }
        waker.wake_by_ref();
        Poll::Pending
    }

    /// Starts an event for the current task, with its priority.
    pub(super) fn start(&self, event: Event<F>, at: Option<Instant>, ours: Ours) -> Result<EventId, Error<E>> {
        let current = self.current.take();
        let task = current.as_ref().and_then(|slot| slot.event.get());
        self.current.set(current);
        self.base.start(event, at, ours, task)
    }

    /// Ends an event, at the latest before the base is used again.
    pub(super) fn end(&self, event: EventId) {
        if !self.base.remove(event) {
            push(&self.doomed, event);
        }
    }

    /// Ends the events whose futures are gone.
    pub(super) fn end_doomed(&self) {
        while let Some(event) = pop(&self.doomed) {
            self.base.remove(event);
        }
    }

    /// Drops all tasks one by one: the end of one may look at others.
    pub(super) fn close(&self) {
        self.is_closed.set(true);
        while let Some(slot) = self.slots.try_borrow_mut().ok().and_then(|mut slots| slots.pop()) {
            slot.task.take().inspect(|task| task.end());
        }
    }
}

fn push<X>(list: &RefCell<Vec<X>>, item: X) {
    if let Ok(mut list) = list.try_borrow_mut() {
        list.push(item);
    }
}

#[inline]
fn pop<X>(list: &RefCell<Vec<X>>) -> Option<X> {
    list.try_borrow_mut().ok()?.pop()
}

/// The base of an executor, whatever its backend and storage.
pub(super) trait Base<F, E> {
    /// Starts an event, by default with the priority of `of`; a task's is activated.
    fn start(&self, event: Event<F>, at: Option<Instant>, ours: Ours, of: Option<EventId>)
    -> Result<EventId, Error<E>>;
    /// Replaces an event's data.
    fn put(&self, id: EventId, ours: Ours);
    /// Makes an event wait again: a source's for `interest`, with the timeout `idle`.
    fn want(&self, id: EventId, interest: Interest, idle: Option<Duration>) -> Result<(), Error<E>>;
    /// Ends an event. `false`: the base is in use.
    fn remove(&self, id: EventId) -> bool;
    fn now(&self) -> Result<Instant, Error<E>>;
}

/// A value kept until its event is gone.
pub(super) trait Kept {}
impl<D> Kept for D {}

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

    fn want(&self, id: EventId, interest: Interest, idle: Option<Duration>) -> Result<(), Error<B::Error>> {
        with(self, |base| {
            if !interest.is_empty() {
                base.modify(id, interest)?;
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
}
