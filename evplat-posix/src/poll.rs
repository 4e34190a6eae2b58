//! The backend on `poll(2)`.

use core::fmt;
use std::os::fd::{AsFd, AsRawFd};

use evcore::backend::{EventOp, FdInfos, Features, Modified, SignalOp, Sink, Sleep, Split, Token, Wake};
use evcore::{Fd, Growable, Instant, Interest, Ready};

use crate::clock::Clock;
use crate::doorbell::Doorbell;
use crate::error::Error;
use crate::fork::ForkGuard;
use crate::idle::Idle;
use crate::interrupts::Interrupts;
use crate::sleeper::{Sleeper, Sleepers};
use crate::sys;
use crate::table::{Found, Place, Slots, Table, silence};
use crate::waker::Waker;

/// Tells that the peer has shut down its writing side, where the system has a word for that.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "illumos"))]
const POLLRDHUP: i16 = libc::POLLRDHUP;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "illumos")))]
const POLLRDHUP: i16 = 0;

/// What an interest is asked for as.
pub(crate) const EVENTS: [(Interest, i16); 4] = [
    (Interest::READ, libc::POLLIN),
    (Interest::URGENT, libc::POLLPRI),
    (Interest::WRITE, libc::POLLOUT),
    (Interest::CLOSED, POLLRDHUP),
];

/// What an answer means.
const REVENTS: [(i16, Ready); 6] = [
    (libc::POLLIN, Ready::READ),
    (libc::POLLPRI, Ready::URGENT),
    (libc::POLLOUT, Ready::WRITE),
    (libc::POLLERR, Ready::ERROR),
    (libc::POLLHUP, Ready::HANGUP),
    (POLLRDHUP, Ready::CLOSED),
];

/// A backend on `poll(2)`: for every Unix system, and any descriptor number.
///
/// ```text
///   add, modify, del ──▶ table of pollfd ──poll(2)──▶ scan what is ready ──▶ sink
///                                ▲ doorbell: wakers, signals
/// ```
///
/// Each wait costs time in proportion to the number of descriptors registered: below about a hundred, or when most of them
/// are ready, that is no slower than the alternatives. Files and other descriptors that never block are always ready.
/// A descriptor that was closed while registered is found at the next wait: its own events are told of an error, nothing
/// else notices, and it costs no further turns. So it is with one whose number stands for another file now (`dup2`): that is
/// verified each 251 reports of it, for one by turns each 64 waits, and for all when nothing was found for 100 ms.
///
/// A process must not lower its limit of descriptors (`RLIMIT_NOFILE`) below the number of those registered: the system then
/// refuses each wait with `EINVAL`, until the limit is raised or enough are removed. Nothing is lost meanwhile.
///
/// A wait that the system has no memory for finds nothing, and lasts 10 ms at most.
///
/// Waits are precise to the nanosecond where the system has `ppoll(2)`, else to the millisecond, rounded up.
///
/// ```
/// use evcore::backend::{EventOp, Features};
/// use evplat_posix::Poll;
///
/// let poll = Poll::new()?;
/// assert_eq!(poll.name(), "poll");
/// assert!(poll.features().contains(Features::FILES | Features::SIGNALS));
/// # Ok::<(), evplat_posix::Error>(())
/// ```
#[doc(alias = "pollops")]
pub struct Poll<S: Slots = Growable> {
    table: Table<S>,
    interrupts: Interrupts,
    sleepers: Sleepers,
    clock: Clock,
    idle: Idle,
    fork: ForkGuard,
}

impl Poll {
    /// A backend that grows with what is registered, on the monotonic clock.
    ///
    /// # Errors
    ///
    /// When there is no memory.
    #[doc(alias = "event_base_new")]
    pub fn new() -> Result<Self, Error> {
        Self::with_clock(Clock::Monotonic)
    }
}

impl<S: Slots> Poll<S> {
    /// A backend that counts by `clock`, with its table where `S` says: `Poll::<Fixed<16>>::with_clock(Clock::Monotonic)`
    /// has room for 16 descriptors inside itself. Only wakers and signals need an allocator then.
    ///
    /// # Errors
    ///
    /// When there is no memory.
    pub fn with_clock(clock: Clock) -> Result<Self, Error> {
        let interrupts = Interrupts::new(Doorbell::pipe);
        Ok(Self {
            table: Table::new()?,
            interrupts,
            sleepers: Sleepers::new(),
            clock,
            idle: Idle::default(),
            fork: ForkGuard::new()?,
        })
    }

