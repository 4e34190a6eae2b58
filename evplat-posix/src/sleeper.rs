//! Waiting while the base is not borrowed.

use core::ffi::c_int;
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

use evcore::Interest;
use evcore::backend::{self, Sleep};
use libc::pollfd;

use crate::clock::Clock;
use crate::error::Error;
use crate::events::interest;
use crate::fork::ForkGuard;
use crate::sys::{self, FdSet};
use crate::waker::Waker;

/// What a sleeper waits for.
enum Watched {
    /// For `poll(2)`: the backend's table, or its kernel object alone.
    Poll(Vec<pollfd>),
    /// For `select(2)`: the sets, and one more than the highest number in them.
    Select(Box<[FdSet; 3]>, c_int),
}

/// The wait of a base on Unix that is asleep, from [`EventBase::begin_sleep`](evcore::EventBase::begin_sleep).
///
/// It has a copy of the list of descriptors, or, for a backend with a kernel object, a duplicate of that object's
/// descriptor. It only checks whether something is ready and consumes no report: the base does that when it is awake
/// again. So nothing is lost if a sleeper is dropped.
///
/// In another loop, wait for the [`descriptors`](Sleeper::descriptors) until at most
/// [`until`](evcore::backend::Asleep::until), instead of calling [`sleep`](evcore::backend::Asleep::sleep).
pub struct Sleeper {
    watched: Watched,
    /// The kernel object in `watched`, with its number among those the backend has had.
    set: Option<(u32, OwnedFd)>,
    until: Sleep,
    clock: Clock,
    fork: ForkGuard,
    error: Option<Error>,
    /// Keeps open the doorbell whose number is in `watched`.
    wake: Waker,
    is_out: Arc<AtomicBool>,
}

impl Sleeper {
    fn new(wake: Waker, is_out: Arc<AtomicBool>) -> Result<Self, Error> {
        let (until, clock, fork) = (Sleep::None, Clock::Monotonic, ForkGuard::new()?);
        Ok(Self { watched: Watched::Poll(Vec::new()), set: None, until, clock, fork, error: None, wake, is_out })
    }

    /// Waits for a kernel object that is readable when something is ready. `number` counts the objects that the
    /// backend has had.
    ///
    /// # Errors
    ///
    /// When there is no descriptor left for a duplicate.
    pub fn watch_set(&mut self, set: BorrowedFd<'_>, number: u32) -> Result<(), Error> {
        if self.set.as_ref().is_none_or(|(old, _)| *old != number) {
            let copy = set.try_clone_to_owned().map_err(Error::during("dup"))?;
            self.watch_entries(&[pollfd { fd: copy.as_raw_fd(), events: libc::POLLIN, revents: 0 }])?;
            self.set = Some((number, copy));
        }
        Ok(())
    }

    /// Waits for a copy of these entries, which include the doorbell's.
    pub(crate) fn watch_entries(&mut self, entries: &[pollfd]) -> Result<(), Error> {
        if let Watched::Select(..) = self.watched {
            self.watched = Watched::Poll(Vec::new());
        }
        if let Watched::Poll(copy) = &mut self.watched {
            copy.clear();
            copy.try_reserve(entries.len()).map_err(|_| Error::Full)?;
            copy.extend_from_slice(entries);
        }
        Ok(())
    }

    /// Waits for the numbers below `end` in a copy of these sets, which include the doorbell's.
    pub(crate) fn watch_sets(&mut self, sets: &[FdSet; 3], end: c_int) {
        match &mut self.watched {
            Watched::Select(copy, old_end) => {
                **copy = *sets;
                *old_end = end;
            }
            Watched::Poll(_) => self.watched = Watched::Select(Box::new(*sets), end),
        }
    }

