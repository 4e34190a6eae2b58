//! The event base, the API over the engine.

use static_assertions::{assert_impl_all, assert_not_impl_any};

use crate::backend::{EventOp, Wake};
use crate::engine::{Effect, Engine, Step};
use crate::event::EventId;
use crate::manual::Manual;
use crate::ready::Ready;
use crate::storage::{Fixed, Storage};
use crate::time::{Instant, Sleep, Wait};

#[cfg(any(test, feature = "check"))]
mod check;
mod control;
mod event;
mod insert;
mod query;
mod run;
mod sleep;
#[cfg(test)]
mod tests;

pub use query::Pending;
pub use run::Mode;
pub use sleep::Asleep;

/// An event base: events, and the loop that waits for them (`struct event_base`).
///
/// `B` is the backend; `S` the storage, [`Fixed<N>`](crate::Fixed) or `Growable`; `T` the data of each event, in place
/// of libevent's callback and argument.
///
/// ```text
///            create                add                       ready, due, or activate
///   (none) ─────────▶ idle ─────────────────▶ pending ─────────────────────────────────▶ active (queued)
///          ◀─────────  ▲ ▲        del            │ ▲                                        │
///            remove    │ └───────────────────────┘ │  persistent: stays pending             │ next_active lends
///                      │                           └────────────────────────────────────────┤ the data
///                      └────────────────────────────────────────────────────────────────────┘
///                                         one-shot: no longer pending
/// ```
///
/// What a program needs first:
///
/// | | |
/// |---|---|
/// | make | [`new`](EventBase::new), [`insert`](EventBase::insert) an fd ([`Interest`](crate::Interest): level, edge), [`insert_timer`](EventBase::insert_timer), [`insert_interval`](EventBase::insert_interval), [`insert_signal`](EventBase::insert_signal), [`insert_wake`](EventBase::insert_wake); [`start`](EventBase::start) any [`Event`](crate::Event) |
/// | wait and hand out | [`next_event`](EventBase::next_event), the whole loop; in batches, [`poll`](EventBase::poll) and [`next_active`](EventBase::next_active); with a handler, [`run`](EventBase::run) |
/// | change | [`modify`](EventBase::modify), [`restart`](EventBase::restart), [`pause_for`](EventBase::pause_for), [`add`](EventBase::add) and [`del`](EventBase::del) |
/// | end | [`remove`](EventBase::remove) an event, [`deregister`](EventBase::deregister) its fd, [`loop_exit`](EventBase::loop_exit) |
/// | ask | [`get_mut`](EventBase::get_mut), [`pending`](EventBase::pending), [`ended`](EventBase::ended), [`stats`](EventBase::stats) |
/// | thread, interrupt, fork | [`waker`](EventBase::waker), [`reinit`](EventBase::reinit) in the child |
///
/// The base is borrowed only until the last use of the event's data, so the body of the loop may create, change and
/// remove any event, the current one included. A *turn* of the loop is one wait and the hand-outs after it;
/// `next_event` begins and ends turns by itself.
/// [The guide](https://github.com/evcore/evcore/blob/main/docs/guide.md) builds a server in seven steps.
///
/// ```
/// use core::time::Duration;
/// use evcore::backend::Manual;
/// use evcore::{EventBase, Fixed, Wait};
///
/// let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
/// base.insert_timer(Duration::from_secs(1), "later").unwrap();
/// base.insert_timer(Duration::from_millis(5), "soon").unwrap();
///
/// let mut order = Vec::new();
/// while let Some(event) = base.next_event(Wait::Forever).unwrap() {
///     order.push(*event.data);
/// }
/// assert_eq!(order, ["soon", "later"]);
/// ```
#[doc(alias = "event_base")]
#[doc(alias = "event_base_free")]
#[doc(alias = "event_base_free_nofinalize")]
#[doc(alias = "event_base_dump_events")]
pub struct EventBase<B: EventOp, S: Storage, T> {
    engine: Engine<B, S, T>,
    /// The base's address when `run` began its last turn, 0 outside of `run`. A base that a handler has moved away has
    /// another address, so it may run there.
    run_at: usize,
    /// Why the loop of [`EventBase::next_event`] ended.
    ended: Option<End>,
}

