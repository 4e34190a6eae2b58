//! The backend on `select(2)`.

use core::ffi::c_int;
use core::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use evcore::backend::{EventOp, FdInfos, Features, Modified, SignalOp, Sink, Sleep, Split, Token, Wake};
use evcore::{Fd, Growable, Instant, Interest, Ready};

use crate::clock::Clock;
use crate::doorbell::Doorbell;
use crate::error::Error;
use crate::fork::ForkGuard;
use crate::idle::Idle;
use crate::interrupts::Interrupts;
use crate::sleeper::{Sleeper, Sleepers};
use crate::sys::{self, FdSet};
use crate::table::{Found, Place, Slots, Table, silence};
use crate::waker::Waker;

/// The three sets of `select(2)`: what goes into each, what an answer means, and the word for it in the table.
const SETS: [(Interest, Ready, i16); 3] = [
    (Interest::READ, Ready::READ, libc::POLLIN),
    (Interest::WRITE, Ready::WRITE, libc::POLLOUT),
    (Interest::URGENT, Ready::URGENT, libc::POLLPRI),
];

/// A backend on `select(2)`: the oldest way to wait, for descriptors whose number is below `FD_SETSIZE` (1024 on most
/// systems). Another one is refused when it is added ([`Error::TooLarge`]), and nothing is written outside the sets.
///
/// ```text
///   add, modify, del ──▶ table, three sets ──copy, select(2)──▶ scan the table ──▶ sink
///                                ▲ doorbell: wakers, signals
/// ```
///
/// It cannot tell errors and hang-ups from readiness: the same events wake as on the other backends, for READ and WRITE. (But
/// a hang-up alone is told to READ only. A writer misses that of a full socket which is shut down in both directions.) It
/// knows nothing of a peer that has shut down its writing side, so an event that waits for CLOSED alone is refused.
///
/// When a registered descriptor has been closed, the system fails the whole wait. The backend finds which, tells the events
/// of that one of an error, and looks again without it. Whether a number stands for another file now is verified as
/// [`Poll`](crate::Poll) does, and so is a wait without memory. (A closed number above all that the process has open may pass unnoticed:
/// Linux does not look at it.)
///
/// ```
/// use evcore::backend::{EventOp, Features};
/// use evplat_posix::Select;
///
/// let select = Select::new()?;
/// assert_eq!(select.name(), "select");
/// assert!(!select.features().intersects(Features::CLOSED | Features::ERRORS));
/// # Ok::<(), evplat_posix::Error>(())
/// ```
#[doc(alias = "selectops")]
pub struct Select<S: Slots = Growable> {
    table: Table<S>,
    /// What is waited for.
    sets: [FdSet; 3],
    /// One more than the highest number in the sets; `None` since that one was deleted, to be looked for before the wait.
    end: Option<c_int>,
    interrupts: Interrupts,
    sleepers: Sleepers,
    clock: Clock,
    idle: Idle,
    fork: ForkGuard,
}

impl Select {
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

/// The error of a number that has no place in the sets.
fn check(number: RawFd) -> Result<(), Error> {
    match usize::try_from(number) {
        Ok(small) if small < FdSet::LIMIT => Ok(()),
        _ => Err(Error::TooLarge { number, limit: FdSet::LIMIT }),
    }
}

/// A doorbell that fits into the sets.
fn doorbell() -> Result<Doorbell, Error> {
    let doorbell = Doorbell::pipe()?;
    check(doorbell.as_fd().as_raw_fd()).map(|()| doorbell)
}

impl<S: Slots> Select<S> {
    /// A backend that counts by `clock`, with its table where `S` says: `Select::<Fixed<16>>::with_clock(Clock::Monotonic)`
    /// has room for 16 descriptors inside itself. Only wakers and signals need an allocator then.
    ///
    /// # Errors
    ///
    /// When there is no memory.
    pub fn with_clock(clock: Clock) -> Result<Self, Error> {
        let (interrupts, fork) = (Interrupts::new(doorbell), ForkGuard::new()?);
        Ok(Self {
            table: Table::new()?,
            sets: [FdSet::new(); 3],
            end: None,
            interrupts,
            sleepers: Sleepers::new(),
            clock,
            idle: Idle::default(),
            fork,
        })
    }