    /// The descriptors that another loop must wait for, level-triggered, with their interests: a kernel object's
    /// alone, or all that are registered and one for wakers, signals and changes. The numbers are valid until the
    /// base is changed; one of them is readable after that. Then give the sleeper back.
    ///
    /// ```
    /// use std::os::fd::AsRawFd;
    /// use std::os::unix::net::UnixStream;
    /// use evplat_posix::{Fd, Interest, Select, SelectBase, Wait};
    ///
    /// let (near, _far) = UnixStream::pair()?;
    /// let mut base: SelectBase<&str> = SelectBase::new(Select::new()?);
    /// base.insert(Fd::of(&near), Interest::READ, "socket")?;
    /// let asleep = base.begin_sleep(Wait::Forever)?;
    /// assert!(asleep.sleeper().descriptors().any(|entry| entry == (near.as_raw_fd(), Interest::READ)));
    /// assert_eq!(asleep.sleeper().descriptors().count(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn descriptors(&self) -> impl Iterator<Item = (RawFd, Interest)> + '_ {
        let (entries, sets, end) = match &self.watched {
            Watched::Poll(entries) => (entries.as_slice(), None, 0),
            Watched::Select(sets, end) => (&[][..], Some(sets), *end),
        };
        let polled = entries.iter().filter(|entry| entry.fd >= 0).map(|entry| (entry.fd, interest(entry.events)));
        let selected = (0..end).filter_map(move |number| {
            let bits = [Interest::READ, Interest::WRITE, Interest::URGENT];
            let asked = sets?.iter().zip(bits).filter(|(set, _)| set.contains(number));
            Some((number, asked.fold(Interest::empty(), |all, (_, bit)| all | bit)))
                .filter(|(_, asked)| !asked.is_empty())
        });
        polled.chain(selected)
    }

    fn wait(&mut self) -> io::Result<usize> {
        match &mut self.watched {
            Watched::Poll(entries) => self.clock.wait(self.until, |time| sys::poll(entries, time)),
            Watched::Select(sets, end) => self.clock.wait(self.until, |time| {
                // The result in the sets is what is ready, which the sleeper does not report.
                let mut ready = **sets;
                sys::select(*end, &mut ready, time)
            }),
        }
    }
}

impl backend::Sleeper for Sleeper {
    fn until(&self) -> Sleep {
        self.until
    }

    fn sleep(&mut self) {
        // In a forked child the descriptors are still the parent's. `end` returns the error.
        if self.fork.forked() {
            return;
        }
        self.error = match self.wait() {
            Ok(_) => None,
            // `select(2)` does not say which descriptor was closed; the base finds it.
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => None,
            Err(error) => Some(Error::during("sleep")(error)),
        };
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        // Nobody waits with it any more. Release: a thread that reads this sees everything that the sleeper's thread
        // did before.
        self.is_out.store(false, Ordering::Release);
    }
}

impl fmt::Debug for Sleeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleeper").field("until", &self.until).finish_non_exhaustive()
    }
}

/// The sleepers of one backend, at most one of which is out.
///
/// Why no change is missed: `begin`, `wake` and `end` borrow the backend, so they have a total order (through the
/// mutex, if there is one). Consider a change that happens between a `begin` and its `end`; an earlier change is in
/// what the sleeper waits for, and a later one finds the base awake. `wake` then finds `is_out` and rings.
///
/// - The sleeper has been waiting for the doorbell since before `begin` returned, so a sleep under way ends, and one
///   that begins later ends at once. This does not depend on the state of the wakers and does not change it: a change
///   is not a wake.
/// - Only a wait of the backend drains the doorbell, and that is refused until `end`. So all sleeps of this sleeper
///   end, however many there are.
/// - After `end`, a change rings for the next sleeper again. If the previous ring is still there, it costs one sleep
///   that finds nothing.
///
/// A waker that is used between `begin` and `end` rings because the state is SLEEPING from `begin` on. One that was
/// used before has left NOTIFIED there, and then the sleeper does not sleep.
#[derive(Default)]
pub struct Sleepers {
    is_out: bool,
    is_rung: bool,
    /// Shared with the sleeper that is out, or with the last one.
    shared: Option<Shared>,
    /// The last sleeper, kept for its memory and its descriptor.
    spare: Option<Sleeper>,
}

struct Shared {
    wake: Waker,
    is_out: Arc<AtomicBool>,
}

impl Sleepers {
    /// Creates it without a sleeper.
    #[must_use]
    pub const fn new() -> Self {
        Self { is_out: false, is_rung: false, shared: None, spare: None }
    }

    /// Checks that no sleeper is out, so that a turn may begin.
    ///
    /// # Errors
    ///
    /// [`Error::Asleep`].
    #[inline]
    pub fn check_awake(&self) -> Result<(), Error> {
        if self.is_out && self.is_asleep() { Err(Error::Asleep) } else { Ok(()) }
    }

    /// Wakes the sleeper that is out.
    #[inline]
    pub fn wake(&mut self) {
        if self.is_out {
            self.ring();
        }
    }

    /// Returns a sleeper that has nothing to wait for yet. `wake` is one of the backend's wakers.
    ///
    /// # Errors
    ///
    /// As [`ForkGuard::new`].
    pub fn take(&mut self, wake: Waker) -> Result<Sleeper, Error> {
        if let Some(spare) = self.spare.take() {
            return Ok(spare);
        }
        let is_out = match &self.shared {
            Some(shared) => Arc::clone(&shared.is_out),
            None => Arc::new(AtomicBool::new(false)),
        };
        self.shared = Some(Shared { wake: wake.clone(), is_out: Arc::clone(&is_out) });
        Sleeper::new(wake, is_out)
    }

