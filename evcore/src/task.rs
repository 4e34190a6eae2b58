//! Tasks: futures on an event base, in one thread, on any backend and storage. Feature `async`.
//!
//! ```text
//!   Executor ──owns──▶ EventBase<B, S, Item<T>> ──▶ events: one for each task, one for each wait, and yours
//!      │ polls the task that is handed out               ▲ handed out by the base: turns, priorities, bounds
//!      ▼                                                 │
//!   tasks ──Handle──▶ spawn, sleep, interval, signal, source, timeout
//!                                                        │
//!   wakers, from any thread ──▶ list of woken tasks ─────┘
//! ```
//!
//! A task is an event, and waking it activates the event. So a task that wakes itself continues in the next turn, a
//! turn hands out a limited number, and urgent tasks are polled first.
//!
//! A [`Handle`] gives tasks what they wait for. It does not name the backend: on Unix one type serves epoll, poll and
//! select. On [`Manual`](crate::backend::Manual) time jumps to the next deadline when every task waits: an hour of
//! timeouts takes a millisecond.
//!
//! ```
//! use core::time::Duration;
//! use evcore::backend::Manual;
//! use evcore::task::{Executor, Item};
//! use evcore::{EventBase, Growable};
//!
//! let base: EventBase<Manual, Growable, Item<()>> = EventBase::new(Manual::new());
//! let mut executor = Executor::local(base);
//! let handle = executor.handle();
//! let passed = executor.block_on(async {
//!     let sleeper = handle.clone();
//!     let task = handle.spawn(async move { sleeper.sleep(Duration::from_secs(3_600)).await })?;
//!     task.await.unwrap()?;
//!     handle.now()
//! })??;
//! assert_eq!(passed.as_nanos(), 3_600_000_000_000);
//! # Ok::<(), evcore::Error<evcore::backend::ManualError>>(())
//! ```

use alloc::rc::Rc;
use core::cell::{RefCell, RefMut};
use core::future::Future;
use core::pin::pin;
use core::task::{Poll, Waker};

use crate::backend::{EventOp, Wake};
use crate::base::{End, EventBase, Fired};
use crate::error::Error;
use crate::storage::Storage;
use crate::time::Wait;

mod base;
mod handle;
mod inbox;
mod join;
mod leaf;
mod shared;
mod source;
mod turn;

pub use self::base::{Item, Lent};
use self::base::{Ours, Owned};
use self::shared::{Core, Ending};
use self::turn::Next;
pub use handle::Handle;
pub use join::{JoinError, JoinHandle};
pub use source::{Source, Watch, yield_now};

/// An executor of tasks, which owns its event base. Neither it nor its tasks leave their thread; wakers do.
///
/// Your own events may be on the same base: [`base`](Executor::base) lends it, `T` is their data, and
/// [`next_event`](Executor::next_event) and [`run`](Executor::run) hand them out.
///
/// Dropping it drops its tasks, then the base. What remains elsewhere returns [`Error::Ended`].
pub struct Executor<B: EventOp, S: Storage, T> {
    core: Rc<Core<B::Fd, B::Error>>,
    base: Rc<RefCell<Owned<B, S, T>>>,
    ended: Option<End>,
}

impl<B: EventOp<Fd: 'static> + 'static, S: Storage + 'static, T: 'static> Executor<B, S, T> {
    /// An executor whose tasks can be woken from other threads.
    ///
    /// # Errors
    ///
    /// When the backend cannot make a waker.
    ///
    /// ```
    /// # use core::task::Waker;
    /// # use evcore::{*, backend::{EventOp, Wake}, storage::Storage, task::{Executor, Item}};
    /// fn on<B, S>(base: EventBase<B, S, Item<()>>) -> Result<u32, Error<B::Error>>
    /// where
    ///     B: Wake<Waker: Into<Waker>> + EventOp<Fd: 'static> + 'static,
    ///     S: Storage + 'static,
    /// {
    ///     Executor::new(base)?.block_on(async { 7 })
    /// }
    /// ```
    pub fn new(mut base: EventBase<B, S, Item<T>>) -> Result<Self, Error<B::Error>>
    where
        B: Wake<Waker: Into<Waker>>,
    {
        let waker = base.waker().map_err(Error::Backend)?;
        Ok(Self::with_waker(base, waker.into()))
    }

