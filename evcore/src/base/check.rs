//! What tests need that are generic over storages.

use core::time::Duration;

use super::EventBase;
use crate::backend::EventOp;
use crate::error::Error;
use crate::event::EventId;
use crate::limits::Limits;
use crate::stats::{Counts, Stats};
use crate::storage::{Part, Storage};
use crate::time::nanos;

impl<B: EventOp, S: Storage, T> EventBase<B, S, T> {
    /// Walks every table and checks that all of them agree (`event_base_assert_ok_`). For tests: O(n²).
    ///
    /// ```
    /// # use evcore::{*, backend::Manual};
    /// # let base = EventBase::<Manual, Fixed<8>, ()>::new(Manual::new());
    /// assert!(base.check());
    /// ```
    #[doc(alias = "event_base_assert_ok_")]
    #[must_use]
    pub fn check(&self) -> bool {
        self.engine.check()
    }

    /// `stats`, if the storage keeps them.
    #[doc(hidden)]
    #[must_use]
    pub fn stats_if_kept(&self) -> Option<Stats> {
        S::Stats::IS_KEPT.then(|| self.engine.stats().into())
    }

    /// `max_counts`, if the storage keeps them.
    #[doc(hidden)]
    #[must_use]
    pub fn max_counts_if_kept(&self) -> Option<Counts> {
        S::Stats::IS_KEPT.then(|| self.engine.max_counts())
    }

    /// `clear_max_counts`, if the storage keeps them.
    #[doc(hidden)]
    pub fn clear_max_counts_if_kept(&mut self) {
        self.engine.clear_max_counts();
    }

    /// `set_limits`, if the storage keeps them; returns whether it does.
    #[doc(hidden)]
    pub fn set_limits_if_kept(&mut self, limits: Limits) -> bool {
        self.engine.set_limits(limits.into());
        S::Limits::IS_KEPT
    }

    /// `pause_for`, if the storage has pauses.
    #[doc(hidden)]
    pub fn pause_if_kept(&mut self, id: EventId, pause: Duration) -> Option<Result<(), Error<B::Error>>> {
        S::Pauses::IS_KEPT.then(|| self.engine.pause(self.engine.resolve(id)?, nanos(pause)))
    }
}
