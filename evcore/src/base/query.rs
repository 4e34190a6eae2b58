//! What a base tells of itself and of its events.

use core::fmt;
use core::time::Duration;

use super::EventBase;
use crate::backend::{EventOp, Features, Signum};
use crate::event::{EventId, Interest, Ready};
use crate::events::State;
use crate::stats::{Counts, Stats};
use crate::storage::Storage;
use crate::time::Instant;

/// What an event waits for at the moment (`event_pending`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Pending {
    /// Its fd, signal or watcher is registered (or would be, but for a pause).
    pub registered: bool,
    /// How long until its timeout, which is zero once it is due; `None` without one.
    pub remaining: Option<Duration>,
    /// When its timeout is due.
    pub deadline: Option<Instant>,
    /// What it is queued for; `None` when it is not active.
    pub active: Option<Ready>,
}

impl<B: EventOp, S: Storage, T> EventBase<B, S, T> {
    /// Whether the event exists.
    ///
    /// ```
    /// # use evcore::{Event, EventBase, Fixed, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// let event = base.create(Event::user(), "short-lived").unwrap();
    /// assert!(base.contains(event));
    /// base.remove(event);
    /// assert!(!base.contains(event));
    /// ```
    #[doc(alias = "event_initialized")]
    #[doc(alias = "evtimer_initialized")]
    #[doc(alias = "evsignal_initialized")]
    #[doc(alias = "evuser_initialized")]
    #[must_use]
    pub fn contains(&self, id: EventId) -> bool {
        self.columns.events.resolve(id).is_some()
    }

    /// The event's data.
    ///
    /// ```
    /// # use evcore::{Event, EventBase, Fixed, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// let event = base.create(Event::user(), "mine").unwrap();
    /// assert_eq!(base.get(event), Some(&"mine"));
    /// ```
    #[doc(alias = "event_get_callback_arg")]
    #[doc(alias = "event_get_callback")]
    #[must_use]
    pub fn get(&self, id: EventId) -> Option<&T> {
        self.columns.events.data(self.columns.events.resolve(id)?)
    }

    /// The event's data, to change.
    ///
    /// ```
    /// # use evcore::{Event, EventBase, Fixed, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, u32> = EventBase::new(Manual::new());
    /// let event = base.create(Event::user(), 1).unwrap();
    /// *base.get_mut(event).unwrap() += 1;
    /// assert_eq!(base.get(event), Some(&2));
    /// ```
    #[must_use]
    pub fn get_mut(&mut self, id: EventId) -> Option<&mut T> {
        let index = self.columns.events.resolve(id)?;
        self.columns.events.lend(index).map(|(_, data)| data)
    }

    /// The fd that the event watches, if it watches one (`event_get_fd`).
    ///
    /// ```
    /// # use evcore::{EventBase, Fixed, Interest, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// let event = base.insert(3, Interest::READ, "reader").unwrap();
    /// assert_eq!(base.fd(event), Some(3));
    /// ```
    #[doc(alias = "event_get_fd")]
    #[must_use]
    pub fn fd(&self, id: EventId) -> Option<B::Fd> {
        self.columns.fds.fd(self.columns.events.resolve(id)?)
    }

    /// What the event waits for on its fd (`event_get_events`).
    ///
    /// ```
    /// # use evcore::{EventBase, Fixed, Interest, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// let event = base.insert(3, Interest::READ, "reader").unwrap();
    /// assert_eq!(base.interest(event), Some(Interest::READ));
    /// ```
    #[doc(alias = "event_get_events")]
    #[doc(alias = "event_get_assignment")]
    #[must_use]
    pub fn interest(&self, id: EventId) -> Option<Interest> {
        let index = self.columns.events.resolve(id)?;
        self.columns.fds.fd(index).map(|_| self.columns.fds.interest(index))
    }

