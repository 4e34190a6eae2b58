//! A backend that passes all descriptors to each wait and scans them afterwards.

use core::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use evcore::backend::{EventOp, FdInfos, Features, Modified, SignalOp, Sink, Sleep, Split, Token, Wake};
use evcore::{Fd, Growable, Instant, Interest, Ready};
use libc::pollfd;

use crate::clock::Clock;
use crate::doorbell::Doorbell;
use crate::error::Error;
use crate::fork::ForkGuard;
use crate::idle::Idle;
use crate::interrupts::Interrupts;
use crate::sleeper::{Sleeper, Sleepers};
use crate::table::{Found, Place, Slots, Table, silence};
use crate::waker::Waker;

/// The system call that waits, and the state it needs besides the table. Sealed.
#[doc(hidden)]
#[allow(unreachable_pub, reason = "older compilers do not see that `Scan` leads to it")]
pub trait Call: Default {
    const NAME: &'static str;
    /// The table's flags for each interest.
    const EVENTS: &'static [(Interest, i16)];

    fn features() -> Features;

    /// Creates a doorbell that this call can wait for.
    fn doorbell() -> Result<Doorbell, Error>;

    /// Returns an error if the call cannot wait for this number.
    fn check(number: RawFd) -> Result<(), Error>;

    /// Records that the table now has `number` with these events; with no events, that it does not have it.
    fn note(&mut self, number: RawFd, events: i16);

    /// Waits for what is in the table and for the doorbell. Returns the number of results.
    fn wait<S: Slots>(
        &mut self,
        table: &mut Table<S>,
        doorbell: Option<RawFd>,
        clock: Clock,
        wait: Sleep,
    ) -> io::Result<usize>;

    /// Whether the doorbell is among the results of the last wait, which found something.
    fn rings<S: Slots>(&self, table: &Table<S>, doorbell: Option<RawFd>) -> bool;

    /// The last wait's result for an entry, if any, and how many it counts for. An empty readiness: the descriptor is
    /// closed.
    fn found(&self, entry: &pollfd) -> Option<(usize, Ready)>;

    /// Makes a sleeper wait for the same.
    fn watch<S: Slots>(&mut self, table: &mut Table<S>, doorbell: RawFd, sleeper: &mut Sleeper) -> Result<(), Error>;
}

/// The implementation of [`Poll`](crate::Poll) and [`Select`](crate::Select): a table of descriptors, all of which
/// are passed to each wait and scanned after it.
///
/// ```text
///   dispatch:  prepare ─▶ wait (in parts, if it is time to verify numbers) ─▶ awake ─▶ scan the table ─▶ sink
/// ```
pub struct Scan<C: Call, S: Slots = Growable> {
    pub(crate) call: C,
    pub(crate) table: Table<S>,
    pub(crate) interrupts: Interrupts,
    sleepers: Sleepers,
    clock: Clock,
    idle: Idle,
    fork: ForkGuard,
}

impl<C: Call> Scan<C> {
    /// Creates a backend whose table grows, on the monotonic clock.
    ///
    /// # Errors
    ///
    /// When there is no memory.
    #[doc(alias = "event_base_new")]
    pub fn new() -> Result<Self, Error> {
        Self::with_clock(Clock::Monotonic)
    }
}

impl<C: Call, S: Slots> Scan<C, S> {
    /// Creates a backend that uses `clock`, with its table in `S`: `Poll::<Fixed<16>>::with_clock(Clock::Monotonic)`
    /// has room for 16 descriptors inside itself. Then only wakers and signals need an allocator.
    ///
    /// # Errors
    ///
    /// When there is no memory.
    pub fn with_clock(clock: Clock) -> Result<Self, Error> {
        let (interrupts, fork) = (Interrupts::new(C::doorbell), ForkGuard::new()?);
        let (call, sleepers, idle) = (C::default(), Sleepers::new(), Idle::default());
        Ok(Self { call, table: Table::new()?, interrupts, sleepers, clock, idle, fork })
    }

