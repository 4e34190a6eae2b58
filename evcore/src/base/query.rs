//! Queries of a base and its events.

use core::fmt;
use core::time::Duration;

use super::EventBase;
use crate::backend::{EventOp, Features, Signum, Sleep};
use crate::event::EventId;
use crate::ready::{Interest, Ready};
use crate::stats::{Counts, Stats};
use crate::storage::{Kept, Storage};
use crate::time::{Instant, Wait};

/// What an event currently waits for (`event_pending`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Pending {
    /// Its fd, signal or watcher is registered. A paused event counts as registered.
    pub registered: bool,
    /// The time until its timeout, zero once it is due; `None` without one.
    pub remaining: Option<Duration>,
    /// When its timeout is due. One that restarts at the end of the turn's hand-outs is shown as if it restarted now.
    pub deadline: Option<Instant>,
    /// What it is queued for, if it is active.
    pub active: Option<Ready>,
}

impl<B: EventOp, S: Storage, T> EventBase<B, S, T> {
    /// Whether the event exists.
    #[doc(alias = "event_initialized")]
    #[doc(alias = "evtimer_initialized")]
    #[doc(alias = "evsignal_initialized")]
    #[doc(alias = "evuser_initialized")]
    #[must_use]
    pub fn contains(&self, id: EventId) -> bool {
        self.engine.resolve(id).is_ok()
    }

    /// The event's data.
    #[doc(alias = "event_get_callback_arg")]
    #[doc(alias = "event_get_callback")]
    #[must_use]
    pub fn get(&self, id: EventId) -> Option<&T> {
        self.engine.data(id)
    }

    /// The event's data, to change.
    ///
    /// ```
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, u32>::new(Manual::new());
    /// let event = base.create(Event::user(), 1).unwrap();
    /// *base.get_mut(event).unwrap() += 1;
    /// assert_eq!(base.get(event), Some(&2));
    /// ```
    #[must_use]
    pub fn get_mut(&mut self, id: EventId) -> Option<&mut T> {
        self.engine.data_mut(id)
    }

    /// The event's fd, if it has one (`event_get_fd`).
    #[doc(alias = "event_get_fd")]
    #[must_use]
    pub fn fd(&self, id: EventId) -> Option<B::Fd> {
        self.engine.fd(self.engine.resolve(id).ok()?)
    }

    /// What the event waits for on its fd (`event_get_events`).
    #[doc(alias = "event_get_events")]
    #[doc(alias = "event_get_assignment")]
    #[must_use]
    pub fn interest(&self, id: EventId) -> Option<Interest> {
        let index = self.engine.resolve(id).ok()?;
        self.engine.fd(index).map(|_| self.engine.interest(index))
    }

    /// The event's signal, if it has one (`event_get_signal`).
    #[doc(alias = "event_get_signal")]
    #[must_use]
    pub fn signum(&self, id: EventId) -> Option<Signum> {
        self.engine.signum(self.engine.resolve(id).ok()?)
    }

    /// The event's priority (`event_get_priority`).
    #[doc(alias = "event_get_priority")]
    #[must_use]
    pub fn priority(&self, id: EventId) -> Option<u8> {
        self.engine.resolve(id).ok().map(|index| self.engine.level(index))
    }

    /// Whether there is room for another event, on an fd if the storage has fds.
    #[cfg(all(feature = "async", target_has_atomic = "ptr"))]
    pub(crate) fn has_room(&mut self) -> bool {
        self.engine.has_room()
    }

    /// What the event currently waits for (`event_pending`); `None` if it has been removed.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// let timer = base.insert_timer(Duration::from_secs(5), "later").unwrap();
    /// base.backend_mut().advance(Duration::from_secs(2));
    /// assert_eq!(base.pending(timer).unwrap().remaining, Some(Duration::from_secs(3)));
    /// ```
    #[doc(alias = "event_pending")]
    #[doc(alias = "evtimer_pending")]
    #[doc(alias = "evsignal_pending")]
    #[doc(alias = "evuser_pending")]
    #[must_use]
    pub fn pending(&self, id: EventId) -> Option<Pending> {
        let index = self.engine.resolve(id).ok()?;
        let timeout = self.engine.timeout(index);
        Some(Pending {
            registered: self.engine.is_registered(index),
            remaining: timeout.map(|(_, remaining)| remaining),
            deadline: timeout.map(|(deadline, _)| deadline),
            active: self.engine.ready(index),
        })
    }

    /// The event that was last handed out, while its handler runs (`event_base_get_running_event`).
    #[doc(alias = "event_base_get_running_event")]
    #[must_use]
    pub fn current_event(&self) -> Option<EventId> {
        self.engine.current()
    }

