//! A task's future and its result.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::any::Any;
use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::shared::Current;
use crate::event::EventId;

/// What every task has.
pub(super) struct Head {
    pub(super) event: EventId,
    /// Its place in the list of tasks.
    pub(super) index: u32,
    pub(super) waker: Waker,
    /// The executor's turn in which it was polled last.
    pub(super) turn: Cell<u32>,
    /// The next [`Run::run`] ends it.
    is_aborted: Cell<bool>,
    is_ended: Cell<bool>,
}

impl Head {
    pub(super) fn new(event: EventId, index: u32, waker: Waker) -> Self {
        let (turn, is_aborted, is_ended) = (Cell::new(u32::MAX), Cell::default(), Cell::default());
        Self { event, index, waker, turn, is_aborted, is_ended }
    }

    #[inline]
    pub(super) fn was_polled(&self, current: &Current) -> bool {
        self.turn.get() == current.turn.get()
    }

    pub(super) fn abort(&self) {
        self.is_aborted.set(true);
        self.waker.wake_by_ref();
    }
}

/// A task, as the executor sees it.
pub(super) trait Run {
    fn head(&self) -> &Head;
    /// Polls the future, once in a turn, or drops it if the task was aborted.
    fn run(&self, current: &Current) -> Step;
}

/// What has become of a task.
pub(super) enum Step {
    Waits,
    Ended,
    /// It was polled before in this turn, and is to be polled in the next.
    Early,
    /// Its future is not here, but lent to [`Executor::run`](super::Executor::run).
    Root,
}

/// The task of [`Executor::run`](super::Executor::run).
impl Run for Head {
    fn head(&self) -> &Head {
        self
    }

    fn run(&self, current: &Current) -> Step {
        if self.was_polled(current) { Step::Early } else { Step::Root }
    }
}

/// A spawned task, shared by its event and its [`JoinHandle`].
pub(super) struct Task<X: Future> {
    head: Head,
    future: Cell<Option<Pin<Box<X>>>>,
    result: Cell<Option<Result<X::Output, JoinError>>>,
    joiner: Cell<Option<Waker>>,
}

/// A task, as its [`JoinHandle`] sees it.
pub(super) trait Join<R>: Run {
    fn poll_join(&self, context: &Context<'_>) -> Poll<Result<R, JoinError>>;
}

impl<X: Future> Task<X> {
    pub(super) fn new(head: Head, future: X) -> Self {
        Self { head, future: Cell::new(Some(Box::pin(future))), result: Cell::new(None), joiner: Cell::new(None) }
    }

    fn finish(&self, current: &Current, result: Result<X::Output, JoinError>) {
        current.clear();
        self.head.is_ended.set(true);
        self.result.set(Some(result));
        self.joiner.take().into_iter().for_each(Waker::wake);
    }
}

impl<X: Future> Run for Task<X> {
    fn head(&self) -> &Head {
        &self.head
    }

    fn run(&self, current: &Current) -> Step {
        if self.head.was_polled(current) {
            return Step::Early;
        }
        // Taken out, so that a panic, or the future's destructor, finds nothing here.
        let Some(mut future) = self.future.take() else { return Step::Ended };
        let panics = Panics { task: self, current };
        // `Ok` with the future if it is pending. Otherwise it is dropped here, where a panic is caught.
        let polled = catch(move || {
            if self.head.is_aborted.get() {
                return Err(Err(JoinError::Aborted));
            }
            match current.poll(&self.head, |context| future.as_mut().poll(context)) {
                Poll::Pending => Ok(future),
                Poll::Ready(output) => Err(Ok(output)),
            }
        });
        core::mem::forget(panics);
        match polled.unwrap_or_else(|panic| Err(Err(panic))) {
            Ok(future) => {
                self.future.set(Some(future));
                Step::Waits
            }
            Err(result) => {
                self.finish(current, result);
                Step::Ended
            }
        }
    }
}

impl<X: Future> Join<X::Output> for Task<X> {
    fn poll_join(&self, context: &Context<'_>) -> Poll<Result<X::Output, JoinError>> {
        if let Some(result) = self.result.take() {
            return Poll::Ready(result);
        }
        self.joiner.set(Some(context.waker().clone()));
        Poll::Pending
    }
}

/// Ends a task through whose poll a panic passes.
struct Panics<'a, X: Future> {
    task: &'a Task<X>,
    current: &'a Current,
}

impl<X: Future> Drop for Panics<'_, X> {
    fn drop(&mut self) {
        self.task.finish(self.current, Err(JoinError::Panicked(None)));
        // Its event ends when it is handed out.
        self.task.head.waker.wake_by_ref();
    }
}

