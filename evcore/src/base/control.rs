//! Control of the loop: its end, its priorities, its bounds.

use core::time::Duration;

use super::EventBase;
use crate::backend::EventOp;
use crate::error::Error;
use crate::event::EventId;
use crate::limits::{Fairness, Limits};
use crate::storage::{Kept, Storage};

impl<B: EventOp, S: Storage, T> EventBase<B, S, T> {
    /// Ends the loop after this turn: what is active and fits its bounds is still handed out (`event_base_loopexit`).
    ///
    /// Between turns it takes effect before the next wait. The next `poll` returns `Turn::Ended(End::Exit)`, even if that is a
    /// nested loop's.
    ///
    /// ```
    /// # use evcore::backend::Manual;
    /// # use evcore::{End, EventBase, Fixed, Turn, Wait};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.loop_exit();
    /// assert_eq!(base.poll(Wait::Forever), Ok(Turn::Ended(End::Exit)));
    /// ```
    #[doc(alias = "event_base_loopexit")]
    pub fn loop_exit(&mut self) {
        self.engine.changing().exit();
    }

    /// Ends the loop after the turn in which this time is over. The earliest of several counts. Until then it keeps the
    /// loop alive, as an event would.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::backend::Manual;
    /// # use evcore::{End, EventBase, Fixed, Mode};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.loop_exit_after(Duration::from_secs(1));
    /// assert_eq!(base.run(Mode::empty(), |_, _| {}), Ok(End::Exit));
    /// ```
    #[doc(alias = "event_base_loopexit")]
    pub fn loop_exit_after(&mut self, delay: Duration) {
        self.engine.changing().exit_after(delay);
    }

    /// Ends the loop now: nothing more is handed out, what is active stays so (`event_base_loopbreak`).
    ///
    /// ```
    /// # use evcore::backend::Manual;
    /// # use evcore::{End, EventBase, Fixed, Mode};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.loop_break();
    /// assert_eq!(base.run(Mode::empty(), |_, _| {}), Ok(End::Break));
    /// ```
    #[doc(alias = "event_base_loopbreak")]
    pub fn loop_break(&mut self) {
        self.engine.changing().break_loop();
    }

    /// Ends this turn now, and goes on with the next, which does not wait while anything is active
    /// (`event_base_loopcontinue`).
    ///
    /// ```
    /// # use evcore::backend::Manual;
    /// # use evcore::{EventBase, Fixed};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.loop_continue();
    /// assert!(base.next_active().is_none());
    /// ```
    #[doc(alias = "event_base_loopcontinue")]
    pub fn loop_continue(&mut self) {
        self.engine.continue_loop();
    }

    /// Sets the number of priorities, 1 to 255; 1 in a new base (`event_base_priority_init`). Events are created in the
    /// middle, unless they say otherwise.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchPriority`] for 0, while an event is active, or when an event exists whose priority would be none;
    /// [`Error::Full`] when the storage has no room: `Fixed<N>` has at most N.
    ///
    /// ```
    /// # use evcore::backend::Manual;
    /// # use evcore::{Event, EventBase, Fixed};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.set_priorities(3).unwrap();
    /// let event = base.create(Event::user().priority(2), "not urgent").unwrap();
    /// assert!(base.set_priorities(2).is_err());
    /// # let _ = event;
    /// ```
    #[doc(alias = "event_base_priority_init")]
    #[doc(alias = "EVENT_MAX_PRIORITIES")]
    pub fn set_priorities(&mut self, priorities: u8) -> Result<(), Error<B::Error>> {
        self.engine.set_priorities(priorities)
    }

    /// How many priorities there are (`event_base_get_npriorities`).
    ///
    /// ```
    /// # use evcore::backend::Manual;
    /// # use evcore::{EventBase, Fixed};
    /// # let base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// assert_eq!(base.priorities(), 1);
    /// ```
    #[doc(alias = "event_base_get_npriorities")]
    #[must_use]
    pub fn priorities(&self) -> u8 {
        self.engine.priorities()
    }

    /// Changes an event's priority (`event_priority_set`). An active event goes to the end of its new level.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchEvent`], [`Error::NoSuchPriority`].
    ///
    /// ```
    /// # use evcore::backend::Manual;
    /// # use evcore::{Event, EventBase, Fixed};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.set_priorities(2).unwrap();
    /// let event = base.create(Event::user(), "urgent").unwrap();
    /// base.set_priority(event, 0).unwrap();
    /// assert_eq!(base.priority(event), Some(0));
    /// ```
    #[doc(alias = "event_priority_set")]
    pub fn set_priority(&mut self, id: EventId, priority: u8) -> Result<(), Error<B::Error>> {
        let index = self.engine.resolve(id)?;
        self.engine.set_priority(index, priority)
    }

    /// Chooses how priorities share a turn; [`Fairness::Fair`] in a new base.
    ///
    /// ```
    /// # use evcore::backend::Manual;
    /// # use evcore::options::Fairness;
    /// # use evcore::{EventBase, Fixed};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.set_fairness(Fairness::Strict);
    /// ```
    pub fn set_fairness(&mut self, fairness: Fairness) {
        self.engine.set_fairness(fairness);
    }

    /// Lets timers be late by so much, so that those that are due close together share one wake-up. Zero in a new base.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::backend::Manual;
    /// # use evcore::{EventBase, Fixed};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.set_slack(Duration::from_millis(10));
    /// ```
    pub fn set_slack(&mut self, slack: Duration) {
        self.engine.changing().set_slack(slack);
    }

    /// In the child after a fork: gives it kernel objects of its own and registers everything there (`event_reinit`). The
    /// parent's are not touched. Until then every use of the base in the child fails that would reach the backend; what the
    /// last wait of the parent has found is still handed out.
    ///
    /// A child that has no use for the base need not call it, nor anything else: a signal does there what it did before a base
    /// watched it. Bases that watch each other may be reinitialised in any order.
    ///
    /// # Errors
    ///
    /// When the backend cannot start; `reinit` may be called again. The events of an fd that cannot be registered again get
    /// ERROR.
    ///
    /// ```
    /// # use evcore::backend::Manual;
    /// # use evcore::{EventBase, Fixed};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.reinit().unwrap();
    /// ```
    #[doc(alias = "event_reinit")]
    pub fn reinit(&mut self) -> Result<(), B::Error> {
        self.engine.changing().reinit()
    }
}

/// On a storage with limits.
impl<B: EventOp, S: Storage<Limits = Kept>, T> EventBase<B, S, T> {
    /// Bounds what a turn may do, from the next one on (`event_config_set_max_dispatch_interval`).
    ///
    /// ```
    /// # use evcore::backend::Manual;
    /// # use evcore::options::Limits;
    /// # use evcore::{EventBase, Fixed};
    /// # let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// let limits = Limits { hand_outs: core::num::NonZeroU32::new(64), ..Limits::DEFAULT };
    /// base.set_limits(limits);
    /// ```
    #[doc(alias = "event_config_set_max_dispatch_interval")]
    pub fn set_limits(&mut self, limits: Limits) {
        self.engine.set_limits(limits.into());
    }
}
