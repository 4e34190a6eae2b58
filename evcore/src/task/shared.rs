//! What the executor, its tasks and what they wait for share: the base, the tasks, and who is polled now.

use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::task::{Context, Poll, RawWakerVTable, Waker};

use super::inbox::{Inbox, Node};
use super::join::Run;
use super::source::State;
use super::yard::{Cellar, Yard};
use crate::backend::EventOp;
use crate::base::{EventBase, Turn};
use crate::error::Error;
use crate::event::{Event, EventId};
use crate::ready::Ready;
use crate::storage::Storage;
use crate::time::{Instant, Wait};

/// How many operations of a task may succeed without a wait before it lets others go on.
const BUDGET: u8 = 128;

/// The data of an event on a base that tasks run on: yours, or an executor's.
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

impl<T> Item<T> {
    /// Your data; `None` for an executor's event.
    #[must_use]
    pub fn get(&self) -> Option<&T> {
        match &self.0 {
            Data::Own(data) => Some(data),
            Data::Ours(_) => None,
        }
    }

    /// Your data; `None` for an executor's event.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        match &mut self.0 {
            Data::Own(data) => Some(data),
            Data::Ours(_) => None,
        }
    }

    /// Your data; `None` for an executor's event.
    #[must_use]
    pub fn into_inner(self) -> Option<T> {
        match self.0 {
            Data::Own(data) => Some(data),
            Data::Ours(_) => None,
        }
    }
}

impl<T> From<T> for Item<T> {
    fn from(data: T) -> Self {
        Self(Data::Own(data))
    }
}

impl<T> fmt::Debug for Item<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item").field("is_own", &self.get().is_some()).finish_non_exhaustive()
    }
}

/// What an event of the executor is there for.
pub(super) enum Ours {
    /// Polls this task.
    Task(u32),
    /// Notes what has come, for one future.
    Leaf(Leaf),
    /// Notes what has come, for both directions of a source.
    Source(Rc<State<dyn Kept>>),
}

/// Whatever a source keeps until its event is gone.
pub(super) trait Kept {}
impl<D> Kept for D {}

/// What a future waits for, and what has come of it.
#[derive(Default)]
pub(super) struct Leaf {
    pub(super) waiter: Waiter,
    pub(super) ready: Ready,
    pub(super) count: u32,
}

/// Who is to be polled.
#[derive(Default)]
pub(super) enum Waiter {
    #[default]
    Nobody,
    /// A task of this executor, by its event: no reference is counted, and no other thread is involved.
    Task(EventId),
    Other(Waker),
}

impl Leaf {
    /// Takes note of a hand-out. Answers who waits for it.
    pub(super) fn note(&mut self, ready: Ready, count: u32) -> Waiter {
        self.ready |= ready;
        self.count = self.count.saturating_add(count);
        core::mem::take(&mut self.waiter)
    }
}

impl Waiter {
    pub(super) fn is_somebody(&self) -> bool {
        !matches!(self, Self::Nobody)
    }

    /// Wakes what is not a task of this executor.
    pub(super) fn wake_other(self) {
        if let Self::Other(waker) = self {
            waker.wake();
        }
    }
}

/// What all of an executor share. `Y` is the base in its cell, or `dyn Yard`.
pub(super) struct Core<Y: ?Sized> {
    current: Cell<Option<Current>>,
    budget: Cell<u8>,
    pub(super) tasks: RefCell<Vec<Slot>>,
    /// The places of tasks that have ended.
    pub(super) free: RefCell<Vec<u32>>,
    pub(super) alive: Cell<u32>,
    pub(super) is_closed: Cell<bool>,
    pub(super) remote: Arc<Remote>,
    /// Events whose futures were dropped while the base was in use.
    pub(super) doomed: RefCell<Vec<EventId>>,
    pub(super) yard: Y,
}

/// Which task is polled now.
#[derive(Clone, Copy)]
pub(super) struct Current {
    data: *const (),
    vtable: *const RawWakerVTable,
    pub(super) event: EventId,
    pub(super) priority: Option<u8>,
}

