//! What an event waits for, and what is said of it.

use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;

use bitflags::bitflags;

use crate::backend::Signum;

bitflags! {
    /// What an event waits for on its fd.
    ///
    /// The bits have the values of Linux's `poll(2)`, so that the common backends translate them by a mask.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct Interest: u16 {
        /// There is something to read, or the end (`EV_READ`).
        #[doc(alias = "EV_READ")]
        const READ = 0x0001;
        /// Urgent data (`EPOLLPRI`); libevent has none.
        const URGENT = 0x0002;
        /// There is room to write (`EV_WRITE`).
        #[doc(alias = "EV_WRITE")]
        const WRITE = 0x0004;
        /// The peer has shut down its writing side (`EV_CLOSED`).
        #[doc(alias = "EV_CLOSED")]
        const CLOSED = 0x2000;
        /// Edge-triggered (`EV_ET`): reported when readiness changes, so read or write until `WouldBlock`. Without it an event is
        /// level-triggered: reported in every turn while it is ready. All events on one fd must agree.
        #[doc(alias = "EV_ET")]
        const EDGE = 0x8000;
    }
}

bitflags! {
    /// Why an event is handed out. What was found in one turn comes as one hand-out with all its bits.
    ///
    /// Any 16 bits are legal: [`activate`](crate::EventBase::activate) passes on what it is given.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct Ready: u16 {
        /// There is something to read, or the end, or an error to collect (`EV_READ`).
        #[doc(alias = "EV_READ")]
        const READ = 0x0001;
        /// Urgent data.
        const URGENT = 0x0002;
        /// There is room to write, or an error to collect (`EV_WRITE`).
        #[doc(alias = "EV_WRITE")]
        const WRITE = 0x0004;
        /// The descriptor has an error; READ or WRITE is set too where the event waits for it.
        const ERROR = 0x0008;
        /// Both directions are shut down; READ or WRITE is set too where the event waits for it.
        const HANGUP = 0x0010;
        /// The event's time has come (`EV_TIMEOUT`).
        #[doc(alias = "EV_TIMEOUT")]
        const TIMEOUT = 0x0100;
        /// The event's signal has arrived (`EV_SIGNAL`).
        #[doc(alias = "EV_SIGNAL")]
        const SIGNAL = 0x0200;
        /// The event had asked for another turn: [`again`](crate::EventBase::again).
        const AGAIN = 0x0400;
        /// The peer has shut down its writing side (`EV_CLOSED`).
        #[doc(alias = "EV_CLOSED")]
        const CLOSED = 0x2000;
        /// Everything that is said of an fd.
        const IO = 0x201f;
        const _ = !0;
    }
}

impl Ready {
    /// Whether anything is said of the event's fd: that it is readable, writable, closed, in error, hung up, or has urgent data.
    ///
    /// ```
    /// use evcore::Ready;
    ///
    /// assert!((Ready::READ | Ready::TIMEOUT).is_io());
    /// assert!(!Ready::TIMEOUT.is_io());
    /// ```
    #[must_use]
    pub const fn is_io(self) -> bool {
        self.intersects(Self::IO)
    }

    /// There is something to read, or the end, or an error to collect.
    ///
    /// ```
    /// use evcore::Ready;
    ///
    /// assert!((Ready::READ | Ready::WRITE).is_readable());
    /// assert!(!Ready::empty().is_readable());
    /// ```
    #[must_use]
    pub const fn is_readable(self) -> bool {
        self.contains(Self::READ)
    }

    /// There is room to write, or an error to collect.
    ///
    /// ```
    /// use evcore::Ready;
    ///
    /// assert!((Ready::WRITE | Ready::READ).is_writable());
    /// assert!(!Ready::empty().is_writable());
    /// ```
    #[must_use]
    pub const fn is_writable(self) -> bool {
        self.contains(Self::WRITE)
    }

    /// There is urgent data.
    ///
    /// ```
    /// use evcore::Ready;
    ///
    /// assert!((Ready::URGENT | Ready::READ).is_urgent());
    /// assert!(!Ready::empty().is_urgent());
    /// ```
    #[must_use]
    pub const fn is_urgent(self) -> bool {
        self.contains(Self::URGENT)
    }

    /// The peer has shut down its writing side.
    ///
    /// ```
    /// use evcore::Ready;
    ///
    /// assert!((Ready::CLOSED | Ready::READ).is_closed());
    /// assert!(!Ready::empty().is_closed());
    /// ```
    #[must_use]
    pub const fn is_closed(self) -> bool {
        self.contains(Self::CLOSED)
    }

    /// The descriptor has an error, or cannot be watched any more.
    ///
    /// ```
    /// use evcore::Ready;
    ///
    /// assert!((Ready::ERROR | Ready::READ).is_error());
    /// assert!(!Ready::empty().is_error());
    /// ```
    #[must_use]
    pub const fn is_error(self) -> bool {
        self.contains(Self::ERROR)
    }

