//! The life of an event: added, changed, activated, removed.

use core::time::Duration;

use super::EventBase;
use crate::backend::{EventOp, Signum};
use crate::engine::{Alone, Timeout};
use crate::error::Error;
use crate::event::EventId;
use crate::ready::{Interest, Ready};
use crate::storage::{Kept, Storage};
use crate::time::{Instant, nanos};

impl<B: EventOp, S: Storage, T> EventBase<B, S, T> {
    // Pending.

    /// Makes an event pending (`event_add`). Its interest joins that of its fd. Its timeout counts from now: the given
    /// one, replacing an earlier one, or else the one that it was [made with](crate::Event::timeout).
    ///
    /// On a pending event, a timeout replaces the old one, even an expired and queued one; without a timeout nothing
    /// changes (see [`restart`](EventBase::restart)). On a paused event, `add` ends the pause, and its timeout
    /// restarts.
    ///
    /// For a persistent event the delay is also the period:
    ///
    /// - After the timeout, the next one counts from the deadline, which keeps the phase, unless
    ///   [`Missed`](crate::options::Missed) says otherwise.
    /// - After another hand-out, the timeout restarts at the end of the turn's hand-outs.
    /// - Zero is no period: the timeout does not repeat.
    ///
    /// O(1) and at most one call of the backend, plus O(log n) for the timeout.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchEvent`]; [`Error::EdgeAndLevel`]; [`Error::Unsupported`]; [`Error::Backend`] when the backend
    /// refuses the first registration of the fd, and in the child of a fork. Nothing has changed then.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// let timer = base.create(Event::timer(), "one shot").unwrap();
    /// base.add(timer, Some(Duration::from_secs(1))).unwrap();
    /// base.add(timer, Some(Duration::from_secs(2))).unwrap();
    /// assert_eq!(base.pending(timer).unwrap().remaining, Some(Duration::from_secs(2)));
    /// ```
    #[doc(alias = "event_add")]
    #[doc(alias = "evtimer_add")]
    #[doc(alias = "evsignal_add")]
    pub fn add(&mut self, id: EventId, timeout: Option<Duration>) -> Result<(), Error<B::Error>> {
        let index = self.engine.resolve(id)?;
        if timeout.is_none() {
            match self.engine.add_alone(index) {
                Alone::Joined => return Ok(()),
                Alone::Unregistered => return self.engine.register_alone(index),
                Alone::Not => {}
            }
        }
        self.add_any(index, timeout)
    }

    #[inline(never)]
    fn add_any(&mut self, index: S::Index, timeout: Option<Duration>) -> Result<(), Error<B::Error>> {
        let timeout = timeout.map(|delay| {
            let deadline = self.engine.fresh_now().saturating_add(delay);
            Timeout { deadline, interval: nanos(delay) }
        });
        self.engine.add(index, timeout)
    }

    /// As [`add`](EventBase::add), with the timeout counted from `start`, which may be past: the time of the turn
    /// ([`now`](EventBase::now)), or when a request arrived. The clock is not read.
    ///
    /// # Errors
    ///
    /// As [`add`](EventBase::add).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// let timer = base.create(Event::timer().persist(), "tick").unwrap();
    /// let arrived = base.now();
    /// base.backend_mut().advance(Duration::from_secs(1));
    /// base.add_from(timer, arrived, Duration::from_secs(3)).unwrap();
    /// assert_eq!(base.pending(timer).unwrap().remaining, Some(Duration::from_secs(2)));
    /// ```
    #[doc(alias = "event_add")]
    pub fn add_from(&mut self, id: EventId, start: Instant, timeout: Duration) -> Result<(), Error<B::Error>> {
        let index = self.engine.resolve(id)?;
        let interval = nanos(timeout);
        self.engine.add(index, Some(Timeout { deadline: start.saturating_add_nanos(interval), interval }))
    }