    /// Hands the sleeper out: it waits as `sleep` says, by `clock`. `guard`, the backend's, is marked asleep until
    /// `end`.
    pub fn begin(&mut self, mut sleeper: Sleeper, sleep: Sleep, clock: Clock, guard: &ForkGuard) -> Sleeper {
        let may_sleep = sleep == Sleep::None || sleeper.wake.state().prepare_sleep();
        sleeper.until = if may_sleep { sleep } else { Sleep::None };
        sleeper.clock = clock;
        sleeper.is_out.store(true, Ordering::Relaxed);
        (self.is_out, self.is_rung) = (true, false);
        guard.set_asleep(true);
        sleeper
    }

    /// Takes back the sleeper that is out.
    ///
    /// # Errors
    ///
    /// [`Error::NotAsleep`] if it is another sleeper. If its wait failed, the error of the wait.
    pub fn end(&mut self, mut sleeper: Sleeper, guard: &ForkGuard) -> Result<(), Error> {
        let is_it = self.shared.as_ref().is_some_and(|shared| Arc::ptr_eq(&shared.is_out, &sleeper.is_out));
        if !(self.is_out && is_it) {
            return Err(Error::NotAsleep);
        }
        (self.is_out, self.is_rung) = (false, false);
        guard.set_asleep(false);
        sleeper.is_out.store(false, Ordering::Relaxed);
        let error = sleeper.error.take();
        self.spare = Some(sleeper);
        error.map_or(Ok(()), Err)
    }

    /// For the child of a fork: the sleeper that is out belongs to the parent.
    pub fn reinit(&mut self, guard: &ForkGuard) {
        guard.set_asleep(false);
        // Without `end`, because the doorbell is the parent's, too.
        (self.is_out, self.is_rung, self.shared, self.spare) = (false, false, None, None);
    }

    #[cold]
    fn ring(&mut self) {
        if let (false, Some(shared)) = (self.is_rung, &self.shared) {
            self.is_rung = true;
            shared.wake.state().doorbell().ring();
        }
    }

    #[cold]
    fn is_asleep(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.is_out.load(Ordering::Acquire))
    }
}

impl Drop for Sleepers {
    fn drop(&mut self) {
        self.wake();
    }
}

