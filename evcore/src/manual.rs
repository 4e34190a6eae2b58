//! A backend and a clock that a program drives by hand.

use core::fmt;
use core::time::Duration;

use crate::backend::{EventOp, FdInfos, Features, Modified, SignalOp, Signum, Sink, Token};
use crate::ready::{Interest, Ready};
use crate::time::{Instant, Sleep};
use crate::wake::WakeFlag;

mod error;
mod signal;
mod sleep;
#[cfg(test)]
mod tests;

pub use error::ManualError;
pub use sleep::ManualSleeper;
use sleep::Sleeping;

/// A backend for tests, examples and simulations: the program sets readiness and time.
///
/// Time passes only by [`advance`](Manual::advance), or when the base waits for a timer and nothing is ready: such a wait
/// ends at once, at the deadline, so a day takes a microsecond.
///
/// An fd is a number. Its readiness stays until it is set again: level-triggered events get it in each turn,
/// edge-triggered ones once for each call that sets it. There is room for `N` fds and `N` signals.
///
/// ```
/// use core::time::Duration;
/// use evcore::{Event, EventBase, Fixed, Interest, Ready, Wait, backend::Manual};
///
/// let mut base: EventBase<Manual, Fixed<4>, &str> = EventBase::new(Manual::new());
/// base.start(Event::io(7, Interest::READ).persist().timeout(Duration::from_secs(60)), "connection").unwrap();
///
/// assert!(base.poll(Wait::Forever).unwrap().is_running());
/// assert_eq!(base.next_active().unwrap().ready, Ready::TIMEOUT);
/// assert_eq!(base.now().as_nanos(), 60_000_000_000);
///
/// base.backend_mut().set_ready(7, Ready::READ);
/// assert!(base.poll(Wait::Forever).unwrap().is_running());
/// assert_eq!(base.next_active().unwrap().ready, Ready::READ);
/// ```
pub struct Manual<const N: usize = 64> {
    now: Instant,
    fds: heapless::Vec<Source, N>,
    signals: heapless::Vec<Signal, N>,
    flag: Option<&'static WakeFlag>,
    /// Where the next scan begins, and its maximum of reports (0: no limit).
    start: usize,
    batch: usize,
    refusals: u32,
    refusal: ManualError,
    waits: u32,
    sleeping: Sleeping,
}

struct Source {
    fd: u32,
    state: Ready,
    /// Readiness set since it was last reported.
    edges: Ready,
    watch: Option<(Token, Interest)>,
}

struct Signal {
    signum: Signum,
    count: u32,
}

impl Manual {
    /// A backend with room for 64 fds, at time zero.
    #[must_use]
    pub const fn new() -> Self {
        Self::with_room()
    }
}

impl Default for Manual {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Manual<N> {
    /// A backend with room for `N` fds, at time zero.
    #[must_use]
    pub const fn with_room() -> Self {
        Self {
            now: Instant::ZERO,
            fds: heapless::Vec::new(),
            signals: heapless::Vec::new(),
            flag: None,
            start: 0,
            batch: 0,
            refusals: 0,
            refusal: ManualError::Refused,
            waits: 0,
            sleeping: Sleeping::NONE,
        }
    }

    /// Lets a flag wake the backend.
    ///
    /// ```
    /// use evcore::backend::{Manual, Wake as _, WakeFlag};
    ///
    /// static FLAG: WakeFlag = WakeFlag::new();
    /// FLAG.wake();
    /// assert!(Manual::new().with_flag(&FLAG).waker().unwrap().is_set());
    /// ```
    #[must_use]
    pub const fn with_flag(mut self, flag: &'static WakeFlag) -> Self {
        self.flag = Some(flag);
        self
    }

    /// Lets time pass.
    pub fn advance(&mut self, time: Duration) {
        self.now = self.now.saturating_add(time);
    }

    /// Sets the clock, even back, as a faulty one would.
    ///
    /// ```
    /// use evcore::{Instant, backend::{EventOp, Manual}};
    ///
    /// let mut manual = Manual::new();
    /// manual.set_now(Instant::from_nanos(5));
    /// manual.set_now(Instant::from_nanos(3));
    /// assert_eq!(manual.now().as_nanos(), 3);
    /// ```
    pub fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    /// Sets what an fd is ready for, from now on. `false`: no room for another fd.
    pub fn set_ready(&mut self, fd: u32, ready: Ready) -> bool {
        match self.source(fd) {
            Some(source) => {
                source.state = ready;
                source.edges |= ready;
                true
            }
            None => false,
        }
    }

