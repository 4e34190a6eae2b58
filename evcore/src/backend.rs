//! The contract between the core and its backends.
//!
//! A backend never sees two registrations of one fd, merges no changes and looks up no events: the core does that.

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
/// The core finds events by its number, which it hashes, or compares in a storage with up to 64 fds.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be what a backend watches",
    label = "a backend's `Fd` is a small number that names a source",
    note = "on Unix take `evcore::Fd` (feature `std`), elsewhere `u8`, `u16`, `u32` or a type of your own that implements `evcore::backend::Descriptor`"
)]
pub trait Descriptor: Copy + Eq + Debug {
    /// A number that no other descriptor has.
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

/// A signal's number as in `<signal.h>`; on bare metal, whatever the backend counts.
pub type Signum = i32;

/// Names one registration of one fd: a slot in the core's fd map and its generation.
///
/// A backend stores it with the fd (`epoll_event.data`) and returns it with each report. The core drops reports of
/// registrations that have ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token(u64);

impl Token {
    /// No registration, for what a backend watches for itself. Reports with it are dropped, and not counted as stale.
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

    /// The token as 64 bits: the slot in the upper half, the generation in the lower.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The token that [`Token::to_bits`] gave. The core does not know any other.
    ///
    /// ```
    /// # use evcore::backend::Token;
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
        /// Reports that the peer has shut down its writing side: [`Interest::CLOSED`] (`EV_FEATURE_EARLY_CLOSE`).
        #[doc(alias = "EV_FEATURE_EARLY_CLOSE")]
        const CLOSED = 8;
        /// Urgent data: [`Interest::URGENT`].
        const URGENT = 16;
        /// Reports [`Ready::ERROR`] and [`Ready::HANGUP`]; without it they appear only as READ and WRITE.
        const ERRORS = 32;
        /// Signals can be watched: [`EventOp::signals`] is not `None`.
        const SIGNALS = 64;
    }
}

/// What [`EventOp::modify`] has found under the descriptor: the registered file, or another one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Modified {
    /// The registered file: its interest was changed.
    Kept,
    /// The descriptor was closed without `del`, and its number reused. The backend has registered the new file; the
    /// events of the old one get ERROR.
    Replaced,
}

/// Access to the backend's data in the core's fd map.
#[diagnostic::on_unimplemented(
    message = "`{Self}` gives no access to what is kept for each fd",
    note = "the core passes one to each call of `EventOp`; a test of a backend needs a small type that answers `None`"
)]
pub trait FdInfos<I> {
    /// The data of a registration; `None` if it has ended.
    fn info(&mut self, token: Token) -> Option<&mut I>;
}

/// Takes the reports of a backend's [`dispatch`](EventOp::dispatch).
#[diagnostic::on_unimplemented(
    message = "`{Self}` takes no reports of `{Fd}`",
    note = "the core passes one to `EventOp::dispatch`; a test of a backend needs a small type that records what is reported"
)]
pub trait Sink<Fd> {
    /// Queues the events of registration `token` that wait for `ready`. Returns `false` if it has ended: the report is
    /// dropped and counted, and if such reports go on, the core calls [`EventOp::reinit`].
    ///
    /// `ready` MUST NOT be empty, or an event may be handed out without a reason. Bits that no event waits for are
    /// dropped, but ERROR and HANGUP reach every event of the fd. Several reports of one registration are merged.
    fn ready(&mut self, token: Token, ready: Ready) -> bool;

    /// As [`ready`](Sink::ready), by descriptor, for backends that keep no tokens. Costs a look-up in the fd map.
    fn ready_fd(&mut self, fd: Fd, ready: Ready) -> bool;

    /// Reports that the system has ended a registration: its events get ERROR.
    fn failed(&mut self, token: Token);

    /// Reports that the signal has arrived `count` more times. Zero is ignored.
    fn signal(&mut self, signum: Signum, count: u32);

    /// Reports that a waker of this backend was used since the last `dispatch` began to wait. The `dispatch` or
    /// [`look`](EventOp::look) that a wake has ended MUST call it, once for any number of wakes; if that one fails, the
    /// next MUST. It MAY be called when something else arrived by the same means: a signal, an interrupt.
    fn woken(&mut self);

