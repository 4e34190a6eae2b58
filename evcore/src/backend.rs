//! The contract between the core and what it runs on.
//!
//! A backend is a few operations. The core keeps everything else: which events watch an fd, what they ask for together,
//! what has changed since the last wait. So a backend never sees two registrations of one fd, never has to merge changes,
//! and never has to look an event up.

use core::fmt::{self, Debug};

use bitflags::bitflags;

use crate::ready::{Interest, Ready};
use crate::time::Instant;

mod split;

pub use crate::base::Asleep;
pub use crate::either::Either;
pub use crate::manual::{Manual, ManualError, ManualSleeper};
pub use crate::time::Sleep;
pub use crate::wake::WakeFlag;
pub use split::{Sleeper, Split};

/// What a backend waits on: a file descriptor, a pin, an interrupt number.
///
/// The number is what the core finds the events of a descriptor by. It need not be small: the map hashes numbers, and storage of
/// a fixed capacity up to 64 compares them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be what a backend watches",
    label = "a backend's `Fd` is a small number that names a source",
    note = "on Unix take `evcore::Fd` (feature `std`), elsewhere `u8`, `u16`, `u32` or a type of your own that implements `evcore::backend::Descriptor`"
)]
pub trait Descriptor: Copy + Eq + Debug {
    /// The number that stands for this descriptor, different from every other one's.
    fn number(self) -> u32;
}

macro_rules! numbers {
    ($($int:ty),*) => { $(
        impl Descriptor for $int {
            fn number(self) -> u32 {
                self.into()
            }
        }
    )* };
}
numbers!(u8, u16, u32);

/// A signal's number, as `<signal.h>` counts them; on bare metal whatever the backend counts.
pub type Signum = i32;

/// Names one registration of one fd, and no earlier or later one: a place in the core's fd map, and its generation.
///
/// A backend stores the token beside the fd (as the 64 bits of `epoll_event.data`, for instance) and returns it with each
/// report. A report of a registration that has ended is recognised by its generation and dropped.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token(u64);

impl Token {
    /// No registration's token, for what a backend watches on its own behalf. A report that carries it is dropped, and not
    /// counted as stale.
    pub const NONE: Self = Self(u64::MAX);

    #[expect(clippy::as_conversions, reason = "`From` is not const")]
    pub(crate) const fn new(row: u32, generation: u32) -> Self {
        Self((row as u64) << 32 | generation as u64)
    }

    #[inline]
    #[expect(clippy::as_conversions, reason = "the upper half of the word")]
    pub(crate) const fn row(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[inline]
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "the lower half of the word")]
    pub(crate) const fn generation(self) -> u32 {
        self.0 as u32
    }

    /// The token as 64 bits: the place in the upper half, the generation, which is compared straight from the word, in the lower.
    ///
    /// ```
    /// use evcore::backend::Token;
    ///
    /// assert_eq!(Token::from_bits(7).to_bits(), 7);
    /// ```
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The token that [`Token::to_bits`] gave. Any other bits make a token that the core does not know.
    ///
    /// ```
    /// use evcore::backend::Token;
    ///
    /// assert_eq!(Token::from_bits(u64::MAX), Token::NONE);
    /// ```
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}v{})", self.row(), self.generation())
    }
}

bitflags! {
    /// What a backend can do, beyond READ and WRITE on level-triggered descriptors (`EV_FEATURE_*`).
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    #[doc(alias = "event_method_feature")]
    pub struct Features: u16 {
        /// Edge-triggered readiness (`EV_FEATURE_ET`).
        #[doc(alias = "EV_FEATURE_ET")]
        const EDGE = 1;
        /// A wait costs the same however many descriptors are registered (`EV_FEATURE_O1`).
        #[doc(alias = "EV_FEATURE_O1")]
        const O1 = 2;
        /// Regular files and other descriptors that never block can be registered; they are always ready (`EV_FEATURE_FDS`).
        #[doc(alias = "EV_FEATURE_FDS")]
        const FILES = 4;
        /// Tells that the peer shut down its writing side: [`Interest::CLOSED`] (`EV_FEATURE_EARLY_CLOSE`).
        #[doc(alias = "EV_FEATURE_EARLY_CLOSE")]
        const CLOSED = 8;
        /// Urgent data: [`Interest::URGENT`].
        const URGENT = 16;
        /// Reports [`Ready::ERROR`] and [`Ready::HANGUP`] as themselves; without it they show as READ and WRITE alone.
        const ERRORS = 32;
        /// Signals can be watched: [`EventOp::signals`] answers.
        const SIGNALS = 64;
    }
}

