//! The backend on `select(2)`.

use core::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use evcore::backend::{Features, Sleep};
use evcore::{Growable, Interest, Ready};
use libc::pollfd;

use crate::clock::Clock;
use crate::doorbell::Doorbell;
use crate::error::Error;
use crate::scan::{Call, Scan};
use crate::sleeper::Sleeper;
use crate::sys::{self, FdSet};
use crate::table::{Slots, Table};

/// The set that each interest goes into, as a flag of the table.
const EVENTS: [(Interest, i16); 3] =
    [(Interest::READ, libc::POLLIN), (Interest::WRITE, libc::POLLOUT), (Interest::URGENT, libc::POLLPRI)];

/// The readiness that each set means in the result.
const READY: [Ready; 3] = [Ready::READ, Ready::WRITE, Ready::URGENT];

/// A backend on `select(2)`, the oldest way to wait, for descriptors below `FD_SETSIZE` (1024 on most systems).
/// Larger numbers are refused when they are added ([`Error::TooLarge`]); nothing is ever written outside the sets.
///
/// ```text
///   add, modify, del ──▶ table, three sets ──copy, select(2)──▶ scan the table ──▶ sink
///                                ▲ doorbell: wakers, signals
/// ```
///
/// It cannot distinguish errors and hang-ups from readiness: it wakes the same events as the other backends, with
/// READ and WRITE. (But a hang-up alone is reported as READ only, so a writer misses it if its socket is full and
/// shut down in both directions.) It cannot detect that the peer has shut down its writing side, so an event that
/// waits for CLOSED alone is refused.
///
/// When a registered descriptor has been closed, the system fails the whole wait. The backend then finds that
/// descriptor, reports ERROR to its events, and waits again without it. It verifies reused numbers and handles lack
/// of memory as [`Poll`](crate::Poll) does. (A closed number higher than all open descriptors of the process may go
/// unnoticed, because Linux does not check it.)
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
pub type Select<S = Growable> = Scan<SelectCall, S>;

/// `select(2)`: its sets, in addition to the table.
#[doc(hidden)]
#[allow(missing_debug_implementations, unreachable_pub, reason = "`Select` leads to it")]
pub struct SelectCall {
    /// The descriptors to wait for.
    sets: [FdSet; 3],
    /// The result of the last wait: the descriptors that are ready.
    ready: [FdSet; 3],
    /// One more than the highest number in the sets. `None` after that number was removed; computed again before the
    /// next wait.
    end: Option<c_int>,
}

impl Default for SelectCall {
    fn default() -> Self {
        Self { sets: [FdSet::new(); 3], ready: [FdSet::new(); 3], end: None }
    }
}

impl SelectCall {
    /// The sets with the doorbell added, and one more than the highest number in them.
    fn asked<S: Slots>(&mut self, table: &Table<S>, doorbell: Option<RawFd>) -> ([FdSet; 3], c_int) {
        let mut asked = self.sets;
        let highest = || table.watched().map(|entry| entry.fd.saturating_add(1)).max().unwrap_or(0);
        let mut end = *self.end.get_or_insert_with(highest);
        if let (Some(doorbell), [read, ..]) = (doorbell, &mut asked) {
            read.set(doorbell, true);
            end = end.max(doorbell.saturating_add(1));
        }
        (asked, end)
    }
}

impl Call for SelectCall {
    const NAME: &'static str = "select";
    const EVENTS: &'static [(Interest, i16)] = &EVENTS;

    fn features() -> Features {
        Features::FILES | Features::URGENT | Features::SIGNALS
    }

    /// Creates a doorbell whose numbers fit into the sets.
    fn doorbell() -> Result<Doorbell, Error> {
        let doorbell = Doorbell::pipe()?;
        Self::check(doorbell.as_fd().as_raw_fd()).map(|()| doorbell)
    }

    fn check(number: RawFd) -> Result<(), Error> {
        match usize::try_from(number) {
            Ok(small) if small < FdSet::LIMIT => Ok(()),
            _ => Err(Error::TooLarge { number, limit: FdSet::LIMIT }),
        }
    }

    /// Puts a number into the sets of its events and removes it from the others.
    fn note(&mut self, number: RawFd, events: i16) {
        for (set, (_, event)) in self.sets.iter_mut().zip(EVENTS) {
            set.set(number, events & event != 0);
        }
        let next = number.saturating_add(1);
        if events != 0 {
            self.end = self.end.map(|end| end.max(next));
        } else if self.end == Some(next) {
            self.end = None;
        }
    }

    fn wait<S: Slots>(
        &mut self,
        table: &mut Table<S>,
        doorbell: Option<RawFd>,
        clock: Clock,
        wait: Sleep,
    ) -> io::Result<usize> {
        let (asked, end) = self.asked(table, doorbell);
        clock.wait(wait, |time| {
            // An earlier part of this wait has emptied the sets.
            self.ready = asked;
            sys::select(end, &mut self.ready, time)
        })
    }

    fn rings<S: Slots>(&self, _: &Table<S>, doorbell: Option<RawFd>) -> bool {
        let [read, ..] = &self.ready;
        doorbell.is_some_and(|number| read.contains(number))
    }

    fn found(&self, entry: &pollfd) -> Option<(usize, Ready)> {
        let found = self.ready.iter().zip(READY).filter(|(set, _)| set.contains(entry.fd));
        let all = found.fold((0usize, Ready::empty()), |(count, all), (_, bit)| (count.saturating_add(1), all | bit));
        Some(all).filter(|(count, _)| *count > 0)
    }

    fn watch<S: Slots>(&mut self, table: &mut Table<S>, doorbell: RawFd, sleeper: &mut Sleeper) -> Result<(), Error> {
        let (asked, end) = self.asked(table, Some(doorbell));
        sleeper.watch_sets(&asked, end);
        Ok(())
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

    use evcore::Fd;
    use evcore::backend::{EventOp, Wake};

    use super::*;
    use crate::cases::{Rig, alone, high};

    /// As when a thread is interrupted in `wake`, between the swap and the ring.
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
            let beyond = high(&null, 1_024);
            let refused = rig.modify(Fd::of(&beyond), 2, Interest::READ, Interest::WRITE);
            assert_eq!(refused, Err(Error::TooLarge { number: beyond.as_raw_fd(), limit: 1_024 }));
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
            assert_eq!(rig.backend.call.end, Some(highest.as_raw_fd() + 1));
            rig.del(Fd::of(&highest), 2, Interest::READ);
            assert_eq!(rig.look(), [(1, Ready::READ)]);
            assert_eq!(rig.backend.call.end, Some(null.as_raw_fd() + 1));
        });
    }
}