    /// What the system is asked for when an event waits for `interest`.
    fn events(interest: Interest) -> Result<i16, Error> {
        let asked = EVENTS.iter().filter(|(bit, _)| interest.contains(*bit)).fold(0, |all, (_, event)| all | event);
        if asked == 0 || interest.contains(Interest::EDGE) { Err(Error::Unsupported) } else { Ok(asked) }
    }

    #[inline]
    fn ready(revents: i16) -> Ready {
        REVENTS.iter().filter(|(event, _)| revents & event != 0).fold(Ready::empty(), |all, (_, bit)| all | *bit)
    }

    fn report(&mut self, found: usize, sink: &mut impl Sink<Fd>) {
        if let Some(mut found) = self.table.next_to_verify() {
            if !found.stands() {
                expel(found, sink);
            }
        }
        self.table.scan(found, |mut found| {
            let revents = found.entry.revents;
            if revents == 0 {
                return 0;
            }
            if revents & libc::POLLNVAL != 0 || !found.note_report() {
                expel(found, sink);
            } else {
                sink.ready(found.token, Self::ready(revents));
            }
            1
        });
    }

    /// Looks at all numbers. `true`: each stands for the file that it was registered for.
    fn verify_all(&mut self, sink: &mut impl Sink<Fd>) -> bool {
        let mut all_stand = true;
        self.table.scan(usize::MAX, |mut found| {
            if found.entry.fd < 0 || found.stands() {
                return 0;
            }
            all_stand = false;
            expel(found, sink);
            0
        });
        all_stand
    }
}

fn expel(found: Found<'_>, sink: &mut impl Sink<Fd>) {
    told!(Warn, "poll: descriptor {} was closed while it was registered, or is another file's", found.entry.fd);
    silence(found.entry);
    sink.failed(found.token);
}

impl<S: Slots> EventOp for Poll<S> {
    type Fd = Fd;
    type FdInfo = Place;
    type Error = Error;

    fn name(&self) -> &'static str {
        "poll"
    }

    fn features(&self) -> Features {
        let closed = if POLLRDHUP == 0 { Features::empty() } else { Features::CLOSED };
        Features::FILES | Features::URGENT | Features::ERRORS | Features::SIGNALS | closed
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
    fn begin_change(&mut self) -> Result<(), Error> {
        if self.fork.is_usual() {
            return Ok(());
        }
        self.sleepers.wake();
        self.usable()
    }

    #[inline]
    fn check_awake(&self) -> Result<(), Error> {
        if self.fork.is_usual() {
            return Ok(());
        }
        self.usable()?;
        self.sleepers.check_awake()
    }

    #[inline]
    fn wake_sleeper(&mut self) {
        self.sleepers.wake();
    }

    fn add(&mut self, fd: Fd, token: Token, interest: Interest, infos: &mut impl FdInfos<Place>) -> Result<(), Error> {
        self.usable()?;
        let events = self.interrupts.check_foreign(fd.as_raw_fd()).and_then(|()| Self::events(interest));
        let added = events.and_then(|events| self.table.add(fd, token, events, infos));
        if added.is_err() {
            // An earlier registration of this number is void, too.
            self.table.del(fd, token, infos);
        }
        added
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
        self.interrupts.check_foreign(fd.as_raw_fd())?;
        self.table.modify(fd, token, Self::events(new)?, infos)
    }

    fn del(&mut self, fd: Fd, token: Token, _old: Interest, infos: &mut impl FdInfos<Place>) {
        self.table.del(fd, token, infos);
    }

    fn dispatch(&mut self, wait: Sleep, sink: &mut impl Sink<Fd>) -> Result<(), Error> {
        self.usable()?;
        let doorbell = self.interrupts.doorbell().map(|doorbell| doorbell.as_fd().as_raw_fd());
        let wait = self.interrupts.prepare(wait);
        let first = self.idle.first_part(wait, self.table.len(), self.clock);
        let entries = self.table.entries(doorbell);
        let mut found = self.clock.wait(first, |time| sys::poll(entries, time));
        if self.idle.is_over(first, wait, matches!(found, Ok(0)), self.clock) && self.verify_all(sink) {
            let entries = self.table.entries(doorbell);
            found = self.clock.wait(wait, |time| sys::poll(entries, time));
        }
        let woken = self.interrupts.awake();
        let found = found.map_err(|error| {
            self.interrupts.put_back();
            Error::during("poll")(error)
        })?;
        // A signal that interrupted the wait has rung, and the wait does not tell.
        let rings = self.table.doorbell() != 0;
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
            told!(Debug, "poll: this process was forked, and has wakers and signals of its own now");
        }
        self.table.clear();
        Ok(())
    }

    fn signals(&mut self) -> Option<&mut dyn SignalOp<Error = Error>> {
        Some(&mut self.interrupts)
    }
}