/// How a changed registration was found. See [`EventOp::modify`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Modified {
    /// As it was left.
    Kept,
    /// The system had lost it: the descriptor was closed without `del`, and its number now names another one. The backend has
    /// registered that one; the events that watched the old descriptor get ERROR.
    Replaced,
}

/// Access to the data that a backend keeps for each registered fd, inside the core's fd map.
#[diagnostic::on_unimplemented(
    message = "`{Self}` gives no access to what is kept for each fd",
    note = "the core passes one to each call of `EventOp`; a test of a backend needs a small type that answers `None`"
)]
pub trait FdInfos<I> {
    /// The data of one registration; `None` when it has ended.
    fn info(&mut self, token: Token) -> Option<&mut I>;
}

/// Where a backend's [`dispatch`](EventOp::dispatch) puts what it found.
#[diagnostic::on_unimplemented(
    message = "`{Self}` takes no reports of `{Fd}`",
    note = "the core passes one to `EventOp::dispatch`; a test of a backend needs a small type that records what is reported"
)]
pub trait Sink<Fd> {
    /// Reports that the registration `token` is ready for `ready`. The events that this concerns are queued at once.
    ///
    /// `false`: the registration has ended; the report was dropped and counted. When such reports keep coming, the core
    /// rebuilds the backend, see [`EventOp::reinit`].
    ///
    /// `ready` MUST NOT be empty, or an event may be handed out without a reason. Bits that no event waits for are dropped; ERROR
    /// and HANGUP reach every event of the fd. A registration may be reported more than once: the bits are joined.
    fn ready(&mut self, token: Token, ready: Ready) -> bool;

    /// As [`ready`](Sink::ready), by descriptor: for backends that keep no tokens. Costs a look-up in the fd map.
    fn ready_fd(&mut self, fd: Fd, ready: Ready) -> bool;

    /// Reports that the system has ended this registration by itself: its events get ERROR.
    fn failed(&mut self, token: Token);

    /// The signal arrived `count` times since it was last reported. Zero is ignored.
    fn signal(&mut self, signum: Signum, count: u32);

    /// A waker of this backend was used since the last `dispatch` began to wait. MUST be called by the `dispatch`, or
    /// [`look`](EventOp::look), that such a wake has ended, once for any number of them; and again by the next one if this
    /// `dispatch` fails. MAY be called when something else came by the same means: a signal, an interrupt.
    fn woken(&mut self);

    /// Asks for a rebuild: before the next wait the core calls [`EventOp::reinit`] and registers everything again. When that
    /// fails the core tries again later by itself; until then further requests change nothing.
    fn rebuild(&mut self);

    /// The descriptor of a registration: for a backend whose system reports tokens alone, and that looks now and then whether
    /// the number still stands for the same file. `None`: the registration has ended, or this sink does not know.
    fn fd_of(&self, token: Token) -> Option<Fd> {
        let _ = token;
        None
    }

    /// The registration after this one, in no particular order; the first one after [`Token::NONE`], and none after the last.
    fn next_registration(&self, after: Token) -> Option<(Token, Fd)> {
        let _ = after;
        None
    }
}

/// What an event base runs on: libevent's `struct eventop`.
///
/// The core calls these; an application only chooses the type. Each sentence with a MUST is a case of the conformance suite.
///
/// # Contract
///
/// 1. [`add`](EventOp::add) MUST take effect at once: what is ready at the next `dispatch` is reported. After an error
///    nothing is registered and nothing is left behind.
/// 2. Just before `dispatch` the core calls [`modify`](EventOp::modify) or [`del`](EventOp::del) once for each registered fd
///    whose interest has changed since the last time, and not at all where changes cancel out. (A second `modify` follows one
///    that answered [`Modified::Replaced`].) `add`, and `del` for an fd's last event, come at any time.
/// 3. After `del` nothing of that registration MUST be reported as another's: reports carry the [`Token`] of the
///    registration they belong to.
/// 4. `dispatch` MUST return when something is ready, when the clock has reached the point given, when a waker of this
///    backend was used since the last `dispatch` began to wait, or when a watched signal arrived; it MAY return earlier with
///    nothing found. It MAY report a registration more than once in a call: the bits are joined. It MUST NOT spin on a
///    descriptor that no event has an interest in, and MUST let no ready descriptor starve another one for ever.
/// 5. Level-triggered registrations MUST be reported by each `dispatch` for as long as they are ready; with
///    [`Interest::EDGE`] at least once for each change after the registration, and once for what was ready before it.
/// 6. [`now`](EventOp::now) MUST be monotonic and as precise as waits are; a timer is due when `now` says so.
/// 7. An interrupted wait (`EINTR`) MUST NOT be an error.
/// 8. No call may panic, block (except `dispatch`) or allocate after the `add` that it belongs to.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a backend",
    label = "the first parameter of `EventBase` is what it runs on: `Manual`, a platform crate's `Epoll`, `Poll` or `Select`, or your own type",
    note = "a backend implements `evcore::backend::EventOp`; docs/writing-a-backend.md in evcore's repository shows how"
)]
pub trait EventOp {
    /// What is registered.
    type Fd: Descriptor;
    /// What the backend wants kept for each registered fd (`fdinfo_len`); `()` for most.
    #[doc(alias = "fdinfo_len")]
    type FdInfo: Default;
    /// What its operations answer when they fail.
    type Error: core::error::Error + Send + Sync + 'static;

