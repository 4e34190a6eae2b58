//! Waiting while the base is not borrowed.

use super::EventOp;
use crate::time::Sleep;

/// A backend that can wait while its base is not borrowed: see
/// [`EventBase::begin_sleep`](crate::EventBase::begin_sleep). Optional.
///
/// ```text
///   awake ──begin_sleep──▶ asleep: a sleeper is out ──end_sleep──▶ awake
///                            │  ▲
///                            └──┘ wake_sleeper: the sleeper's wait ends, now or as soon as it begins
/// ```
///
/// # Contract
///
/// 1. The sleeper waits for what is registered when `begin_sleep` is called, for wakers and signals, and at most as long as
///    given. It consumes no report: the `dispatch` that follows `end_sleep` finds them.
/// 2. After [`wake_sleeper`](EventOp::wake_sleeper), after a wake, and when the backend is dropped, each wait of the
///    sleeper that is out MUST end at once, until it is given back. `wake_sleeper` MUST NOT be reported as a wake.
/// 3. [`check_awake`](EventOp::check_awake) MUST fail while a sleeper is out. A dropped sleeper SHOULD NOT count as
///    out; if a backend cannot notice that, [`reinit`](EventOp::reinit) MUST end the sleep. In the child of a fork it
///    MUST.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot wait while its base is not borrowed",
    label = "`EventBase::begin_sleep` needs a backend that implements `evcore::backend::Split`",
    note = "all backends of the platform crates do, and `Manual`"
)]
pub trait Split: EventOp {
    /// What waits.
    type Sleeper: Sleeper;

    /// Returns a sleeper that waits as `dispatch` would. The core has called [`check_awake`](EventOp::check_awake).
    ///
    /// # Errors
    ///
    /// When the system refuses the resources of the first sleeper. None is out then.
    fn begin_sleep(&mut self, sleep: Sleep) -> Result<Self::Sleeper, Self::Error>;

    /// Takes the sleeper back.
    ///
    /// # Errors
    ///
    /// When the sleeper is not the one that is out; nothing changes then. When its wait has failed; it is taken back
    /// all the same.
    fn end_sleep(&mut self, sleeper: Self::Sleeper) -> Result<(), Self::Error>;
}

/// The wait of a backend, as a value that does not borrow it.
pub trait Sleeper: Send + 'static {
    /// The latest end of its sleep.
    fn until(&self) -> Sleep;

    /// Waits until something is ready or has changed, or the time is over, and may return earlier. `end_sleep` returns an
    /// error of the system.
    fn sleep(&mut self);
}
