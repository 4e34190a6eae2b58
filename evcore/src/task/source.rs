//! A descriptor whose readiness tasks wait for, again and again.

use alloc::rc::Rc;
use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use super::Handle;
use super::shared::{Leaf, Ours, Waiter};
use crate::error::{Error, Rejected};
use crate::event::{Event, EventId};
use crate::ready::{Interest, Ready};
use crate::time::Instant;

/// What both directions of a source get.
const BOTH: Ready = Ready::ERROR.union(Ready::HANGUP).union(Ready::TIMEOUT);
const WRITING: Interest = Interest::WRITE;

/// A descriptor on an executor's base, with the value that owns it: one event for its whole life, for one task that reads and one
/// that writes.
///
/// The fd is registered when a task first waits for it, and stays so. A task that is ready is polled in the turn in which the
/// readiness was found. Where nobody waits for what is reported, the source waits for it no longer.
///
/// The value is kept until the event is gone: dropped before, a file's number could become another one's.
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
    state: Rc<State<D>>,
}

/// What a source shares with its event.
pub(super) struct State<D: ?Sized> {
    reading: Side,
    writing: Side,
    /// What the event is registered for.
    interest: Cell<Interest>,
    /// How long nothing may come, in a wait, and since when a task waits.
    idle: Cell<Option<Duration>>,
    since: Cell<Instant>,
    /// The timeout that runs is what was left of another one.
    is_rest: Cell<bool>,
    data: D,
}

#[derive(Default)]
struct Side {
    waiter: Cell<Waiter>,
    /// What has come for it, until it is polled.
    ready: Cell<Ready>,
}

impl Side {
    /// Notes what has come, if somebody waits.
    fn note(&self, ready: Ready) -> Waiter {
        let waiter = if ready.is_empty() { Waiter::Nobody } else { self.waiter.take() };
        if waiter.is_somebody() {
            self.ready.set(self.ready.get() | ready);
        }
        waiter
    }
}

/// What is to be done after a hand-out of a source.
pub(super) struct News {
    pub(super) waiters: [Waiter; 2],
    /// What the event waits for from now on, if that is something else.
    pub(super) interest: Option<Interest>,
    /// What its timeout is to be.
    pub(super) timeout: Timeout,
}

pub(super) enum Timeout {
    Runs,
    At(Instant),
    After(Duration),
}

impl<D: ?Sized> State<D> {
    /// Takes note of a hand-out. `now` reads the clock.
    pub(super) fn fire(&self, mut ready: Ready, now: impl FnOnce() -> Instant) -> News {
        let mut timeout = Timeout::Runs;
        if ready.is_timeout() {
            let due = self.idle.get().map(|idle| self.since.get().saturating_add(idle));
            match due {
                Some(due) if due <= now() => {}
                Some(due) => {
                    timeout = Timeout::At(due);
                    ready.remove(Ready::TIMEOUT);
                }
                None => ready.remove(Ready::TIMEOUT),
            }
        }
        if self.is_rest.replace(matches!(timeout, Timeout::At(_))) && matches!(timeout, Timeout::Runs) {
            timeout = self.idle.get().map_or(Timeout::Runs, Timeout::After);
        }
        let write = Ready::from_bits_retain(WRITING.bits());
        let parts = [(&self.reading, ready.difference(write)), (&self.writing, ready & (write | BOTH))];
        let mut unclaimed = ready & Ready::IO;
        let waiters = parts.map(|(side, part)| {
            let waiter = side.note(part);
            if waiter.is_somebody() {
                unclaimed.remove(part);
            }
            waiter
        });
        let interest = self.dropped(unclaimed);
        if ready.is_error() {
            // The system may have ended the registration: the next wait makes sure that there is one.
            self.interest.set(Interest::empty());
        }
        News { waiters, interest, timeout }
    }

    /// The interest without what has come for nobody: it would come again in each turn.
    fn dropped(&self, unclaimed: Ready) -> Option<Interest> {
        let old = self.interest.get();
        let new = match unclaimed.intersects(BOTH) {
            true => Interest::empty(),
            false => old.difference(Interest::from_bits_truncate(unclaimed.bits())),
        };
        self.interest.set(new);
        (new != old).then_some(new)
    }

    /// Who waits, when the executor ends.
    pub(super) fn take_waiters(&self) -> [Waiter; 2] {
        [self.reading.waiter.take(), self.writing.waiter.take()]
    }

    fn sides(&self, interest: Interest) -> impl Iterator<Item = &Side> {
        let reading = interest.intersects(WRITING.complement()).then_some(&self.reading);
        let writing = interest.contains(WRITING).then_some(&self.writing);
        reading.into_iter().chain(writing)
    }
}

