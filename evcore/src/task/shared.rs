//! Shared by an executor, its tasks and what they wait for: the current task, woken tasks, the base.

use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::ptr;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use super::base::{Base, Ours};
use super::inbox::{Inbox, Node};
use super::join::{Task, TaskOf};
use super::leaf::Waiter;
use crate::error::Error;
use crate::event::{Event, EventId};
use crate::ready::Interest;
use crate::time::Instant;

/// Operations that a task may complete without waiting before others run.
const BUDGET: u8 = 128;

pub(super) struct Core<F, E> {
    /// The event of the task that is being polled, and its waker.
    current: Cell<Option<EventId>>,
    waker: Cell<*const Waker>,
    budget: Cell<u8>,
    pub(super) turn: Cell<u32>,
    places: RefCell<Places>,
    /// Shared with wakers in any thread.
    pub(super) inbox: Arc<Inbox>,
    /// Events whose futures were dropped while the base was in use.
    doomed: RefCell<Vec<EventId>>,
    has_doomed: Cell<bool>,
    pub(super) base: Rc<dyn Base<F, E>>,
}

#[derive(Default)]
struct Places {
    list: Vec<Place>,
    /// Those of ended tasks.
    free: Vec<u32>,
}

/// A task, for its wakers. They serve one task after another, so an old waker can only cause a spurious wake.
struct Place {
    event: Option<EventId>,
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
            waker: Cell::new(ptr::null()),
            budget: Cell::new(BUDGET),
            turn: Cell::new(1),
            places: RefCell::default(),
            inbox: Arc::new(Inbox::new(waker)),
            doomed: RefCell::default(),
            has_doomed: Cell::new(false),
            base,
        }
    }

    // Tasks.

    /// Starts a task without its future, polled in this turn or the next.
    pub(super) fn spawn<R: 'static>(&self, priority: Option<u8>) -> Result<(EventId, TaskOf<R>), Error<E>> {
        // Before the places are borrowed: it may drop what spawns.
        self.settled();
        let mut places = self.places.try_borrow_mut().map_err(|_| Error::Reentered)?;
        let Places { list, free } = &mut *places;
        if free.is_empty() {
            let index = u32::try_from(list.len()).ok().filter(|index| *index < Inbox::LIMIT).ok_or(Error::Full)?;
            let node = Arc::new(TaskNode { node: Node::new(index), inbox: Arc::clone(&self.inbox) });
            list.push(Place { event: None, node });
            free.push(index);
        }
        let index = free.last().copied().unwrap_or_default();
        let place = usize::try_from(index).ok().and_then(|index| list.get_mut(index)).ok_or(Error::Full)?;
        let task = Rc::new(Task::new(index, Waker::from(Arc::clone(&place.node))));
        let event = Event { priority, ..Event::user().persist() };
        let event = self.start(event, None, Ours::Task(task.clone()))?;
        place.event = Some(event);
        free.pop();
        Ok((event, task))
    }

    /// Ends a task's event and frees its place.
    pub(super) fn vacate(&self, event: EventId, index: u32) {
        if let Ok(mut places) = self.places.try_borrow_mut() {
            places.free.push(index);
            if let Some(place) = usize::try_from(index).ok().and_then(|index| places.list.get_mut(index)) {
                place.event = None;
            }
        }
        self.end(event);
    }

    pub(super) fn tasks(&self) -> usize {
        self.places.try_borrow().map_or(0, |places| places.list.len().saturating_sub(places.free.len()))
    }

    /// Polls something as this task.
    #[inline]
    pub(super) fn poll_as<X>(&self, event: EventId, task: &Task, poll: impl FnOnce(&mut Context<'_>) -> X) -> X {
        self.current.set(Some(event));
        self.waker.set(&raw const task.waker);
        self.budget.set(BUDGET);
        task.turn.set(self.turn.get());
        task.is_due.set(false);
        let polled = poll(&mut Context::from_waker(&task.waker));
        self.current.set(None);
        polled
    }

    /// Clears the current task, after a panic.
    pub(super) fn polls_nothing(&self) {
        self.current.set(None);
    }

    /// Passes on the events of woken tasks.
    pub(super) fn take_woken(&self, mut wake: impl FnMut(EventId)) {
        let Ok(places) = self.places.try_borrow() else { return };
        let place = |index| places.list.get(usize::try_from(index).ok()?);
        // The last one first, so it is turned round before any is passed on.
        let (mut taken, mut listed) = (self.inbox.take(), None);
        while let Some(place) = taken.and_then(place) {
            taken = Inbox::turn_round(&place.node.node, listed);
            listed = Some(place.node.node.index);
        }
        while let Some(place) = listed.and_then(place) {
            listed = Inbox::pass(&place.node.node);
            // A task that has ended has no event.
            place.event.into_iter().for_each(&mut wake);
        }
    }

    // What is polled waits.

    /// The waiter that can continue what is polled now, with `waker`.
    #[inline]
    pub(super) fn waiter(&self, waker: &Waker) -> Waiter {
        match self.current.get() {
            // This very waker, which lives as long as the poll.
            Some(event) if ptr::eq(waker, self.waker.get()) => Waiter::Task(event),
            _ => Waiter::Other(waker.clone()),
        }
    }

    /// Counts an operation that did not wait. After many, the task continues in the next turn.
    #[inline]
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
        self.settled().start(event, at, ours, self.current.get())
    }

    /// Makes an event wait again, for the current task.
    pub(super) fn want(&self, event: EventId, interest: Interest, idle: Option<Duration>) -> Result<(), Error<E>> {
        self.settled().want(event, interest, idle, self.current.get())
    }

    /// Ends an event, at the latest before the base is used again.
    pub(super) fn end(&self, event: EventId) {
        if !self.base.remove(event) {
            if let Ok(mut doomed) = self.doomed.try_borrow_mut() {
                doomed.push(event);
                self.has_doomed.set(true);
            }
        }
    }

    /// The base, on which what was doomed has ended.
    pub(super) fn settled(&self) -> &dyn Base<F, E> {
        while self.has_doomed.get() {
            let Some(event) = self.next_doomed() else { break };
            if !self.base.remove(event) {
                self.end(event);
                break;
            }
        }
        &*self.base
    }

    /// Whether events are left whose futures are gone.
    #[inline]
    pub(super) fn has_doomed(&self) -> bool {
        self.has_doomed.get()
    }

    pub(super) fn next_doomed(&self) -> Option<EventId> {
        let doomed = self.doomed.try_borrow_mut().ok().and_then(|mut doomed| doomed.pop());
        self.has_doomed.set(doomed.is_some());
        doomed
    }
}