    /// The table's flags for an event that waits for `interest`.
    fn events(interest: Interest) -> Result<i16, Error> {
        let asked = C::EVENTS.iter().filter(|(bit, _)| interest.contains(*bit)).fold(0, |all, (_, event)| all | event);
        if asked == 0 || interest.contains(Interest::EDGE) { Err(Error::Unsupported) } else { Ok(asked) }
    }

    /// The error of a call while the base is asleep or in the child of a fork.
    #[cold]
    fn check_unusual(&self) -> Result<(), Error> {
        self.usable()?;
        self.sleepers.check_awake()
    }

    fn wait(&mut self, wait: Sleep, doorbell: Option<RawFd>) -> io::Result<usize> {
        self.call.wait(&mut self.table, doorbell, self.clock, wait)
    }

    fn report(&mut self, found: usize, sink: &mut impl Sink<Fd>) {
        let call = &mut self.call;
        if let Some(mut found) = self.table.next_to_verify() {
            if !found.stands() {
                expel(call, found, sink);
            }
        }
        self.table.scan(found, |mut found| {
            let Some((count, ready)) = call.found(found.entry) else { return 0 };
            if ready.is_empty() || !found.note_report() {
                expel(call, found, sink);
            } else {
                sink.ready(found.token, ready);
            }
            count
        });
    }

    /// Verifies all numbers, and drops those that are closed or belong to another file now. Returns `true` if none
    /// was dropped.
    fn verify_all(&mut self, sink: &mut impl Sink<Fd>) -> bool {
        let (call, mut all_stand) = (&mut self.call, true);
        // With this maximum the scan visits every entry.
        self.table.scan(usize::MAX, |mut found| {
            if found.entry.fd >= 0 && !found.stands() {
                all_stand = false;
                expel(call, found, sink);
            }
            0
        });
        all_stand
    }
}

fn expel<C: Call>(call: &mut C, found: Found<'_>, sink: &mut impl Sink<Fd>) {
    let number = found.entry.fd;
    log!(Warn, "{}: descriptor {number} was closed while registered, or now belongs to another file", C::NAME);
    call.note(number, 0);
    silence(found.entry);
    sink.failed(found.token);
}

impl<C: Call, S: Slots> EventOp for Scan<C, S> {
    type Fd = Fd;
    type FdInfo = Place;
    type Error = Error;