    /// Requests a rebuild: before the next wait the core calls [`EventOp::reinit`] and registers everything again, or
    /// retries later.
    fn rebuild(&mut self);

    /// The descriptor of a registration, for a backend that verifies files while its system reports only tokens.
    /// `None`: the registration has ended, or this sink does not know.
    fn fd_of(&self, token: Token) -> Option<Fd> {
        let _ = token;
        None
    }

    /// The registration after this one, in no particular order; the first one for [`Token::NONE`], and `None` after the
    /// last.
    fn next_registration(&self, after: Token) -> Option<(Token, Fd)> {
        let _ = after;
        None
    }
}

/// What an event base runs on: libevent's `struct eventop`.
///
/// The core calls these methods. The conformance suite has a case for each sentence with a MUST.
///
/// # Contract
///
/// 1. [`add`](EventOp::add) MUST take effect at once: what is ready at the next `dispatch` is reported. After an error
///    nothing is registered or left behind.
/// 2. Just before `dispatch` the core calls [`modify`](EventOp::modify) or [`del`](EventOp::del) once for each
///    registered fd whose interest has changed, and `modify` again after [`Modified::Replaced`]. `add`, and `del` for an
///    fd's last event, may come at any time.
/// 3. After `del`, a report of that registration MUST NOT be taken for another's: reports carry the [`Token`].
/// 4. `dispatch` MUST return when something is ready, when the clock has reached the given time, when a waker of this
///    backend was used since the last `dispatch` began to wait, or when a watched signal arrived. It MAY return earlier
///    with nothing found. It MAY report a registration more than once: the bits are merged. It MUST NOT spin on a
///    descriptor that no event is interested in, and MUST NOT let a ready descriptor starve another.
/// 5. Each `dispatch` MUST report level-triggered registrations while they are ready. With [`Interest::EDGE`] it MUST
///    report once what was ready when the fd was registered, and each later change at least once.
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
    /// What the core keeps for the backend with each registered fd (`fdinfo_len`); `()` for most.
    #[doc(alias = "fdinfo_len")]
    type FdInfo: Default;
    /// The error of its operations.
    type Error: core::error::Error + Send + Sync + 'static;

    /// Whether other code may close descriptors and reuse their numbers, or cause temporary refusals. `false` saves
    /// code, for a backend with hardware of its own: the core then never calls [`stands`](EventOp::stands) and
    /// [`is_temporary`](EventOp::is_temporary), calls [`modify`](EventOp::modify) only for a change or EDGE, and
    /// [`Sink::rebuild`] does nothing.
    const IS_SHARED: bool = true;

    /// Whether it may ever watch signals. `false` saves code: the core then never calls [`signals`](EventOp::signals),
    /// and refuses events on signals as unsupported.
    const HAS_SIGNALS: bool = true;

    /// Whether its [`features`](EventOp::features) may ever contain EDGE. `false` saves code.
    const HAS_EDGE: bool = true;

    /// Its name: "epoll", "poll", …
    fn name(&self) -> &'static str;

    /// What it can do.
    fn features(&self) -> Features;

    /// The time.
    #[doc(alias = "evutil_gettime_monotonic")]
    fn now(&self) -> Instant;

    /// Fails if the backend cannot be used: in the child of a fork until [`reinit`](EventOp::reinit). The core calls it
    /// before each turn and change, so other operations need not check. It should cost no more than a load.
    #[inline]
    fn usable(&self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// As [`usable`](EventOp::usable), and an error while a [`Sleeper`] is out. The core calls it before each turn.
    #[inline]
    fn check_awake(&self) -> Result<(), Self::Error> {
        self.usable()
    }

    /// Wakes the [`Sleeper`] that is out, if any. The core calls it in each call that may bring the end of a wait forward.
    /// Required for [`Split`], and of a backend that wraps another.
    #[inline]
    fn wake_sleeper(&mut self) {}

    /// Whether no [`Sleeper`] is out and [`usable`](EventOp::usable) would succeed. The core asks it before each change, and
    /// calls [`wake_sleeper`](EventOp::wake_sleeper) and `usable` if not. Override it if one comparison answers both.
    #[inline]
    fn is_usual(&self) -> bool {
        false
    }

    /// Registers `fd`, now, for an interest that is not empty. If the system says that it is registered already, the
    /// new token takes that registration over.
    ///
    /// # Errors
    ///
    /// When the system refuses; then nothing is registered.
    fn add(
        &mut self,
        fd: Self::Fd,
        token: Token,
        interest: Interest,
        infos: &mut impl FdInfos<Self::FdInfo>,
    ) -> Result<(), Self::Error>;

    /// Changes the interest of a registered fd from `old` to `new`; neither is empty.
    ///
    /// With `old == new` the core asks whether the registration still stands, because a new event joined the fd. A
    /// backend that cannot know returns [`Modified::Kept`]. With EDGE in `new`, what is ready MUST be reported again, even
    /// if `old == new`.
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

    /// Ends a registration, now, even if the system has ended it already (the descriptor was closed).
    fn del(&mut self, fd: Self::Fd, token: Token, old: Interest, infos: &mut impl FdInfos<Self::FdInfo>);

    /// Whether a registration's number still stands for its file. The core asks before a [`reinit`](EventOp::reinit)
    /// and after a refused [`modify`](EventOp::modify). On `false`, the events get ERROR and are no longer pending.
    ///
    /// It MUST NOT change the registration: an edge-triggered one reports nothing again. A backend that cannot know
    /// answers `true`.
    fn stands(&mut self, fd: Self::Fd, token: Token, infos: &mut impl FdInfos<Self::FdInfo>) -> bool {
        let _ = (fd, token, infos);
        true
    }

    /// Whether an error of `add`, `modify` or `reinit` is a temporary shortage of memory or descriptors. The core then
    /// retries later, and no event gets ERROR.
    fn is_temporary(error: &Self::Error) -> bool {
        let _ = error;
        false
    }

    /// Reports what is ready to `sink`, without waiting. The core calls it before each wait, and skips the wait if it
    /// returns `true`: something was found, a wake or a signal included.
    ///
    /// Override it if a wait costs more than a look. Return `false` if a look is unlikely to find something, or fails.
    #[inline]
    fn look(&mut self, sink: &mut impl Sink<Self::Fd>) -> bool {
        let _ = sink;
        false
    }

    /// Waits, and reports what is ready to `sink`.
    ///
    /// # Errors
    ///
    /// When the system refuses to wait. The base is unchanged, and may call it again.
    fn dispatch(&mut self, sleep: Sleep, sink: &mut impl Sink<Self::Fd>) -> Result<(), Self::Error>;

    /// Rebuilds the backend with no fd registered: in the child of a fork, after [`Sink::rebuild`] or stale reports. The
    /// core then registers every fd again. Signals stay watched.
    ///
    /// # Errors
    ///
    /// When the system refuses; the base may call it again.
    fn reinit(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Its interface for signals, if it can watch them.
    fn signals(&mut self) -> Option<&mut dyn SignalOp<Error = Self::Error>> {
        None
    }
}

/// The part of a backend that watches signals. Optional: see [`EventOp::signals`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot watch signals",
    label = "what `EventOp::signals` lends implements `evcore::backend::SignalOp`",
    note = "a backend that has no signals leaves `EventOp::signals` out"
)]
pub trait SignalOp {
    /// The error of its operations.
    type Error;

    /// Begins to report `signum` through [`Sink::signal`]. The core calls it once for each signal number.
    ///
    /// # Errors
    ///
    /// When `signum` is no signal, or the system refuses.
    fn add(&mut self, signum: Signum) -> Result<(), Self::Error>;

    /// Stops watching `signum`. Returns how often it has arrived without being reported. (If the hand-out of a one-shot
    /// event causes this call, its count includes these arrivals.)
    fn del(&mut self, signum: Signum) -> u32;
}

/// A backend that can be woken from another thread, a signal handler or an interrupt. Optional.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be woken from elsewhere",
    label = "`EventBase::waker` needs a backend that implements `evcore::backend::Wake`",
    note = "all backends of the platform crates do; on bare metal an `evcore::backend::WakeFlag` is all that it takes"
)]
pub trait Wake: EventOp {
    /// Wakes the base from anywhere, in O(1), without a lock. Harmless when the base is gone.
    type Waker: Clone + Send + Sync + 'static;

    /// A waker of this backend. After a wake, the next `dispatch` does not sleep.
    ///
    /// # Errors
    ///
    /// When the system refuses the resources of the first waker.
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