    /// What an fd is ready for.
    #[must_use]
    pub fn ready(&self, fd: u32) -> Ready {
        self.fds.iter().find(|source| source.fd == fd).map_or(Ready::empty(), |source| source.state)
    }

    /// The interest with which the base has registered an fd.
    ///
    /// ```
    /// use evcore::{EventBase, Fixed, Interest, backend::Manual};
    ///
    /// let mut base: EventBase<Manual, Fixed<8>, ()> = EventBase::new(Manual::new());
    /// base.insert(3, Interest::READ, ()).unwrap();
    /// assert_eq!(base.backend().watched(3), Some(Interest::READ));
    /// ```
    #[must_use]
    pub fn watched(&self, fd: u32) -> Option<Interest> {
        self.fds.iter().find(|source| source.fd == fd)?.watch.map(|(_, interest)| interest)
    }

    /// Sends a signal, which is lost if no event watches it.
    ///
    /// ```
    /// use evcore::{EventBase, Fixed, Wait, backend::Manual};
    ///
    /// let mut base: EventBase<Manual, Fixed<8>, ()> = EventBase::new(Manual::new());
    /// base.insert_signal(15, ()).unwrap();
    /// base.backend_mut().raise(15);
    /// assert!(base.poll(Wait::Forever).unwrap().is_running());
    /// assert_eq!(base.next_active().unwrap().count, 1);
    /// ```
    pub fn raise(&mut self, signum: Signum) {
        if let Some(signal) = self.signals.iter_mut().find(|signal| signal.signum == signum) {
            signal.count = signal.count.saturating_add(1);
        }
    }

    /// Refuses the next `count` registrations and changes.
    ///
    /// ```
    /// use evcore::{Error, EventBase, Fixed, Interest, backend::{Manual, ManualError}};
    ///
    /// let mut base: EventBase<Manual, Fixed<8>, ()> = EventBase::new(Manual::new());
    /// base.backend_mut().refuse(1);
    /// let rejected = base.insert(3, Interest::READ, ()).unwrap_err();
    /// assert_eq!(rejected.error, Error::Backend(ManualError::Refused));
    /// ```
    pub fn refuse(&mut self, count: u32) {
        (self.refusals, self.refusal) = (count, ManualError::Refused);
    }

    /// Refuses the next `count` registrations and changes as for a temporary shortage: the base retries.
    pub fn refuse_for_now(&mut self, count: u32) {
        (self.refusals, self.refusal) = (count, ManualError::Busy);
    }

    /// Limits how many fds one wait reports; 0 for no limit. The next ones report the rest.
    pub fn set_batch(&mut self, batch: usize) {
        self.batch = batch;
    }

    /// How often the base has waited.
    #[must_use]
    pub fn waits(&self) -> u32 {
        self.waits
    }

    /// The source of that number, created if there is room.
    fn source(&mut self, fd: u32) -> Option<&mut Source> {
        let fresh = Source { fd, state: Ready::empty(), edges: Ready::empty(), watch: None };
        let at = match self.fds.iter().position(|source| source.fd == fd) {
            Some(at) => at,
            None => match self.fds.iter().position(|source| source.watch.is_none() && source.state.is_empty()) {
                Some(at) => {
                    *self.fds.get_mut(at)? = fresh;
                    at
                }
                None => {
                    self.fds.push(fresh).ok()?;
                    self.fds.len().checked_sub(1)?
                }
            },
        };
        self.fds.get_mut(at)
    }

    fn watch(&mut self, fd: u32, token: Token, interest: Interest) -> Result<(), ManualError> {
        let source = self.source(fd).ok_or(ManualError::Full)?;
        source.watch = Some((token, interest));
        source.edges = source.state;
        Ok(())
    }

    fn unwatch(&mut self, fd: u32) {
        if let Some(source) = self.fds.iter_mut().find(|source| source.fd == fd) {
            source.watch = None;
        }
    }

