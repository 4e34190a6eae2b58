//! Events: their ids and descriptions.

use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;

use crate::backend::Signum;
use crate::ready::Interest;

/// Names an event of a base: a slot and its generation.
///
/// For the id of a removed event every call returns an error or `None`. Another base does so too in debug builds; in
/// other builds the id may name an event there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId {
    pub(crate) slot: u32,
    pub(crate) generation: NonZeroU32,
}

impl EventId {
    /// The id as 64 bits, for tables, logs and C. Never zero.
    ///
    /// ```
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, ()>::new(Manual::new());
    /// let id = base.create(Event::user(), ()).unwrap();
    /// assert_eq!(EventId::from_bits(id.to_bits()), Some(id));
    /// ```
    #[must_use]
    #[expect(clippy::as_conversions, reason = "`From` is not const")]
    pub const fn to_bits(self) -> u64 {
        (self.generation.get() as u64) << 32 | self.slot as u64
    }

    /// The id that [`EventId::to_bits`] gave; `None` if the bits are no id.
    #[must_use]
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "the two halves of the word")]
    pub const fn from_bits(bits: u64) -> Option<Self> {
        match NonZeroU32::new((bits >> 32) as u32) {
            // A free slot's generation is even.
            Some(generation) if generation.get() & 1 == 1 => Some(Self { slot: bits as u32, generation }),
            _ => None,
        }
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}v{}", self.slot, self.generation)
    }
}

/// What a persistent timer does about periods that passed while a handler took long.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Missed {
    /// One hand-out stands for all of them ([`Fired::count`](crate::Fired::count) is how many); the next one keeps the
    /// phase.
    #[default]
    Skip,
    /// Each is handed out, one a turn, until the timer has caught up.
    Burst,
    /// None is handed out: the next period begins when the hand-outs of this turn end.
    Delay,
}

/// What an event waits on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum Source<Fd> {
    Io(Fd, Interest),
    Signal(Signum),
    None,
    Prepare,
    Check,
    Wake,
}

/// The description from which an event is created (`event_new`).
///
/// ```
/// use evcore::{Event, Interest};
///
/// let reader = Event::io(3, Interest::READ).persist().priority(1);
/// assert_ne!(reader, Event::io(3, Interest::READ));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "a description waits for nothing until it is given to `create` or `start`"]
pub struct Event<Fd> {
    pub(crate) source: Source<Fd>,
    pub(crate) persist: bool,
    pub(crate) once: bool,
    pub(crate) background: bool,
    pub(crate) priority: Option<u8>,
    pub(crate) missed: Missed,
    pub(crate) timeout: Option<Duration>,
}

impl<Fd> Event<Fd> {
    const fn from(source: Source<Fd>) -> Self {
        Self {
            source,
            persist: false,
            once: false,
            background: false,
            priority: None,
            missed: Missed::Skip,
            timeout: None,
        }
    }

    /// An event of an fd. Empty interest is legal: nothing is reported until [`modify`](crate::EventBase::modify).
    #[doc(alias = "event_new")]
    #[doc(alias = "event_assign")]
    pub const fn io(fd: Fd, interest: Interest) -> Self {
        Self::from(Source::Io(fd, interest))
    }

    /// An event of a signal (`evsignal_new`).
    #[doc(alias = "evsignal_new")]
    #[doc(alias = "evsignal_assign")]
    #[doc(alias = "EV_SIGNAL")]
    pub const fn signal(signum: Signum) -> Self {
        Self::from(Source::Signal(signum))
    }

    /// An event of time alone (`evtimer_new`).
    #[doc(alias = "evtimer_new")]
    #[doc(alias = "evtimer_assign")]
    pub const fn timer() -> Self {
        Self::from(Source::None)
    }

    /// An event that only [`activate`](crate::EventBase::activate) hands out (`evuser_new`): a timer without a timeout.
    #[doc(alias = "evuser_new")]
    pub const fn user() -> Self {
        Self::from(Source::None)
    }

    /// An event that is handed out in each turn, just before the wait (`evwatch_prepare_new`). What its handler activates
    /// or arms shortens the wait. It never keeps the loop alive.
    ///
    /// ```
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// base.start(Event::prepare(), "before the wait").unwrap();
    /// assert!(base.poll(Wait::None).unwrap().is_running());
    /// assert_eq!(*base.next_active().unwrap().data, "before the wait");
    /// assert_eq!(base.stats().waits, 0);
    /// ```
    #[doc(alias = "evwatch_prepare_new")]
    pub const fn prepare() -> Self {
        let mut event = Self::from(Source::Prepare);
        event.persist = true;
        event.background = true;
        event
    }

