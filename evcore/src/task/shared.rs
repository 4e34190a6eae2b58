//! Shared by an executor, its tasks and what they wait for: what is polled, the tasks, the base.

use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell, RefMut};
use core::ptr::NonNull;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use super::base::{Base, Ours};
use super::inbox::Inbox;
use super::join::{Head, Run};
use super::leaf::Side;
use super::places::Places;
use crate::error::Error;
use crate::event::{Event, EventId};
use crate::ready::Interest;

/// Operations that a task may complete without waiting before others run.
const BUDGET: u8 = 128;

pub(super) struct Core<F, E> {
    pub(super) current: Current,
    places: RefCell<Places>,
    /// Shared with wakers in any thread.
    pub(super) inbox: Arc<Inbox>,
    /// Events whose futures were dropped while the base was in use.
    doomed: Cell<Vec<EventId>>,
    has_doomed: Cell<bool>,
    base: Rc<RefCell<dyn Base<F, E>>>,
}

/// The task that is being polled.
#[derive(Default)]
pub(super) struct Current {
    event: Cell<Option<EventId>>,
    /// Its waker. `None`: nothing is polled.
    waker: Cell<Option<NonNull<Waker>>>,
    budget: Cell<u8>,
    /// The executor's turn.
    pub(super) turn: Cell<u32>,
}

impl Current {
    #[inline]
    pub(super) fn poll<X>(&self, head: &Head, poll: impl FnOnce(&mut Context<'_>) -> X) -> X {
        self.event.set(Some(head.event));
        self.waker.set(Some(NonNull::from(&head.waker)));
        self.budget.set(BUDGET);
        head.turn.set(self.turn.get());
        let polled = poll(&mut Context::from_waker(&head.waker));
        self.clear();
        polled
    }

    /// Nothing is polled any more.
    pub(super) fn clear(&self) {
        self.waker.set(None);
    }

    pub(super) fn begin_turn(&self) {
        self.turn.set(self.turn.get().wrapping_add(1));
    }

    /// The event of the current task.
    fn event(&self) -> Option<EventId> {
        self.event.get().filter(|_| self.waker.get().is_some())
    }

    /// Registers the current task, or `waker`, for what is reported on `side`.
    #[inline]
    pub(super) fn wait(&self, side: &Side, waker: &Waker) {
        // The task's own waker lives as long as the poll. It needs no reference count.
        if self.waker.get() == Some(NonNull::from(waker)) {
            side.task.set(self.event.get());
        } else {
            side.set_other(waker.clone());
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
}

impl<F, E> Core<F, E> {
    pub(super) fn new(base: Rc<RefCell<dyn Base<F, E>>>, waker: Option<Waker>) -> Self {
        Self {
            current: Current::default(),
            places: RefCell::default(),
            inbox: Arc::new(Inbox::new(waker)),
            doomed: Cell::default(),
            has_doomed: Cell::new(false),
            base,
        }
    }

    // Tasks.

    /// An event and a place for a task, which then [begins](Core::begin).
    pub(super) fn place(&self, priority: Option<u8>) -> Result<Head, Error<E>> {
        let event = self.create(Event { priority, ..Event::user().persist() })?;
        let places = self.places.try_borrow_mut().map_err(|_| Error::Reentered);
        let head = places.and_then(|mut places| places.take(event, &self.inbox).ok_or(Error::Full));
        head.inspect_err(|_| self.end(event))
    }

    /// Has a task polled in this turn or the next.
    pub(super) fn begin(&self, task: Rc<dyn Run>) {
        self.put(task.head().event, Ours::Task(task));
    }

    /// Ends a task's event and frees its place.
    pub(super) fn vacate(&self, head: &Head) {
        if let Ok(mut places) = self.places.try_borrow_mut() {
            places.free(head.index);
        }
        self.end(head.event);
    }

    pub(super) fn tasks(&self) -> usize {
        self.places.try_borrow().map_or(0, |places| places.len())
    }

    /// Passes on the events of woken tasks.
    #[inline]
    pub(super) fn take_woken(&self, wake: impl FnMut(EventId)) {
        if !self.inbox.is_empty() {
            if let Ok(places) = self.places.try_borrow() {
                places.take_woken(&self.inbox, wake);
            }
        }
    }

    // Events.

    /// Creates an event, by default with the priority of the current task.
    pub(super) fn create(&self, event: Event<F>) -> Result<EventId, Error<E>> {
        self.base()?.create(event, self.current.event())
    }

    /// Replaces an event's data.
    pub(super) fn put(&self, event: EventId, ours: Ours) {
        let _ = self.base().map(|mut base| base.put(event, ours));
    }

    /// Makes an event wait again, for the current task.
    pub(super) fn want(&self, event: EventId, interest: Interest, idle: Option<Duration>) -> Result<(), Error<E>> {
        self.base()?.want(event, interest, idle, self.current.event())
    }

    /// Ends an event, at the latest before the base is used again.
    pub(super) fn end(&self, event: EventId) {
        if !self.remove(event) {
            let mut doomed = self.doomed.take();
            doomed.push(event);
            self.doomed.set(doomed);
            self.has_doomed.set(true);
        }
    }

    /// `false`: the base is in use.
    fn remove(&self, event: EventId) -> bool {
        let Ok(mut base) = self.base.try_borrow_mut() else { return false };
        let ours = base.remove(event);
        // It may hold a waker or descriptor whose drop needs the base.
        drop(base);
        drop(ours);
        true
    }

    /// The base, on which what was doomed has ended.
    pub(super) fn base(&self) -> Result<RefMut<'_, dyn Base<F, E> + 'static>, Error<E>> {
        self.settle();
        self.base.try_borrow_mut().map_err(|_| Error::Reentered)
    }

    /// Ends what is doomed, unless the base is in use.
    #[inline]
    pub(super) fn settle(&self) {
        if self.has_doomed.get() {
            self.end_doomed();
        }
    }

    #[cold]
    fn end_doomed(&self) {
        while let Some(event) = self.next_doomed() {
            if !self.remove(event) {
                return self.end(event);
            }
        }
    }

    pub(super) fn next_doomed(&self) -> Option<EventId> {
        let mut doomed = self.doomed.take();
        let event = doomed.pop();
        self.has_doomed.set(!doomed.is_empty());
        self.doomed.set(doomed);
        event
    }
}
