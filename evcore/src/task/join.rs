//! A task's future and its result.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::any::Any;
use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::inbox::Head;
use super::shared::Current;

/// A spawned task, as the executor sees it.
pub(super) trait Run {
    fn head(&self) -> &Head;
    /// Polls the future, or drops it if the task was aborted.
    fn run(&self, current: &Current) -> Poll<()>;
    /// Its event is gone: the task has ended, or never will.
    fn end(&self);
}

/// A spawned task, shared by its event and its [`JoinHandle`], which does not know the type `X` of its future.
pub(super) struct Task<R, X: ?Sized> {
    head: Head,
    result: Cell<Option<Result<R, JoinError>>>,
    joiner: Cell<Option<Waker>>,
    /// The next [`Run::run`] ends it.
    is_aborted: Cell<bool>,
    is_ended: Cell<bool>,
    future: X,
}

impl<X: Future> Task<X::Output, Cell<Option<Pin<Box<X>>>>> {
    pub(super) fn new(head: Head, future: X) -> Self {
        let (result, joiner, is_aborted, is_ended) = Default::default();
        Self { head, result, joiner, is_aborted, is_ended, future: Cell::new(Some(Box::pin(future))) }
    }
}

impl<X: Future> Run for Task<X::Output, Cell<Option<Pin<Box<X>>>>> {
    fn head(&self) -> &Head {
        &self.head
    }

    fn run(&self, current: &Current) -> Poll<()> {
        // Taken out, so that a panic, or the future's destructor, finds nothing here.
        let Some(mut future) = self.future.take() else { return Poll::Ready(()) };
        // If it is over, the future is dropped here, where a panic is caught.
        let polled = catch(move || {
            if self.is_aborted.get() {
                return Poll::Ready(Err(JoinError::Aborted));
            }
            let polled = current.poll(&self.head, |context| future.as_mut().poll(context));
            if polled.is_pending() {
                self.future.set(Some(future));
            }
            polled.map(Ok)
        });
        polled.unwrap_or_else(|panic| Poll::Ready(Err(panic))).map(|result| self.result.set(Some(result)))
    }

    fn end(&self) {
        let future = self.future.take();
        let why = if future.is_some() {
            // It has not ended by itself. If the program has removed the event, this wake frees its place.
            self.head.waker.wake_by_ref();
            JoinError::Aborted
        } else {
            JoinError::Panicked(None)
        };
        self.result.set(self.result.take().or(Some(Err(why))));
        self.is_ended.set(true);
        self.joiner.take().into_iter().for_each(Waker::wake);
        let _ = catch(move || drop(future));
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
    pub(super) task: Rc<Task<R, dyn Any>>,
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
        self.task.is_aborted.set(true);
        self.task.head.waker.wake_by_ref();
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
        self.task.is_ended.get()
    }
}

impl<R> Future for JoinHandle<R> {
    type Output = Result<R, JoinError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let result = self.task.result.take();
        if result.is_none() {
            self.task.joiner.set(Some(context.waker().clone()));
        }
        result.map_or(Poll::Pending, Poll::Ready)
    }
}

/// Why a task has no output.
#[derive(Debug)]
pub enum JoinError {
    /// [`JoinHandle::abort`] was called, the task's event was removed, or the executor was dropped.
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