    fn name(&self) -> &'static str {
        C::NAME
    }

    fn features(&self) -> Features {
        C::features()
    }

    #[inline]
    fn now(&self) -> Instant {
        self.clock.now()
    }

    #[inline]
    fn usable(&self) -> Result<(), Error> {
        if self.fork.is_usual() || !self.fork.forked() { Ok(()) } else { Err(Error::Forked) }
    }

    #[inline]
    fn is_usual(&self) -> bool {
        self.fork.is_usual()
    }

    #[inline]
    fn check_awake(&self) -> Result<(), Error> {
        if self.fork.is_usual() { Ok(()) } else { self.check_unusual() }
    }

    #[inline]
    fn wake_sleeper(&mut self) {
        self.sleepers.wake();
    }

    // `add` and `del` are not inlined, for a base on an `Either` with epoll.
    #[inline(never)]
    fn add(&mut self, fd: Fd, token: Token, interest: Interest, infos: &mut impl FdInfos<Place>) -> Result<(), Error> {
        self.usable()?;
        C::check(fd.as_raw_fd())?;
        let events = self.interrupts.check_foreign(fd.as_raw_fd()).and_then(|()| Self::events(interest));
        let added = events.and_then(|events| self.table.add(fd, token, events, infos).map(|()| events));
        if added.is_err() {
            // An earlier registration of this number is no longer valid either.
            self.table.del(fd, token, infos);
        }
        self.call.note(fd.as_raw_fd(), *added.as_ref().unwrap_or(&0));
        added.map(drop)
    }

    fn modify(
        &mut self,
        fd: Fd,
        token: Token,
        _old: Interest,
        new: Interest,
        infos: &mut impl FdInfos<Place>,
    ) -> Result<Modified, Error> {
        self.usable()?;
        C::check(fd.as_raw_fd())?;
        self.interrupts.check_foreign(fd.as_raw_fd())?;
        let events = Self::events(new)?;
        let modified = self.table.modify(fd, token, events, infos)?;
        self.call.note(fd.as_raw_fd(), events);
        Ok(modified)
    }

    #[inline(never)]
    fn del(&mut self, fd: Fd, token: Token, _old: Interest, infos: &mut impl FdInfos<Place>) {
        self.table.del(fd, token, infos);
        self.call.note(fd.as_raw_fd(), 0);
    }

    fn dispatch(&mut self, wait: Sleep, sink: &mut impl Sink<Fd>) -> Result<(), Error> {
        self.usable()?;
        let doorbell = self.interrupts.doorbell().map(|doorbell| doorbell.as_fd().as_raw_fd());
        let wait = self.interrupts.prepare(wait);
        let first = self.idle.first_part(wait, self.table.len(), self.clock);
        let mut found = self.wait(first, doorbell);
        if self.idle.is_over(first, wait, matches!(found, Ok(0)), self.clock) && self.verify_all(sink) {
            found = self.wait(wait, doorbell);
        }
        let woken = self.interrupts.awake();
        // `select(2)` only reports that some descriptor is closed. If it is none of the registered ones, it is the
        // doorbell.
        if found.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::EBADF)) && !self.verify_all(sink) {
            // The remaining descriptors are reported in the same turn. If this wait fails too, because another one
            // was closed meanwhile, the next turn reports them.
            found = Ok(self.wait(Sleep::None, doorbell).unwrap_or(0));
        }
        let found = found.map_err(|error| {
            self.interrupts.put_back();
            Error::during(C::NAME)(error)
        })?;
        let rings = found > 0 && self.call.rings(&self.table, doorbell);
        // If a signal interrupted the wait, it has rung the doorbell, although the wait does not report that.
        let outcome = if rings || woken && wait != Sleep::None { self.interrupts.answer() } else { Ok(()) };
        if outcome.is_err() {
            self.interrupts.put_back();
        }
        self.report(found.saturating_sub(usize::from(rings)), sink);
        self.interrupts.report(woken, sink);
        outcome
    }

    fn stands(&mut self, fd: Fd, token: Token, infos: &mut impl FdInfos<Place>) -> bool {
        self.table.stands(fd, token, infos)
    }

    fn is_temporary(error: &Error) -> bool {
        error.is_temporary()
    }

    fn reinit(&mut self) -> Result<(), Error> {
        if self.fork.forked() {
            self.interrupts.reinit()?;
            self.sleepers.reinit(&self.fork);
            self.fork.renew();
            log!(Debug, "{}: this process was forked, and has wakers and signals of its own now", C::NAME);
        }
        self.table.clear();
        self.call = C::default();
        Ok(())
    }

    fn signals(&mut self) -> Option<&mut dyn SignalOp<Error = Error>> {
        Some(&mut self.interrupts)
    }
}

impl<C: Call, S: Slots> Wake for Scan<C, S> {
    type Waker = Waker;

    #[doc(alias = "evthread_make_base_notifiable")]
    fn waker(&mut self) -> Result<Waker, Error> {
        self.usable()?;
        self.interrupts.waker()
    }
}

impl<C: Call, S: Slots> Split for Scan<C, S> {
    type Sleeper = Sleeper;

    fn begin_sleep(&mut self, sleep: Sleep) -> Result<Sleeper, Error> {
        self.check_awake()?;
        let wake = self.interrupts.waker()?;
        let doorbell = wake.state().doorbell().as_fd().as_raw_fd();
        let mut sleeper = self.sleepers.take(wake)?;
        self.call.watch(&mut self.table, doorbell, &mut sleeper)?;
        let sleep = self.idle.begin_sleep(sleep, self.table.len(), self.clock);
        Ok(self.sleepers.begin(sleeper, sleep, self.clock, &self.fork))
    }

    fn end_sleep(&mut self, sleeper: Sleeper) -> Result<(), Error> {
        self.sleepers.end(sleeper, &self.fork)
    }
}

impl<C: Call, S: Slots> fmt::Debug for Scan<C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan")
            .field("call", &C::NAME)
            .field("registered", &self.table)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}
