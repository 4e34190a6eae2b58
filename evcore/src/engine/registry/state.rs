//! An event's kind, options and stage of life.

use core::fmt;
use core::marker::PhantomData;

use bitflags::bitflags;

use crate::event::{Event, Missed, Source};
use crate::storage::{Part, Storage};

/// Kind, options, life and timing of an event, in two bytes.
///
/// ```text
///   bits   15        │ 14  │ 13    │ 12     │ 11 10  │ 9 8  │ 7 6  │ 5 … 0
///          each turn │ had │ keeps │ listed │ timing │ life │ kind │ options
/// ```
///
/// It knows its storage: code for kinds without a table is left out.
pub(in crate::engine) struct State<S>(u16, PhantomData<fn() -> S>);

impl<S> Clone for State<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for State<S> {}

impl<S> Default for State<S> {
    fn default() -> Self {
        Self::from_bits(0)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub(in crate::engine) enum Kind {
    /// Nothing: a timer or a user event.
    Plain = 0,
    /// Readiness of an fd.
    Io = 1,
    Signal = 2,
    /// The wait itself: a prepare, check or wake event.
    Watcher = 3,
}

bitflags! {
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub(in crate::engine) struct Options: u16 {
        /// Not pending after its hand-out.
        const ONE_SHOT = 1;
        /// Removed after its hand-out.
        const ONCE = 2;
        /// A signal's hand-out carries a count, and a watcher's is distinguished.
        const UNUSUAL = 4;
        /// Does not keep the loop alive.
        const BACKGROUND = 8;
        const BURST = 16;
        const DELAY = 32;
    }
}

/// Whether an event's fd, signal or watcher is registered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub(in crate::engine) enum Life {
    Idle = 0,
    Registered = 1,
    /// Registered, but not watched until its timer ends the pause.
    Paused = 2,
}

/// Whether an event has a timeout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub(in crate::engine) enum Timing {
    None = 0,
    /// Starts when the event is added, or restarts when its pause ends.
    Suspended = 1,
    /// In the heap, or expired and queued.
    Armed = 2,
    /// In the heap; restarts at the end of this turn's hand-outs, or has restarted and is not settled.
    Restarting = 3,
}

const KIND: u32 = 6;
const LIFE: u32 = 8;
const TIMING: u32 = 10;
/// The slot is in the list of restarts, for this event or an earlier one.
const LISTED: u16 = 1 << 12;
/// The event was made with a timeout, which each `add` starts.
const KEEPS: u16 = SUSPENDED << KEPT;
/// Distance from `KEEPS` to `Timing::Suspended`.
const KEPT: u32 = 3;
const SUSPENDED: u16 = 1 << TIMING;
/// It was given a timeout that `restart` can count again.
const HAD: u16 = 1 << 14;
const EACH_TURN: u16 = 1 << 15;
/// Set in `Timing::Armed` and `Timing::Restarting`.
const TIMED: u16 = 2 << TIMING;
const RESTARTING: u16 = 3 << TIMING;

impl<S> State<S> {
    #[inline(always)]
    const fn from_bits(bits: u16) -> Self {
        Self(bits, PhantomData)
    }
}

#[expect(clippy::as_conversions, reason = "enums are packed as their numbers")]
impl<S: Storage> State<S> {
    pub(in crate::engine) fn of<Fd>(event: &Event<Fd>) -> Self {
        let kind = match event.source {
            Source::Io(..) => Kind::Io,
            Source::Signal(_) => Kind::Signal,
            Source::Prepare | Source::Check | Source::Wake => Kind::Watcher,
            Source::None => Kind::Plain,
        };
        let mut options = Options::empty();
        options.set(Options::ONE_SHOT, !event.persist);
        options.set(Options::ONCE, event.once);
        options.set(Options::UNUSUAL, matches!(kind, Kind::Signal | Kind::Watcher));
        options.set(Options::BACKGROUND, event.background);
        options.set(Options::BURST, event.missed == Missed::Burst);
        options.set(Options::DELAY, event.missed == Missed::Delay);
        let each_turn = if matches!(event.source, Source::Prepare | Source::Check) { EACH_TURN } else { 0 };
        let state = Self::from_bits(options.bits() | (kind as u16) << KIND | each_turn);
        if event.timeout.is_some() { Self::from_bits(state.0 | KEEPS).with_timing(Timing::Suspended) } else { state }
    }