    /// Whether the system behind it is shared with other code: then descriptors may be closed and their numbers given out again
    /// without the base's knowledge, and calls may be refused for the time being. A backend that has its hardware to itself says
    /// `false`, which saves code: [`stands`](EventOp::stands) and [`is_temporary`](EventOp::is_temporary) are not asked then,
    /// [`modify`](EventOp::modify) not without a change (but for EDGE), and [`Sink::rebuild`] does nothing.
    const IS_SHARED: bool = true;

    /// Whether it may ever watch signals. A backend without any says `false`, which saves their code: [`signals`](EventOp::signals) is
    /// not asked then, and an event on a signal is refused as unsupported when it is created.
    const HAS_SIGNALS: bool = true;

    /// Whether its [`features`](EventOp::features) may ever contain EDGE. A backend that has none says `false`, which saves code.
    const HAS_EDGE: bool = true;

    /// Its name, as `event_base_get_method` gives it: "epoll", "poll", …
    fn name(&self) -> &'static str;

    /// What it can do.
    fn features(&self) -> Features;

    /// The time: monotonic, precise.
    #[doc(alias = "evutil_gettime_monotonic")]
    fn now(&self) -> Instant;

    /// Whether it can be used at all: fails in the child of a fork until [`reinit`](EventOp::reinit). The core asks before
    /// each turn and each change, so it should cost no more than a load, and the other operations need not ask again.
    ///
    /// # Errors
    ///
    /// What every other operation would answer now.
    #[inline]
    fn usable(&self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Whether a turn may begin: as [`usable`](EventOp::usable), and not while a [`Sleeper`] of this backend is out. The core
    /// asks before each turn.
    ///
    /// # Errors
    ///
    /// Why not.
    #[inline]
    fn check_awake(&self) -> Result<(), Self::Error> {
        self.usable()
    }

    /// Wakes the [`Sleeper`] that is out, if there is one. The core calls it, or [`begin_change`](EventOp::begin_change), in each
    /// call that may bring the end of a wait forward. A backend that implements [`Split`] MUST implement it, and so must one that
    /// wraps another.
    #[inline]
    fn wake_sleeper(&mut self) {}

    /// What the core asks before each change: as [`wake_sleeper`](EventOp::wake_sleeper) and then [`usable`](EventOp::usable), for a
    /// backend that can find out at once that there is nothing to do for either.
    ///
    /// # Errors
    ///
    /// As [`usable`](EventOp::usable).
    #[inline]
    fn begin_change(&mut self) -> Result<(), Self::Error> {
        self.wake_sleeper();
        self.usable()
    }

    /// Registers `fd`, now. `interest` is not empty. Whatever the backend believes of this fd is void: when the system says
    /// that it is registered already, the registration is taken over under the new token.
    ///
    /// # Errors
    ///
    /// When the system refuses; nothing is registered then. [`modify`](EventOp::modify) keeps the old interest instead.
    fn add(
        &mut self,
        fd: Self::Fd,
        token: Token,
        interest: Interest,
        infos: &mut impl FdInfos<Self::FdInfo>,
    ) -> Result<(), Self::Error>;

    /// Changes what a registered fd is watched for, from `old` to `new`; neither is empty.
    ///
    /// With `old == new` the core asks whether the registration still stands: a new event joined the fd, and its number may
    /// have been closed and given out again since. A backend that cannot tell answers [`Modified::Kept`]. With EDGE in `new`, what
    /// is ready now MUST be reported again, also where `old == new`.
    ///
    /// # Errors
    ///
    /// When the system refuses: the old interest stands, and the events of this fd get ERROR.
    fn modify(
        &mut self,
        fd: Self::Fd,
        token: Token,
        old: Interest,
        new: Interest,
        infos: &mut impl FdInfos<Self::FdInfo>,
    ) -> Result<Modified, Self::Error>;

    /// Ends a registration, now. It may have ended already on the system's side (the descriptor was closed); whatever the
    /// system answers, nothing of it is reported afterwards.
    fn del(&mut self, fd: Self::Fd, token: Token, old: Interest, infos: &mut impl FdInfos<Self::FdInfo>);

    /// Whether the number of a registration still stands for the file that it was registered for. The core asks before a
    /// [`reinit`](EventOp::reinit), which registers numbers again, and after a refused [`modify`](EventOp::modify): where the
    /// answer is `false`, the events get ERROR instead, and wait for nothing any more.
    ///
    /// It MUST NOT change the registration: an edge-triggered one reports nothing again. A backend that cannot tell, or whose
    /// descriptors cannot come to stand for something else, answers `true`.
    fn stands(&mut self, fd: Self::Fd, token: Token, infos: &mut impl FdInfos<Self::FdInfo>) -> bool {
        let _ = (fd, token, infos);
        true
    }

    /// Whether an error of `add`, `modify` or `reinit` is a shortage that passes: of memory, of descriptors. What the core
    /// cannot do for it is then done later, and no event gets ERROR.
    fn is_temporary(error: &Self::Error) -> bool {
        let _ = error;
        false
    }

    /// Looks without waiting, and puts what is ready into `sink`. `true`: it has found something, a wake or a signal
    /// included, and there is no need to wait. The core asks before each wait.
    ///
    /// For a backend whose waits cost more than a look, when a look is likely to find something, because the
    /// last one did. The others answer `false`, as all do for which nothing is ready: `dispatch` follows then. An error is
    /// left to that, too.
    #[inline]
    fn look(&mut self, sink: &mut impl Sink<Self::Fd>) -> bool {
        let _ = sink;
        false
    }

    /// Waits, and puts what is ready into `sink`.
    ///
    /// # Errors
    ///
    /// When the system refuses to wait. The base is as it was and may be asked again.
    fn dispatch(&mut self, sleep: Sleep, sink: &mut impl Sink<Self::Fd>) -> Result<(), Self::Error>;

    /// Rebuilds the backend with no fd registered: in the child after a fork, when [`Sink::rebuild`] was called, or when
    /// reports of ended registrations keep coming. Afterwards the core registers every fd again. Signals stay watched.
    ///
    /// # Errors
    ///
    /// When the system refuses; the base may be asked again.
    fn reinit(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The power to watch signals, where there is one.
    fn signals(&mut self) -> Option<&mut dyn SignalOp<Error = Self::Error>> {
        None
    }
}

/// A backend's power to watch signals. Optional: see [`EventOp::signals`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot watch signals",
    label = "what `EventOp::signals` lends implements `evcore::backend::SignalOp`",
    note = "a backend that has no signals leaves `EventOp::signals` out"
)]
pub trait SignalOp {
    /// What its operations answer when they fail.
    type Error;