/// The place of a task. Its waker serves one task after another, so a spurious wake is all that an old one can do.
pub(super) struct Slot {
    pub(super) task: Option<Rc<dyn Run>>,
    pub(super) waker: Option<Waker>,
    pub(super) node: Arc<TaskNode>,
    pub(super) event: Option<EventId>,
    pub(super) priority: Option<u8>,
}

/// A task's place, and its waker.
pub(super) struct Place {
    pub(super) index: u32,
    pub(super) waker: Waker,
}

/// What wakers share with the executor, from any thread.
pub(super) struct Remote {
    pub(super) inbox: Inbox,
    /// Wakes the base.
    waker: Option<Waker>,
}

/// What a task's waker points to.
pub(super) struct TaskNode {
    pub(super) node: Node,
    remote: Arc<Remote>,
}

impl alloc::task::Wake for TaskNode {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.remote.inbox.push(&self.node) {
            if let Some(waker) = &self.remote.waker {
                waker.wake_by_ref();
            }
        }
    }
}

impl<Y> Core<Y> {
    pub(super) fn new(yard: Y, waker: Option<Waker>) -> Self {
        Self {
            current: Cell::new(None),
            budget: Cell::new(0),
            tasks: RefCell::new(Vec::new()),
            free: RefCell::new(Vec::new()),
            alive: Cell::new(0),
            is_closed: Cell::new(false),
            remote: Arc::new(Remote { inbox: Inbox::new(), waker }),
            doomed: RefCell::new(Vec::new()),
            yard,
        }
    }
}

impl<Y: ?Sized> Core<Y> {
    // Who waits.

    /// Who is to be polled when what is polled now can go on: `old`, if that is the same.
    pub(super) fn waiter(&self, context: &Context<'_>, old: Waiter) -> Waiter {
        let waker = context.waker();
        match (self.current.get(), old) {
            (Some(current), _) if current.is(waker) => Waiter::Task(current.event),
            (_, Waiter::Other(old)) if old.will_wake(waker) => Waiter::Other(old),
            _ => Waiter::Other(waker.clone()),
        }
    }

    /// The priority of the task that is polled now, which what it waits for shares.
    pub(super) fn priority(&self) -> Option<u8> {
        self.current.get()?.priority
    }

