//! `Epoll`: the backend on epoll(7).

use std::fmt;
use std::io;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::thread;
use std::time::Duration;

use evcore::backend::{EventOp, FdInfos, Features, Modified, Sink, Sleep, Token};
use evcore::{Fd, Instant, Interest};
use evplat_posix::backend::{ForkGuard, Interrupts, Sleepers};
use evplat_posix::{Clock, Error};
use static_assertions::assert_impl_all;

use crate::bell::Bell;
use crate::files::Files;
use crate::mask;
use crate::nest::{self, Nest};
use crate::sys::{self, Reports};

mod sleep;
mod verify;
mod wait;

/// The initial and the maximum number of reports per wait. In between, the buffer grows with the number of
/// descriptors. Further ready descriptors are reported by the next wait, as the kernel rotates through them.
const REPORTS: usize = 64;
const REPORTS_MAX: usize = 1024;

/// After this many waits the numbers of reported descriptors are verified, so a registration that is reported in
/// every turn is handed out at most this often after its number was reused. A prime, so that descriptors that are
/// reported periodically are verified, too.
const VERIFIED_EVERY: u32 = 251;
/// After this many nanoseconds without a report, all numbers are verified, or as many as `VERIFIED_AT_ONCE`.
const IDLE: u64 = 100_000_000;
const VERIFIED_AT_ONCE: usize = 1024;
/// The least duration of a wait that finds only stale reports while a needed rebuild fails.
const OVERDUE: Duration = Duration::from_millis(5);

