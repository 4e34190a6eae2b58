//! Control of the loop: its end, its priorities, its bounds.

use core::time::Duration;

use super::{End, EventBase};
use crate::backend::EventOp;
use crate::columns::Rare;
use crate::error::Error;
use crate::event::EventId;
use crate::quota::{Fairness, Limits};
use crate::storage::Storage;

impl<B: EventOp, S: Storage, T> EventBase<B, S, T> {
    /// Ends the loop after this turn: what is active and fits its bounds is still handed out (`event_base_loopexit`).
    ///
    /// Asked for outside a turn, it ends the next one before it begins. Whoever polls next is told, which is a nested loop
    /// if a handler runs one.
    ///
    /// ```
    /// # use evcore::{End, EventBase, Fixed, Manual, Turn, Wait};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.loop_exit();
    /// assert_eq!(base.poll(Wait::Forever), Ok(Turn::Ended(End::Exit)));
    /// ```
    #[doc(alias = "event_base_loopexit")]
    pub fn loop_exit(&mut self) {
        self.columns.rare.insert(Rare::EXIT);
    }

    /// Ends the loop after the turn in which this time is over. The earliest of several counts. Until then it keeps the
    /// loop alive, as an event would.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{End, EventBase, Fixed, Manual, Mode};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.loop_exit_after(Duration::from_secs(1));
    /// assert_eq!(base.run(Mode::empty(), |_, _| {}), Ok(End::Exit));
    /// ```
    #[doc(alias = "event_base_loopexit")]
    pub fn loop_exit_after(&mut self, delay: Duration) {
        let at = self.fresh_now().saturating_add(delay);
        self.exit_at = Some(self.exit_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// Ends the loop now: nothing more is handed out, what is active stays so (`event_base_loopbreak`).
    ///
    /// ```
    /// # use evcore::{End, EventBase, Fixed, Manual, Mode};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.loop_break();
    /// assert_eq!(base.run(Mode::empty(), |_, _| {}), Ok(End::Break));
    /// ```
    #[doc(alias = "event_base_loopbreak")]
    pub fn loop_break(&mut self) {
        self.settle();
        self.columns.rare.insert(Rare::BREAK);
    }

    /// Ends this turn now, and goes on with the next, which does not wait while anything is active
    /// (`event_base_loopcontinue`).
    ///
    /// ```
    /// # use evcore::{EventBase, Fixed, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.loop_continue();
    /// assert!(base.next_active().is_none());
    /// ```
    #[doc(alias = "event_base_loopcontinue")]
    pub fn loop_continue(&mut self) {
        self.settle();
        self.columns.rare.insert(Rare::CONTINUE);
    }

    pub(super) fn end_is_asked_for(&self) -> bool {
        self.columns.rare.intersects(Rare::BREAK.union(Rare::EXIT))
    }

    /// The end that was asked for, once.
    pub(super) fn take_end(&mut self) -> Option<End> {
        let end = if self.columns.rare.contains(Rare::BREAK) {
            End::Break
        } else if self.columns.rare.contains(Rare::EXIT) {
            End::Exit
        } else {
            return None;
        };
        self.columns.rare.remove(Rare::BREAK.union(Rare::EXIT));
        Some(end)
    }

    /// Sets the number of priorities, 1 to 255; 1 in a new base (`event_base_priority_init`). Events are created in the
    /// middle, unless they say otherwise.
    ///
    /// # Errors
    ///
    /// [`Error::Priority`] for 0, while an event is active, or when an event exists whose priority would be none;
    /// [`Error::Full`] when the storage has no room: `Fixed<N>` has at most N.
    ///
    /// ```
    /// # use evcore::{Event, EventBase, Fixed, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.set_priorities(3).unwrap();
    /// let event = base.create(Event::user().priority(2), "not urgent").unwrap();
    /// assert!(base.set_priorities(2).is_err());
    /// # let _ = event;
    /// ```
    #[doc(alias = "event_base_priority_init")]
    #[doc(alias = "EVENT_MAX_PRIORITIES")]
    pub fn set_priorities(&mut self, priorities: u8) -> Result<(), Error<B::Error>> {
        self.settle();
        let columns = &mut self.columns;
        let in_use = columns.events.indices().map(|index| columns.active.level(index)).max();
        if priorities == 0 || columns.active.len() > 0 || in_use.is_some_and(|level| level >= priorities) {
            return Err(Error::Priority);
        }
        columns.active.set_levels(priorities).map_err(|_| Error::Full)
    }

    /// How many priorities there are (`event_base_get_npriorities`).
    ///
    /// ```
    /// # use evcore::{EventBase, Fixed, Manual};
    /// # let base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// assert_eq!(base.priorities(), 1);
    /// ```
    #[doc(alias = "event_base_get_npriorities")]
    #[must_use]
    pub fn priorities(&self) -> u8 {
        self.columns.active.levels()
    }

    /// Changes an event's priority (`event_priority_set`). An active event goes to the end of its new level.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`], [`Error::Priority`].
    ///
    /// ```
    /// # use evcore::{Event, EventBase, Fixed, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.set_priorities(2).unwrap();
    /// let event = base.create(Event::user(), "urgent").unwrap();
    /// base.set_priority(event, 0).unwrap();
    /// assert_eq!(base.priority(event), Some(0));
    /// ```
    #[doc(alias = "event_priority_set")]
    pub fn set_priority(&mut self, id: EventId, priority: u8) -> Result<(), Error<B::Error>> {
        let index = self.settle_for(id)?;
        if priority >= self.columns.active.levels() {
            return Err(Error::Priority);
        }
        self.columns.active.set_level(index, priority);
        if self.columns.active.ready(index).is_some() {
            self.columns.quota.raise(priority);
        }
        Ok(())
    }

    /// Bounds what a turn may do, from the next one on (`event_config_set_max_dispatch_interval`).
    ///
    /// ```
    /// # use evcore::{EventBase, Fixed, Limits, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// let limits = Limits { hand_outs: core::num::NonZeroU32::new(64), ..Limits::DEFAULT };
    /// base.set_limits(limits);
    /// ```
    #[doc(alias = "event_config_set_max_dispatch_interval")]
    pub fn set_limits(&mut self, limits: Limits) {
        self.columns.limits = limits.into();
    }

    /// Chooses how priorities share a turn; [`Fairness::Fair`] in a new base.
    ///
    /// ```
    /// # use evcore::{EventBase, Fairness, Fixed, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.set_fairness(Fairness::Strict);
    /// ```
    pub fn set_fairness(&mut self, fairness: Fairness) {
        self.columns.fairness = fairness;
    }

    /// Lets timers be late by so much, so that those that are due close together share one wake-up. Zero in a new base.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{EventBase, Fixed, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.set_slack(Duration::from_millis(10));
    /// ```
    pub fn set_slack(&mut self, slack: Duration) {
        self.slack = slack;
    }

    /// In the child after a fork: gives it kernel objects of its own and registers everything there (`event_reinit`). The
    /// parent's are not touched. Until then every use of the base in the child fails that would reach the backend; what the
    /// last wait of the parent has found is still handed out.
    ///
    /// # Errors
    ///
    /// When the backend cannot start; `reinit` may be called again. An fd that cannot be registered again is told ERROR.
    ///
    /// ```
    /// # use evcore::{EventBase, Fixed, Manual};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.reinit().unwrap();
    /// ```
    #[doc(alias = "event_reinit")]
    pub fn reinit(&mut self) -> Result<(), B::Error> {
        self.settle();
        self.backend.reinit()?;
        self.columns.fds.forget_all();
        self.apply_changes();
        Ok(())
    }
}
