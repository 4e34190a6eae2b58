//! An event as futures: a descriptor that tasks wait for repeatedly, a timer, a signal.

use alloc::rc::Rc;
use core::cell::Cell;
use core::future::poll_fn;
use core::task::{Context, Poll};
use core::time::Duration;

use super::Handle;
use super::base::Ours;
use super::leaf::Leaf;
use crate::error::{Error, Rejected};
use crate::event::{Event, EventId, Source as From};
use crate::ready::{Interest, Ready};

/// A descriptor on an executor's base, with the value that owns it: one event, for one task that reads and one that
/// writes.
///
/// The fd is registered at the first wait and stays registered. A ready task is polled in the turn that finds the
/// readiness. The source stops waiting for what is reported while no task waits.
///
/// The value is kept until the event is gone; otherwise a file's number could become another one's.
///
/// ```
/// use evcore::backend::Manual;
/// use evcore::task::{Executor, Item};
/// use evcore::{EventBase, Growable, Interest, Ready};
///
/// let base: EventBase<Manual, Growable, Item<()>> = EventBase::new(Manual::new());
/// let mut executor = Executor::local(base);
/// let source = executor.handle().source(3, "the owner of fd 3")?;
/// executor.base().unwrap().backend_mut().set_ready(3, Ready::READ);
/// let ready = executor.block_on(source.ready(Interest::READ))?;
/// assert_eq!(ready, Ok(Ready::READ));
/// # Ok::<(), evcore::Error<evcore::backend::ManualError>>(())
/// ```
pub struct Source<D, F, E> {
    handle: Handle<F, E>,
    event: EventId,
    idle: Cell<Option<Duration>>,
    /// The idle timeout was set after the last wait began.
    has_new_idle: Cell<bool>,
    leaf: Rc<Leaf<D>>,
}

impl<D: 'static, F: 'static, E: 'static> Source<D, F, E> {
    /// Of an fd, or of another event, which has no directions.
    pub(super) fn new(handle: &Handle<F, E>, event: Event<F>, data: D) -> Result<Self, Rejected<D, E>> {
        let is_source = matches!(event.source, From::Io(..));
        let event = match handle.core.create(event) {
            Ok(event) => event,
            Err(error) => return Err(Rejected { error, data }),
        };
        let leaf = Rc::new(Leaf::new(is_source, data));
        handle.core.put(event, Ours::Leaf(leaf.clone()));
        Ok(Self { handle: handle.clone(), event, idle: Cell::new(None), has_new_idle: Cell::new(false), leaf })
    }
}

impl<D, F, E> Source<D, F, E> {
    /// The value.
    #[must_use]
    pub fn get(&self) -> &D {
        &self.leaf.data
    }

    /// The handle of its executor.
    #[must_use]
    pub fn handle(&self) -> &Handle<F, E> {
        &self.handle
    }

    /// Ends a wait with [`Ready::TIMEOUT`] when nothing is reported for `idle` in either direction: a connection's idle
    /// timeout. It needs no further event. It applies from the next wait on, and counts from the last wait or hand-out.
    /// Polling a wait again, or dropping it and waiting again, does not restart it.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{*, backend::Manual, task::{Executor, Item}};
    /// # let mut executor = Executor::local(EventBase::<Manual, Growable, Item<&str>>::new(Manual::new()));
    /// # let handle = executor.handle();
    /// let source = handle.source(3, ())?;
    /// source.set_idle_timeout(Some(Duration::from_secs(60)));
    /// let ready = executor.block_on(source.ready(evcore::Interest::READ))??;
    /// assert_eq!(ready, evcore::Ready::TIMEOUT);
    /// # Ok::<(), evcore::Error<evcore::backend::ManualError>>(())
    /// ```
    pub fn set_idle_timeout(&self, idle: Option<Duration>) {
        // Without a new one, the old one is replaced by one that never expires.
        self.idle.set(idle.or(self.idle.get().map(|_| Duration::MAX)));
        self.has_new_idle.set(true);
    }

    /// Returns what was reported of `interest` since the last call; if nothing, the task is polled when it is. One task
    /// waits for READ, URGENT and CLOSED, and one for WRITE: the last to ask.
    ///
    /// Readiness may be over, if another process or task has read: try the operation, and ask again if it would block.
    ///
    /// # Errors
    ///
    /// When the backend refuses, or the executor has ended.
    #[inline]
    pub fn poll_ready(&self, context: &Context<'_>, interest: Interest) -> Poll<Result<Ready, Error<E>>> {
        let interest = interest.difference(Interest::EDGE);
        let ready = self.take(interest);
        if !ready.is_empty() {
            return Poll::Ready(Ok(ready));
        }
        self.wait(context, interest)?;
        Poll::Pending
    }

    /// Has the current task polled when something of `interest` is reported.
    #[inline]
    fn wait(&self, context: &Context<'_>, interest: Interest) -> Result<(), Error<E>> {
        let is_wanted = self.leaf.sides(interest).all(|(side, part)| side.wanted.get() == Some(part));
        if !is_wanted || self.idle.get().is_some() {
            self.want(interest, is_wanted)?;
        }
        self.leaf.sides(interest).for_each(|(side, _)| self.handle.core.current.wait(side, context.waker()));
        Ok(())
    }

