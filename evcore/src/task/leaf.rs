//! What futures wait for: one event of the base each.

use alloc::rc::Rc;
use core::future::{Future, poll_fn};
use core::mem::take;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use super::Handle;
use super::shared::Kept;
use crate::base::Fired;
use crate::error::Error;
use crate::event::{Event, EventId};
use crate::ready::{Interest, Ready};
use crate::time::Instant;

/// What both directions of a source get.
const BOTH: Ready = Ready::ERROR.union(Ready::HANGUP).union(Ready::TIMEOUT);

/// The data of an event that is waited for: who waits in each direction, and what has come.
#[derive(Default)]
pub(super) struct Leaf {
    /// Who reads a source, or waits for an event that is none.
    reading: Side,
    writing: Side,
    /// What a source is registered for.
    pub(super) interest: Interest,
    /// What a source keeps until its event is gone.
    pub(super) kept: Option<Rc<dyn Kept>>,
}

#[derive(Default)]
struct Side {
    waiter: Waiter,
    ready: Ready,
    count: u32,
}

/// Who is to be polled.
#[derive(Default)]
pub(super) enum Waiter {
    #[default]
    Nobody,
    /// A task of this executor, by its event: no reference is counted, and no other thread has a part in it.
    Task(EventId),
    Other(Waker),
}

impl Side {
    /// Notes what has come. Answers who waits for it.
    fn note(&mut self, ready: Ready, count: u32) -> Waiter {
        self.ready |= ready;
        self.count = self.count.saturating_add(count);
        take(&mut self.waiter)
    }
}

impl Leaf {
    /// Notes what has come. Answers who is to be polled, and what the event of a source waits for from now on, if that is less.
    pub(super) fn note(&mut self, ready: Ready, count: u32) -> ([Waiter; 2], Option<Interest>) {
        if self.kept.is_none() {
            return ([self.reading.note(ready, count), Waiter::Nobody], None);
        }
        let write = Ready::from_bits_retain(Interest::WRITE.bits());
        let mut unclaimed = ready & Ready::IO;
        let parts = [(&mut self.reading, ready.difference(write)), (&mut self.writing, ready & (write | BOTH))];
        let waiters = parts.map(|(side, part)| match side.waiter {
            Waiter::Task(_) | Waiter::Other(_) if !part.is_empty() => {
                unclaimed.remove(part);
                side.note(part, count)
            }
            _ => Waiter::Nobody,
        });
        // What comes for nobody would come again in each turn.
        let unclaimed = if unclaimed.intersects(BOTH) { Ready::IO } else { unclaimed };
        let less = self.interest.difference(Interest::from_bits_truncate(unclaimed.bits()));
        let changed = (less != self.interest).then_some(less);
        // After an error the system may have ended the registration: the next wait makes sure that there is one.
        self.interest = if ready.is_error() { Interest::empty() } else { less };
        (waiters, changed)
    }

    fn sides(&mut self, interest: Interest) -> impl Iterator<Item = &mut Side> {
        let reading = (interest != Interest::WRITE).then_some(&mut self.reading);
        reading.into_iter().chain(interest.contains(Interest::WRITE).then_some(&mut self.writing))
    }

    /// What has come in the directions of `interest`.
    pub(super) fn take(&mut self, interest: Interest) -> Option<(Ready, u32)> {
        let come = self.sides(interest).fold((Ready::empty(), 0), |(ready, count), side| {
            (ready | take(&mut side.ready), take(&mut side.count).max(count))
        });
        (come.1 > 0).then_some(come)
    }

    pub(super) fn wait(&mut self, interest: Interest, waiter: &dyn Fn(Waiter) -> Waiter) {
        self.sides(interest).for_each(|side| side.waiter = waiter(take(&mut side.waiter)));
    }

    /// Wakes those who wait elsewhere, when the executor ends.
    pub(super) fn end(mut self) {
        for waiter in [take(&mut self.reading.waiter), take(&mut self.writing.waiter)] {
            if let Waiter::Other(waker) = waiter {
                waker.wake();
            }
        }
    }
}

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
        Ok(Self { event: handle.core.start(event, at)?, handle: handle.clone() })
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
        let polled = self.handle.poll(self.event, Interest::empty(), None, context);
        polled.map_ok(|(ready, count)| Fired { id: self.event, ready, count, data: () })
    }
}

impl<F, E> Drop for Watch<F, E> {
    fn drop(&mut self) {
        self.handle.core.end(self.event);
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
