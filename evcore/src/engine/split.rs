//! A turn in two halves: the wait between them is not the engine's.

use super::registry::Moment;
use super::{Engine, Phase};
use crate::backend::{EventOp, Split};
use crate::base::Turn;
use crate::storage::Storage;
use crate::time::Sleep;

impl<B: EventOp, S: Storage, T> Engine<B, S, T> {
    /// The engine, for a call that may bring the end of a wait forward: a sleeper that is out wakes.
    ///
    /// Before the change or after it is all the same: who wakes has to borrow the base before it can do anything, and this
    /// call has borrowed it until the change is complete.
    #[inline(always)]
    pub(crate) fn changing(&mut self) -> &mut Self {
        self.backend.wake_sleeper();
        self
    }
}

impl<B: Split, S: Storage, T> Engine<B, S, T> {
    /// Does what a turn does before its wait, but nothing that has to be handed out or answered. Answers with the sleeper
    /// whether the prepare events of this turn have been handed out.
    pub(crate) fn begin_sleep(&mut self, wanted: Sleep) -> Result<(B::Sleeper, bool), B::Error> {
        self.backend.check_awake()?;
        let is_prepared = self.close_turn() == Phase::Prepare;
        // Of what a turn does without a wait, the second half does all.
        let is_due = self.registry.is_active()
            || self.is_end_requested()
            || wanted == Sleep::Forever && self.is_empty()
            || !is_prepared && self.registry.has_watchers(Moment::Prepare);
        if !is_due {
            self.sync_backend();
        }
        // A change that was refused is an event that is active.
        let sleep = if is_due || self.registry.is_active() { Sleep::None } else { self.shortened(wanted) };
        let sleeper = self.backend.begin_sleep(sleep).inspect_err(|_| {
            if is_prepared {
                self.phase = Phase::Prepare;
            }
        })?;
        Ok((sleeper, is_prepared))
    }

    /// The rest of the turn: looks for what is ready, without waiting.
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