    /// Both directions are shut down.
    ///
    /// ```
    /// use evcore::Ready;
    ///
    /// assert!((Ready::HANGUP | Ready::READ).is_hangup());
    /// assert!(!Ready::empty().is_hangup());
    /// ```
    #[must_use]
    pub const fn is_hangup(self) -> bool {
        self.contains(Self::HANGUP)
    }

    /// The event's time has come. Something else may have been found as well: see [`is_io`](Ready::is_io).
    ///
    /// ```
    /// use evcore::Ready;
    ///
    /// assert!((Ready::TIMEOUT | Ready::READ).is_timeout());
    /// assert!(!Ready::empty().is_timeout());
    /// ```
    #[must_use]
    pub const fn is_timeout(self) -> bool {
        self.contains(Self::TIMEOUT)
    }

    /// The event's signal has arrived.
    ///
    /// ```
    /// use evcore::Ready;
    ///
    /// assert!((Ready::SIGNAL | Ready::READ).is_signal());
    /// assert!(!Ready::empty().is_signal());
    /// ```
    #[must_use]
    pub const fn is_signal(self) -> bool {
        self.contains(Self::SIGNAL)
    }

    /// The event had asked for another turn: [`again`](crate::EventBase::again).
    ///
    /// ```
    /// use evcore::Ready;
    ///
    /// assert!((Ready::AGAIN | Ready::READ).is_again());
    /// assert!(!Ready::empty().is_again());
    /// ```
    #[must_use]
    pub const fn is_again(self) -> bool {
        self.contains(Self::AGAIN)
    }
}

/// Names an event of a base: a slot, and the generation of what lives there.
///
/// The id of an event that was removed is never another event's: it is an error, or `None`, for ever. An id means nothing
/// to another base.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId {
    pub(crate) slot: u32,
    pub(crate) generation: NonZeroU32,
}

impl EventId {
    /// The id as 64 bits, for tables, logs and C: the generation in the upper half. Never zero.
    ///
    /// ```
    /// # use evcore::backend::Manual;
    /// # use evcore::{Event, EventBase, EventId, Fixed};
    /// # let mut base: EventBase<Manual, Fixed<8>, ()> = EventBase::new(Manual::new());
    /// let id = base.create(Event::user(), ()).unwrap();
    /// assert_eq!(EventId::from_bits(id.to_bits()), Some(id));
    /// ```
    #[must_use]
    #[expect(clippy::as_conversions, reason = "`From` is not const")]
    pub const fn to_bits(self) -> u64 {
        (self.generation.get() as u64) << 32 | self.slot as u64
    }

    /// The id that [`EventId::to_bits`] gave; `None` for bits that no id has.
    ///
    /// ```
    /// use evcore::EventId;
    ///
    /// assert_eq!(EventId::from_bits(0), None);
    /// ```
    #[must_use]
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "the two halves of the word")]
    pub const fn from_bits(bits: u64) -> Option<Self> {
        match NonZeroU32::new((bits >> 32) as u32) {
            Some(generation) => Some(Self { slot: bits as u32, generation }),
            None => None,
        }
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}v{}", self.slot, self.generation)
    }
}

/// What a persistent timer does about periods that it could not be handed out in, because a handler took long.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Missed {
    /// One hand-out stands for all of them ([`Fired::count`](crate::Fired::count) is how many), and the next one comes in
    /// phase with the first.
    #[default]
    Skip,
    /// Each is handed out, one a turn, until the timer has caught up.
    Burst,
    /// None is: the next period begins when the hand-outs of this turn end.
    Delay,
}

/// Where an event comes from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum Source<Fd> {
    Io(Fd, Interest),
    Signal(Signum),
    None,
    Prepare,
    Check,
}

