//! The handle with which tasks spawn and wait.

use alloc::rc::Rc;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll};
use core::time::Duration;

use super::base::Ours;
use super::join::{JoinHandle, Task};
use super::shared::{BUDGET, Core};
use super::source::{Source, Watch};
use crate::backend::Signum;
use crate::error::{Error, Rejected};
use crate::event::{Event, Missed};
use crate::ready::{Interest, Ready};
use crate::time::Instant;

/// A reference to an executor, whatever its backend and storage. `F` is its descriptor, `E` its backend's error.
///
/// What a task waits for has the task's priority.
pub struct Handle<F, E> {
    pub(super) core: Rc<Core<F, E>>,
}

impl<F: 'static, E: 'static> Handle<F, E> {
    /// Starts a task, which is first polled in this turn or the next. It has the priority of the task that calls this.
    ///
    /// # Errors
    ///
    /// With the future, when the base has no room for the task's event or is borrowed, or the executor has ended.
    ///
    /// ```
    /// # use evcore::{*, backend::Manual, task::{Executor, Item}};
    /// # let mut executor = Executor::local(EventBase::<Manual, Growable, Item<&str>>::new(Manual::new()));
    /// # let handle = executor.handle();
    /// let task = handle.spawn(async { 6 * 7 })?;
    /// assert_eq!(executor.block_on(task)?.unwrap(), 42);
    /// # Ok::<(), evcore::Error<evcore::backend::ManualError>>(())
    /// ```
    pub fn spawn<X: Future<Output: 'static> + 'static>(
        &self,
        future: X,
    ) -> Result<JoinHandle<X::Output>, Rejected<X, E>> {
        self.spawn_at(None, future)
    }

    /// As [`spawn`](Handle::spawn), with a [priority](Event::priority), of which 0 is the most urgent.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Handle::spawn), and when the base has no such priority.
    ///
    /// ```
    /// # use evcore::{*, backend::Manual, task::{Executor, Item}};
    /// # let mut executor = Executor::local(EventBase::<Manual, Growable, Item<&str>>::new(Manual::new()));
    /// # let handle = executor.handle();
    /// executor.base().unwrap().set_priorities(2)?;
    /// let urgent = handle.spawn_at(0, async { "first" })?;
    /// assert_eq!(executor.block_on(urgent)?.unwrap(), "first");
    /// # Ok::<(), evcore::Error<evcore::backend::ManualError>>(())
    /// ```
    pub fn spawn_at<X: Future<Output: 'static> + 'static>(
        &self,
        priority: impl Into<Option<u8>>,
        future: X,
    ) -> Result<JoinHandle<X::Output>, Rejected<X, E>> {
        let head = match self.core.place(priority.into()) {
            Ok(head) => head,
            Err(error) => return Err(Rejected { error, data: future }),
        };
        let (event, task) = (head.event, Rc::new(Task::new(head, future)));
        self.core.put(event, Ours::Task { polled: None, task: Some(task.clone()) });
        Ok(JoinHandle { task })
    }

    /// Waits for `time`, counted from the first poll.
    ///
    /// # Errors
    ///
    /// When the base has no room for a timer, or the executor has ended.
    pub async fn sleep(&self, time: Duration) -> Result<(), Error<E>> {
        Watch::new(self, Event::timer().timeout(time))?.next().await.map(|_| ())
    }

    /// Waits until `deadline`.
    ///
    /// # Errors
    ///
    /// As [`sleep`](Handle::sleep).
    pub async fn sleep_until(&self, deadline: Instant) -> Result<(), Error<E>> {
        self.sleep(deadline.saturating_since(self.now()?)).await
    }

    /// A repeating period: each [`next`](Watch::next) waits for the end of one. `missed` says what happens to periods
    /// that end while no task waits.
    ///
    /// # Errors
    ///
    /// When the base has no room for a timer.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{*, backend::Manual, task::{Executor, Item}};
    /// # let mut executor = Executor::local(EventBase::<Manual, Growable, Item<&str>>::new(Manual::new()));
    /// # let handle = executor.handle();
    /// let mut tick = handle.interval(Duration::from_secs(1), evcore::options::Missed::Skip)?;
    /// let count = executor.block_on(async {
    ///     handle.sleep(Duration::from_millis(3_500)).await?;
    ///     tick.next().await
    /// })??;
    /// assert_eq!(count, 3);
    /// # Ok::<(), evcore::Error<evcore::backend::ManualError>>(())
    /// ```
    pub fn interval(&self, period: Duration, missed: Missed) -> Result<Watch<F, E>, Error<E>> {
        Watch::new(self, Event::timer().persist().timeout(period).missed(missed))
    }