assert_impl_all!(EventBase<Manual, Fixed<1>, ()>: Send);
assert_not_impl_any!(EventBase<Manual, Fixed<1>, ()>: Sync);

/// An event that is handed out: with its data by [`next_event`](EventBase::next_event) and
/// [`next_active`](EventBase::next_active), without by [`run`](EventBase::run), whose handler gets the base.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
#[doc(alias = "event_self_cbarg")]
pub struct Fired<D = ()> {
    /// The event.
    pub id: EventId,
    /// Why it is handed out: all that was found since its last hand-out.
    pub ready: Ready,
    /// How many signals, or periods of a timer, this stands for; else 1.
    pub count: u32,
    /// The event's data, if it is lent.
    pub data: D,
}

impl<'a, T> Fired<&'a mut T> {
    #[inline(always)]
    fn of_one((id, ready, data): (EventId, Ready, &'a mut T)) -> (Self, bool) {
        (Self { id, ready, count: 1, data }, false)
    }
}

/// The result of [`EventBase::poll`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "check `is_running()`, or the loop never ends"]
pub enum Turn {
    /// A turn has begun: call `next_active` until it returns `None`. It may do so at once, as after a wake.
    Running,
    /// A turn of [prepare](crate::Event::prepare) events has begun; the wait is still to come.
    Prepare,
    /// There is no turn.
    Ended(End),
}

impl Turn {
    /// Whether a turn of either kind has begun.
    #[must_use]
    pub const fn is_running(self) -> bool {
        !matches!(self, Self::Ended(_))
    }
}

/// Why a loop ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
#[repr(u8)]
pub enum End {
    /// Nothing that keeps the loop alive is pending or active.
    // No variant is zero, so that `None` is, and a new base is all zeros.
    Empty = 1,
    /// [`EventBase::loop_exit`], or the time of [`loop_exit_after`](EventBase::loop_exit_after).
    #[doc(alias = "event_base_got_exit")]
    Exit,
    /// [`EventBase::loop_break`].
    #[doc(alias = "event_base_got_break")]
    Break,
    /// One turn was requested, and has handed out events or was ended by a waker.
    Once,
    /// Nothing was ready, and no wait was requested.
    NotReady,
}

impl<B: EventOp, S: Storage, T> EventBase<B, S, T> {
    /// A base without events (`event_base_new`). In a `static` it is all zeros if the backend is.
    ///
    /// ```
    /// use evcore::backend::Manual;
    /// use evcore::{EventBase, Fixed};
    ///
    /// const BASE: EventBase<Manual, Fixed<16>, u8> = EventBase::new(Manual::new());
    /// assert!(BASE.is_empty());
    /// ```
    #[doc(alias = "event_base_new")]
    #[must_use]
    pub const fn new(backend: B) -> Self {
        Self { engine: Engine::new(backend), run_at: 0, ended: None }
    }

    /// Begins a turn (`event_base_loop`): waits, and queues what is ready for [`next_active`](EventBase::next_active).
    ///
    /// With [`Wait::Forever`] the loop ends when nothing is pending; with any other wait it does not. To wait for a
    /// waker alone, wait until [`Instant::MAX`]. Active events, expired timers and wakers shorten any wait.
    ///
    /// If there are [prepare](crate::Event::prepare) events, every second call does not wait: it begins a turn of these
    /// and returns [`Turn::Prepare`].
    ///
    /// # Errors
    ///
    /// When the backend cannot wait. Nothing is lost, and `poll` may be called again.
    ///
    /// ```
    /// use evcore::backend::Manual;
    /// use evcore::{End, EventBase, Fixed, Turn, Wait};
    ///
    /// let mut base: EventBase<Manual, Fixed<8>, ()> = EventBase::new(Manual::new());
    /// assert_eq!(base.poll(Wait::Forever), Ok(Turn::Ended(End::Empty)));
    /// assert_eq!(base.poll(Wait::None), Ok(Turn::Running));
    /// ```
    #[doc(alias = "event_base_loop")]
    #[inline]
    pub fn poll(&mut self, wait: Wait) -> Result<Turn, B::Error> {
        let sleep = self.engine.sleep(wait);
        self.engine.poll(sleep)
    }