impl<D: 'static, F: 'static, E: 'static> Source<D, F, E> {
    pub(super) fn new(handle: &Handle<F, E>, fd: F, data: D) -> Result<Self, Rejected<D, E>> {
        let event = Event::io(fd, Interest::empty()).persist();
        let event = match handle.start(event, None, Ours::Leaf(Leaf::default())) {
            Ok(event) => event,
            Err(error) => return Err(Rejected { error, data }),
        };
        let state = Rc::new(State {
            reading: Side::default(),
            writing: Side::default(),
            interest: Cell::new(Interest::empty()),
            idle: Cell::new(None),
            since: Cell::new(Instant::ZERO),
            is_rest: Cell::new(false),
            data,
        });
        handle.core.yard.put(event, Ours::Source(state.clone()));
        Ok(Self { handle: handle.clone(), event, state })
    }
}

impl<D, F, E> Source<D, F, E> {
    /// What it keeps.
    #[must_use]
    pub fn get(&self) -> &D {
        &self.state.data
    }

    /// The executor that it was made on.
    #[must_use]
    pub fn handle(&self) -> &Handle<F, E> {
        &self.handle
    }

    /// Gives a wait up with [`Ready::TIMEOUT`] when nothing comes for `idle`, in either direction: the idle timeout of a
    /// connection. It belongs to the source's event, so a wait with it costs no more events than one without.
    ///
    /// # Errors
    ///
    /// When the executor has ended.
    pub fn set_idle_timeout(&self, idle: Option<Duration>) -> Result<(), Error<E>> {
        self.handle.core.yard.set_timeout(self.event, idle)?;
        self.state.idle.set(idle);
        self.state.is_rest.set(false);
        self.stamp()
    }

    /// The idle timeout counts from now.
    fn stamp(&self) -> Result<(), Error<E>> {
        self.state.since.set(self.handle.core.yard.now()?);
        Ok(())
    }

    /// Whether what `interest` waits for has come since this was last asked; else the task is polled when it comes. One task waits
    /// for READ, URGENT and CLOSED, and one for WRITE: the one that has asked last.
    ///
    /// A ready source may have been emptied since, by another process or by a task that did not ask: try the operation, and ask
    /// again if it would block.
    ///
    /// # Errors
    ///
    /// When the backend refuses, and when the executor has ended.
    pub fn poll_ready(&self, context: &Context<'_>, interest: Interest) -> Poll<Result<Ready, Error<E>>> {
        let state = &self.state;
        let found = self.take_ready(interest);
        if !found.is_empty() {
            return Poll::Ready(Ok(found));
        }
        for side in state.sides(interest) {
            side.waiter.set(self.handle.core.waiter(context, side.waiter.take()));
        }
        match self.want(interest) {
            Ok(()) => Poll::Pending,
            Err(error) => {
                self.forget(interest);
                Poll::Ready(Err(error))
            }
        }
    }

    /// What has come of `interest` since this was last asked; empty when nothing has.
    pub fn take_ready(&self, interest: Interest) -> Ready {
        self.state.sides(interest).fold(Ready::empty(), |all, side| all | side.ready.take())
    }

    /// The event waits for `interest` as well.
    fn want(&self, interest: Interest) -> Result<(), Error<E>> {
        if self.state.idle.get().is_some() {
            self.stamp()?;
        }
        let old = self.state.interest.get();
        if old.contains(interest) {
            return if self.handle.core.is_closed.get() { Err(Error::Ended) } else { Ok(()) };
        }
        let new = old.union(interest).difference(Interest::EDGE);
        self.handle.core.yard.want(self.event, new)?;
        self.state.interest.set(new);
        Ok(())
    }

    /// Nobody waits any more.
    fn forget(&self, interest: Interest) {
        for side in self.state.sides(interest) {
            side.waiter.take();
            side.ready.take();
        }
    }

    /// Waits until it is ready for any of `interest`, level-triggered. ERROR and HANGUP end any wait.
    ///
    /// # Errors
    ///
    /// As [`poll_ready`](Source::poll_ready).
    pub fn ready(&self, interest: Interest) -> impl Future<Output = Result<Ready, Error<E>>> + '_ {
        Readiness { source: self, interest }
    }

    /// Ends its event, and gives back what it kept. `None` while the base is borrowed: then it is dropped with the event.
    pub fn into_inner(self) -> Option<D> {
        let state = Rc::clone(&self.state);
        drop(self);
        Rc::try_unwrap(state).ok().map(|state| state.data)
    }
}

impl<D, F, E> Drop for Source<D, F, E> {
    fn drop(&mut self) {
        self.handle.core.end(self.event);
    }
}

impl<D, F, E> fmt::Debug for Source<D, F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("event", &self.event).finish_non_exhaustive()
    }
}

/// A wait for readiness. When it is dropped, what has come for it is forgotten.
struct Readiness<'a, D, F, E> {
    source: &'a Source<D, F, E>,
    interest: Interest,
}

impl<D, F, E> Future for Readiness<'_, D, F, E> {
    type Output = Result<Ready, Error<E>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.source.poll_ready(context, self.interest)
    }
}

impl<D, F, E> Drop for Readiness<'_, D, F, E> {
    fn drop(&mut self) {
        self.source.forget(self.interest);
    }
}