impl fmt::Debug for Sleepers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleepers").field("is_out", &self.is_out).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use evcore::backend::Split;
    use evcore::{Event, EventBase, Fd, Growable, Turn, Wait};

    use super::*;
    use crate::cases::alone;
    use crate::sys::tests::{fd_limit, set_fd_limit};
    use crate::{Poll, Select};

    type Base<B> = EventBase<B, Growable, u32>;

    fn on_each(poll: fn(Base<Poll>), select: fn(Base<Select>)) {
        alone(|| poll(EventBase::new(Poll::new().unwrap())));
        alone(|| select(EventBase::new(Select::new().unwrap())));
    }

    #[test]
    fn dropped_sleeper_needs_no_reinit() {
        fn test<B: Split<Error = Error>>(mut base: Base<B>) {
            for _ in 0..3 {
                let asleep = base.begin_sleep(Wait::None).unwrap();
                assert_eq!(base.poll(Wait::None), Err(Error::Asleep));
                drop(asleep);
                assert_eq!(base.poll(Wait::None), Ok(Turn::Running));
            }
        }
        on_each(test, test);
    }

    #[test]
    fn second_sleep_is_refused_while_the_first_is_out() {
        fn test<B: Split<Error = Error, Sleeper = Sleeper>>(mut base: Base<B>) {
            let first = base.backend_mut().begin_sleep(Sleep::None).unwrap();
            assert_eq!(base.backend_mut().begin_sleep(Sleep::None).unwrap_err(), Error::Asleep);
            base.backend_mut().end_sleep(first).unwrap();
        }
        on_each(test, test);
    }

    #[test]
    fn second_sleep_waits_for_what_was_added_since_the_first() {
        fn test<B: Split<Fd = Fd, Sleeper = Sleeper>>(mut base: Base<B>) {
            let asleep = base.begin_sleep(Wait::None).unwrap();
            assert!(base.end_sleep(asleep).unwrap().is_running());
            let (near, _far) = UnixStream::pair().unwrap();
            base.insert(Fd::of(&near), Interest::READ, 1).unwrap();
            let asleep = base.begin_sleep(Wait::None).unwrap();
            assert!(asleep.sleeper().descriptors().any(|entry| entry == (near.as_raw_fd(), Interest::READ)));
        }
        on_each(test, test);
    }

    #[test]
    fn sleep_of_the_parent_does_not_wait_in_the_child() {
        fn test<B: Split<Sleeper = Sleeper>>(mut base: Base<B>) {
            base.create(Event::timer(), 1).unwrap();
            let mut asleep = base.backend_mut().begin_sleep(Sleep::Forever).unwrap();
            assert_eq!(
                crate::sys::tests::in_child(|| {
                    backend::Sleeper::sleep(&mut asleep);
                    true
                }),
                0
            );
        }
        on_each(test, test);
    }

    #[test]
    fn sleep_ends_when_the_base_is_dropped() {
        fn test<B: Split<Sleeper = Sleeper>>(mut base: Base<B>) {
            let mut sleeper = base.backend_mut().begin_sleep(Sleep::Forever).unwrap();
            drop(base);
            backend::Sleeper::sleep(&mut sleeper);
        }
        on_each(test, test);
    }

    /// Each ring writes eight bytes to the pipe.
    #[test]
    fn sleeper_is_rung_for_once_and_never_when_it_is_back() {
        let waker = Waker::new(crate::waker::WakeState::new(crate::doorbell::Doorbell::pipe().unwrap())).unwrap();
        let (mut sleepers, guard) = (Sleepers::new(), ForkGuard::new().unwrap());
        let sleeper = sleepers.take(waker.clone()).unwrap();
        let sleeper = sleepers.begin(sleeper, Sleep::Forever, Clock::Monotonic, &guard);
        sleepers.wake();
        sleepers.wake();
        assert_eq!(crate::sys::tests::read(waker.state().doorbell(), &mut [0; 64]), Ok(8));
        sleepers.end(sleeper, &guard).unwrap();
        drop(sleepers);
        assert!(!crate::sys::tests::is_readable(waker.state().doorbell()));
    }

    #[test]
    fn second_sleep_uses_the_first_ones_memory() {
        fn test<B: Split<Fd = Fd, Sleeper = Sleeper>>(mut base: Base<B>) {
            let (near, _far) = UnixStream::pair().unwrap();
            base.insert(Fd::of(&near), Interest::WRITE, 1).unwrap();
            let descriptors =
                |asleep: &evcore::backend::Asleep<Sleeper>| asleep.sleeper().descriptors().collect::<Vec<_>>();
            let mut asleep = base.begin_sleep(Wait::Forever).unwrap();
            let first = descriptors(&asleep);
            assert!(first.contains(&(near.as_raw_fd(), Interest::WRITE)) && first.len() == 2);
            asleep.sleep();
            assert!(base.end_sleep(asleep).unwrap().is_running());
            assert!(base.next_active().is_some());
            let asleep = base.begin_sleep(Wait::Forever).unwrap();
            assert_eq!(descriptors(&asleep), first);
            assert!(base.end_sleep(asleep).is_ok());
        }
        on_each(test, test);
    }

    #[test]
    fn failed_sleep_is_reported_when_it_ends() {
        alone(|| {
            let mut base: Base<Poll> = EventBase::new(Poll::new().unwrap());
            let mut sleeper = base.backend_mut().begin_sleep(Sleep::None).unwrap();
            sleeper.error = Some(Error::system("sleep", libc::EPERM));
            assert_eq!(base.backend_mut().end_sleep(sleeper), Err(Error::system("sleep", libc::EPERM)));
            assert_eq!(base.poll(Wait::None), Ok(Turn::Running));
        });
    }

    /// The first sleep makes a doorbell. If a turn cannot begin its sleep, the next attempt continues the same turn.
    #[test]
    fn prepare_events_come_once_though_the_sleep_is_refused() {
        fn test<B: Split<Fd = Fd, Sleeper = Sleeper, Error = Error>>(mut base: Base<B>) {
            base.start(Event::prepare(), 0).unwrap();
            assert_eq!(base.poll(Wait::None), Ok(Turn::Prepare));
            assert!(base.next_active().is_some() && base.next_active().is_none());
            let limit = fd_limit();
            set_fd_limit(3);
            assert_eq!(base.begin_sleep(Wait::None).unwrap_err().errno(), Some(libc::EMFILE));
            set_fd_limit(limit);
            let asleep = base.begin_sleep(Wait::None).unwrap();
            assert_eq!(base.end_sleep(asleep), Ok(Turn::Running));
            assert!(base.next_active().is_none());
        }
        on_each(test, test);
    }
}