    /// As [`add`](EventBase::add), with the time at which the event is due. The clock is read once, or not at all for a
    /// one-shot timer made without a timeout.
    ///
    /// For a persistent event the period is the time from now to `deadline`; [`restart`](EventBase::restart) and the end
    /// of a [pause](EventBase::pause_for) use the same time. For an exact period use [`add`](EventBase::add). With a past
    /// deadline the event does not repeat.
    ///
    /// # Errors
    ///
    /// As [`add`](EventBase::add).
    ///
    /// ```
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// let timer = base.create(Event::timer().persist(), "tick").unwrap();
    /// base.add_at(timer, Instant::from_nanos(7)).unwrap();
    /// assert!(base.next_event(Wait::Forever).unwrap().is_some());
    /// assert_eq!(base.pending(timer).unwrap().deadline, Some(Instant::from_nanos(14)));
    /// ```
    pub fn add_at(&mut self, id: EventId, deadline: Instant) -> Result<(), Error<B::Error>> {
        let index = self.engine.resolve(id)?;
        if self.engine.start_one_shot(index, deadline) {
            return Ok(());
        }
        self.add_any_at(index, deadline)
    }

    #[inline(never)]
    fn add_any_at(&mut self, index: S::Index, deadline: Instant) -> Result<(), Error<B::Error>> {
        let interval = self.engine.interval_until(index, deadline);
        self.engine.add(index, Some(Timeout { deadline, interval }))
    }

    /// Restarts the event's timeout from now (`ev_timer_again` in libev), and adds the event if it is not pending, such
    /// as an expired timer. During a pause nothing changes: the timeout restarts when the pause ends.
    ///
    /// # Errors
    ///
    /// [`Error::WrongKind`] without a current or earlier timeout, and for a one-shot timer that was only given a point
    /// in time; else as [`add`](EventBase::add).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// let watchdog = base.start(Event::timer().timeout(Duration::from_secs(5)), "watchdog").unwrap();
    /// base.backend_mut().advance(Duration::from_secs(2));
    /// base.restart(watchdog).unwrap();
    /// assert_eq!(base.pending(watchdog).unwrap().remaining, Some(Duration::from_secs(5)));
    /// ```
    pub fn restart(&mut self, id: EventId) -> Result<(), Error<B::Error>> {
        let index = self.engine.resolve(id)?;
        self.engine.restart(index)
    }

    /// Changes what an event of an fd waits for, in place. What it was queued for and no longer waits for is dropped.
    /// The backend is called before the next wait if the union of the interests of the fd's events has changed, or at
    /// once if the union was empty.
    ///
    /// With the event's current interest it does nothing, even if edge-triggered. To have unread input reported again,
    /// call [`again`](EventBase::again), or [`del`](EventBase::del) and [`add`](EventBase::add).
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchEvent`]; [`Error::WrongKind`] for an event without an fd; else as [`add`](EventBase::add).
    /// Nothing has changed then.
    ///
    /// ```
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// let event = base.insert(3, Interest::READ, "connection").unwrap();
    /// base.modify(event, Interest::READ | Interest::WRITE).unwrap();
    /// assert_eq!(base.interest(event), Some(Interest::READ | Interest::WRITE));
    /// ```
    pub fn modify(&mut self, id: EventId, interest: Interest) -> Result<(), Error<B::Error>> {
        let index = self.engine.resolve(id)?;
        if self.engine.modify_alone(index, interest) {
            return Ok(());
        }
        self.modify_any(index, interest)
    }

    #[inline(never)]
    fn modify_any(&mut self, index: S::Index, interest: Interest) -> Result<(), Error<B::Error>> {
        self.engine.modify(index, interest)
    }