    /// What is noted in the table when an event waits for `interest`.
    fn events(interest: Interest) -> Result<i16, Error> {
        let asked = SETS.iter().filter(|(bit, ..)| interest.contains(*bit)).fold(0, |all, (.., event)| all | event);
        if asked == 0 || interest.contains(Interest::EDGE) { Err(Error::Unsupported) } else { Ok(asked) }
    }

    /// Puts a number into the sets of its events, and takes it out of the others.
    fn set(&mut self, number: RawFd, events: i16) {
        for (set, (.., event)) in self.sets.iter_mut().zip(SETS) {
            set.set(number, events & event != 0);
        }
        let next = number.saturating_add(1);
        if events != 0 {
            self.end = self.end.map(|end| end.max(next));
        } else if self.end == Some(next) {
            self.end = None;
        }
    }

    /// What is waited for, with the doorbell, and one more than the highest number in it.
    fn asked(&mut self, doorbell: Option<RawFd>) -> ([FdSet; 3], c_int) {
        let mut asked = self.sets;
        let highest = || self.table.watched().map(|entry| entry.fd.saturating_add(1)).max().unwrap_or(0);
        let mut end = *self.end.get_or_insert_with(highest);
        if let (Some(doorbell), [read, ..]) = (doorbell, &mut asked) {
            read.set(doorbell, true);
            end = end.max(doorbell.saturating_add(1));
        }
        (asked, end)
    }

    /// Waits, on the doorbell too. `ready` is what is left of the sets then; the answer counts what is in them.
    fn look(&mut self, wait: Sleep, doorbell: Option<RawFd>, ready: &mut [FdSet; 3]) -> io::Result<usize> {
        let (asked, end) = self.asked(doorbell);
        self.clock.wait(wait, |time| {
            // A wait that is taken up again has emptied them.
            *ready = asked;
            sys::select(end, ready, time)
        })
    }

    fn report(&mut self, found: usize, ready: &[FdSet; 3], sink: &mut impl Sink<Fd>) {
        let (sets, mut any_gone) = (&mut self.sets, false);
        if let Some(mut found) = self.table.next_to_verify() {
            if !found.stands() {
                any_gone = true;
                expel(sets, found, sink);
            }
        }
        self.table.scan(found, |mut found| {
            let number = found.entry.fd;
            let in_sets = |(set, _): &(&FdSet, _)| set.contains(number);
            let (count, bits) = ready
                .iter()
                .zip(SETS)
                .filter(in_sets)
                .fold((0usize, Ready::empty()), |(count, bits), (_, (_, bit, _))| {
                    (count.saturating_add(1), bits | bit)
                });
            if count == 0 {
                return 0;
            }
            if found.note_report() {
                sink.ready(found.token, bits);
            } else {
                any_gone = true;
                expel(sets, found, sink);
            }
            count
        });
        if any_gone {
            self.end = None;
        }
    }

    /// Finds what has been closed, or is another file's, and goes on without it. `false`: nothing was.
    fn expel_gone(&mut self, sink: &mut impl Sink<Fd>) -> bool {
        let sets = &mut self.sets;
        let mut any = false;
        // A scan that never has enough looks at each entry.
        self.table.scan(usize::MAX, |mut found| {
            if found.entry.fd < 0 || found.stands() {
                return 0;
            }
            expel(sets, found, sink);
            any = true;
            0
        });
        if any {
            self.end = None;
        }
        any
    }
}

fn expel(sets: &mut [FdSet; 3], found: Found<'_>, sink: &mut impl Sink<Fd>) {
    let number = found.entry.fd;
    told!(Warn, "select: descriptor {number} was closed while it was registered, or is another file's");
    sets.iter_mut().for_each(|set| set.set(number, false));
    silence(found.entry);
    sink.failed(found.token);
}

impl<S: Slots> EventOp for Select<S> {
    type Fd = Fd;
    type FdInfo = Place;
    type Error = Error;

