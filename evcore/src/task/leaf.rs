//! What futures wait for: one event each.

use alloc::rc::Rc;
use core::cell::Cell;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};

use super::Handle;
use super::base::Ours;
use crate::base::Fired;
use crate::error::Error;
use crate::event::{Event, EventId};
use crate::ready::{Interest, Ready};
use crate::time::Instant;

/// For both directions of a source.
const BOTH: Ready = Ready::ERROR.union(Ready::HANGUP).union(Ready::TIMEOUT);
const WRITE: Ready = Ready::WRITE;
/// For the reading task.
const READING: Interest = Interest::READ.union(Interest::URGENT).union(Interest::CLOSED);

/// Shared by a future and its event: who waits in each direction, and what has come.
pub(super) struct Leaf<D: ?Sized> {
    /// The reader of a source, or the only waiter of another event.
    pub(super) reading: Side,
    writing: Side,
    /// Hand-outs of an event that is no source's.
    count: Cell<u32>,
    /// The registered interest of a source. `None`: the next wait must check.
    pub(super) registered: Cell<Option<Interest>>,
    is_source: bool,
    /// The value of a source.
    pub(super) data: D,
}

#[derive(Default)]
pub(super) struct Side {
    waiter: Cell<Waiter>,
    pub(super) ready: Cell<Ready>,
}

#[derive(Default)]
pub(super) enum Waiter {
    #[default]
    Nobody,
    /// A task of this executor, without reference counts.
    Task(EventId),
    Other(Waker),
}

impl Side {
    #[inline]
    pub(super) fn wait(&self, waiter: Waiter) {
        self.waiter.set(waiter);
    }

    pub(super) fn is_awaited(&self) -> bool {
        let waiter = self.waiter.take();
        let is_awaited = !matches!(waiter, Waiter::Nobody);
        self.waiter.set(waiter);
        is_awaited
    }
}

impl<D> Leaf<D> {
    pub(super) fn new(is_source: bool, data: D) -> Self {
        let (reading, writing, registered) = (Side::default(), Side::default(), Cell::new(None));
        Self { reading, writing, count: Cell::new(0), registered, is_source, data }
    }
}

impl<D: ?Sized> Leaf<D> {
    /// Notes what has come, and wakes waiters elsewhere. Returns the tasks that can continue, and what no task waited
    /// for.
    #[inline]
    pub(super) fn note(&self, ready: Ready, count: u32) -> ([Option<EventId>; 2], Ready) {
        if !self.is_source {
            self.count.set(self.count.get().saturating_add(count));
            self.reading.ready.set(self.reading.ready.get() | ready);
            return ([Self::wake(self.reading.waiter.take()), None], Ready::empty());
        }
        let mut unclaimed = ready;
        let parts = [(&self.reading, ready.difference(WRITE)), (&self.writing, ready & WRITE.union(BOTH))];
        let tasks = parts.map(|(side, part)| {
            if part.is_empty() {
                return None;
            }
            let waiter = side.waiter.take();
            if !matches!(waiter, Waiter::Nobody) {
                unclaimed.remove(part);
                side.ready.set(side.ready.get() | part);
            }
            Self::wake(waiter)
        });
        (tasks, unclaimed)
    }

    #[inline]
    fn wake(waiter: Waiter) -> Option<EventId> {
        match waiter {
            Waiter::Task(event) => return Some(event),
            Waiter::Other(waker) => waker.wake(),
            Waiter::Nobody => {}
        }
        None
    }

    /// The new interest of a source, if no task waited for something: it would come again in each turn.
    #[cold]
    pub(super) fn want_less(&self, ready: Ready, unclaimed: Ready) -> Option<Interest> {
        let unclaimed = unclaimed & Ready::IO;
        let lost = if unclaimed.intersects(BOTH) { Ready::IO } else { unclaimed };
        let registered = self.registered.get().unwrap_or_default();
        let less = registered.difference(Interest::from_bits_truncate(lost.bits()));
        // The system may have ended the registration.
        self.registered.set(Some(less).filter(|_| !ready.is_error()));
        (!unclaimed.is_empty()).then_some(less)
    }

