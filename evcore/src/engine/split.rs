//! A turn in two halves, with the wait between them outside of the engine.

use super::registry::Moment;
use super::{Engine, Phase};
use crate::backend::{EventOp, Split};
use crate::base::Turn;
use crate::storage::Storage;
use crate::time::Sleep;

impl<B: EventOp, S: Storage, T> Engine<B, S, T> {
    /// The engine, for a call that may bring the end of a wait forward: wakes the sleeper, before the change or after.
    /// To act on it, the woken thread must borrow the base, which this call holds until the change is complete.
    #[inline(always)]
    pub(crate) fn changing(&mut self) -> &mut Self {
        self.backend.wake_sleeper();
        self
    }
}

impl<B: Split, S: Storage, T> Engine<B, S, T> {
    /// The part of a turn before its wait, except hand-outs and results. Returns the sleeper, and whether this turn's
    /// prepare events have been handed out.
    pub(crate) fn begin_sleep(&mut self, wanted: Sleep) -> Result<(B::Sleeper, bool), B::Error> {
        self.backend.check_awake()?;
        let is_prepared = self.close_turn() == Phase::Prepare;
        // A turn without a wait belongs to the second half.
        let is_due = self.registry.is_active()
            || self.is_end_requested()
            || wanted == Sleep::Forever && self.is_empty()
            || !is_prepared && self.registry.has_watchers(Moment::Prepare);
        if !is_due {
            self.sync_backend();
        }
        // A refused change makes an event active.
        let sleep = if is_due || self.registry.is_active() { Sleep::None } else { self.shortened(wanted) };
        let sleeper = self.backend.begin_sleep(sleep).inspect_err(|_| {
            if is_prepared {
                self.phase = Phase::Prepare;
            }
        })?;
        Ok((sleeper, is_prepared))
    }

    /// The rest of the turn, without waiting.
    pub(crate) fn end_sleep(
        &mut self,
        sleeper: B::Sleeper,
        wanted: Sleep,
        is_prepared: bool,
    ) -> Result<Turn, B::Error> {
        self.backend.end_sleep(sleeper)?;
        self.backend.check_awake()?;
        if is_prepared {
            self.phase = Phase::Prepare;
        }
        self.turn(Sleep::None, wanted)
    }
}
