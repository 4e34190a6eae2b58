//! Control of the loop: its end, priorities and limits.

use core::time::Duration;

use super::EventBase;
use crate::backend::EventOp;
use crate::error::Error;
use crate::event::EventId;
use crate::limits::{Fairness, Limits};
use crate::storage::{Kept, Storage};

impl<B: EventOp, S: Storage, T> EventBase<B, S, T> {
    /// Ends the loop after this turn (`event_base_loopexit`).
    ///
    /// Between turns it takes effect before the next wait: the next `poll` returns `Turn::Ended(End::Exit)`, even if
    /// that is a nested loop's.
    ///
    /// ```
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// base.loop_exit();
    /// assert_eq!(base.poll(Wait::Forever), Ok(Turn::Ended(End::Exit)));
    /// ```
    #[doc(alias = "event_base_loopexit")]
    pub fn loop_exit(&mut self) {
        self.engine.changing().exit();
    }

    /// Ends the loop after the turn in which this time passes; of several calls, the earliest time counts. Until then
    /// the request keeps the loop alive.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// base.loop_exit_after(Duration::from_secs(1));
    /// assert_eq!(base.run(Mode::empty(), |_, _| {}), Ok(End::Exit));
    /// ```
    #[doc(alias = "event_base_loopexit")]
    pub fn loop_exit_after(&mut self, delay: Duration) {
        self.engine.changing().exit_after(delay);
    }

    /// Ends the loop now: nothing more is handed out, and active events stay active (`event_base_loopbreak`).
    #[doc(alias = "event_base_loopbreak")]
    pub fn loop_break(&mut self) {
        self.engine.changing().break_loop();
    }

    /// Ends this turn now. The next one does not wait while anything is active (`event_base_loopcontinue`).
    #[doc(alias = "event_base_loopcontinue")]
    pub fn loop_continue(&mut self) {
        self.engine.continue_loop();
    }

    /// Sets the number of priorities, 1 to 255; 1 in a new base (`event_base_priority_init`).
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchPriority`] for 0, while an event is active, or if an event's priority would no longer exist;
    /// [`Error::Full`] when the storage has no room: `Fixed<N>` has at most N.
    ///
    /// ```
    /// # use evcore::{*, backend::Manual};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// base.set_priorities(3).unwrap();
    /// base.create(Event::user().priority(2), "not urgent").unwrap();
    /// assert!(base.set_priorities(2).is_err());
    /// ```
    #[doc(alias = "event_base_priority_init")]
    #[doc(alias = "EVENT_MAX_PRIORITIES")]
    pub fn set_priorities(&mut self, priorities: u8) -> Result<(), Error<B::Error>> {
        self.engine.set_priorities(priorities)
    }

    /// The number of priorities (`event_base_get_npriorities`).
    #[doc(alias = "event_base_get_npriorities")]
    #[must_use]
    pub fn priorities(&self) -> u8 {
        self.engine.priorities()
    }

    /// Changes an event's priority (`event_priority_set`). An active event goes to the end of its new priority.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchEvent`], [`Error::NoSuchPriority`].
    #[doc(alias = "event_priority_set")]
    pub fn set_priority(&mut self, id: EventId, priority: u8) -> Result<(), Error<B::Error>> {
        let index = self.engine.resolve(id)?;
        self.engine.set_priority(index, priority)
    }

    /// Chooses how priorities share a turn; [`Fairness::Fair`] in a new base.
    pub fn set_fairness(&mut self, fairness: Fairness) {
        self.engine.set_fairness(fairness);
    }

    /// Lets timers be late by at most `slack`, so that those due close together share one wake-up. Zero in a new base.
    pub fn set_slack(&mut self, slack: Duration) {
        self.engine.changing().set_slack(slack);
    }

    /// In the child of a fork: gives the base kernel objects of its own and registers everything there
    /// (`event_reinit`), without touching the parent's. Until then every use of the base that would reach the backend
    /// fails; what the parent's last wait found is still handed out. Bases that watch each other may be reinitialised in
    /// any order.
    ///
    /// A child that does not use the base need not call it: signals do in the child what they did before a base watched
    /// them.
    ///
    /// # Errors
    ///
    /// When the backend cannot start; `reinit` may be called again. If an fd cannot be registered again, its events get
    /// ERROR.
    #[doc(alias = "event_reinit")]
    pub fn reinit(&mut self) -> Result<(), B::Error> {
        self.engine.changing().reinit()
    }
}

/// With limits.
impl<B: EventOp, S: Storage<Limits = Kept>, T> EventBase<B, S, T> {
    /// Limits what a turn may do, from the next one on (`event_config_set_max_dispatch_interval`).
    #[doc(alias = "event_config_set_max_dispatch_interval")]
    pub fn set_limits(&mut self, limits: Limits) {
        self.engine.set_limits(limits.into());
    }
}