    /// Hands out the next active event of this turn: takes it off its queue, and re-arms it or ends its wait.
    ///
    /// `None` ends the turn's hand-outs: nothing is active, the turn's limit was reached, or a break or continue was
    /// requested.
    ///
    /// ```
    /// use evcore::backend::Manual;
    /// use evcore::{Event, EventBase, Fixed, Ready, Wait};
    ///
    /// let mut base: EventBase<Manual, Fixed<8>, u32> = EventBase::new(Manual::new());
    /// let event = base.create(Event::user(), 0).unwrap();
    /// base.activate(event, Ready::READ).unwrap();
    /// assert!(base.poll(Wait::None).unwrap().is_running());
    /// let fired = base.next_active().unwrap();
    /// *fired.data += 1;
    /// assert_eq!((fired.id, fired.ready), (event, Ready::READ));
    /// assert!(base.next_active().is_none());
    /// ```
    // Small and inlined; the rare cases are out of line. A call would cost half as much again.
    #[inline(always)]
    pub fn next_active(&mut self) -> Option<Fired<&mut T>> {
        self.next().map(|(fired, _)| fired)
    }

    /// The next active event, and whether it is a watcher.
    #[inline(always)]
    fn next(&mut self) -> Option<(Fired<&mut T>, bool)> {
        if S::IS_SMALL {
            return self.next_of_any_kind();
        }
        if self.engine.next_effect() == Effect::Unknown {
            if self.engine.end_if_done() {
                return None;
            }
            self.engine.choose_level();
        }
        // Constant arguments let the compiler look up the slot once.
        match self.engine.next_effect() {
            Effect::None => self.engine.hand_out_next(false).map(Fired::of_one),
            Effect::Restart => self.engine.hand_out_next(true).map(Fired::of_one),
            Effect::More | Effect::Unknown => {
                // Copied: otherwise the fast paths, too, return through the memory that the call writes to.
                let (Fired { id, ready, count, data }, is_watcher) = self.next_of_any_kind()?;
                Some((Fired { id, ready, count, data }, is_watcher))
            }
        }
    }

    /// As [`EventBase::next`], for every effect and with all checks.
    #[inline(never)]
    fn next_of_any_kind(&mut self) -> Option<(Fired<&mut T>, bool)> {
        let (index, ready, count) = self.engine.next()?;
        let is_watcher = self.engine.is_watcher(index);
        let (id, data) = self.engine.lend(index)?;
        Some((Fired { id, ready, count, data }, is_watcher))
    }

    /// Hands out the next active event, and waits if there is none: the whole loop in one call, as in the example of
    /// [`EventBase`].
    ///
    /// Turns begin and end inside, as with [`poll`](EventBase::poll) and [`next_active`](EventBase::next_active).
    /// `Ok(None)` means that the loop has ended ([`ended`](EventBase::ended) says why), or that `wait` is over (`ended`
    /// is `None`). `wait` counts from each call. Wakers do not end it: they appear as
    /// [`Event::wake`](crate::Event::wake) events.
    ///
    /// # Errors
    ///
    /// When the backend cannot wait. Nothing is lost, and `next_event` may be called again.
    #[doc(alias = "event_base_loop")]
    #[doc(alias = "event_base_dispatch")]
    #[inline(always)]
    pub fn next_event(&mut self, wait: Wait) -> Result<Option<Fired<&mut T>>, B::Error> {
        let taken = match self.engine.next_effect() {
            _ if S::IS_SMALL => self.advance(wait)?,
            Effect::None | Effect::Restart => Step::First,
            Effect::More | Effect::Unknown => self.advance(wait)?,
        };
        Ok(match taken {
            Step::First if S::IS_SMALL => None,
            Step::First => self.next_active(),
            Step::Taken(index, ready, count) => {
                self.engine.lend(index).map(|(id, data)| Fired { id, ready, count, data })
            }
            Step::Done => None,
        })
    }