    /// The signal that the event watches, if it watches one (`event_get_signal`).
    ///
    /// ```
    /// # use evcore::{EventBase, Fixed, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// let event = base.insert_signal(15, "terminate").unwrap();
    /// assert_eq!(base.signum(event), Some(15));
    /// ```
    #[doc(alias = "event_get_signal")]
    #[must_use]
    pub fn signum(&self, id: EventId) -> Option<Signum> {
        self.columns.signals.signum(self.columns.events.resolve(id)?)
    }

    /// The event's priority (`event_get_priority`).
    ///
    /// ```
    /// # use evcore::{Event, EventBase, Fixed, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// let event = base.create(Event::user(), "mine").unwrap();
    /// assert_eq!(base.priority(event), Some(0));
    /// ```
    #[doc(alias = "event_get_priority")]
    #[must_use]
    pub fn priority(&self, id: EventId) -> Option<u8> {
        self.columns.events.resolve(id).map(|index| self.columns.active.level(index))
    }

    /// What the event waits for at the moment (`event_pending`); `None` when it has been removed.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{EventBase, Fixed, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// let timer = base.insert_timer(Duration::from_secs(5), "later").unwrap();
    /// base.backend_mut().advance(Duration::from_secs(2));
    /// assert_eq!(base.pending(timer).unwrap().remaining, Some(Duration::from_secs(3)));
    /// ```
    #[doc(alias = "event_pending")]
    #[doc(alias = "evtimer_pending")]
    #[doc(alias = "evsignal_pending")]
    #[doc(alias = "evuser_pending")]
    #[must_use]
    pub fn pending(&mut self, id: EventId) -> Option<Pending> {
        self.settle();
        self.pending_settled(id)
    }

    fn pending_settled(&self, id: EventId) -> Option<Pending> {
        let index = self.columns.events.resolve(id)?;
        let state = self.columns.events.state(index);
        let deadline = state.contains(State::TIMED).then(|| self.columns.timers.deadline(index));
        Some(Pending {
            registered: state.contains(State::PENDING),
            remaining: deadline.map(|deadline| deadline.saturating_since(self.fresh_now())),
            deadline,
            active: self.columns.active.ready(index),
        })
    }

    /// The event that was handed out last, while its handler runs (`event_base_get_running_event`).
    ///
    /// ```
    /// # use evcore::{EventBase, Fixed, Manual};
    /// # let base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// assert_eq!(base.running_event(), None);
    /// ```
    #[doc(alias = "event_base_get_running_event")]
    #[must_use]
    pub fn running_event(&self) -> Option<EventId> {
        self.columns.running()
    }