    /// Begins to report `signum` through [`Sink::signal`]. The core calls it once for each signal number.
    ///
    /// # Errors
    ///
    /// When the number is no signal's, or the system refuses.
    fn add(&mut self, signum: Signum) -> Result<(), Self::Error>;

    /// Stops watching `signum`. Answers how often it has arrived and was not reported: the hand-out of a one-shot event, which
    /// brings this call, counts these too, and nobody else would.
    fn del(&mut self, signum: Signum) -> u32;
}

/// A backend's power to be woken from another thread, a signal handler or an interrupt. Optional.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be woken from elsewhere",
    label = "`EventBase::waker` needs a backend that implements `evcore::backend::Wake`",
    note = "all backends of the platform crates do; on bare metal an `evcore::backend::WakeFlag` is all that it takes"
)]
pub trait Wake: EventOp {
    /// Wakes the base from anywhere. Waking is O(1), takes no lock, and is harmless when the base is gone.
    type Waker: Clone + Send + Sync + 'static;

    /// A waker of this backend. After a wake, the next `dispatch` does not sleep.
    ///
    /// # Errors
    ///
    /// When the system refuses to give what the first waker needs.
    fn waker(&mut self) -> Result<Self::Waker, Self::Error>;
}

#[cfg(test)]
mod tests {
    use super::Token;

    #[test]
    fn a_token_is_its_row_and_its_generation_as_bits_too_and_in_print() {
        let token = Token::new(5, 7);
        assert_eq!((token.row(), token.generation()), (5, 7));
        assert_eq!(Token::from_bits(token.to_bits()), token);
        assert_eq!(std::format!("{token:?}"), "Token(5v7)");
    }
}
