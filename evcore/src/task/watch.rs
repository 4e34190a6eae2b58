//! Any event as a future.

use core::future::poll_fn;
use core::task::{Context, Poll};

use super::Handle;
use super::source::Source;
use crate::base::Fired;
use crate::error::Error;
use crate::event::Event;
use crate::ready::Interest;

/// An event as a future: each [`next`](Watch::next) waits for its next hand-out. What comes between two waits is kept,
/// bits and counts joined.
///
/// Each wait adds a one-shot event again, with its timeout. Dropping it removes the event.
pub struct Watch<F, E>(Source<(), F, E>);

impl<F: 'static, E: 'static> Watch<F, E> {
    pub(super) fn new(handle: &Handle<F, E>, event: Event<F>) -> Result<Self, Error<E>> {
        let source = Source::new(handle, event, false, ())?;
        source.want(Interest::empty(), false)?;
        Ok(Self(source))
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
        let count = self.0.leaf.count.take();
        if count > 0 {
            let ready = self.0.take(Interest::empty());
            return Poll::Ready(Ok(Fired { id: self.0.event, ready, count, data: () }));
        }
        self.0.wait(context, Interest::empty())?;
        Poll::Pending
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