    /// Moves an event to another fd and changes nothing else. A pending event is registered there at once.
    ///
    /// # Errors
    ///
    /// As [`modify`](EventBase::modify), and [`Error::Full`]. The event then stays as it was, on its old fd. (If the
    /// backend now refuses that one too, the event gets ERROR and is no longer pending; if it lacks memory or
    /// descriptors, the event stays pending and the base retries.)
    pub fn replace_fd(&mut self, id: EventId, fd: B::Fd) -> Result<(), Error<B::Error>> {
        let index = self.engine.resolve(id)?;
        self.engine.replace_fd(index, fd)
    }

    /// Drops the event's timeout, also one that is queued or that it was made with. What else it waits for stays. (An
    /// activation without bits that has joined the expired timeout is dropped with it.)
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchEvent`].
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// let timer = base.insert_timer(Duration::from_secs(1), "never").unwrap();
    /// base.clear_timeout(timer).unwrap();
    /// assert!(base.is_empty());
    /// ```
    #[doc(alias = "event_remove_timer")]
    pub fn clear_timeout(&mut self, id: EventId) -> Result<(), Error<B::Error>> {
        let index = self.engine.resolve(id)?;
        self.engine.changing().remove_timeout(index);
        Ok(())
    }

    // Active.

    /// Queues an event (`event_active`), with any bits, or none; an active event gets the bits too. It is handed out
    /// in this turn if the limit allows; in the next one if this turn has handed it out, or [`again`](EventBase::again)
    /// has postponed it.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchEvent`].
    ///
    /// ```
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// let event = base.create(Event::user(), "mine").unwrap();
    /// base.activate(event, Ready::empty()).unwrap();
    /// assert_eq!(base.counts().active, 1);
    /// ```
    #[doc(alias = "event_active")]
    #[doc(alias = "evuser_trigger")]
    pub fn activate(&mut self, id: EventId, ready: Ready) -> Result<(), Error<B::Error>> {
        let index = self.engine.resolve(id)?;
        self.engine.changing().activate(index, ready);
        Ok(())
    }

    /// Queues an event of a signal as if the signal had arrived `count` times for it alone (`event_active` with
    /// `ncalls`). Zero does nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchEvent`]; [`Error::WrongKind`] when the event is not pending on a signal.
    ///
    /// ```
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// let event = base.insert_signal(15, "terminate").unwrap();
    /// base.activate_counted(event, 3).unwrap();
    /// assert_eq!(base.next_event(Wait::None).unwrap().unwrap().count, 3);
    /// ```
    #[doc(alias = "event_active")]
    pub fn activate_counted(&mut self, id: EventId, count: u32) -> Result<(), Error<B::Error>> {
        let index = self.engine.resolve(id)?;
        self.engine.changing().activate_counted(index, count)
    }

    /// Queues an event for the next turn, which does not wait, with [`Ready::AGAIN`]: for a handler with input left in
    /// a buffer. A queued event keeps its place and gets the bit.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchEvent`].
    pub fn again(&mut self, id: EventId) -> Result<(), Error<B::Error>> {
        let index = self.engine.resolve(id)?;
        self.engine.changing().postpone(index, Ready::AGAIN);
        Ok(())
    }

    /// Queues all events that are pending on `fd`, as if the backend had reported `ready`; [`Ready::TIMEOUT`] reaches
    /// those that have a timeout (`event_base_active_by_fd`).
    #[doc(alias = "event_base_active_by_fd")]
    pub fn activate_fd(&mut self, fd: B::Fd, ready: Ready) {
        self.engine.changing().activate_fd(fd, ready);
    }

    /// Queues all events that are pending on a signal, as if it had arrived `count` times
    /// (`event_base_active_by_signal`). Zero does nothing.
    #[doc(alias = "event_base_active_by_signal")]
    pub fn activate_signal(&mut self, signum: Signum, count: u32) {
        self.engine.changing().activate_signal(signum, count);
    }

    // The end.