    /// The interest of a source when `interest` is waited for: nothing else in its direction, which would end the wait.
    #[inline]
    pub(super) fn with(&self, interest: Interest) -> Interest {
        let others = if interest.intersects(READING) { READING } else { Interest::empty() };
        self.registered.get().unwrap_or_default().difference(others).union(interest)
    }

    #[inline]
    pub(super) fn sides(&self, interest: Interest) -> impl Iterator<Item = &Side> {
        let is_writing = interest.contains(Interest::WRITE);
        let sides = [(interest != Interest::WRITE).then_some(&self.reading), is_writing.then_some(&self.writing)];
        sides.into_iter().flatten()
    }

    /// Wakes waiting tasks elsewhere, when the executor ends.
    pub(super) fn end(&self) {
        self.registered.set(None);
        for side in [&self.reading, &self.writing] {
            Self::wake(side.waiter.take());
        }
    }
}

/// An event as a future: each [`next`](Watch::next) waits for its next hand-out. What comes between two waits is kept,
/// bits and counts joined.
///
/// Each wait adds a one-shot event again, with its timeout. Dropping it removes the event.
pub struct Watch<F, E> {
    handle: Handle<F, E>,
    event: EventId,
    leaf: Rc<Leaf<()>>,
}

impl<F: 'static, E: 'static> Watch<F, E> {
    pub(super) fn new(handle: &Handle<F, E>, event: Event<F>, at: Option<Instant>) -> Result<Self, Error<E>> {
        let leaf = Rc::new(Leaf::new(false, ()));
        Ok(Self { event: handle.core.start(event, at, Ours::Leaf(leaf.clone()))?, handle: handle.clone(), leaf })
    }

    /// Waits for the next hand-out: its reason, and its number of signals or periods.
    ///
    /// # Errors
    ///
    /// When the backend refuses, or the executor has ended.
    ///
    /// ```
    /// # use evcore::{*, backend::Manual, task::{Executor, Item}};
    /// # let mut executor = Executor::local(EventBase::<Manual, Growable, Item<&str>>::new(Manual::new()));
    /// # let handle = executor.handle();
    /// let mut signal = handle.signal(10)?;
    /// executor.base().unwrap().backend_mut().raise(10);
    /// executor.base().unwrap().backend_mut().raise(10);
    /// assert_eq!(executor.block_on(signal.next())??.count, 2);
    /// # Ok::<(), evcore::Error<evcore::backend::ManualError>>(())
    /// ```
    pub async fn next(&mut self) -> Result<Fired, Error<E>> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// As [`next`](Watch::next), for futures written by hand.
    ///
    /// # Errors
    ///
    /// As [`next`](Watch::next).
    pub fn poll_next(&mut self, context: &Context<'_>) -> Poll<Result<Fired, Error<E>>> {
        let count = self.leaf.count.take();
        if count > 0 {
            let ready = self.leaf.reading.ready.take();
            return Poll::Ready(Ok(Fired { id: self.event, ready, count, data: () }));
        }
        let core = &self.handle.core;
        core.want(self.event, Interest::empty(), None)?;
        self.leaf.reading.wait(core.waiter(context.waker()));
        Poll::Pending
    }
}

impl<F, E> Drop for Watch<F, E> {
    fn drop(&mut self) {
        self.handle.core.end(self.event);
    }
}

/// Lets all other ready tasks run first: this one continues in the next turn.
///
/// ```
/// use evcore::backend::Manual;
/// use evcore::task::{Executor, Item, yield_now};
/// use evcore::{EventBase, Growable};
///
/// let base: EventBase<Manual, Growable, Item<()>> = EventBase::new(Manual::new());
/// let mut executor = Executor::local(base);
/// let task = executor.handle().spawn(async { "first" })?;
/// executor.block_on(async {
///     yield_now().await;
///     assert!(task.is_finished());
/// })?;
/// # Ok::<(), evcore::Error<evcore::backend::ManualError>>(())
/// ```
pub async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|context| match core::mem::replace(&mut has_yielded, true) {
        true => Poll::Ready(()),
        false => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}
