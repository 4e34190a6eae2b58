//! Shared by an executor, its tasks and what they wait for: the base, the tasks, and which one is polled.

use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell, RefMut};
use core::ptr::NonNull;
use core::task::{Context, Waker};

use super::base::{Base, Ours};
use super::inbox::{Head, Inbox, Places};
use super::leaf::Side;
use crate::error::Error;
use crate::event::{Event, EventId};

/// Operations that a task may complete without waiting before others run.
pub(super) const BUDGET: u8 = 128;

pub(super) struct Core<F, E> {
    pub(super) current: Current,
    pub(super) places: RefCell<Places>,
    /// Shared with wakers in any thread.
    pub(super) inbox: Arc<Inbox>,
    /// Events that were to be removed while the base was in use.
    doomed: Cell<Vec<EventId>>,
    base: Rc<RefCell<dyn Base<F, E>>>,
}

impl<F, E> Core<F, E> {
    pub(super) fn new(base: Rc<RefCell<dyn Base<F, E>>>, waker: Option<Waker>) -> Self {
        let (current, places, doomed) = Default::default();
        Self { current, places, inbox: Arc::new(Inbox::new(waker)), doomed, base }
    }

    /// The base, on which what was doomed has ended.
    pub(super) fn base(&self) -> Result<RefMut<'_, dyn Base<F, E> + 'static>, Error<E>> {
        let mut base = self.base.try_borrow_mut().map_err(|_| Error::Reentered)?;
        self.settle(|event| base.remove(event));
        Ok(base)
    }

    /// An event, by default with the priority of the current task.
    pub(super) fn create(&self, event: Event<F>) -> Result<EventId, Error<E>> {
        self.base()?.create(event, self.current.event())
    }

    /// Gives an event its purpose. A task's is activated.
    pub(super) fn put(&self, event: EventId, ours: Ours) {
        let _ = self.base().map(|mut base| base.put(event, ours));
    }

    /// Removes an event, at the latest before the base is used again.
    pub(super) fn end(&self, event: EventId) {
        if let Ok(mut base) = self.base() {
            return base.remove(event);
        }
        let mut doomed = self.doomed.take();
        doomed.push(event);
        self.doomed.set(doomed);
    }

    /// Ends what is doomed.
    pub(super) fn settle(&self, mut remove: impl FnMut(EventId)) {
        loop {
            let mut doomed = self.doomed.take();
            let event = doomed.pop();
            self.doomed.set(doomed);
            match event {
                Some(event) => remove(event),
                None => return,
            }
        }
    }

    /// An event and a place for a task.
    pub(super) fn place(&self, priority: Option<u8>) -> Result<Head, Error<E>> {
        let event = self.create(Event { priority, ..Event::user().persist() })?;
        let head = self.places.try_borrow_mut().ok().and_then(|mut places| places.take(event, &self.inbox));
        head.ok_or_else(|| {
            self.end(event);
            Error::Full
        })
    }

    /// Passes on the events of woken tasks; `wake` returns whether the event exists.
    #[inline]
    pub(super) fn take_woken(&self, wake: impl FnMut(EventId) -> bool) {
        if !self.inbox.is_empty() {
            if let Ok(mut places) = self.places.try_borrow_mut() {
                places.take_woken(&self.inbox, wake);
            }
        }
    }

    pub(super) fn tasks(&self) -> usize {
        self.places.try_borrow().map_or(0, |places| places.len())
    }
}

/// Ends a task when it is dropped, by a panic too.
pub(super) struct Ending<'a, F, E> {
    pub(super) core: &'a Core<F, E>,
    pub(super) head: &'a Head,
}

impl<F, E> Drop for Ending<'_, F, E> {
    fn drop(&mut self) {
        self.core.current.waker.set(None);
        if let Ok(mut places) = self.core.places.try_borrow_mut() {
            places.free(self.head.number, self.head.event);
        }
        self.core.end(self.head.event);
    }
}

/// The task that is being polled.
#[derive(Default)]
pub(super) struct Current {
    event: Cell<Option<EventId>>,
    /// Its waker, which lives as long as the poll. `None`: nothing is polled.
    waker: Cell<Option<NonNull<Waker>>>,
    /// How many more operations it may complete.
    pub(super) budget: Cell<u8>,
    /// The executor's turn.
    pub(super) turn: Cell<u32>,
}

impl Current {
    #[inline]
    pub(super) fn poll<R>(&self, head: &Head, poll: impl FnOnce(&mut Context<'_>) -> R) -> R {
        self.event.set(Some(head.event));
        self.waker.set(Some(NonNull::from(&head.waker)));
        self.budget.set(BUDGET);
        let polled = poll(&mut Context::from_waker(&head.waker));
        self.waker.set(None);
        polled
    }

    pub(super) fn event(&self) -> Option<EventId> {
        self.event.get().filter(|_| self.waker.get().is_some())
    }

    /// Registers the current task, or `waker`, for what is reported on `side`.
    #[inline]
    pub(super) fn wait(&self, side: &Side, waker: &Waker) {
        // The task's own waker needs no reference count.
        if self.waker.get() == Some(NonNull::from(waker)) {
            side.task.set(self.event.get());
        } else {
            side.set_other(waker.clone());
        }
    }
}