    /// Goes on to the next event, if necessary through the end of this turn and the next wait.
    // A call only where a turn begins; other hand-outs are inlined.
    #[inline(never)]
    fn advance(&mut self, wait: Wait) -> Result<Step<S::Index>, B::Error> {
        let mut step = self.engine.step();
        let sleep = if matches!(step, Step::Done) { self.engine.sleep(wait) } else { Sleep::None };
        while matches!(step, Step::Done) {
            let turn = self.engine.poll(sleep)?;
            self.ended = match turn {
                Turn::Ended(end) => Some(end),
                Turn::Running | Turn::Prepare => None,
            };
            if self.ended.is_some() {
                break;
            }
            step = self.engine.step();
            if turn == Turn::Running && matches!(step, Step::Done) && self.engine.is_over(sleep) {
                break;
            }
        }
        Ok(step)
    }

    /// Why [`next_event`](EventBase::next_event) last returned `None`; `None` if its wait was over and nothing had
    /// happened. (`event_base_got_exit`, `event_base_got_break`.)
    ///
    /// ```
    /// use evcore::backend::Manual;
    /// use evcore::{End, EventBase, Fixed, Wait};
    ///
    /// let mut base: EventBase<Manual, Fixed<8>, ()> = EventBase::new(Manual::new());
    /// assert!(base.next_event(Wait::None).unwrap().is_none());
    /// assert_eq!(base.ended(), None);
    /// base.loop_exit();
    /// assert!(base.next_event(Wait::None).unwrap().is_none());
    /// assert_eq!(base.ended(), Some(End::Exit));
    /// ```
    #[doc(alias = "event_base_got_exit")]
    #[doc(alias = "event_base_got_break")]
    #[must_use]
    pub const fn ended(&self) -> Option<End> {
        self.ended
    }

    // The clock.

    /// The time (`event_base_gettimeofday_cached`). During a turn's hand-outs the clock is read once, and again by
    /// [`update_now`](EventBase::update_now); outside of them by each call.
    ///
    /// ```
    /// use core::time::Duration;
    /// use evcore::backend::Manual;
    /// use evcore::{EventBase, Fixed, Wait};
    ///
    /// let mut base: EventBase<Manual, Fixed<8>, ()> = EventBase::new(Manual::new());
    /// let before = base.now();
    /// base.backend_mut().advance(Duration::from_secs(1));
    /// assert_eq!(base.now().saturating_since(before), Duration::from_secs(1));
    ///
    /// base.insert_timer(Duration::ZERO, ()).unwrap();
    /// assert!(base.poll(Wait::None).unwrap().is_running());
    /// assert!(base.next_active().is_some());
    /// let of_the_turn = base.now();
    /// base.backend_mut().advance(Duration::from_secs(1));
    /// assert_eq!(base.now(), of_the_turn);
    /// assert_eq!(base.update_now(), of_the_turn + Duration::from_secs(1));
    /// ```
    #[inline]
    #[doc(alias = "event_base_gettimeofday_cached")]
    #[must_use]
    pub fn now(&self) -> Instant {
        self.engine.now()
    }

    /// Reads the backend's clock for the rest of this turn (`event_base_update_cache_time`): see [`now`](EventBase::now).
    #[doc(alias = "event_base_update_cache_time")]
    pub fn update_now(&self) -> Instant {
        self.engine.update_now()
    }
}

impl<B: Wake, S: Storage, T> EventBase<B, S, T> {
    /// A waker, which wakes this base from another thread, a signal handler or an interrupt.
    ///
    /// # Errors
    ///
    /// When the backend cannot make one.
    ///
    /// ```
    /// use evcore::backend::{Manual, WakeFlag};
    /// use evcore::{EventBase, Fixed, Instant, Wait};
    ///
    /// static FLAG: WakeFlag = WakeFlag::new();
    /// let mut base: EventBase<Manual, Fixed<8>, ()> = EventBase::new(Manual::new().with_flag(&FLAG));
    /// let waker = base.waker().unwrap();
    /// waker.wake();
    /// assert!(base.poll(Wait::Until(Instant::MAX)).unwrap().is_running());
    /// ```
    #[doc(alias = "evthread_make_base_notifiable")]
    pub fn waker(&mut self) -> Result<B::Waker, B::Error> {
        self.engine.waker()
    }
}
