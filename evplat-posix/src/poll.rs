//! The backend on `poll(2)`.

use std::io;
use std::os::fd::RawFd;

use evcore::backend::{Features, Sleep};
use evcore::{Growable, Interest, Ready};
use libc::pollfd;

use crate::clock::Clock;
use crate::doorbell::Doorbell;
use crate::error::Error;
use crate::events::{EVENTS, POLLRDHUP, REVENTS};
use crate::scan::{Call, Scan};
use crate::sleeper::Sleeper;
use crate::sys;
use crate::table::{Slots, Table};

/// A backend on `poll(2)`: for every Unix system, and any descriptor number.
///
/// ```text
///   add, modify, del ──▶ table of pollfd ──poll(2)──▶ scan what is ready ──▶ sink
///                                ▲ doorbell: wakers, signals
/// ```
///
/// Each wait costs time in proportion to the number of registered descriptors. Below about a hundred descriptors, or
/// when most of them are ready, that is no slower than the alternatives. Files and other descriptors that never block
/// are always ready. A descriptor that was closed while registered is found at the next wait: its own events get
/// ERROR, no other event is affected, and it costs no further turns. The same happens if its number now belongs to
/// another file (`dup2`). The backend checks for that after every 251 reports of a descriptor, for one descriptor in
/// turn every 64 waits, and for all when nothing was found for 100 ms.
///
/// A process must not lower its limit of descriptors (`RLIMIT_NOFILE`) below the number of registered descriptors.
/// The system then refuses each wait with `EINVAL` until the limit is raised or enough descriptors are removed; no
/// event is lost meanwhile.
///
/// If the system has no memory for a wait, the wait finds nothing and lasts at most 10 ms.
///
/// Waits are precise to the nanosecond where the system has `ppoll(2)`, otherwise to the millisecond, rounded up.
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
pub type Poll<S = Growable> = Scan<PollCall, S>;

/// `poll(2)`: takes the table as its argument and writes its results there.
#[doc(hidden)]
#[derive(Default)]
#[allow(missing_debug_implementations, unreachable_pub, reason = "`Poll` leads to it")]
pub struct PollCall;

impl Call for PollCall {
    const NAME: &'static str = "poll";
    const EVENTS: &'static [(Interest, i16)] = &EVENTS;

    fn features() -> Features {
        let closed = if POLLRDHUP == 0 { Features::empty() } else { Features::CLOSED };
        Features::FILES | Features::URGENT | Features::ERRORS | Features::SIGNALS | closed
    }

    fn doorbell() -> Result<Doorbell, Error> {
        Doorbell::pipe()
    }

    /// Any number can be waited for.
    fn check(_: RawFd) -> Result<(), Error> {
        Ok(())
    }

    fn note(&mut self, _: RawFd, _: i16) {}

    #[inline]
    fn wait<S: Slots>(
        &mut self,
        table: &mut Table<S>,
        doorbell: Option<RawFd>,
        clock: Clock,
        wait: Sleep,
    ) -> io::Result<usize> {
        let entries = table.entries(doorbell);
        clock.wait(wait, |time| sys::poll(entries, time))
    }

    #[inline]
    fn rings<S: Slots>(&self, table: &Table<S>, _: Option<RawFd>) -> bool {
        table.doorbell() != 0
    }

    #[inline]
    fn found(&self, entry: &pollfd) -> Option<(usize, Ready)> {
        // POLLNVAL, for a closed number, comes alone and is none of these.
        let revents = entry.revents;
        if revents == 0 {
            return None;
        }
        let bits = REVENTS.iter().filter(|(event, _)| revents & event != 0);
        Some((1, bits.fold(Ready::empty(), |all, (_, bit)| all | *bit)))
    }

    fn watch<S: Slots>(&mut self, table: &mut Table<S>, doorbell: RawFd, sleeper: &mut Sleeper) -> Result<(), Error> {
        sleeper.watch_entries(table.entries(Some(doorbell)))
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

    use evcore::backend::{EventOp, Wake};

    use super::*;
    use crate::cases::{Rig, alone, high, pipe};
    use crate::sys::tests::{fd_limit, set_fd_limit};

    /// As when a thread is interrupted in `wake`, between the swap and the ring.
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
            let waker = rig.backend.waker().unwrap();
            let (reader, _writer) = pipe();
            let copies: Vec<_> = (0..64).map(|_| reader.try_clone().unwrap()).collect();
            for (name, copy) in (0..).zip(&copies) {
                rig.add(copy, name, Interest::READ);
            }
            let limit = fd_limit();
            set_fd_limit(16);
            waker.wake();
            let refused = rig.backend.dispatch(Sleep::None, &mut rig.core);
            assert_eq!(refused, Err(Error::system("poll", libc::EINVAL)));
            set_fd_limit(limit);
            assert!(rig.wait(Sleep::Forever).is_empty(), "the wake counts still");
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