    #[inline(always)]
    const fn is_known(kind: Kind) -> bool {
        match kind {
            Kind::Plain => true,
            Kind::Io => S::HAS_FDS,
            Kind::Signal => S::HAS_SIGNALS,
            Kind::Watcher => S::HAS_WATCHERS,
        }
    }

    #[inline]
    pub(in crate::engine) const fn is_of(self, kind: Kind) -> bool {
        if matches!(kind, Kind::Plain) && !(S::HAS_FDS || S::HAS_SIGNALS || S::HAS_WATCHERS) {
            return true;
        }
        Self::is_known(kind) && self.0 & 3 << KIND == (kind as u16) << KIND
    }

    #[inline]
    pub(in crate::engine) const fn kind(self) -> Kind {
        match self.0 >> KIND & 3 {
            1 if S::HAS_FDS => Kind::Io,
            2 if S::HAS_SIGNALS => Kind::Signal,
            3 if S::HAS_WATCHERS => Kind::Watcher,
            _ => Kind::Plain,
        }
    }

    #[inline]
    pub(in crate::engine) const fn has(self, option: Options) -> bool {
        self.0 & option.bits() & Self::OPTIONS != 0
    }

    const OPTIONS: u16 = {
        let unusual = if S::HAS_SIGNALS || S::HAS_WATCHERS { 0 } else { Options::UNUSUAL.bits() };
        let once = if S::Once::IS_KEPT { 0 } else { Options::ONCE.bits() };
        !(unusual | once)
    };
    /// Options for which a hand-out changes more than the timeout.
    const CHANGED: u16 = Options::ONE_SHOT.union(Options::ONCE).union(Options::UNUSUAL).bits() & Self::OPTIONS;

    pub(in crate::engine) const fn missed(self) -> Missed {
        if self.has(Options::BURST) {
            Missed::Burst
        } else if self.has(Options::DELAY) {
            Missed::Delay
        } else {
            Missed::Skip
        }
    }

    #[inline]
    pub(in crate::engine) const fn is_watching(self) -> bool {
        Self::IS_EVER_REGISTERED && self.0 & 3 << LIFE == (Life::Registered as u16) << LIFE
    }

    /// Plain events are never registered.
    const IS_EVER_REGISTERED: bool = S::HAS_FDS || S::HAS_SIGNALS || S::HAS_WATCHERS;

    /// Whether it has a timer, for its timeout or the end of its pause.
    #[inline]
    pub(in crate::engine) const fn has_timer(self) -> bool {
        self.is_timed() || matches!(self.life(), Life::Paused)
    }

    /// Whether it waits for its timeout alone.
    #[inline]
    pub(in crate::engine) const fn is_running_timer(self) -> bool {
        self.0 & (3 << KIND | 3 << LIFE | 3 << TIMING) == (Timing::Armed as u16) << TIMING
    }

    pub(in crate::engine) const fn life(self) -> Life {
        match self.0 >> LIFE & 3 {
            0 => Life::Idle,
            1 => Life::Registered,
            _ if S::HAS_FDS && S::Pauses::IS_KEPT => Life::Paused,
            _ => Life::Idle,
        }
    }

    pub(in crate::engine) const fn with_life(self, life: Life) -> Self {
        Self::from_bits(self.0 & !(3 << LIFE) | (life as u16) << LIFE)
    }

    #[inline]
    pub(in crate::engine) const fn timing(self) -> Timing {
        match self.0 >> TIMING & 3 {
            0 => Timing::None,
            1 => Timing::Suspended,
            2 => Timing::Armed,
            _ => Timing::Restarting,
        }
    }

    #[inline]
    pub(in crate::engine) const fn with_timing(self, timing: Timing) -> Self {
        Self::from_bits(self.0 & !(3 << TIMING) | (timing as u16) << TIMING)
    }