    fn refuses(&mut self) -> Result<(), ManualError> {
        match self.refusals.checked_sub(1) {
            Some(left) => {
                self.refusals = left;
                Err(self.refusal)
            }
            None => Ok(()),
        }
    }

    /// Reports what is ready, beginning after the last report. Returns whether anything was.
    fn report_ready(&mut self, sink: &mut impl Sink<u32>) -> bool {
        let batch = if self.batch == 0 { usize::MAX } else { self.batch };
        let count = self.fds.len();
        let (mut at, mut found) = (self.start, 0usize);
        for _ in 0..count {
            at = if at < count { at } else { 0 };
            let Some(source) = self.fds.get_mut(at) else { break };
            at = at.wrapping_add(1);
            let Some((token, ready)) = source.take_report() else { continue };
            sink.ready(token, ready);
            found = found.wrapping_add(1);
            if found >= batch {
                self.start = at;
                break;
            }
        }
        found > 0
    }

    fn report_signals(&mut self, sink: &mut impl Sink<u32>) -> bool {
        let any = self.signals.iter().any(|signal| signal.count > 0);
        for signal in &mut self.signals {
            sink.signal(signal.signum, core::mem::take(&mut signal.count));
        }
        any
    }
}

impl Source {
    fn take_report(&mut self) -> Option<(Token, Ready)> {
        let (token, interest) = self.watch?;
        let found = if interest.contains(Interest::EDGE) { self.edges } else { self.state };
        let asked = Ready::from_bits_retain(interest.bits()).union(Ready::ERROR).union(Ready::HANGUP);
        let bits = found & asked;
        self.edges.remove(asked);
        (!bits.is_empty()).then_some((token, bits))
    }
}

impl<const N: usize> EventOp for Manual<N> {
    type Fd = u32;
    type FdInfo = ();
    type Error = ManualError;

    fn name(&self) -> &'static str {
        "manual"
    }

    fn features(&self) -> Features {
        Features::all()
    }

    fn now(&self) -> Instant {
        self.now
    }

    fn check_awake(&self) -> Result<(), ManualError> {
        self.sleeping.check_awake()
    }

    #[inline]
    fn is_usual(&self) -> bool {
        self.sleeping.check_awake().is_ok()
    }

    #[inline]
    fn wake_sleeper(&mut self) {
        self.sleeping.disturb();
    }

    fn add(&mut self, fd: u32, token: Token, interest: Interest, _: &mut impl FdInfos<()>) -> Result<(), ManualError> {
        // An earlier registration is void, even if this one is refused.
        self.unwatch(fd);
        self.refuses()?;
        self.watch(fd, token, interest)
    }

    fn modify(
        &mut self,
        fd: u32,
        token: Token,
        _old: Interest,
        new: Interest,
        _: &mut impl FdInfos<()>,
    ) -> Result<Modified, ManualError> {
        self.refuses()?;
        self.watch(fd, token, new).map(|()| Modified::Kept)
    }

    fn del(&mut self, fd: u32, _: Token, _: Interest, _: &mut impl FdInfos<()>) {
        self.unwatch(fd);
    }

    fn dispatch(&mut self, sleep: Sleep, sink: &mut impl Sink<u32>) -> Result<(), ManualError> {
        self.waits = self.waits.saturating_add(1);
        let sleep = self.sleeping.take(sleep);
        let woken = self.flag.is_some_and(WakeFlag::take);
        if woken {
            sink.woken();
        }
        let found = self.report_signals(sink) | self.report_ready(sink);
        if let (Sleep::Until(point), false) = (sleep, woken | found) {
            self.now = self.now.max(point);
        }
        Ok(())
    }

    fn is_temporary(error: &ManualError) -> bool {
        *error == ManualError::Busy
    }

    fn reinit(&mut self) -> Result<(), ManualError> {
        self.sleeping.reinit();
        for source in &mut self.fds {
            source.watch = None;
        }
        Ok(())
    }

    fn signals(&mut self) -> Option<&mut dyn SignalOp<Error = ManualError>> {
        Some(self)
    }
}

impl<const N: usize> fmt::Debug for Manual<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manual").field("now", &self.now).field("fds", &self.fds.len()).finish_non_exhaustive()
    }
}