    fn name(&self) -> &'static str {
        "select"
    }

    fn features(&self) -> Features {
        Features::FILES | Features::URGENT | Features::SIGNALS
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
        check(fd.as_raw_fd())?;
        let events = self.interrupts.check_foreign(fd.as_raw_fd()).and_then(|()| Self::events(interest));
        let added = events.and_then(|events| self.table.add(fd, token, events, infos).map(|()| events));
        if added.is_err() {
            // An earlier registration of this number is void, too.
            self.table.del(fd, token, infos);
        }
        self.set(fd.as_raw_fd(), *added.as_ref().unwrap_or(&0));
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
        check(fd.as_raw_fd())?;
        self.interrupts.check_foreign(fd.as_raw_fd())?;
        let events = Self::events(new)?;
        let modified = self.table.modify(fd, token, events, infos)?;
        self.set(fd.as_raw_fd(), events);
        Ok(modified)
    }

    fn del(&mut self, fd: Fd, token: Token, _old: Interest, infos: &mut impl FdInfos<Place>) {
        self.table.del(fd, token, infos);
        self.set(fd.as_raw_fd(), 0);
    }

    fn dispatch(&mut self, wait: Sleep, sink: &mut impl Sink<Fd>) -> Result<(), Error> {
        self.usable()?;
        let doorbell = self.interrupts.doorbell().map(|doorbell| doorbell.as_fd().as_raw_fd());
        let mut ready = [FdSet::new(); 3];
        let wait = self.interrupts.prepare(wait);
        let first = self.idle.first_part(wait, self.table.len(), self.clock);
        let mut found = self.look(first, doorbell, &mut ready);
        if self.idle.is_over(first, wait, matches!(found, Ok(0)), self.clock) && !self.expel_gone(sink) {
            found = self.look(wait, doorbell, &mut ready);
        }
        let woken = self.interrupts.awake();
        // With none of the registered ones closed, it is the doorbell that someone has closed.
        if found.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::EBADF)) && self.expel_gone(sink) {
            // The others are told in the same turn. Where this fails, too, because more is closed meanwhile, the next one is
            // soon enough.
            found = Ok(self.look(Sleep::None, doorbell, &mut ready).unwrap_or(0));
        }
        let found = found.map_err(|error| {
            self.interrupts.put_back();
            Error::during("select")(error)
        })?;
        let rings = found > 0 && doorbell.is_some_and(|number| ready[0].contains(number));
        // A signal that interrupted the wait has rung, and the wait does not tell.
        let outcome = if rings || woken && wait != Sleep::None { self.interrupts.answer() } else { Ok(()) };
        if outcome.is_err() {
            self.interrupts.put_back();
        }
        self.report(found.saturating_sub(usize::from(rings)), &ready, sink);
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
            told!(Debug, "select: this process was forked, and has wakers and signals of its own now");
        }
        self.table.clear();
        self.sets = [FdSet::new(); 3];
        self.end = None;
        Ok(())
    }

    fn signals(&mut self) -> Option<&mut dyn SignalOp<Error = Error>> {
        Some(&mut self.interrupts)
    }
}

impl<S: Slots> Wake for Select<S> {
    type Waker = Waker;

    #[doc(alias = "evthread_make_base_notifiable")]
    fn waker(&mut self) -> Result<Waker, Error> {
        self.usable()?;
        self.interrupts.waker()
    }
}

impl<S: Slots> Split for Select<S> {
    type Sleeper = Sleeper;