    /// Restarts the timeout at the end of the hand-outs. Returns whether the slot must be listed.
    #[inline]
    pub(in crate::engine) const fn restart(&mut self) -> bool {
        let is_listed = self.is_listed();
        self.0 |= LISTED | RESTARTING;
        !is_listed
    }

    /// Unlists the slot. Returns whether the timeout still restarts: the event may have another timeout by now, or be
    /// another event.
    #[inline]
    pub(in crate::engine) const fn end_restart(&mut self) -> bool {
        if self.0 & RESTARTING != RESTARTING {
            return self.unlist();
        }
        // Armed, but for one bit.
        self.0 &= !(LISTED | RESTARTING ^ TIMED);
        true
    }

    #[cold]
    const fn unlist(&mut self) -> bool {
        self.0 &= !LISTED;
        false
    }

    #[inline]
    pub(in crate::engine) const fn is_listed(self) -> bool {
        self.0 & LISTED != 0
    }

    /// This state, in a slot that was in state `old`.
    pub(in crate::engine) const fn listed_as(self, old: Self) -> Self {
        Self::from_bits(self.0 | old.0 & LISTED)
    }

    pub(in crate::engine) const fn disarmed(self) -> Self {
        // `Suspended` if it keeps a timeout.
        Self::from_bits(self.0 & !(3 << LIFE | 3 << TIMING) | (self.0 & KEEPS) >> KEPT)
    }

    /// The same event with its timeout stopped: `Suspended` if it keeps one.
    pub(in crate::engine) const fn without_timeout(self) -> Self {
        Self::from_bits(self.0 & !(3 << TIMING) | (self.0 & KEEPS) >> KEPT)
    }

    /// Whether it was made with a timeout, which each `add` starts.
    #[cfg(any(test, feature = "check"))]
    pub(in crate::engine) const fn keeps_timeout(self) -> bool {
        self.0 & KEEPS != 0
    }

    pub(in crate::engine) const fn untimed(self) -> Self {
        Self::from_bits(self.0 & !(KEEPS | HAD)).with_timing(Timing::None)
    }

    #[inline]
    pub(in crate::engine) const fn given_timeout(self) -> Self {
        Self::from_bits(self.0 | HAD).with_timing(Timing::Armed)
    }

    pub(in crate::engine) const fn had_timeout(self) -> bool {
        self.0 & (3 << TIMING | HAD) != 0
    }

    /// Whether its timeout may restart, by itself or with `add`: not for a one-shot timer without a timeout of its own.
    pub(in crate::engine) const fn uses_interval(self) -> bool {
        !self.is_of(Kind::Plain) || !self.has(Options::ONE_SHOT) || self.0 & KEEPS != 0
    }

    /// Whether a hand-out does not change the event.
    #[inline]
    pub(in crate::engine) const fn is_plain(self) -> bool {
        self.0 & (Self::CHANGED | TIMED) == 0
    }

    /// Whether a hand-out changes at most the event's timeout.
    #[inline]
    pub(in crate::engine) const fn is_simple(self) -> bool {
        self.0 & Self::CHANGED == 0
    }

    /// Whether it is an event on an fd in this stage of life, without a timeout, which keeps the loop alive.
    #[inline]
    pub(in crate::engine) const fn is_bare_io(self, life: Life) -> bool {
        const REST: u16 = 3 << KIND | 3 << LIFE | 3 << TIMING | Options::BACKGROUND.bits();
        S::HAS_FDS && self.0 & REST == (Kind::Io as u16) << KIND | (life as u16) << LIFE
    }

    /// Whether its timeout runs or has expired.
    #[inline]
    pub(in crate::engine) const fn is_timed(self) -> bool {
        self.0 & TIMED != 0
    }

    pub(in crate::engine) const fn is_registered(self) -> bool {
        Self::IS_EVER_REGISTERED && self.0 & (3 << LIFE) != 0
    }

    pub(in crate::engine) const fn is_of_each_turn(self) -> bool {
        S::HAS_WATCHERS && self.0 & EACH_TURN != 0
    }

    pub(in crate::engine) const fn is_pending(self) -> bool {
        self.is_registered() || self.is_timed()
    }