    /// A signal: each [`next`](Watch::next) waits for arrivals and counts them.
    ///
    /// # Errors
    ///
    /// When the backend refuses, or the base has no room.
    ///
    /// ```
    /// # use evcore::{*, backend::Manual, task::{Executor, Item}};
    /// # let mut executor = Executor::local(EventBase::<Manual, Growable, Item<&str>>::new(Manual::new()));
    /// # let handle = executor.handle();
    /// let mut terminate = handle.signal(15)?;
    /// executor.base().unwrap().backend_mut().raise(15);
    /// assert_eq!(executor.block_on(terminate.next())?, Ok(1));
    /// # Ok::<(), evcore::Error<evcore::backend::ManualError>>(())
    /// ```
    pub fn signal(&self, signum: Signum) -> Result<Watch<F, E>, Error<E>> {
        Watch::new(self, Event::signal(signum).persist())
    }

    /// Waits once until `fd` is ready for any of `interest`. To wait repeatedly use a [`source`](Handle::source).
    ///
    /// # Errors
    ///
    /// When the backend refuses, or the base has no room.
    ///
    /// ```
    /// # use evcore::{*, backend::Manual, task::{Executor, Item}};
    /// # let mut executor = Executor::local(EventBase::<Manual, Growable, Item<&str>>::new(Manual::new()));
    /// # let handle = executor.handle();
    /// executor.base().unwrap().backend_mut().set_ready(3, evcore::Ready::READ);
    /// let ready = executor.block_on(handle.ready(3, evcore::Interest::READ))??;
    /// assert!(ready.is_readable());
    /// # Ok::<(), evcore::Error<evcore::backend::ManualError>>(())
    /// ```
    pub async fn ready(&self, fd: F, interest: Interest) -> Result<Ready, Error<E>> {
        self.source(fd, ())?.ready(interest).await
    }

    /// A [`Source`]: a descriptor to wait for repeatedly, with `data` that owns it.
    ///
    /// # Errors
    ///
    /// With the data, when the base has no room.
    pub fn source<D: 'static>(&self, fd: F, data: D) -> Result<Source<D, F, E>, Rejected<D, E>> {
        Source::new(self, Event::io(fd, Interest::empty()).persist(), data)
    }

    /// The output of `future`, or [`Error::TimedOut`] if `limit` passes first. If both happen at once, the output.
    ///
    /// # Errors
    ///
    /// Also when the base has no room for the timer.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{*, backend::Manual, task::{Executor, Item}};
    /// # let mut executor = Executor::local(EventBase::<Manual, Growable, Item<&str>>::new(Manual::new()));
    /// # let handle = executor.handle();
    /// let late = handle.timeout(Duration::from_secs(1), core::future::pending::<()>());
    /// assert_eq!(executor.block_on(late)?, Err(evcore::Error::TimedOut));
    /// # Ok::<(), evcore::Error<evcore::backend::ManualError>>(())
    /// ```
    pub async fn timeout<R>(&self, limit: Duration, future: impl Future<Output = R>) -> Result<R, Error<E>> {
        let mut future = pin!(future);
        let mut sleep = pin!(self.sleep(limit));
        poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => sleep.as_mut().poll(context)?.map(|()| Err(Error::TimedOut)),
        })
        .await
    }

    /// The time, as [`EventBase::now`](crate::EventBase::now).
    ///
    /// # Errors
    ///
    /// When the executor has ended.
    pub fn now(&self) -> Result<Instant, Error<E>> {
        self.core.base()?.now()
    }

    /// Whether the base has room for another event, also on an fd, as for a [`source`](Handle::source): ask before an
    /// operation whose result would be lost without it.
    ///
    /// # Errors
    ///
    /// [`Error::Full`]; when the base is borrowed, or the executor has ended.
    ///
    /// ```
    /// # use evcore::{*, backend::Manual, task::{Executor, Item}};
    /// # let base: EventBase<Manual, Fixed<1>, Item<()>> = EventBase::new(Manual::new());
    /// # let executor = Executor::local(base);
    /// # let handle = executor.handle();
    /// handle.room()?;
    /// let _source = handle.source(3, ())?;
    /// assert_eq!(handle.room(), Err(Error::Full));
    /// # Ok::<(), evcore::Error<evcore::backend::ManualError>>(())
    /// ```
    pub fn room(&self) -> Result<(), Error<E>> {
        self.core.base()?.room()
    }

    /// For futures that try an operation before they wait: `Pending`, until the next turn, once the task has tried 128 in
    /// this one and others should go first.
    #[inline]
    pub fn poll_proceed(&self, context: &Context<'_>) -> Poll<()> {
        let budget = &self.core.current.budget;
        let left = budget.get().checked_sub(1);
        budget.set(left.unwrap_or(BUDGET));
        if left.is_some() {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<F, E> Clone for Handle<F, E> {
    fn clone(&self) -> Self {
        Self { core: Rc::clone(&self.core) }
    }
}
