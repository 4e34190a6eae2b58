//! The creation of events.

use core::time::Duration;

use super::EventBase;
use crate::backend::{EventOp, Signum};
use crate::error::Rejected;
use crate::event::{Event, EventId};
use crate::ready::Interest;
use crate::storage::{Kept, Storage};

impl<B: EventOp, S: Storage, T> EventBase<B, S, T> {
    /// Creates an event (`event_new`), which waits for nothing until it is [added](EventBase::add). No later call on
    /// it fails for lack of room, except [`replace_fd`](EventBase::replace_fd).
    ///
    /// # Errors
    ///
    /// [`Error::Full`](crate::Error::Full), also when the fd has 65,535 events;
    /// [`Error::NoSuchPriority`](crate::Error::NoSuchPriority). The data is given back.
    ///
    /// ```
    /// use evcore::backend::Manual;
    /// use evcore::{Error, Event, EventBase, Fixed, Interest};
    ///
    /// let mut base: EventBase<Manual, Fixed<1>, &str> = EventBase::new(Manual::new());
    /// base.create(Event::io(3, Interest::READ), "a").unwrap();
    /// let rejected = base.create(Event::timer(), "b").unwrap_err();
    /// assert_eq!((rejected.error, rejected.data), (Error::Full, "b"));
    /// ```
    #[doc(alias = "event_new")]
    #[doc(alias = "event_assign")]
    #[doc(alias = "evtimer_assign")]
    #[doc(alias = "evsignal_assign")]
    #[doc(alias = "evuser_new")]
    pub fn create(&mut self, event: Event<B::Fd>, data: T) -> Result<EventId, Rejected<T, B::Error>> {
        self.engine.create(&event, data)
    }

    /// Creates an event and adds it, with its [timeout](Event::timeout) if it has one.
    ///
    /// # Errors
    ///
    /// As [`create`](EventBase::create) and [`add`](EventBase::add); the event then does not exist, and the data is
    /// given back.
    ///
    /// ```
    /// use core::time::Duration;
    /// use evcore::backend::Manual;
    /// use evcore::{Event, EventBase, Fixed, Interest};
    ///
    /// let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// let idle = Duration::from_secs(60);
    /// let connection = base.start(Event::io(3, Interest::READ).persist().timeout(idle), "connection").unwrap();
    /// assert_eq!(base.pending(connection).unwrap().remaining, Some(idle));
    /// ```
    #[doc(alias = "event_base_once")]
    pub fn start(&mut self, event: Event<B::Fd>, data: T) -> Result<EventId, Rejected<T, B::Error>> {
        let id = self.create(event, data)?;
        let Err(error) = self.add(id, None) else { return Ok(id) };
        // Never added, so it waits for nothing.
        match self.engine.resolve(id).ok().and_then(|index| self.engine.discard(index)) {
            Some(data) => Err(Rejected { error, data }),
            None => Ok(id),
        }
    }

    /// Watches an fd with a persistent event, pending from now on.
    ///
    /// # Errors
    ///
    /// As [`start`](EventBase::start).
    ///
    /// ```
    /// use evcore::backend::Manual;
    /// use evcore::{EventBase, Fixed, Interest, Ready, Wait};
    ///
    /// let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// let event = base.insert(3, Interest::READ, "pin 3").unwrap();
    /// base.backend_mut().set_ready(3, Ready::READ);
    /// assert!(base.poll(Wait::Forever).unwrap().is_running());
    /// assert_eq!(base.next_active().unwrap().id, event);
    /// ```
    #[doc(alias = "event_new")]
    #[doc(alias = "event_add")]
    pub fn insert(&mut self, fd: B::Fd, interest: Interest, data: T) -> Result<EventId, Rejected<T, B::Error>> {
        self.start(Event::io(fd, interest).persist(), data)
    }

    /// Arms a timer that repeats, first after one period, until it is [removed](EventBase::remove). It keeps its phase;
    /// [`Event::missed`](Event::missed) chooses what happens to missed periods. With a period of zero it expires once
    /// and is then idle.
    ///
    /// # Errors
    ///
    /// [`Error::Full`](crate::Error::Full), and in the child of a fork those of [`start`](EventBase::start).
    pub fn insert_interval(&mut self, period: Duration, data: T) -> Result<EventId, Rejected<T, B::Error>> {
        self.start(Event::timer().persist().timeout(period), data)
    }

    /// Hands out an event whenever a [waker](EventBase::waker) is used: see [`Event::wake`].
    ///
    /// # Errors
    ///
    /// [`Error::Full`](crate::Error::Full), and in the child of a fork those of [`start`](EventBase::start).
    pub fn insert_wake(&mut self, data: T) -> Result<EventId, Rejected<T, B::Error>> {
        self.start(Event::wake(), data)
    }

    /// Watches a signal with a persistent event, pending from now on (`evsignal_new`, `evsignal_add`).
    ///
    /// On Unix this unblocks the signal in this thread. Handlers are not chained: while a base watches the signal, no
    /// earlier handler is called; removing the last event restores the earlier disposition. In a forked child the signal
    /// does what it did before, until [`reinit`](EventBase::reinit).
    ///
    /// # Errors
    ///
    /// As [`start`](EventBase::start). Signals that cannot be watched or that report a fault, such as `SIGSEGV`, are
    /// refused.
    #[doc(alias = "evsignal_new")]
    #[doc(alias = "evsignal_add")]
    pub fn insert_signal(&mut self, signum: Signum, data: T) -> Result<EventId, Rejected<T, B::Error>> {
        self.start(Event::signal(signum).persist(), data)
    }
}

/// With once events.
impl<B: EventOp, S: Storage<Once = Kept>, T> EventBase<B, S, T> {
    /// Arms a timer that expires once and is then removed with its data, as [`Event::once`].
    /// [`remove`](EventBase::remove) cancels it. To arm a timer repeatedly, [create](EventBase::create) an
    /// [`Event::timer`] and [add](EventBase::add) it.
    ///
    /// # Errors
    ///
    /// [`Error::Full`](crate::Error::Full), and in the child of a fork those of [`start`](EventBase::start).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// let timer = base.insert_timer(Duration::from_millis(20), "time is up").unwrap();
    /// assert_eq!(*base.next_event(Wait::Forever).unwrap().unwrap().data, "time is up");
    /// assert!(base.next_event(Wait::Forever).unwrap().is_none());
    /// assert!(!base.contains(timer));
    /// ```
    #[doc(alias = "event_base_once")]
    #[doc(alias = "evtimer_new")]
    #[doc(alias = "evtimer_add")]
    pub fn insert_timer(&mut self, delay: Duration, data: T) -> Result<EventId, Rejected<T, B::Error>> {
        self.start(Event::timer().once().timeout(delay), data)
    }
}