    /// An event that is handed out in each turn, right after the wait; else as [`prepare`](Event::prepare)
    /// (`evwatch_check_new`).
    #[doc(alias = "evwatch_check_new")]
    pub const fn check() -> Self {
        let mut event = Self::from(Source::Check);
        event.persist = true;
        event.background = true;
        event
    }

    /// An event that is handed out with the check events after each wait that a [waker](crate::EventBase::waker) has
    /// ended, once for any number of wakes. It keeps the loop alive unless it is in the
    /// [background](Event::background). A signal or an interrupt may cause it too.
    ///
    /// ```
    /// # use evcore::{*, backend::{Manual, WakeFlag}};
    /// static FLAG: WakeFlag = WakeFlag::new();
    /// let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new().with_flag(&FLAG));
    /// base.start(Event::wake(), "messages").unwrap();
    /// base.waker().unwrap().wake();
    /// assert_eq!(*base.next_event(Wait::Forever).unwrap().unwrap().data, "messages");
    /// ```
    pub const fn wake() -> Self {
        let mut event = Self::from(Source::Wake);
        event.persist = true;
        event
    }

    /// Keeps the event pending when it is handed out, and restarts its timeout (`EV_PERSIST`); see
    /// [`add`](crate::EventBase::add).
    ///
    /// ```
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// base.start(Event::io(3, Interest::READ).persist(), "listener").unwrap();
    /// base.activate_fd(3, Ready::READ);
    /// let id = base.next_event(Wait::None).unwrap().unwrap().id;
    /// assert!(base.pending(id).unwrap().registered);
    /// ```
    #[doc(alias = "EV_PERSIST")]
    pub const fn persist(mut self) -> Self {
        self.persist = true;
        self
    }

    /// Gives the event a timeout, such as a connection's idle timeout or a timer's period. It starts whenever the event
    /// is [added](crate::EventBase::add), and restarts after each hand-out of a [persistent](Event::persist) event. Zero
    /// is due in the next turn.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// let reader = Event::io(3, Interest::READ).persist().timeout(Duration::from_secs(60));
    /// base.start(reader, "connection").unwrap();
    /// let event = base.next_event(Wait::Forever).unwrap().unwrap();
    /// assert!(event.ready.is_timeout());
    /// ```
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Removes the event after its hand-out (`event_base_once`): its data is dropped at the next
    /// [`next_active`](crate::EventBase::next_active) or [`poll`](crate::EventBase::poll).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// base.start(Event::timer().once().timeout(Duration::ZERO), "deferred").unwrap();
    /// base.run(Mode::empty(), |_, _| {}).unwrap();
    /// assert_eq!(base.counts().events, 0);
    /// ```
    #[doc(alias = "event_base_once")]
    pub const fn once(mut self) -> Self {
        self.once = true;
        self.persist = false;
        self
    }

    /// Sets the priority, 0 being the most urgent; by default the middle of the base's priorities.
    ///
    /// ```
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// base.set_priorities(3).unwrap();
    /// let event = base.create(Event::user().priority(0), "urgent").unwrap();
    /// assert_eq!(base.priority(event), Some(0));
    /// ```
    #[doc(alias = "event_priority_set")]
    pub const fn priority(mut self, priority: u8) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Lets the loop end although the event is pending.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// base.start(Event::timer().persist().timeout(Duration::from_secs(1)).background(), "tick").unwrap();
    /// assert!(base.is_empty());
    /// ```
    pub const fn background(mut self) -> Self {
        self.background = true;
        self
    }

    /// Chooses what a persistent timer does about missed periods; [`Missed::Skip`] by default.
    pub const fn missed(mut self, missed: Missed) -> Self {
        self.missed = missed;
        self
    }
}

static_assertions::assert_eq_size!(EventId, Option<EventId>, u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_its_slot_and_its_generation_in_bits_and_in_print() {
        let id = EventId { slot: 5, generation: NonZeroU32::new(7).unwrap() };
        assert_eq!(id.to_bits(), 7 << 32 | 5);
        assert_eq!(EventId::from_bits(id.to_bits()), Some(id));
        assert_eq!(EventId::from_bits(5), None);
        assert_eq!(EventId::from_bits(8 << 32 | 5), None, "of a free slot");
        assert_eq!(std::format!("{id:?}"), "5v7");
        // Bits that both halves have.
        let id = EventId { slot: u32::MAX, generation: NonZeroU32::MAX };
        assert_eq!((id.to_bits(), EventId::from_bits(u64::MAX)), (u64::MAX, Some(id)));
    }
}
