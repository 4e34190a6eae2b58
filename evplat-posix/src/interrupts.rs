//! What can end a wait early: wakers and signals.

use std::os::fd::RawFd;

use evcore::backend::{SignalOp, Signum, Sink, Sleep};

use crate::doorbell::Doorbell;
use crate::error::Error;
use crate::signal::Signals;
use crate::waker::{WakeState, Waker};

/// The wakers and signals of one backend, which share a doorbell. Both are made on first use, so a base that uses
/// neither has no descriptor for them and no cost per turn.
///
/// ```text
///   dispatch:  wait = prepare(wait) ─▶ the system's wait, on the doorbell too ─▶ awake ─▶ report into the sink
/// ```
///
/// ```
/// use evcore::backend::Sleep;
/// use evplat_posix::backend::{Doorbell, Interrupts};
///
/// let mut interrupts = Interrupts::new(Doorbell::pipe);
/// assert!(interrupts.doorbell().is_none());
/// let waker = interrupts.waker()?;
/// waker.wake();
/// assert_eq!(interrupts.prepare(Sleep::Forever), Sleep::None);
/// interrupts.awake();
/// assert_eq!(interrupts.prepare(Sleep::Forever), Sleep::Forever);
/// # Ok::<(), evplat_posix::Error>(())
/// ```
#[derive(Debug)]
pub struct Interrupts {
    make: fn() -> Result<Doorbell, Error>,
    wake: Option<Waker>,
    signals: Option<Signals>,
}

impl Interrupts {
    /// Starts without a doorbell; `make` creates it on first use.
    #[must_use]
    pub const fn new(make: fn() -> Result<Doorbell, Error>) -> Self {
        Self { make, wake: None, signals: None }
    }

    /// Creates a waker.
    ///
    /// # Errors
    ///
    /// When the doorbell cannot be made. Nothing changes then.
    pub fn waker(&mut self) -> Result<Waker, Error> {
        self.wake()
    }

    /// The doorbell to wait on, if there is a waker or a signal.
    #[inline]
    #[must_use]
    pub fn doorbell(&self) -> Option<&Doorbell> {
        self.wake.as_ref().map(|wake| wake.state().doorbell())
    }

    /// Refuses a number that is one of the doorbell's: the program means a descriptor that it has since closed.
    ///
    /// # Errors
    ///
    /// `EBADF`.
    pub fn check_foreign(&self, number: RawFd) -> Result<(), Error> {
        match self.doorbell().is_some_and(|doorbell| doorbell.has(number)) {
            true => Err(Error::system("fstat", libc::EBADF)),
            false => Ok(()),
        }
    }

    /// How to wait: `wait`, or not at all if a wake has already come. Wait on the doorbell too, then call
    /// [`awake`](Interrupts::awake), whatever the result of the wait.
    #[inline]
    #[must_use]
    pub fn prepare(&self, wait: Sleep) -> Sleep {
        match &self.wake {
            Some(wake) if wait != Sleep::None && !wake.state().prepare_sleep() => Sleep::None,
            _ => wait,
        }
    }

    /// Call this after the wait. Returns whether a wake has come; if the loop was asleep, the doorbell was rung too.
    #[inline]
    pub fn awake(&self) -> bool {
        self.wake.as_ref().is_some_and(|wake| wake.state().awake())
    }

    /// Call this if the wait failed: the wake that [`awake`](Interrupts::awake) took is kept for the next wait.
    pub fn put_back(&self) {
        if let Some(wake) = &self.wake {
            wake.wake();
        }
    }

    /// Quiets the doorbell, for a backend that waits for it level-triggered and would be woken by it again.
    ///
    /// # Errors
    ///
    /// As [`Doorbell::drain`]: somebody has closed or replaced it.
    pub fn answer(&self) -> Result<(), Error> {
        self.doorbell().map_or(Ok(()), Doorbell::drain)
    }

    /// Reports to `sink` the wake, if [`awake`](Interrupts::awake) returned `true`, and the signals that have
    /// arrived.
    #[inline]
    pub fn report<Fd>(&mut self, woken: bool, sink: &mut impl Sink<Fd>) {
        if woken {
            sink.woken();
        }
        if let Some(signals) = &mut self.signals {
            signals.drain(|signum, count| sink.signal(signum, count));
        }
    }

    /// Gives the child of a fork its own doorbell, under the numbers of the one it shares with its parent, and
    /// discards signals that arrived in the parent. Wakers stay valid; in the child they wake the child's base.
    ///
    /// # Errors
    ///
    /// When the system has no descriptors left; call it again later.
    pub fn reinit(&mut self) -> Result<(), Error> {
        if let Some(wake) = &self.wake {
            wake.state().reinit(&(self.make)()?)?;
        }
        self.signals.as_mut().map_or(Ok(()), Signals::reinit)
    }

    fn wake(&mut self) -> Result<Waker, Error> {
        if let Some(wake) = &self.wake {
            return Ok(wake.clone());
        }
        let wake = Waker::new(WakeState::new((self.make)()?))?;
        self.wake = Some(wake.clone());
        Ok(wake)
    }
}

impl SignalOp for Interrupts {
    type Error = Error;

    fn add(&mut self, signum: Signum) -> Result<(), Error> {
        if let Some(signals) = &mut self.signals {
            return signals.add(signum);
        }
        let is_woken = self.wake.is_some();
        let first = self
            .wake()
            .and_then(|wake| Signals::new(&wake))
            .and_then(|mut signals| signals.add(signum).map(|()| signals));
        match first {
            Ok(signals) => {
                self.signals = Some(signals);
                Ok(())
            }
            Err(error) => {
                // Drop a doorbell that was made only for this signal.
                self.wake = self.wake.take().filter(|_| is_woken);
                Err(error)
            }
        }
    }

    fn del(&mut self, signum: Signum) -> u32 {
        self.signals.as_mut().map_or(0, |signals| signals.del(signum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_wait_swallows_no_wake() {
        let mut interrupts = Interrupts::new(Doorbell::pipe);
        interrupts.waker().unwrap().wake();
        assert_eq!(interrupts.prepare(Sleep::Forever), Sleep::None);
        assert!(interrupts.awake());
        interrupts.put_back();
        assert_eq!(interrupts.prepare(Sleep::Forever), Sleep::None);
        assert!(interrupts.awake());
        assert_eq!(interrupts.prepare(Sleep::Forever), Sleep::Forever);
    }

    #[test]
    fn a_refused_signal_leaves_no_doorbell() {
        let mut interrupts = Interrupts::new(Doorbell::pipe);
        assert_eq!(interrupts.add(libc::SIGKILL), Err(Error::system("sigaction", libc::EINVAL)));
        assert!(interrupts.doorbell().is_none());
        let _waker = interrupts.waker().unwrap();
        assert!(interrupts.add(0).is_err());
        assert!(interrupts.doorbell().is_some());
    }

    #[test]
    fn a_doorbell_that_cannot_be_made_leaves_nothing() {
        let mut interrupts = Interrupts::new(|| Err(Error::system("pipe", libc::EMFILE)));
        assert_eq!(interrupts.waker().unwrap_err().errno(), Some(libc::EMFILE));
        assert_eq!(interrupts.add(libc::SIGUSR1).unwrap_err().errno(), Some(libc::EMFILE));
        interrupts.del(libc::SIGUSR1);
        assert!(interrupts.doorbell().is_none() && interrupts.signals.is_none());
    }
}