    /// Whether nothing keeps the loop alive: no event is pending or active, background events aside, and no end was
    /// requested in advance.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.engine.is_empty()
    }

    /// How many events there are (`event_base_get_num_events`).
    #[doc(alias = "event_base_get_num_events")]
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.engine.counts()
    }

    /// A lower bound of when the next timer is due, for a loop that waits by other means (`evwatch_prepare_get_timeout`).
    /// It is too early while the old deadline of a postponed timer is still ahead. O(1), and a step for each cancelled
    /// timer that is earlier; a storage for 16 events or fewer takes a step for each of its timers.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// assert_eq!(base.next_deadline(), None);
    /// base.insert_timer(Duration::from_nanos(7), "soon").unwrap();
    /// assert_eq!(base.next_deadline().unwrap().as_nanos(), 7);
    /// ```
    #[doc(alias = "evwatch_prepare_get_timeout")]
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.engine.next_deadline()
    }

    /// The maximum sleep of the next [`poll`](EventBase::poll) with this `wait`: none while something is active, an end
    /// is requested or a prepare turn comes first; else until the next timer is due, or a refused registration is
    /// retried. For a loop that waits by other means, and for [prepare](crate::Event::prepare) handlers
    /// (`evwatch_prepare_get_timeout`).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{*, backend::{Manual, Sleep}};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// assert_eq!(base.next_sleep(Wait::Until(Instant::MAX)), Sleep::Forever);
    /// base.insert_timer(Duration::from_nanos(7), "soon").unwrap();
    /// assert_eq!(base.next_sleep(Wait::Forever), Sleep::Until(Instant::from_nanos(7)));
    /// ```
    #[doc(alias = "evwatch_prepare_get_timeout")]
    #[must_use]
    pub fn next_sleep(&self, wait: Wait) -> Sleep {
        self.engine.next_sleep(self.engine.sleep(wait))
    }

    /// All events with their data, in the order of their slots (`event_base_foreach_event`).
    ///
    /// ```
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// base.create(Event::user(), "a").unwrap();
    /// base.create(Event::timer(), "b").unwrap();
    /// assert_eq!(base.iter().map(|(_, data)| *data).collect::<Vec<_>>(), ["a", "b"]);
    /// ```
    #[doc(alias = "event_base_foreach_event")]
    pub fn iter(&self) -> impl Iterator<Item = (EventId, &T)> {
        self.engine.iter()
    }

    /// The backend's name (`event_base_get_method`).
    #[doc(alias = "event_base_get_method")]
    #[must_use]
    pub fn method(&self) -> &'static str {
        self.backend().name()
    }

    /// What the backend can do (`event_base_get_features`).
    #[doc(alias = "event_base_get_features")]
    #[must_use]
    pub fn features(&self) -> Features {
        self.backend().features()
    }

    /// The backend.
    #[must_use]
    pub fn backend(&self) -> &B {
        self.engine.backend()
    }

    /// The backend, mutable: for options of its own. Do not register with it directly.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// base.backend_mut().advance(Duration::from_secs(1));
    /// ```
    #[must_use]
    pub fn backend_mut(&mut self) -> &mut B {
        self.engine.changing().backend_mut()
    }
}

/// With statistics.
impl<B: EventOp, S: Storage<Stats = Kept>, T> EventBase<B, S, T> {
    /// The high-water marks of [`counts`](EventBase::counts) (`event_base_get_max_events`).
    #[doc(alias = "event_base_get_max_events")]
    #[must_use]
    pub fn max_counts(&self) -> Counts {
        self.engine.max_counts()
    }

    /// Resets the high-water marks to the current counts.
    pub fn clear_max_counts(&mut self) {
        self.engine.clear_max_counts();
    }

    /// Counters of what the base has done.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.engine.stats().into()
    }
}

/// One line for each pending or active event, like `event_base_dump_events`.
impl<B: EventOp, S: Storage, T> fmt::Display for EventBase<B, S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts();
        writeln!(
            f,
            "{}: {} events, {} pending, {} active",
            self.method(),
            counts.events,
            counts.pending,
            counts.active
        )?;
        for (id, _) in self.iter() {
            let Some(pending) = self.pending(id) else { continue };
            if pending == Pending::default() {
                continue;
            }
            write!(f, "  {id:?}")?;
            if let (Some(fd), Some(interest)) = (self.fd(id), self.interest(id)) {
                write!(f, " fd {fd:?} {interest:?}")?;
            }
            if let Some(signum) = self.signum(id) {
                write!(f, " signal {signum}")?;
            }
            if let Some(remaining) = pending.remaining {
                write!(f, " timeout in {remaining:?}")?;
            }
            if let Some(ready) = pending.active {
                write!(f, " active {ready:?}")?;
            }
            writeln!(f, " priority {}", self.priority(id).unwrap_or(0))?;
        }
        Ok(())
    }
}

impl<B: EventOp, S: Storage, T> fmt::Debug for EventBase<B, S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventBase")
            .field("method", &self.method())
            .field("counts", &self.counts())
            .field("next_deadline", &self.next_deadline())
            .finish_non_exhaustive()
    }
}