    /// Whether nothing is left that keeps the loop alive: no event that waits or is active, background events apart, and
    /// no end that was asked for in advance.
    ///
    /// ```
    /// # use evcore::{EventBase, Fixed, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// assert!(base.is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&mut self) -> bool {
        self.settle();
        self.columns.is_idle() && self.exit_at.is_none()
    }

    /// How many events there are (`event_base_get_num_events`).
    ///
    /// ```
    /// # use evcore::{EventBase, Fixed, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// assert_eq!(base.counts().events, 0);
    /// ```
    #[doc(alias = "event_base_get_num_events")]
    #[must_use]
    pub fn counts(&mut self) -> Counts {
        self.settle();
        self.counts_settled()
    }

    fn counts_settled(&self) -> Counts {
        let columns = &self.columns;
        Counts { events: columns.events.len(), pending: columns.pending, active: columns.active.len() }
    }

    /// How many events there were at most (`event_base_get_max_events`).
    ///
    /// ```
    /// # use evcore::{EventBase, Fixed, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// assert_eq!(base.max_counts().active, 0);
    /// ```
    #[doc(alias = "event_base_get_max_events")]
    #[must_use]
    pub fn max_counts(&mut self) -> Counts {
        self.settle();
        self.columns.max
    }

    /// Begins to count the largest numbers anew.
    ///
    /// ```
    /// # use evcore::{EventBase, Fixed, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.clear_max_counts();
    /// ```
    pub fn clear_max_counts(&mut self) {
        self.columns.max = self.counts();
    }

    /// What the base has done so far.
    ///
    /// ```
    /// # use evcore::{EventBase, Fixed, Manual};
    /// # let base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// assert_eq!(base.stats().turns, 0);
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut tally = self.columns.stats;
        tally.handed_out = tally.handed_out.saturating_add(self.columns.quota.handed_out().into());
        tally.into()
    }

    /// When the next timer is due, for a loop that waits by other means: never later than it is, and earlier while the timer
    /// at the top has been pushed back and its old deadline has not come (`evwatch_prepare_get_timeout`). O(1).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{EventBase, Fixed, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// assert_eq!(base.next_deadline(), None);
    /// base.insert_timer(Duration::from_nanos(7), "soon").unwrap();
    /// assert_eq!(base.next_deadline().unwrap().as_nanos(), 7);
    /// ```
    #[doc(alias = "evwatch_prepare_get_timeout")]
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        [self.columns.timers.next(), self.exit_at].into_iter().flatten().min()
    }

    /// All events that exist, with their data, in the order of their slots (`event_base_foreach_event`).
    ///
    /// ```
    /// # use evcore::{Event, EventBase, Fixed, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.create(Event::user(), "a").unwrap();
    /// base.create(Event::timer(), "b").unwrap();
    /// assert_eq!(base.iter().map(|(_, data)| *data).collect::<Vec<_>>(), ["a", "b"]);
    /// ```
    #[doc(alias = "event_base_foreach_event")]
    pub fn iter(&self) -> impl Iterator<Item = (EventId, &T)> {
        let events = &self.columns.events;
        events.indices().filter_map(|index| Some((events.id(index)?, events.data(index)?)))
    }

    /// The backend's name (`event_base_get_method`).
    ///
    /// ```
    /// # use evcore::{EventBase, Fixed, Manual};
    /// # let base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// assert_eq!(base.method(), "manual");
    /// ```
    #[doc(alias = "event_base_get_method")]
    #[must_use]
    pub fn method(&self) -> &'static str {
        self.backend.name()
    }

    /// What the backend can do (`event_base_get_features`).
    ///
    /// ```
    /// # use evcore::{EventBase, Features, Fixed, Manual};
    /// # let base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// assert!(base.features().contains(Features::EDGE));
    /// ```
    #[doc(alias = "event_base_get_features")]
    #[must_use]
    pub fn features(&self) -> Features {
        self.backend.features()
    }

    /// The backend.
    ///
    /// ```
    /// # use evcore::{EventBase, EventOp, Fixed, Manual};
    /// # let base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// assert_eq!(base.backend().name(), "manual");
    /// ```
    #[must_use]
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// The backend, to change: options of its own. Registering with it directly is of no use.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{EventBase, Fixed, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.backend_mut().advance(Duration::from_secs(1));
    /// ```
    #[must_use]
    pub fn backend_mut(&mut self) -> &mut B {
        self.settle();
        &mut self.backend
    }

    /// Walks every column, and tells whether all of them agree: `event_base_assert_ok_`, for tests. O(n²).
    ///
    /// ```
    /// # use evcore::{EventBase, Fixed, Manual};
    /// # let base: EventBase<Manual, Fixed<8>, ()> = EventBase::new(Manual::new());
    /// assert!(base.check());
    /// ```
    #[cfg(any(test, feature = "check"))]
    #[doc(alias = "event_base_assert_ok_")]
    #[must_use]
    pub fn check(&self) -> bool {
        let columns = &self.columns;
        columns.active.check() && columns.timers.check() && columns.fds.check() && columns.check()
    }
}

/// One line for each event that waits or is active, in the manner of `event_base_dump_events`. What the last wait found
/// and nobody has looked at yet is not active here.
impl<B: EventOp, S: Storage, T> fmt::Display for EventBase<B, S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts_settled();
        writeln!(
            f,
            "{}: {} events, {} pending, {} active",
            self.method(),
            counts.events,
            counts.pending,
            counts.active
        )?;
        for (id, _) in self.iter() {
            let Some(pending) = self.pending_settled(id) else { continue };
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
            .field("counts", &self.counts_settled())
            .field("next_deadline", &self.next_deadline())
            .finish_non_exhaustive()
    }
}