/// What to wait for: the description that an event is created from (`event_new`).
///
/// ```
/// use core::time::Duration;
/// use evcore::{Event, Interest};
///
/// let reader = Event::io(3u32, Interest::READ).persist();
/// let deadline = Event::<u32>::timer().priority(1);
/// let tick = Event::<u32>::timer().persist().background();
/// # let _ = (reader, deadline, tick);
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

    /// An event of an fd. With empty interest it is legal, and silent until [`modify`](crate::EventBase::modify).
    ///
    /// ```
    /// use evcore::{Event, Interest};
    ///
    /// let reader = Event::io(3u32, Interest::READ);
    /// # let _ = reader;
    /// ```
    #[doc(alias = "event_new")]
    #[doc(alias = "event_assign")]
    pub const fn io(fd: Fd, interest: Interest) -> Self {
        Self::from(Source::Io(fd, interest))
    }

    /// An event of a signal (`evsignal_new`).
    ///
    /// ```
    /// use evcore::Event;
    ///
    /// let terminate = Event::<u32>::signal(15).persist();
    /// # let _ = terminate;
    /// ```
    #[doc(alias = "evsignal_new")]
    #[doc(alias = "evsignal_assign")]
    #[doc(alias = "EV_SIGNAL")]
    pub const fn signal(signum: Signum) -> Self {
        Self::from(Source::Signal(signum))
    }

    /// An event of time alone (`evtimer_new`).
    ///
    /// ```
    /// use evcore::Event;
    ///
    /// let timeout = Event::<u32>::timer();
    /// # let _ = timeout;
    /// ```
    #[doc(alias = "evtimer_new")]
    #[doc(alias = "evtimer_assign")]
    pub const fn timer() -> Self {
        Self::from(Source::None)
    }

    /// An event that only [`activate`](crate::EventBase::activate) hands out (`evuser_new`). The same as a timer that is
    /// never given a time.
    ///
    /// ```
    /// use evcore::Event;
    ///
    /// let doorbell = Event::<u32>::user();
    /// # let _ = doorbell;
    /// ```
    #[doc(alias = "evuser_new")]
    pub const fn user() -> Self {
        Self::from(Source::None)
    }

    /// An event that is handed out in each turn, just before the wait (`evwatch_prepare_new`). What it activates shortens
    /// the wait. It never keeps the loop alive.
    ///
    /// ```
    /// # use evcore::backend::Manual;
    /// # use evcore::{Event, EventBase, Fixed, Wait};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
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

    /// An event that is handed out in each turn, first thing after the wait (`evwatch_check_new`).
    ///
    /// ```
    /// # use evcore::backend::Manual;
    /// # use evcore::{Event, EventBase, Fixed, Wait};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.start(Event::check(), "after the wait").unwrap();
    /// assert!(base.poll(Wait::None).unwrap().is_running());
    /// assert_eq!(*base.next_active().unwrap().data, "after the wait");
    /// assert_eq!(base.stats().waits, 1);
    /// ```
    #[doc(alias = "evwatch_check_new")]
    pub const fn check() -> Self {
        let mut event = Self::from(Source::Check);
        event.persist = true;
        event.background = true;
        event
    }

    /// Stays pending when it is handed out, and its timeout starts again (`EV_PERSIST`); see [`add`](crate::EventBase::add).
    ///
    /// ```
    /// use evcore::{Event, Interest};
    ///
    /// let listener = Event::io(3u32, Interest::READ).persist();
    /// # let _ = listener;
    /// ```
    #[doc(alias = "EV_PERSIST")]
    pub const fn persist(mut self) -> Self {
        self.persist = true;
        self
    }

    /// Has a timeout, which starts whenever the event is [started](crate::EventBase::start) or [added](crate::EventBase::add),
    /// and again after each hand-out of a [persistent](Event::persist) event: the idle timeout of a connection, the period of a
    /// timer. A timeout of zero is due in the next turn.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::backend::Manual;
    /// # use evcore::{Event, EventBase, Fixed, Interest, Ready, Wait};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// let reader = Event::io(3, Interest::READ).persist().timeout(Duration::from_secs(60));
    /// base.start(reader, "connection").unwrap();
    /// let event = base.next_event(Wait::Forever).unwrap().unwrap();
    /// assert!(event.ready.is_timeout());
    /// ```
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Is removed after it has been handed out once (`event_base_once`): its data is dropped at the next
    /// [`next_active`](crate::EventBase::next_active) or [`poll`](crate::EventBase::poll).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::backend::Manual;
    /// # use evcore::{Event, EventBase, Fixed, Mode};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
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

    /// How urgent it is: 0 is the most urgent. Without it, the middle of the base's priorities.
    ///
    /// ```
    /// use evcore::Event;
    ///
    /// let urgent = Event::<u32>::user().priority(0);
    /// # let _ = urgent;
    /// ```
    #[doc(alias = "event_priority_set")]
    pub const fn priority(mut self, priority: u8) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Does not keep the loop alive: a loop in which only such events are pending ends.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::backend::Manual;
    /// # use evcore::{Event, EventBase, Fixed};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.start(Event::timer().persist().timeout(Duration::from_secs(1)).background(), "tick").unwrap();
    /// assert!(base.is_empty());
    /// ```
    pub const fn background(mut self) -> Self {
        self.background = true;
        self
    }

    /// What a persistent timer does about missed periods.
    ///
    /// ```
    /// use evcore::options::Missed;
    /// use evcore::Event;
    ///
    /// let tick = Event::<u32>::timer().persist().missed(Missed::Burst);
    /// # let _ = tick;
    /// ```
    pub const fn missed(mut self, missed: Missed) -> Self {
        self.missed = missed;
        self
    }
}

// An id is as small with `Option` as without.
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
        assert_eq!(std::format!("{id:?}"), "5v7");
        // Bits that both halves have.
        let id = EventId { slot: u32::MAX, generation: NonZeroU32::MAX };
        assert_eq!((id.to_bits(), EventId::from_bits(u64::MAX)), (u64::MAX, Some(id)));
    }
}
