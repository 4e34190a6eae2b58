//! What an executor's base does for futures that do not know its type.

use core::cell::RefCell;
use core::task::Poll;
use core::time::Duration;

use super::shared::{Data, Item, Ours, Waiter};
use crate::backend::EventOp;
use crate::base::EventBase;
use crate::error::Error;
use crate::event::{Event, EventId};
use crate::ready::{Interest, Ready};
use crate::storage::Storage;
use crate::time::Instant;

/// The base of an executor, whatever its backend and storage are.
pub(super) trait Yard<F, E> {
    fn start(&self, event: Event<F>, at: Option<Instant>, data: Ours) -> Result<EventId, Error<E>>;
    /// Ends an event; `false`: the base is in use.
    fn remove(&self, id: EventId) -> bool;
    /// Puts other data into an event.
    fn put(&self, id: EventId, data: Ours);
    /// Has an event of an fd wait for this, registered or not.
    fn want(&self, id: EventId, interest: Interest) -> Result<(), Error<E>>;
    fn activate(&self, id: EventId) -> Result<(), Error<E>>;
    fn activate_fd(&self, fd: F, ready: Ready) -> Result<(), Error<E>>;
    fn set_timeout(&self, id: EventId, timeout: Option<Duration>) -> Result<(), Error<E>>;
    fn now(&self) -> Result<Instant, Error<E>>;
    /// What has come for a leaf; if nothing has, it is waited for.
    fn poll_leaf(&self, id: EventId, waiter: Waiter) -> Poll<Result<(Ready, u32), Error<E>>>;
}

/// An executor's base, until the executor is dropped.
pub(super) type Cellar<B, S, T> = RefCell<Option<EventBase<B, S, Item<T>>>>;

/// Does something with the base, if it is there and not in use.
fn with<B: EventOp, S: Storage, T, R>(
    cell: &Cellar<B, S, T>,
    act: impl FnOnce(&mut EventBase<B, S, Item<T>>) -> Result<R, Error<B::Error>>,
) -> Result<R, Error<B::Error>> {
    let mut base = cell.try_borrow_mut().map_err(|_| Error::Reentered)?;
    act(base.as_mut().ok_or(Error::Ended)?)
}

impl<B: EventOp, S: Storage, T> Yard<B::Fd, B::Error> for Cellar<B, S, T> {
    fn start(&self, event: Event<B::Fd>, at: Option<Instant>, data: Ours) -> Result<EventId, Error<B::Error>> {
        with(self, |base| {
            let id = base.create(event, Item(Data::Ours(data)))?;
            let added = match at {
                Some(deadline) => base.add_at(id, deadline),
                None => base.add(id, None),
            };
            added.inspect_err(|_| drop(base.remove(id)))?;
            Ok(id)
        })
    }

    fn remove(&self, id: EventId) -> bool {
        let Ok(mut base) = self.try_borrow_mut() else { return false };
        let item = base.as_mut().and_then(|base| base.remove(id));
        // It may hold a waker or a descriptor, whose end may need the base.
        drop(base);
        drop(item);
        true
    }

    fn put(&self, id: EventId, data: Ours) {
        let _ = with(self, |base| Ok(base.get_mut(id).map(|item| *item = Item(Data::Ours(data)))));
    }

    fn want(&self, id: EventId, interest: Interest) -> Result<(), Error<B::Error>> {
        with(self, |base| {
            base.modify(id, interest)?;
            base.add(id, None)
        })
    }

    fn activate(&self, id: EventId) -> Result<(), Error<B::Error>> {
        with(self, |base| base.activate(id, Ready::empty()))
    }

    fn activate_fd(&self, fd: B::Fd, ready: Ready) -> Result<(), Error<B::Error>> {
        with(self, |base| {
            base.activate_fd(fd, ready);
            Ok(())
        })
    }

    fn set_timeout(&self, id: EventId, timeout: Option<Duration>) -> Result<(), Error<B::Error>> {
        with(self, |base| match timeout {
            Some(timeout) => base.add(id, Some(timeout)),
            None => base.clear_timeout(id),
        })
    }

    fn now(&self) -> Result<Instant, Error<B::Error>> {
        with(self, |base| Ok(base.now()))
    }

    fn poll_leaf(&self, id: EventId, waiter: Waiter) -> Poll<Result<(Ready, u32), Error<B::Error>>> {
        let come = with(self, |base| match base.get_mut(id) {
            Some(Item(Data::Ours(Ours::Leaf(leaf)))) if leaf.count == 0 => {
                leaf.waiter = waiter;
                // A one-shot event that has come waits for the next time.
                base.add(id, None).map(|()| None)
            }
            Some(Item(Data::Ours(Ours::Leaf(leaf)))) => {
                Ok(Some((core::mem::take(&mut leaf.ready), core::mem::take(&mut leaf.count))))
            }
            _ => Err(Error::NoSuchEvent),
        });
        come.transpose().map_or(Poll::Pending, Poll::Ready)
    }
}
