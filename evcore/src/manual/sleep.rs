//! How `Manual` sleeps and is woken.

use super::{Manual, ManualError};
use crate::backend::{EventOp, Sleeper, Split, Wake};
use crate::time::{Instant, Sleep};
use crate::wake::WakeFlag;

/// Does not wait: unless something ends the sleep, virtual time jumps to its end.
#[derive(Debug)]
pub struct ManualSleeper {
    number: u32,
    until: Sleep,
    has_slept: bool,
}

impl Sleeper for ManualSleeper {
    fn until(&self) -> Sleep {
        self.until
    }

    fn sleep(&mut self) {
        self.has_slept = true;
    }
}

/// The state of a `Manual` between the halves of a turn.
#[derive(Default)]
pub(super) struct Sleeping {
    /// The number of sleeps.
    number: u32,
    is_asleep: bool,
    is_disturbed: bool,
    /// When the last sleep ended, until the next wait.
    slept_until: Option<Instant>,
}

impl Sleeping {
    pub(super) const NONE: Self = Self { number: 0, is_asleep: false, is_disturbed: false, slept_until: None };

    pub(super) const fn check_awake(&self) -> Result<(), ManualError> {
        if self.is_asleep { Err(ManualError::Asleep) } else { Ok(()) }
    }

    pub(super) const fn disturb(&mut self) {
        self.is_disturbed = true;
    }

    pub(super) const fn reinit(&mut self) {
        self.is_asleep = false;
    }

    /// The sleep of a wait that follows a sleep.
    pub(super) fn take(&mut self, sleep: Sleep) -> Sleep {
        self.slept_until.take().map_or(sleep, Sleep::Until)
    }
}

impl<const N: usize> Split for Manual<N> {
    type Sleeper = ManualSleeper;

    fn begin_sleep(&mut self, until: Sleep) -> Result<ManualSleeper, ManualError> {
        self.check_awake()?;
        let number = self.sleeping.number.wrapping_add(1);
        self.sleeping = Sleeping { number, is_asleep: true, ..Sleeping::NONE };
        Ok(ManualSleeper { number, until, has_slept: false })
    }

    fn end_sleep(&mut self, sleeper: ManualSleeper) -> Result<(), ManualError> {
        if !self.sleeping.is_asleep || sleeper.number != self.sleeping.number {
            return Err(ManualError::NotAsleep);
        }
        self.sleeping.is_asleep = false;
        let slept = sleeper.has_slept && !self.sleeping.is_disturbed;
        self.sleeping.slept_until = match sleeper.until {
            Sleep::Until(point) if slept => Some(point),
            _ => None,
        };
        Ok(())
    }
}

impl<const N: usize> Wake for Manual<N> {
    type Waker = &'static WakeFlag;

    fn waker(&mut self) -> Result<&'static WakeFlag, ManualError> {
        self.flag.ok_or(ManualError::NoFlag)
    }
}