    /// Counts an operation that did not have to wait. After many, the task goes on in the next turn.
    pub(super) fn proceed(&self, context: &Context<'_>) -> Poll<()> {
        match self.budget.get().checked_sub(1) {
            Some(left) => {
                self.budget.set(left);
                Poll::Ready(())
            }
            None if self.current.get().is_none() => Poll::Ready(()),
            None => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    // Tasks.

    /// A place for a task. `None`: there are as many as can be counted.
    pub(super) fn reserve(&self) -> Option<u32> {
        if let Some(index) = self.free.try_borrow_mut().ok()?.pop() {
            return Some(index);
        }
        let mut tasks = self.tasks.try_borrow_mut().ok()?;
        let index = u32::try_from(tasks.len()).ok().filter(|index| *index < Inbox::LIMIT)?;
        let node = Arc::new(TaskNode { node: Node::new(index), remote: Arc::clone(&self.remote) });
        let waker = Some(Waker::from(Arc::clone(&node)));
        tasks.push(Slot { task: None, waker, node, event: None, priority: None });
        Some(index)
    }

    /// Does something with the place of a task.
    pub(super) fn slot<X>(&self, index: u32, act: impl FnOnce(&mut Slot) -> X) -> Option<X> {
        let mut tasks = self.tasks.try_borrow_mut().ok()?;
        tasks.get_mut(usize::try_from(index).ok()?).map(act)
    }

    /// Takes a place and an event for a task, which will be polled in this turn or the next.
    pub(super) fn place<F, E>(&self, priority: Option<u8>) -> Result<Place, Error<E>>
    where
        Y: Yard<F, E>,
    {
        if self.is_closed.get() {
            return Err(Error::Ended);
        }
        let index = self.reserve().ok_or(Error::Full)?;
        let started = self.yard.start(Event { priority, ..Event::user() }, None, Ours::Task(index));
        let event = started.inspect_err(|_| self.release(index))?;
        self.alive.set(self.alive.get().saturating_add(1));
        self.yard.activate(event)?;
        let waker = self.slot(index, |slot| {
            (slot.event, slot.priority) = (Some(event), priority);
            slot.waker.clone()
        });
        Ok(Place { index, waker: waker.flatten().ok_or(Error::Full)? })
    }

    /// Ends the task in a place, and gives the place back.
    pub(super) fn vacate<F, E>(&self, index: u32)
    where
        Y: Yard<F, E>,
    {
        let Some((task, event)) = self.slot(index, |slot| (slot.task.take(), slot.event.take())) else { return };
        self.alive.set(self.alive.get().saturating_sub(1));
        self.release(index);
        if let Some(event) = event {
            self.end(event);
        }
        drop(task);
    }

    /// A task's waker stays in its place.
    fn release(&self, index: u32) {
        if let Ok(mut free) = self.free.try_borrow_mut() {
            free.push(index);
        }
    }

    /// Ends an event: now, or before the base is used again.
    pub(super) fn end<F, E>(&self, event: EventId)
    where
        Y: Yard<F, E>,
    {
        if !self.yard.remove(event) {
            if let Ok(mut doomed) = self.doomed.try_borrow_mut() {
                doomed.push(event);
            }
        }
    }

    /// Takes a woken task off the list. Answers the next one, and its event.
    pub(super) fn pass(&self, index: u32) -> Option<(Option<u32>, Option<EventId>)> {
        self.slot(index, |slot| (Inbox::pass(&slot.node.node), slot.event))
    }

    /// Polls something as the task in this place.
    pub(super) fn poll_as<X>(&self, index: u32, poll: impl FnOnce(&mut Context<'_>) -> X) -> Option<X> {
        let (waker, event, priority) =
            self.slot(index, |slot| Some((slot.waker.take()?, slot.event?, slot.priority)))??;
        let current = Current { data: waker.data(), vtable: waker.vtable(), event, priority };
        let polling = Polling { core: self, index, waker: Some(waker), outer: self.current.replace(Some(current)) };
        self.budget.set(BUDGET);
        polling.waker.as_ref().map(|waker| poll(&mut Context::from_waker(waker)))
    }
}

impl<B: EventOp, S: Storage, T> Core<Cellar<B, S, T>> {
    /// Waits for the next turn, unless a task was woken.
    pub(super) fn wait(&self, base: &mut EventBase<B, S, Item<T>>, wait: Wait) -> Result<Turn, B::Error> {
        let Remote { inbox, waker } = &*self.remote;
        let can_be_woken = waker.is_some();
        let wait = match wait {
            // Whoever will wake them does not show on the base.
            Wait::Forever if can_be_woken && self.alive.get() > 0 => Wait::Until(Instant::MAX),
            wait => wait,
        };
        if base.counts().active > 0 || wait == Wait::None {
            return base.poll(wait);
        }
        if !inbox.prepare_sleep() {
            return base.poll(Wait::None);
        }
        let turn = base.poll(wait);
        inbox.awake();
        turn
    }
}

impl Current {
    fn is(&self, waker: &Waker) -> bool {
        core::ptr::eq(self.data, waker.data()) && core::ptr::eq(self.vtable, waker.vtable())
    }
}

/// While a task is polled its waker is out of its place, so that the place is not borrowed. Also a panic puts it back.
struct Polling<'a, Y: ?Sized> {
    core: &'a Core<Y>,
    index: u32,
    waker: Option<Waker>,
    outer: Option<Current>,
}

impl<Y: ?Sized> Drop for Polling<'_, Y> {
    fn drop(&mut self) {
        self.core.current.set(self.outer);
        self.core.slot(self.index, |slot| slot.waker = self.waker.take());
    }
}