    /// Makes an event wait for nothing (`event_del`), drops its timeout and takes it off its queue. Legal for an idle
    /// event.
    ///
    /// The backend is called before the next wait, and not at all if the event is added again: the descriptor must stay
    /// open until the next [`poll`](EventBase::poll). To close it at once, use [`deregister`](EventBase::deregister) or
    /// [`remove`](EventBase::remove).
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchEvent`].
    #[doc(alias = "event_del")]
    #[doc(alias = "event_del_block")]
    #[doc(alias = "event_del_noblock")]
    #[doc(alias = "evtimer_del")]
    #[doc(alias = "evsignal_del")]
    #[doc(alias = "evuser_del")]
    pub fn del(&mut self, id: EventId) -> Result<(), Error<B::Error>> {
        let index = self.engine.resolve(id)?;
        if self.engine.del_alone(index) {
            return Ok(());
        }
        self.del_any(index)
    }

    #[inline(never)]
    fn del_any(&mut self, index: S::Index) -> Result<(), Error<B::Error>> {
        self.engine.changing().del(index);
        Ok(())
    }

    /// As [`del`](EventBase::del), but at once: unless another event watches the fd, the descriptor may then be closed.
    /// The event keeps its slot, data and fd; [`replace_fd`](EventBase::replace_fd) gives it another fd,
    /// [`add`](EventBase::add) makes it pending again.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchEvent`].
    ///
    /// ```
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// let event = base.insert(3, Interest::READ, "connection").unwrap();
    /// base.deregister(event).unwrap();
    /// assert_eq!(base.backend().watched(3), None);
    /// base.replace_fd(event, 4).unwrap();
    /// base.add(event, None).unwrap();
    /// ```
    #[doc(alias = "event_del")]
    pub fn deregister(&mut self, id: EventId) -> Result<(), Error<B::Error>> {
        let index = self.engine.resolve(id)?;
        self.engine.changing().deregister(index);
        Ok(())
    }

    /// Ends an event and returns its data (`event_free`); `None` if it was removed before. After the last event of an
    /// fd, the descriptor may be closed at once.
    ///
    /// ```
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// let event = base.insert(3, Interest::READ, "reader").unwrap();
    /// assert_eq!(base.remove(event), Some("reader"));
    /// assert_eq!(base.remove(event), None);
    /// ```
    #[doc(alias = "event_free")]
    #[doc(alias = "event_finalize")]
    #[doc(alias = "event_free_finalize")]
    #[doc(alias = "evwatch_free")]
    pub fn remove(&mut self, id: EventId) -> Option<T> {
        let index = self.engine.resolve(id).ok()?;
        self.engine.changing().remove(index)
    }
}

/// On a storage with pauses.
impl<B: EventOp, S: Storage<Pauses = Kept>, T> EventBase<B, S, T> {
    /// Stops watching an event's fd for a time, such as a listener's when no descriptors are left. The fd then wakes no
    /// wait, and what the event was queued for is dropped. [`add`](EventBase::add) ends the pause early. At its end the
    /// event's timeout restarts, and an event that is not pending is added, so a handler may call this after any
    /// report, ERROR included. If the backend lacks memory or descriptors to watch the fd again, the base retries every
    /// 10 ms.
    ///
    /// If edge-triggered events were added to the fd of a level-triggered one meanwhile, or the other way round, this
    /// event gets ERROR when the pause ends, and is no longer pending.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchEvent`]; [`Error::WrongKind`] when the event has no fd.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// let listener = base.insert(3, Interest::READ, "listener").unwrap();
    /// base.backend_mut().set_ready(3, Ready::READ);
    /// base.pause_for(listener, Duration::from_millis(100)).unwrap();
    /// assert!(base.next_event(Wait::Forever).unwrap().is_some());
    /// assert_eq!(base.now().as_nanos(), 100_000_000);
    /// ```
    pub fn pause_for(&mut self, id: EventId, pause: Duration) -> Result<(), Error<B::Error>> {
        let index = self.engine.resolve(id)?;
        self.engine.pause(index, nanos(pause))
    }
}