    /// An executor whose base `waker` wakes: for backends with another type of waker, such as
    /// [`Manual`](crate::backend::Manual)'s flag.
    #[must_use]
    pub fn with_waker(base: EventBase<B, S, Item<T>>, waker: impl Into<Option<Waker>>) -> Self {
        let base = Rc::new(RefCell::new(Some(base)));
        Self { core: Rc::new(Core::new(base.clone(), waker.into())), base, ended: None }
    }

    /// An executor whose base no other thread wakes: such a wake counts from the next turn on. When the remaining tasks
    /// wait for nothing on the base, as in a simulated deadlock, the loop ends with [`End::Empty`]. (An interval, and a source
    /// that was waited for once, keep waiting until they are dropped.)
    ///
    /// ```
    /// # use evcore::{*, backend::Manual, task::{Executor, Item}};
    /// # let mut executor = Executor::local(EventBase::<Manual, Growable, Item<&str>>::new(Manual::new()));
    /// let blocked = executor.block_on(core::future::pending::<()>());
    /// assert_eq!(blocked, Err(evcore::Error::Ended));
    /// # Ok::<(), evcore::Error<evcore::backend::ManualError>>(())
    /// ```
    #[must_use]
    pub fn local(base: EventBase<B, S, Item<T>>) -> Self {
        Self::with_waker(base, None)
    }

    /// A handle, with which tasks spawn and wait.
    #[must_use]
    pub fn handle(&self) -> Handle<B::Fd, B::Error> {
        Handle { core: self.core.clone() }
    }

    /// Why the loop of [`next_event`](Executor::next_event) or [`run`](Executor::run) ended; `None` when a wait was
    /// over.
    ///
    /// ```
    /// # use evcore::{*, backend::Manual, task::{Executor, Item}};
    /// # let mut executor = Executor::local(EventBase::<Manual, Growable, Item<&str>>::new(Manual::new()));
    /// executor.base().unwrap().loop_exit();
    /// assert!(executor.next_event(evcore::Wait::Forever)?.is_none());
    /// assert_eq!(executor.ended(), Some(evcore::End::Exit));
    /// # Ok::<(), evcore::Error<evcore::backend::ManualError>>(())
    /// ```
    #[must_use]
    pub const fn ended(&self) -> Option<End> {
        self.ended
    }

