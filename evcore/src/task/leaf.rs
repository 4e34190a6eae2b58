//! Futures that wait for one event of the base.

use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use super::Handle;
use super::shared::{Leaf, Ours, Waiter};
use crate::base::Fired;
use crate::error::Error;
use crate::event::{Event, EventId};
use crate::time::Instant;

/// An event of the base as a future: each [`next`](Watch::next) waits for its next hand-out. What comes between two waits is kept
/// for the second, bits and counts together.
///
/// A one-shot event is added again by each wait, with its timeout. Dropped, it removes its event.
pub struct Watch<F, E> {
    handle: Handle<F, E>,
    event: EventId,
}

impl<F: 'static, E: 'static> Watch<F, E> {
    pub(super) fn new(handle: &Handle<F, E>, event: Event<F>, at: Option<Instant>) -> Result<Self, Error<E>> {
        let event = handle.start(event, at, Ours::Leaf(Leaf::default()))?;
        Ok(Self { handle: handle.clone(), event })
    }

    /// Waits for the next hand-out: why it came, and how many signals or periods it stands for.
    ///
    /// # Errors
    ///
    /// When the backend refuses, and when the executor has ended.
    pub async fn next(&mut self) -> Result<Fired, Error<E>> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// As [`next`](Watch::next), for futures written by hand.
    ///
    /// # Errors
    ///
    /// As [`next`](Watch::next).
    pub fn poll_next(&mut self, context: &Context<'_>) -> Poll<Result<Fired, Error<E>>> {
        let core = &self.handle.core;
        let waiter = core.waiter(context, Waiter::Nobody);
        let polled = core.yard.poll_leaf(self.event, waiter);
        polled.map_ok(|(ready, count)| Fired { id: self.event, ready, count, data: () })
    }
}

impl<F, E> Drop for Watch<F, E> {
    fn drop(&mut self) {
        self.handle.core.end(self.event);
    }
}

impl<F, E> fmt::Debug for Watch<F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("event", &self.event).finish_non_exhaustive()
    }
}

/// A time that passes; see [`Handle::sleep`] and [`Handle::sleep_until`].
#[must_use = "time passes while it is awaited"]
pub struct Sleep<F, E> {
    handle: Handle<F, E>,
    time: Time,
    watch: Option<Watch<F, E>>,
}

#[derive(Clone, Copy, Debug)]
enum Time {
    For(Duration),
    Until(Instant),
}

impl<F, E> Sleep<F, E> {
    pub(super) fn lasting(handle: &Handle<F, E>, time: Duration) -> Self {
        Self { handle: handle.clone(), time: Time::For(time), watch: None }
    }

    pub(super) fn until(handle: &Handle<F, E>, deadline: Instant) -> Self {
        Self { handle: handle.clone(), time: Time::Until(deadline), watch: None }
    }
}

impl<F, E> Unpin for Sleep<F, E> {}

impl<F: 'static, E: 'static> Future for Sleep<F, E> {
    type Output = Result<(), Error<E>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut watch = match (self.watch.take(), self.time) {
            (Some(watch), _) => watch,
            (None, Time::For(time)) => Watch::new(&self.handle, Event::timer().timeout(time), None)?,
            (None, Time::Until(deadline)) => Watch::new(&self.handle, Event::timer(), Some(deadline))?,
        };
        match watch.poll_next(context) {
            Poll::Ready(done) => Poll::Ready(done.map(|_| ())),
            Poll::Pending => {
                self.watch = Some(watch);
                Poll::Pending
            }
        }
    }
}

impl<F, E> fmt::Debug for Sleep<F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("time", &self.time).field("watch", &self.watch).finish_non_exhaustive()
    }
}

/// Lets all other tasks that can go on do so first: the rest of the task comes in the next turn.
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