    fn begin_sleep(&mut self, sleep: Sleep) -> Result<Sleeper, Error> {
        self.check_awake()?;
        let wake = self.interrupts.waker()?;
        let (asked, end) = self.asked(Some(wake.state().doorbell().as_fd().as_raw_fd()));
        let mut sleeper = self.sleepers.take(wake)?;
        sleeper.watch_sets(&asked, end);
        let sleep = self.idle.begin_sleep(sleep, self.table.len(), self.clock);
        Ok(self.sleepers.begin(sleeper, sleep, self.clock, &self.fork))
    }

    fn end_sleep(&mut self, sleeper: Sleeper) -> Result<(), Error> {
        self.sleepers.end(sleeper, &self.fork)
    }
}

impl<S: Slots> fmt::Debug for Select<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Select").field("registered", &self.table).field("clock", &self.clock).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    mod growable {
        crate::cases::cases! { crate::Select::new }
    }

    mod fixed {
        use evcore::Fixed;

        use crate::{Clock, Select};

        crate::cases::cases! { || Select::<Fixed<16>>::with_clock(Clock::Monotonic) }
        crate::cases::cases! { || Select::<Fixed<16>>::with_clock(Clock::Monotonic); a_full_table_refuses_and_works_on }
    }

    use std::fs::File;

    use super::*;
    use crate::cases::{Rig, alone, high};

    /// As when a thread is interrupted between the swap and the ring of its wake.
    #[test]
    fn a_ring_that_comes_late_costs_one_wait() {
        alone(|| {
            let mut rig = Rig::new(Select::new());
            let _waker = rig.backend.waker().unwrap();
            rig.backend.interrupts.doorbell().unwrap().ring();
            assert!(rig.wait(Sleep::Forever).is_empty());
            assert!(rig.is_idle());
        });
    }

    #[test]
    fn a_number_beyond_the_sets_is_refused_and_leaves_nothing() {
        alone(|| {
            let mut rig = Rig::new(Select::new());
            let null = File::open("/dev/null").unwrap();
            for least in [1_024, 1_025, 1_500, 5_000] {
                let high = high(&null, least);
                let refused = rig.try_add(Fd::of(&high), 1, Interest::READ);
                assert_eq!(refused, Err(Error::TooLarge { number: high.as_raw_fd(), limit: 1_024 }));
                assert_eq!(rig.backend.table.len(), 0);
                rig.del(Fd::of(&high), 1, Interest::READ);
            }
            let highest = high(&null, 1_023);
            rig.add(&highest, 2, Interest::READ);
            assert_eq!(rig.look(), [(2, Ready::READ)]);
        });
    }

    #[test]
    fn a_doorbell_beyond_the_sets_is_refused_and_leaves_nothing() {
        alone(|| {
            let mut rig = Rig::new(Select::new());
            let null = File::open("/dev/null").unwrap();
            let mut all: Vec<_> = (0..1_024).map(|_| null.try_clone().unwrap()).collect();
            assert!(matches!(rig.backend.waker().unwrap_err(), Error::TooLarge { .. }));
            assert!(rig.backend.signals().unwrap().add(libc::SIGUSR1).is_err());
            let free = null.try_clone().unwrap();
            all.truncate(512);
            rig.backend.waker().unwrap().wake();
            assert!(rig.wait(Sleep::Forever).is_empty());
            drop(free);
        });
    }

    #[test]
    fn the_highest_number_goes_down_again() {
        alone(|| {
            let mut rig = Rig::new(Select::new());
            let null = File::open("/dev/null").unwrap();
            let highest = high(&null, 1_000);
            rig.add(&null, 1, Interest::READ);
            rig.add(&highest, 2, Interest::READ);
            assert_eq!(rig.look().len(), 2);
            assert_eq!(rig.backend.end, Some(highest.as_raw_fd() + 1));
            rig.del(Fd::of(&highest), 2, Interest::READ);
            assert_eq!(rig.look(), [(1, Ready::READ)]);
            assert_eq!(rig.backend.end, Some(null.as_raw_fd() + 1));
        });
    }
}