impl<S: Slots> Wake for Poll<S> {
    type Waker = Waker;

    #[doc(alias = "evthread_make_base_notifiable")]
    fn waker(&mut self) -> Result<Waker, Error> {
        self.usable()?;
        self.interrupts.waker()
    }
}

impl<S: Slots> Split for Poll<S> {
    type Sleeper = Sleeper;

    fn begin_sleep(&mut self, sleep: Sleep) -> Result<Sleeper, Error> {
        self.check_awake()?;
        let wake = self.interrupts.waker()?;
        let doorbell = wake.state().doorbell().as_fd().as_raw_fd();
        let mut sleeper = self.sleepers.take(wake)?;
        sleeper.watch_entries(self.table.entries(Some(doorbell)))?;
        let sleep = self.idle.begin_sleep(sleep, self.table.len(), self.clock);
        Ok(self.sleepers.begin(sleeper, sleep, self.clock, &self.fork))
    }

    fn end_sleep(&mut self, sleeper: Sleeper) -> Result<(), Error> {
        self.sleepers.end(sleeper, &self.fork)
    }
}

impl<S: Slots> fmt::Debug for Poll<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poll").field("registered", &self.table).field("clock", &self.clock).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    mod growable {
        crate::cases::cases! { crate::Poll::new }
    }

    mod fixed {
        use evcore::Fixed;

        use crate::{Clock, Poll};

        crate::cases::cases! { || Poll::<Fixed<16>>::with_clock(Clock::Monotonic) }
        crate::cases::cases! { || Poll::<Fixed<16>>::with_clock(Clock::Monotonic); a_full_table_refuses_and_works_on }
    }

    use evcore::backend::Sleep;
    use evcore::{Fd, Interest};

    use super::*;
    use crate::cases::{Rig, alone, high, pipe};
    use crate::sys::tests::{fd_limit, set_fd_limit};

    /// As when a thread is interrupted between the swap and the ring of its wake.
    #[test]
    fn a_ring_that_comes_late_costs_one_wait() {
        alone(|| {
            let mut rig = Rig::new(Poll::new());
            let _waker = rig.backend.waker().unwrap();
            rig.backend.interrupts.doorbell().unwrap().ring();
            assert!(rig.wait(Sleep::Forever).is_empty());
            assert!(rig.is_idle());
        });
    }

    #[test]
    fn more_descriptors_than_the_process_may_have_are_an_error_that_passes() {
        alone(|| {
            let mut rig = Rig::new(Poll::new());
            let (reader, _writer) = pipe();
            let copies: Vec<_> = (0..64).map(|_| reader.try_clone().unwrap()).collect();
            for (name, copy) in (0..).zip(&copies) {
                rig.add(copy, name, Interest::READ);
            }
            let limit = fd_limit();
            set_fd_limit(16);
            let refused = rig.backend.dispatch(Sleep::None, &mut rig.core);
            assert_eq!(refused, Err(Error::system("poll", libc::EINVAL)));
            set_fd_limit(limit);
            assert!(rig.look().is_empty());
        });
    }

    #[test]
    fn any_number_will_do() {
        alone(|| {
            let mut rig = Rig::new(Poll::new());
            let high = high(&std::fs::File::open("/dev/null").unwrap(), 1_500);
            rig.add(&high, 1, Interest::READ);
            assert_eq!(rig.look(), [(1, Ready::READ)]);
            rig.del(Fd::of(&high), 1, Interest::READ);
        });
    }

    #[test]
    fn two_thousand_ready_ones_are_each_reported_once() {
        alone(|| {
            let mut rig = Rig::new(Poll::new());
            let null = std::fs::File::open("/dev/null").unwrap();
            let copies: Vec<_> = (0..2_000).map(|_| null.try_clone().unwrap()).collect();
            for (name, copy) in (0..).zip(&copies) {
                rig.add(copy, name, Interest::READ);
            }
            for _ in 0..3 {
                let mut found: Vec<_> = rig.look().into_iter().map(|(name, _)| name).collect();
                found.sort_unstable();
                assert!(found.into_iter().eq(0..2_000));
            }
        });
    }
}