#[cfg(feature = "std")]
pub(super) fn catch<X>(act: impl FnOnce() -> X) -> Result<X, JoinError> {
    // As with a thread, users of what the future shared must expect that it has panicked.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(act)).map_err(|payload| JoinError::Panicked(Some(payload)))
}

#[cfg(not(feature = "std"))]
pub(super) fn catch<X>(act: impl FnOnce() -> X) -> Result<X, JoinError> {
    Ok(act())
}

/// A future of the result of a [spawned](super::Handle::spawn) task.
///
/// Dropping it [detaches](JoinHandle::detach) the task.
///
/// ```
/// use evcore::backend::Manual;
/// use evcore::task::{Executor, Item};
/// use evcore::{EventBase, Growable};
///
/// let base: EventBase<Manual, Growable, Item<()>> = EventBase::new(Manual::new());
/// let mut executor = Executor::local(base);
/// let task = executor.handle().spawn(async { 6 * 7 })?;
/// let output = executor.block_on(async { task.await })?;
/// assert_eq!(output.unwrap(), 42);
/// # Ok::<(), evcore::Error<evcore::backend::ManualError>>(())
/// ```
///
/// Only one task may wait for it: the last one to poll it is woken. Do not poll it again after its output.
#[must_use = "`detach` it if nobody waits for the task"]
pub struct JoinHandle<R> {
    pub(super) task: Rc<dyn Join<R>>,
}

impl<R> JoinHandle<R> {
    /// Aborts the task: its future is dropped, not polled again, and the handle gets [`JoinError::Aborted`]. A task
    /// that has ended is not changed.
    ///
    /// ```
    /// # use evcore::{*, backend::Manual, task::{Executor, Item}};
    /// # let mut executor = Executor::local(EventBase::<Manual, Growable, Item<&str>>::new(Manual::new()));
    /// # let handle = executor.handle();
    /// let task = handle.spawn(core::future::pending::<()>())?;
    /// task.abort();
    /// assert!(matches!(executor.block_on(task)?, Err(evcore::task::JoinError::Aborted)));
    /// # Ok::<(), evcore::Error<evcore::backend::ManualError>>(())
    /// ```
    pub fn abort(&self) {
        if !self.is_finished() {
            self.task.head().abort();
        }
    }

    /// Lets the task continue without a handle.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{*, backend::Manual, task::{Executor, Item}};
    /// # let mut executor = Executor::local(EventBase::<Manual, Growable, Item<&str>>::new(Manual::new()));
    /// # let handle = executor.handle();
    /// handle.spawn(async { println!("by itself") })?.detach();
    /// executor.block_on(handle.sleep(Duration::ZERO))??;
    /// assert_eq!(executor.tasks(), 0);
    /// # Ok::<(), evcore::Error<evcore::backend::ManualError>>(())
    /// ```
    pub fn detach(self) {}

    /// Whether the task has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.task.head().is_ended.get()
    }
}

impl<R> Future for JoinHandle<R> {
    type Output = Result<R, JoinError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.task.poll_join(context)
    }
}

/// Why a task has no output.
#[derive(Debug)]
pub enum JoinError {
    /// [`JoinHandle::abort`] was called, or the executor was dropped.
    Aborted,
    /// The task has panicked, with this payload for `std::panic::resume_unwind`. `None` without the feature `std`: the
    /// panic cannot be caught, and has gone through the executor.
    Panicked(Option<Box<dyn Any + Send>>),
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if let Self::Aborted = self { "the task was aborted" } else { "the task has panicked" })
    }
}

impl core::error::Error for JoinError {}

/// Panics that cannot be caught; `evplat-linux/tests/tasks` has the rest.
#[cfg(all(test, not(feature = "std")))]
mod tests {
    use core::time::Duration;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::backend::Manual;
    use crate::task::{Executor, Item};
    use crate::{EventBase, Growable};

    #[test]
    fn panic_that_is_not_caught_ends_one_task() {
        let base: EventBase<Manual, Growable, Item<()>> = EventBase::new(Manual::new());
        let mut executor = Executor::local(base);
        let handle = executor.handle();
        let panics = handle.spawn(async { panic!("on purpose") }).unwrap();
        let sleeper = handle.clone();
        let other = handle.spawn(async move { sleeper.sleep(Duration::from_secs(1)).await }).unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| executor.block_on(core::future::pending::<()>()))).is_err());
        assert!(panics.is_finished() && !other.is_finished());
        let (panics, other) = executor.block_on(async { (panics.await, other.await) }).unwrap();
        assert!(matches!(panics, Err(JoinError::Panicked(None))));
        assert!(matches!(other, Ok(Ok(()))));
        assert_eq!((executor.tasks(), executor.base().unwrap().counts().events), (0, 0));
    }
}