    /// Whether its fd, signal or watcher is not registered yet, or paused.
    pub(in crate::engine) const fn is_to_be_registered(self) -> bool {
        Self::IS_EVER_REGISTERED && !self.is_of(Kind::Plain) && !self.is_watching()
    }
}

impl<S: Storage> fmt::Debug for State<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} {:?} {:#x}", self.kind(), self.life(), self.timing(), self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Fixed, Lean};

    const KINDS: [Kind; 4] = [Kind::Plain, Kind::Io, Kind::Signal, Kind::Watcher];
    const LIVES: [Life; 3] = [Life::Idle, Life::Registered, Life::Paused];
    const TIMINGS: [Timing; 4] = [Timing::None, Timing::Suspended, Timing::Armed, Timing::Restarting];

    type Full = State<Fixed<4>>;

    fn state<S: Storage>(kind: Kind, life: Life, timing: Timing, rest: u16) -> State<S> {
        State::from_bits((kind as u16) << KIND | rest).with_life(life).with_timing(timing)
    }

    #[test]
    fn a_clone_is_a_copy() {
        let state: Full = state(Kind::Io, Life::Paused, Timing::Armed, 0);
        assert!(std::vec![state; 2].iter().all(|clone| clone.0 == state.0));
    }

    #[test]
    fn each_question_is_about_its_bits() {
        for kind in KINDS {
            for (life, timing) in LIVES.into_iter().flat_map(|life| TIMINGS.map(|timing| (life, timing))) {
                for options in (0..64).map(Options::from_bits_retain) {
                    let keeps = if options.contains(Options::BURST) { KEEPS } else { 0 };
                    let state: Full = state(kind, life, timing, options.bits() | keeps);
                    let is_timed = matches!(timing, Timing::Armed | Timing::Restarting);
                    let changes = Options::ONE_SHOT | Options::ONCE | Options::UNUSUAL;
                    assert_eq!((state.kind(), state.life(), state.timing()), (kind, life, timing));
                    assert_eq!(KINDS.map(|kind| state.is_of(kind)), KINDS.map(|other| other == kind), "{state:?}");
                    let is_running = (kind, life, timing) == (Kind::Plain, Life::Idle, Timing::Armed);
                    assert_eq!(state.is_running_timer(), is_running, "{state:?}");
                    assert_eq!(state.is_simple(), !options.intersects(changes), "{state:?}");
                    assert_eq!(state.is_plain(), state.is_simple() && !is_timed, "{state:?}");
                    let is_bare = kind == Kind::Io && timing == Timing::None && !options.contains(Options::BACKGROUND);
                    let bare_in = LIVES.map(|other| is_bare && other == life);
                    assert_eq!(LIVES.map(|life| state.is_bare_io(life)), bare_in, "{state:?}");
                    let is_lone_shot = kind == Kind::Plain && options.contains(Options::ONE_SHOT) && keeps == 0;
                    assert_eq!(state.uses_interval(), !is_lone_shot, "{state:?}");
                }
            }
        }
    }

    /// The bits of a kind without a table are never set; if they were, they would mean nothing.
    #[test]
    fn kinds_without_a_table_are_not_known() {
        type Leanest = State<Fixed<4, 0, 1, Lean>>;
        for (kind, life) in KINDS.into_iter().flat_map(|kind| LIVES.map(|life| (kind, life))) {
            let state: Leanest = state(kind, life, Timing::None, 0);
            assert_eq!((state.kind(), state.is_of(Kind::Plain)), (Kind::Plain, true));
            assert_eq!([Kind::Io, Kind::Signal, Kind::Watcher].map(|kind| state.is_of(kind)), [false; 3]);
            assert_ne!(state.life(), Life::Paused);
        }
        let timer: Full = state(Kind::Plain, Life::Idle, Timing::Armed, 0);
        assert!(std::format!("{timer:?}").starts_with("Plain Idle Armed"));
        let with_fds: State<Fixed<4, 4, 1, Lean>> = state(Kind::Io, Life::Paused, Timing::None, 0);
        assert!(with_fds.is_of(Kind::Io) && !with_fds.is_of(Kind::Plain));
        assert_eq!(with_fds.life(), Life::Idle, "it has no pauses");
    }
}