    /// Makes the event wait for `interest` too, for at most the idle timeout, which counts from the beginning of a wait.
    #[cold]
    fn want(&self, interest: Interest, is_wanted: bool) -> Result<(), Error<E>> {
        let core = &self.handle.core;
        let begins = self.leaf.sides(interest).any(|(side, _)| !side.is_awaited());
        // Unless a hand-out in this turn has restarted it.
        let restarts = begins && self.leaf.turn.get() != Some(core.current.turn.get());
        let idle = self.idle.get().filter(|_| restarts || self.has_new_idle.get());
        if is_wanted && idle.is_none() {
            return Ok(());
        }
        self.leaf.sides(interest).for_each(|(side, part)| side.wanted.set(Some(part)));
        let (interests, of) = (self.leaf.interest(), core.current.event());
        let wanted = core.base().and_then(|mut base| base.want(self.event, interests, idle, of));
        match wanted {
            Ok(()) => self.has_new_idle.set(false),
            Err(_) => self.leaf.sides(interest).for_each(|(side, _)| side.wanted.set(None)),
        }
        wanted
    }

    /// Takes what was reported in the directions of `interest`.
    #[inline]
    fn take(&self, interest: Interest) -> Ready {
        self.leaf.sides(interest).fold(Ready::empty(), |ready, (side, _)| ready | side.ready.take())
    }

    /// Waits until it is ready for any of `interest`, level-triggered: earlier reports do not count. ERROR and HANGUP
    /// end any wait.
    ///
    /// # Errors
    ///
    /// As [`poll_ready`](Source::poll_ready).
    ///
    /// ```
    /// # use evcore::{*, backend::Manual, task::{Executor, Item}};
    /// # let mut executor = Executor::local(EventBase::<Manual, Growable, Item<&str>>::new(Manual::new()));
    /// # let handle = executor.handle();
    /// let source = handle.source(3, ())?;
    /// executor.base().unwrap().backend_mut().set_ready(3, evcore::Ready::WRITE);
    /// assert!(executor.block_on(source.ready(evcore::Interest::WRITE))??.is_writable());
    /// # Ok::<(), evcore::Error<evcore::backend::ManualError>>(())
    /// ```
    pub async fn ready(&self, interest: Interest) -> Result<Ready, Error<E>> {
        let _ = self.take(interest);
        poll_fn(|context| self.poll_ready(context, interest)).await
    }

    /// Ends its event and returns the value. `None` while the base is borrowed: the value is dropped with the event.
    ///
    /// ```
    /// # use evcore::{*, backend::Manual, task::{Executor, Item}};
    /// # let mut executor = Executor::local(EventBase::<Manual, Growable, Item<&str>>::new(Manual::new()));
    /// # let handle = executor.handle();
    /// let source = handle.source(3, "owner")?;
    /// assert_eq!(source.into_inner(), Some("owner"));
    /// # Ok::<(), evcore::Error<evcore::backend::ManualError>>(())
    /// ```
    pub fn into_inner(self) -> Option<D> {
        let leaf = Rc::clone(&self.leaf);
        drop(self);
        Rc::into_inner(leaf).map(|leaf| leaf.data)
    }
}

impl<D, F, E> Drop for Source<D, F, E> {
    fn drop(&mut self) {
        self.handle.core.end(self.event);
    }
}

/// A repeating period or a signal as a future: each [`next`](Watch::next) waits for what comes next. What comes between
/// two waits is counted.
///
/// Dropping it removes its event.
pub struct Watch<F, E>(Source<(), F, E>);

impl<F: 'static, E: 'static> Watch<F, E> {
    pub(super) fn new(handle: &Handle<F, E>, event: Event<F>) -> Result<Self, Error<E>> {
        let source = Source::new(handle, event, ())?;
        source.want(Interest::empty(), false)?;
        Ok(Self(source))
    }

    /// Waits, and returns how many periods have ended, or signals arrived, since the last call.
    ///
    /// # Errors
    ///
    /// When the executor has ended.
    ///
    /// ```
    /// # use evcore::{*, backend::Manual, task::{Executor, Item}};
    /// # let mut executor = Executor::local(EventBase::<Manual, Growable, Item<&str>>::new(Manual::new()));
    /// # let handle = executor.handle();
    /// let mut signal = handle.signal(10)?;
    /// executor.base().unwrap().backend_mut().raise(10);
    /// executor.base().unwrap().backend_mut().raise(10);
    /// assert_eq!(executor.block_on(signal.next())?, Ok(2));
    /// # Ok::<(), evcore::Error<evcore::backend::ManualError>>(())
    /// ```
    pub async fn next(&mut self) -> Result<u32, Error<E>> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// As [`next`](Watch::next), for futures written by hand.
    ///
    /// # Errors
    ///
    /// As [`next`](Watch::next).
    pub fn poll_next(&mut self, context: &Context<'_>) -> Poll<Result<u32, Error<E>>> {
        let count = self.0.leaf.count.take();
        if count > 0 {
            return Poll::Ready(Ok(count));
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
    poll_fn(|context| {
        if core::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