    /// The number of tasks that have not ended. One whose event you removed counts until the next turn.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.core.tasks()
    }

    /// The base, for your own events. While it is borrowed nothing can be waited for. `None` if a forgotten guard
    /// borrows it.
    ///
    /// Leave turns to the executor: do not call [`poll`](EventBase::poll), [`next_active`](EventBase::next_active) or what
    /// calls them. A task's waker would not end that wait, and a hand-out would not reach its task.
    pub fn base(&mut self) -> Option<Lent<'_, B, S, T>> {
        drop(self.core.base());
        let base = RefMut::filter_map(self.base.try_borrow_mut().ok()?, Option::as_mut).ok()?;
        Some(Lent { core: &self.core, base })
    }

    /// Runs tasks, and hands out your next event, as [`EventBase::next_event`].
    ///
    /// `Ok(None)` means that the loop has ended, or that `wait` is over: see [`ended`](Executor::ended), which is
    /// [`End::Empty`] when no task is left and nothing is pending.
    ///
    /// # Errors
    ///
    /// When the backend cannot wait. Nothing is lost, and it may be called again.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{*, backend::Manual, task::{Executor, Item}};
    /// # let mut executor = Executor::local(EventBase::<Manual, Growable, Item<&str>>::new(Manual::new()));
    /// # let handle = executor.handle();
    /// executor.base().unwrap().insert_timer(Duration::from_secs(1), Item::from("mine"))?;
    /// handle.spawn(async { println!("polled meanwhile") })?.detach();
    /// let event = executor.next_event(evcore::Wait::Forever)?.unwrap();
    /// assert_eq!(*event.data, "mine");
    /// # Ok::<(), evcore::Error<evcore::backend::ManualError>>(())
    /// ```
    #[doc(alias = "event_base_loop")]
    pub fn next_event(&mut self, wait: Wait) -> Result<Option<Fired<RefMut<'_, T>>>, Error<B::Error>> {
        let Some(Next::Own(Fired { id, ready, count, .. })) = self.next(wait)? else { return Ok(None) };
        let base = self.base.try_borrow_mut().map_err(|_| Error::Reentered)?;
        let data = RefMut::filter_map(base, |base| base.as_mut()?.get_mut(id)?.get_mut()).ok();
        Ok(data.map(|data| Fired { id, ready, count, data }))
    }

    /// Runs tasks until `future`, which need not be `'static`, is done. Your own events get no handler; see
    /// [`run`](Executor::run).
    ///
    /// # Errors
    ///
    /// When the backend cannot wait or has no room for the future's event; [`Error::Ended`] when the loop ends first
    /// ([`ended`](Executor::ended) says why). The next call continues the other tasks, and the future if it is passed
    /// as a pinned reference.
    ///
    /// ```
    /// # use evcore::{*, backend::Manual, task::{Executor, Item}};
    /// # let mut executor = Executor::local(EventBase::<Manual, Growable, Item<&str>>::new(Manual::new()));
    /// let text = String::from("borrowed");
    /// assert_eq!(executor.block_on(async { text.len() })?, 8);
    /// # Ok::<(), evcore::Error<evcore::backend::ManualError>>(())
    /// ```
    pub fn block_on<R>(&mut self, future: impl Future<Output = R>) -> Result<R, Error<B::Error>> {
        self.run(future, |_, _| {})
    }

    /// As [`block_on`](Executor::block_on), with a handler for your own events, which gets the base.
    ///
    /// # Errors
    ///
    /// As [`block_on`](Executor::block_on).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{*, backend::Manual, task::{Executor, Item}};
    /// # let mut executor = Executor::local(EventBase::<Manual, Growable, Item<&str>>::new(Manual::new()));
    /// # let handle = executor.handle();
    /// executor.base().unwrap().insert_timer(Duration::from_secs(1), Item::from("mine"))?;
    /// let mut seen = Vec::new();
    /// executor.run(handle.sleep(Duration::from_secs(2)), |base, event| {
    ///     seen.extend(base.get_mut(event.id).and_then(Item::get_mut).copied());
    /// })??;
    /// assert_eq!(seen, ["mine"]);
    /// # Ok::<(), evcore::Error<evcore::backend::ManualError>>(())
    /// ```
    pub fn run<R>(
        &mut self,
        future: impl Future<Output = R>,
        mut handler: impl FnMut(&mut Lent<'_, B, S, T>, Fired),
    ) -> Result<R, Error<B::Error>> {
        let mut future = pin!(future);
        let core = Rc::clone(&self.core);
        let head = core.place(None)?;
        let _ending = Ending { core: &*core, head: &head };
        core.put(head.event, Ours::Task { polled: None, task: None });
        loop {
            match self.next(Wait::Forever)? {
                Some(Next::Own(event)) => {
                    if let Some(mut base) = self.base() {
                        handler(&mut base, event);
                    }
                }
                Some(Next::Root | Next::Task(_)) => {
                    if let Poll::Ready(output) = core.current.poll(&head, |context| future.as_mut().poll(context)) {
                        return Ok(output);
                    }
                }
                None => return Err(Error::Ended),
            }
        }
    }
}

impl<B: EventOp, S: Storage, T> Drop for Executor<B, S, T> {
    fn drop(&mut self) {
        // Out of the cell first: what ends may use handles.
        drop(self.base.try_borrow_mut().map(|mut base| base.take()));
    }
}

/// Shows only names: the contents are private.
macro_rules! print_names {
    ($($name:ident<$($lent:lifetime,)? $($of:ident $(: $bound:ident)?),*>)*) => { $(
        impl<$($lent,)? $($of $(: $bound)?),*> core::fmt::Debug for $name<$($lent,)? $($of),*> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )* };
}
print_names! {
    Executor<B: EventOp, S: Storage, T> Handle<F, E> Item<T> JoinHandle<R> Lent<'a, B: EventOp, S: Storage, T>
    Source<D, F, E> Watch<F, E>
}
