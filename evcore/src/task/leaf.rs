//! What futures wait for: one event each.

use alloc::rc::Rc;
use core::cell::Cell;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use super::Handle;
use super::shared::Ours;
use crate::base::Fired;
use crate::error::Error;
use crate::event::{Event, EventId};
use crate::ready::{Interest, Ready};
use crate::time::Instant;

/// For both directions of a source.
const BOTH: Ready = Ready::ERROR.union(Ready::HANGUP).union(Ready::TIMEOUT);
const WRITE: Ready = Ready::WRITE;
/// For the reading task of a source.
const READING: Interest = Interest::READ.union(Interest::URGENT).union(Interest::CLOSED);

/// Shared by a future and its event: who waits in each direction, and what has come.
pub(super) struct Leaf<D: ?Sized> {
    /// The reader of a source, or the only waiter of another event.
    reading: Side,
    writing: Side,
    /// What a source is registered for; empty after an error, when the next wait registers it again.
    interest: Cell<Interest>,
    /// The idle timeout was set after the last wait began.
    pub(super) has_new_idle: Cell<bool>,
    is_source: bool,
    /// The value of a source.
    pub(super) data: D,
}

#[derive(Default)]
struct Side {
    waiter: Cell<Waiter>,
    /// The waker of [`Waiter::Other`].
    other: Cell<Option<Waker>>,
    ready: Cell<Ready>,
    count: Cell<u32>,
}

/// Who is to be polled.
#[derive(Clone, Copy, PartialEq, Default)]
pub(super) enum Waiter {
    #[default]
    Nobody,
    /// A task of this executor, by its event and place, without reference counts.
    Task(EventId, u32),
    Other,
}

impl Side {
    /// Notes what has come. Returns who waited for it, and wakes it if it is no task of this executor.
    #[inline]
    fn note(&self, ready: Ready, count: u32) -> Waiter {
        self.ready.set(self.ready.get() | ready);
        self.count.set(self.count.get().saturating_add(count));
        let waiter = self.waiter.take();
        if waiter == Waiter::Other {
            self.wake_other();
        }
        waiter
    }

    #[cold]
    fn wake_other(&self) {
        if let Some(waker) = self.other.take() {
            waker.wake();
        }
    }
}

impl<D> Leaf<D> {
    pub(super) fn new(is_source: bool, data: D) -> Self {
        let interest = Cell::new(Interest::empty());
        let has_new_idle = Cell::new(false);
        Self { reading: Side::default(), writing: Side::default(), interest, has_new_idle, is_source, data }
    }
}

impl<D: ?Sized> Leaf<D> {
    /// Notes what has come. Returns the tasks to poll, and the new interest of a source if no task waited for
    /// something.
    pub(super) fn note(&self, ready: Ready, count: u32) -> ([Waiter; 2], Option<Interest>) {
        let (read, write) = match self.is_source {
            true => (ready.difference(WRITE), ready & WRITE.union(BOTH)),
            false => (ready, Ready::empty()),
        };
        let mut unclaimed = ready & Ready::IO;
        let waiters = [(&self.reading, read), (&self.writing, write)].map(|(side, part)| {
            if self.is_source && (part.is_empty() || side.waiter.get() == Waiter::Nobody) {
                return Waiter::Nobody;
            }
            unclaimed.remove(part);
            side.note(part, count)
        });
        if unclaimed.is_empty() && !ready.is_error() {
            return (waiters, None);
        }
        // Otherwise it would come again in each turn.
        let lost = if unclaimed.intersects(BOTH) { Ready::IO } else { unclaimed };
        let less = self.interest.get().difference(Interest::from_bits_truncate(lost.bits()));
        // The system may have ended the registration: the next wait checks.
        self.interest.set(if ready.is_error() { Interest::empty() } else { less });
        // Even if nothing else: after an error the event waits for more.
        (waiters, (!unclaimed.is_empty()).then_some(less))
    }

    /// Whether a source's idle timeout has come without a waiting task.
    #[inline]
    pub(super) fn is_idle(&self, ready: Ready, waiters: [Waiter; 2]) -> bool {
        self.is_source && ready.is_timeout() && waiters == [Waiter::Nobody; 2]
    }

    /// The interest of a source when `interest` is waited for: nothing else in its direction, which would end the wait.
    #[inline]
    fn with(&self, interest: Interest) -> Interest {
        let others = if interest.intersects(READING) { READING } else { Interest::empty() };
        self.interest.get().difference(others).union(interest)
    }

    /// Whether a direction of `interest` has no waiting task, or one with another idle timeout.
    fn begins_wait(&self, interest: Interest) -> bool {
        let mut sides = self.sides(interest).into_iter().flatten();
        self.has_new_idle.get() || sides.any(|side| side.waiter.get() == Waiter::Nobody)
    }

    /// Takes what has come in the directions of `interest`; nothing if the count is zero.
    #[inline]
    pub(super) fn take(&self, interest: Interest) -> (Ready, u32) {
        self.sides(interest)
            .into_iter()
            .flatten()
            .fold((Ready::empty(), 0), |(ready, count), side| (ready | side.ready.take(), count.max(side.count.take())))
    }

    #[inline]
    fn sides(&self, interest: Interest) -> [Option<&Side>; 2] {
        let is_writing = interest.contains(Interest::WRITE);
        [(interest != Interest::WRITE).then_some(&self.reading), is_writing.then_some(&self.writing)]
    }

    /// Wakes waiting tasks elsewhere, when the executor ends.
    pub(super) fn end(&self) {
        self.reading.wake_other();
        self.writing.wake_other();
    }
}

impl<F, E> Handle<F, E> {
    /// Takes what has come of an event, or makes the current task wait for it.
    pub(super) fn poll<D>(
        &self,
        event: EventId,
        leaf: &Leaf<D>,
        interest: Interest,
        idle: Option<Duration>,
        context: &Context<'_>,
    ) -> Poll<Result<(Ready, u32), Error<E>>> {
        let come = leaf.take(interest);
        if come.1 > 0 {
            return Poll::Ready(Ok(come));
        }
        let core = &self.core;
        if core.is_closed.get() {
            return Poll::Ready(Err(Error::Ended));
        }
        let wanted = leaf.with(interest);
        // The idle timeout counts from the first poll of a wait.
        let idle = idle.filter(|_| leaf.begins_wait(interest));
        // A source's event stays pending; others are added again.
        if !leaf.is_source || idle.is_some() || wanted != leaf.interest.get() {
            core.base.want(event, wanted, idle)?;
            leaf.interest.set(wanted);
            leaf.has_new_idle.set(false);
        }
        for side in leaf.sides(interest).into_iter().flatten() {
            side.waiter.set(core.waiter(context.waker()));
            if side.waiter.get() == Waiter::Other {
                side.other.set(Some(context.waker().clone()));
            }
        }
        Poll::Pending
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
    /// # let base = EventBase::<Manual, Growable, Item<&str>>::new(Manual::new());
    /// # let mut executor = Executor::local(base);
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
        let polled = self.handle.poll(self.event, &self.leaf, Interest::empty(), None, context);
        polled.map_ok(|(ready, count)| Fired { id: self.event, ready, count, data: () })
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