/// A wait with a timeout in nanoseconds.
type TimedWait = fn(BorrowedFd<'_>, &mut Reports, u64) -> io::Result<()>;

/// Linux's epoll(7), as the backend of an event base.
///
/// ```text
///   add, modify, del ──epoll_ctl──▶ ┌────────────┐ ──epoll_pwait2──▶ reports: (token, ready) ──▶ the core
///                                   │ epoll set  │
///   Waker, signals ───eventfd─────▶ └────────────┘
///   regular files, /dev/null ─────▶   files: always ready ─────────▶ reports
/// ```
///
/// The 64 bits of user data that the kernel stores for each descriptor contain the core's [`Token`], so a stale
/// report is never attributed to another registration, even if a descriptor was closed while registered and its
/// number reused. Stale reports are dropped; if they continue, the set is rebuilt.
///
/// Whether a number still belongs to the registered file is verified every 251 waits for reported descriptors, and
/// for all when nothing was found for 100 ms. Otherwise a file that was closed here but is still open elsewhere would
/// be reported for ever, and one whose number was replaced (`dup2`) never. Its events then get ERROR.
///
/// Waits are precise to the nanosecond with `epoll_pwait2` (Linux 5.11). If the kernel or a sandbox refuses it, the
/// backend switches once and for all to `epoll_pwait`, in milliseconds, rounded up.
///
/// In the child of a fork, every call fails with [`Error::Forked`] until [`reinit`](EventOp::reinit), which does not
/// affect the parent. Every descriptor is closed on exec.
///
/// Costs: one `epoll_ctl` for each of `add`, `modify` and `del`; the cost of a wait does not depend on the number of
/// registered descriptors. Memory: 12 or 16 bytes for each of the first 1024 descriptors. A regular file costs time
/// in a wait only when it is due: always if it is level-triggered, otherwise once for each `add` and `modify`.
#[doc(alias = "epollops")]
#[doc(alias = "EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST")]
pub struct Epoll {
    set: OwnedFd,
    /// The number of sets before this one.
    rebuilds: u32,
    reports: Reports,
    registered: usize,
    files: Files,
    bell: Bell,
    sleepers: Sleepers,
    nest: Option<Nest>,
    timed_wait: TimedWait,
    /// A `del` failed in a way that leaves the entry in the set.
    is_damaged: bool,
    /// The last attempt to rebuild the set failed.
    is_overdue: bool,
    /// There are due files, a nest, damage or an overdue rebuild, which most waits need not check for.
    is_special: bool,
    /// The number of waits until one must do more than report; 0 while `is_special`.
    calm: u32,
    /// The number of waits until numbers are verified; counted here while `is_special`.
    unverified: u32,
    /// The last registration verified by rotation.
    verified: Token,
    /// The number of verifications of reported descriptors; every eighth also verifies one that was not reported.
    busy: u32,
    /// The total time without a report since all numbers were verified.
    idle: u64,
    /// The set was just polled, and nothing is ready.
    has_looked: bool,
    /// A sleeper did the waiting of this turn, and a rebuild is overdue.
    has_slept: bool,
    /// The number of the last sleeper's duplicate of the set.
    duplicate: RawFd,
    /// When the last sleep began.
    slept_from: Instant,
    /// Sleeps have found nothing for long enough that numbers must be verified.
    is_to_verify: bool,
    /// The last sleep was shortened to verify numbers.
    is_cut: bool,
    /// Numbers were verified after a shortened sleep.
    is_rested: bool,
    clock: Clock,
    guard: ForkGuard,
}

assert_impl_all!(Epoll: Send);

impl Epoll {
    /// Creates an empty set that uses `CLOCK_MONOTONIC`.
    ///
    /// ```
    /// use evcore::backend::EventOp;
    /// use evplat_linux::Epoll;
    ///
    /// let epoll = Epoll::new()?;
    /// assert_eq!(epoll.name(), "epoll");
    /// # Ok::<(), evplat_linux::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the process or the system has no descriptors or memory left. Nothing stays open then.
    #[doc(alias = "event_base_new")]
    pub fn new() -> Result<Self, Error> {
        Self::with_clock(Clock::default())
    }

    /// Like [`Epoll::new`], with a clock of your choice.
    ///
    /// # Errors
    ///
    /// As [`Epoll::new`].
    pub fn with_clock(clock: Clock) -> Result<Self, Error> {
        Ok(Self {
            guard: ForkGuard::new()?,
            set: sys::epoll_create().map_err(Error::during("epoll_create1"))?,
            rebuilds: 0,
            reports: Reports::with_room(REPORTS).map_err(|_| Error::Full)?,
            registered: 0,
            files: Files::default(),
            bell: Bell::new(),
            sleepers: Sleepers::new(),
            nest: None,
            timed_wait: sys::epoll_pwait2,
            is_damaged: false,
            is_overdue: false,
            is_special: false,
            calm: VERIFIED_EVERY - 1,
            unverified: VERIFIED_EVERY,
            verified: Token::NONE,
            busy: 0,
            idle: 0,
            has_looked: false,
            has_slept: false,
            duplicate: -1,
            slept_from: Instant::ZERO,
            is_to_verify: false,
            is_cut: false,
            is_rested: false,
            clock,
        })
    }

    /// The descriptor that another loop must watch for READ, level-triggered, to run this base inside it.
    ///
    /// It is readable while a descriptor of this base is ready, a waker was used, or a signal has arrived. Timers and
    /// regular files do not make it readable: give the other loop a timer for this base's next deadline. When the
    /// descriptor is readable, run a turn of this base without waiting; do the same after changing what it watches.
    ///
    /// It stays valid when the set behind it is rebuilt. In the child of a fork, after `reinit`, the same number
    /// refers to the child's own set. The first base on epoll that is reinitialised there renews the nests of all
    /// bases, so nested bases may be reinitialised in any order. The backend owns the descriptor and closes it.
    ///
    /// ```
    /// use evcore::backend::EventOp;
    /// use evcore::Fd;
    /// use evplat_linux::Epoll;
    ///
    /// let mut inner = Epoll::new()?;
    /// let fd = Fd::of(&inner.nest()?);
    /// # let _ = fd;
    /// # Ok::<(), evplat_linux::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When there is no descriptor left for it, and in the child of a fork before `reinit`.
    pub fn nest(&mut self) -> Result<BorrowedFd<'_>, Error> {
        self.usable()?;
        let nest = match self.nest.take() {
            Some(nest) => nest,
            None => Nest::new(self.set.as_fd())?,
        };
        self.bell.mark_asleep();
        self.be_special();
        let nest: &Nest = self.nest.insert(nest);
        Ok(nest.as_fd())
    }

    /// Calls `act`, which needs the doorbell, and ensures that the doorbell is in the set.
    pub(crate) fn with_doorbell<R>(&mut self, act: impl Fn(&mut Interrupts) -> Result<R, Error>) -> Result<R, Error> {
        self.usable()?;
        let done = self.bell.with(self.set.as_fd(), act)?;
        if self.nest.is_some() {
            self.bell.mark_asleep();
        }
        Ok(done)
    }

    pub(crate) fn bell_mut(&mut self) -> &mut Bell {
        &mut self.bell
    }

    /// Adds a descriptor to the set, or to the files.
    #[inline]
    fn register(&mut self, fd: Fd, token: Token, interest: Interest) -> Result<(), Error> {
        self.enter(fd, token, interest).or_else(|error| self.register_refused(fd, token, interest, &error))
    }

    /// The kernel refused to add it to the set. If it is a file, it is added to `files`.
    #[cold]
    fn register_refused(&mut self, fd: Fd, token: Token, interest: Interest, error: &io::Error) -> Result<(), Error> {
        if !is(error, libc::EPERM) {
            return Err(Error::system("epoll_ctl", error.raw_os_error().unwrap_or(libc::EIO)));
        }
        self.be_special();
        self.files.insert(fd, token, interest)
    }

    /// Adds a descriptor to the set. If its number is already there, because it was closed and opened again from a
    /// duplicate (`dup2`), takes over the entry.
    #[inline]
    fn enter(&self, fd: Fd, token: Token, interest: Interest) -> io::Result<()> {
        if self.bell.has(fd) {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        let added = sys::epoll_add(self.set.as_fd(), fd, mask::events(interest), token.to_bits());
        added.or_else(|error| self.take_over(fd, token, interest, error))
    }

    #[cold]
    fn take_over(&self, fd: Fd, token: Token, interest: Interest, error: io::Error) -> io::Result<()> {
        if !is(&error, libc::EEXIST) {
            return Err(error);
        }
        let modify = || sys::epoll_mod(self.set.as_fd(), fd, mask::events(interest), token.to_bits());
        modify().or_else(|error| once_more(error, modify))
    }

    /// The kernel refused to remove a descriptor from the set.
    #[cold]
    fn del_refused(&mut self, fd: Fd, error: io::Error) {
        let Err(error) = once_more(error, || sys::epoll_del(self.set.as_fd(), fd)) else { return };
        // These three mean that the descriptor was already closed.
        let is_gone = is(&error, libc::ENOENT) || is(&error, libc::EBADF) || is(&error, libc::EPERM);
        if !is_gone {
            log!(Warn, "epoll_ctl: {fd:?} cannot be removed from the set ({error}); it will be rebuilt");
            self.note_damage();
        }
    }

    /// Changes the registration of a file. Its number may have been reused for a descriptor that epoll accepts.
    fn modify_file(&mut self, fd: Fd, token: Token, interest: Interest) -> Result<Modified, Error> {
        match self.enter(fd, token, interest) {
            Ok(()) => {
                self.files.remove(fd);
                Ok(Modified::Replaced)
            }
            Err(error) if is(&error, libc::EPERM) => {
                self.be_special();
                let is_same = self.files.is_same(fd);
                self.files.change(fd, token, interest);
                Ok(if is_same { Modified::Kept } else { Modified::Replaced })
            }
            Err(error) => Err(Error::during("epoll_ctl")(error)),
        }
    }

    /// Grows the buffer with the number of descriptors, so that no wait has to allocate.
    #[cold]
    fn make_room(&mut self) {
        let room = self.reports.room();
        if room < REPORTS_MAX {
            // Without the memory, waits only return fewer reports at a time.
            if let Ok(reports) = Reports::with_room(room.saturating_mul(2)) {
                self.reports = reports;
            }
        }
    }

    /// Reports what the kernel returned.
    #[inline(always)]
    fn report(&mut self, woken: bool, sink: &mut impl Sink<Fd>) {
        let found = self.reports.found();
        if self.bell.is_made() {
            self.bell.interrupts.report(woken, sink);
        }
        for report in found {
            // The doorbell's cookie is no registration's token, so the sink drops it.
            sink.ready(Token::from_bits(report.u64), mask::ready(report.events));
        }
    }

    /// The error of a call while the base is asleep or in the child of a fork.
    #[cold]
    fn check_unusual(&self) -> Result<(), Error> {
        self.usable()?;
        self.sleepers.check_awake()
    }

    /// The set has an entry that cannot be removed: the next wait requests a rebuild.
    fn note_damage(&mut self) {
        self.is_damaged = true;
        self.be_special();
    }

    fn be_special(&mut self) {
        self.is_special = true;
        if self.calm > 0 {
            self.unverified = mem::take(&mut self.calm);
        }
    }

    /// Does everything besides reporting what the kernel returned.
    #[inline(never)]
    fn report_special(&mut self, wait: Sleep, sink: &mut impl Sink<Fd>) {
        self.unverified = if self.is_special { self.unverified.saturating_sub(1) } else { 0 };
        if self.unverified == 0 {
            self.unverified = VERIFIED_EVERY;
            self.verify_found(sink);
            self.busy = self.busy.wrapping_add(1);
            if self.busy % 8 == 0 {
                self.verify_some(1, sink);
            }
        }
        if mem::take(&mut self.is_to_verify) && self.reports.found().is_empty() {
            self.verify_some(VERIFIED_AT_ONCE, sink);
            self.is_rested = self.is_cut;
        }
        self.files.report(sink);
        if mem::take(&mut self.is_damaged) {
            sink.rebuild();
        }
        // In a nest, another loop did the waiting.
        let has_slept = mem::take(&mut self.has_slept) || wait != Sleep::None || self.nest.is_some();
        if self.is_overdue && has_slept && self.found_only_stale(sink) {
            thread::sleep(OVERDUE);
        }
        if self.nest.is_some() {
            self.bell.mark_asleep();
        }
        self.is_special = self.files.is_due() || self.is_overdue || self.nest.is_some();
        // The wait that finds the counter at zero counts, too.
        self.calm = if self.is_special { 0 } else { self.unverified.saturating_sub(1) };
    }

    /// Whether the last wait found only stale reports.
    fn found_only_stale(&self, sink: &impl Sink<Fd>) -> bool {
        let mut tokens = self.reports.found().iter().map(|report| Token::from_bits(report.u64));
        !self.reports.found().is_empty() && tokens.all(|token| token != Token::NONE && sink.fd_of(token).is_none())
    }

    /// Replaces the set by a new, empty one. On an error the old one stays.
    fn renew_set(&mut self, forked: bool) -> Result<(), Error> {
        let set = sys::epoll_create().map_err(Error::during("epoll_create1"))?;
        if forked {
            self.bell.reinit()?;
            self.sleepers.reinit(&self.guard);
            // Includes the nests of other bases, which this one may watch.
            nest::renew_all()?;
        }
        self.bell.register(set.as_fd())?;
        if let Some(nest) = &self.nest {
            // If the set is a child's, its nest is now the child's own, too.
            nest.hold(set.as_fd())?;
        }
        let old = mem::replace(&mut self.set, set);
        self.rebuilds = self.rebuilds.wrapping_add(1);
        if let (Some(nest), false) = (&self.nest, forked) {
            nest.release(old.as_fd());
        }
        Ok(())
    }

    #[cold]
    fn after_failed_wait(&mut self, error: io::Error) -> Result<(), Error> {
        // The signal that interrupted the wait may be a watched one; otherwise nothing is ready.
        if is(&error, libc::EINTR) {
            return Ok(());
        }
        self.bell.interrupts.put_back();
        Err(Error::during("epoll_wait")(error))
    }
}

impl EventOp for Epoll {
    type Fd = Fd;
    type FdInfo = ();
    type Error = Error;

    fn name(&self) -> &'static str {
        "epoll"
    }

    fn features(&self) -> Features {
        Features::EDGE
            | Features::O1
            | Features::FILES
            | Features::CLOSED
            | Features::URGENT
            | Features::ERRORS
            | Features::SIGNALS
    }

    fn now(&self) -> Instant {
        self.clock.now()
    }

    #[inline]
    fn usable(&self) -> Result<(), Error> {
        if self.guard.is_usual() || !self.guard.forked() { Ok(()) } else { Err(Error::Forked) }
    }

    #[inline]
    fn is_usual(&self) -> bool {
        self.guard.is_usual()
    }

    #[inline]
    fn check_awake(&self) -> Result<(), Error> {
        if self.guard.is_usual() { Ok(()) } else { self.check_unusual() }
    }

    #[inline]
    fn wake_sleeper(&mut self) {
        self.sleepers.wake();
    }

    #[inline]
    fn add(&mut self, fd: Fd, token: Token, interest: Interest, _: &mut impl FdInfos<()>) -> Result<(), Error> {
        self.usable()?;
        self.files.remove(fd);
        self.register(fd, token, interest)?;
        self.registered = self.registered.saturating_add(1);
        if self.registered > self.reports.room() {
            self.make_room();
        }
        Ok(())
    }

    fn modify(
        &mut self,
        fd: Fd,
        token: Token,
        _: Interest,
        new: Interest,
        _: &mut impl FdInfos<()>,
    ) -> Result<Modified, Error> {
        self.usable()?;
        if self.files.contains(fd) {
            return self.modify_file(fd, token, new);
        }
        if self.bell.has(fd) {
            return Err(Error::system("epoll_ctl", libc::EBADF));
        }
        match sys::epoll_mod(self.set.as_fd(), fd, mask::events(new), token.to_bits()) {
            Ok(()) => Ok(Modified::Kept),
            // ENOENT: the number now belongs to another descriptor. EPERM: that descriptor is a file.
            Err(error) if is(&error, libc::ENOENT) || is(&error, libc::EPERM) => {
                self.register(fd, token, new)?;
                Ok(Modified::Replaced)
            }
            Err(error) => {
                log!(Warn, "epoll_ctl: {fd:?} cannot be watched for {new:?}: {error}");
                Err(Error::during("epoll_ctl")(error))
            }
        }
    }

    #[inline]
    fn del(&mut self, fd: Fd, _: Token, _: Interest, _: &mut impl FdInfos<()>) {
        // In the child of a fork the set is still the parent's.
        if self.guard.forked() {
            return;
        }
        self.registered = self.registered.saturating_sub(1);
        if self.files.remove(fd) || self.bell.has(fd) {
            return;
        }
        if let Err(error) = sys::epoll_del(self.set.as_fd(), fd) {
            self.del_refused(fd, error);
        }
    }

    // Called once, in each turn.
    #[inline(always)]
    fn look(&mut self, sink: &mut impl Sink<Fd>) -> bool {
        // If the last wait found something, more is probably ready. A wait with a timeout costs the kernel more than
        // this check, and needs the clock.
        if self.calm == 0 || self.reports.found().is_empty() {
            return false;
        }
        let is_error = self.look_now().is_err();
        if self.reports.found().is_empty() {
            self.has_looked = !is_error;
            return false;
        }
        // Only here: a check that finds nothing counts as one wait together with the wait that follows.
        self.calm = self.calm.wrapping_sub(1);
        let woken = self.bell.awake();
        self.report(woken, sink);
        true
    }

    // Not inlined: while the loop is busy, only `look` runs.
    #[inline(never)]
    fn dispatch(&mut self, wait: Sleep, sink: &mut impl Sink<Fd>) -> Result<(), Error> {
        // The core has already called `usable` in this turn.
        let woken = self.wait(wait, sink)?;
        let (calm, is_over) = self.calm.overflowing_sub(1);
        self.calm = calm;
        if is_over {
            self.report_special(wait, sink);
        }
        self.report(woken, sink);
        Ok(())
    }

    fn stands(&mut self, fd: Fd, _: Token, _: &mut impl FdInfos<()>) -> bool {
        // In the child of a fork the set belongs to the parent, which may have changed it since. A set with no
        // registrations has just replaced another backend, so every number stands.
        self.guard.forked() || self.registered == 0 || self.stands_now(fd)
    }

    fn is_temporary(error: &Error) -> bool {
        error.is_temporary()
    }

    fn reinit(&mut self) -> Result<(), Error> {
        let forked = self.guard.forked();
        if let Err(error) = self.renew_set(forked) {
            log!(Warn, "epoll: no new set can be made: {error}");
            if !forked {
                self.is_overdue = true;
                self.be_special();
            }
            return Err(error);
        }
        if self.nest.is_some() {
            self.bell.mark_asleep();
        }
        self.registered = 0;
        self.files.clear();
        (self.is_damaged, self.is_overdue) = (false, false);
        self.verified = Token::NONE;
        self.guard.renew();
        match forked {
            true => log!(Debug, "epoll: this process was forked, and has a set of its own now"),
            false => log!(Warn, "epoll: the set was rebuilt, and what is registered is registered again"),
        }
        Ok(())
    }

    fn signals(&mut self) -> Option<&mut dyn evcore::backend::SignalOp<Error = Error>> {
        Some(self)
    }
}

impl fmt::Debug for Epoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epoll")
            .field("set", &self.set)
            .field("registered", &self.registered)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

/// Repeats a call that was refused for lack of memory: it needs none to succeed.
fn once_more(error: io::Error, call: impl Fn() -> io::Result<()>) -> io::Result<()> {
    if is(&error, libc::ENOMEM) { call() } else { Err(error) }
}

fn is(error: &io::Error, errno: i32) -> bool {
    error.raw_os_error() == Some(errno)
}

#[cfg(test)]
mod tests;
