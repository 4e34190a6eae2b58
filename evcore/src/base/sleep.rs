//! A turn in two halves, with the wait outside of the base.

use super::{EventBase, Turn};
use crate::backend::{Sleeper, Split};
use crate::storage::Storage;
use crate::time::{Sleep, Wait};

/// The wait of a base that is asleep: see [`EventBase::begin_sleep`]. It is owned, so another thread or loop can wait
/// while the base is used.
#[derive(Debug)]
#[must_use = "give it back with `end_sleep`, or the loop does not go on"]
pub struct Asleep<K> {
    sleeper: K,
    wanted: Sleep,
    is_prepared: bool,
}

impl<K: Sleeper> Asleep<K> {
    /// Waits until something is ready, the base was changed, a waker was used or the time is over. It may return
    /// earlier.
    pub fn sleep(&mut self) {
        self.sleeper.sleep();
    }

    /// The latest end of the wait, for a loop that waits in its own way.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use evcore::{*, backend::{Manual, Sleep}};
    /// # let mut base = EventBase::<Manual, Fixed<8>, &str>::new(Manual::new());
    /// base.insert_timer(Duration::from_nanos(7), "time is up").unwrap();
    /// let asleep = base.begin_sleep(Wait::Forever).unwrap();
    /// assert_eq!(asleep.until(), Sleep::Until(Instant::from_nanos(7)));
    /// ```
    #[must_use]
    pub fn until(&self) -> Sleep {
        self.sleeper.until()
    }
}

impl<K> Asleep<K> {
    /// The backend's part: on Unix it has the descriptors for which another loop has to wait.
    #[must_use]
    pub const fn sleeper(&self) -> &K {
        &self.sleeper
    }
}

impl<B: Split, S: Storage, T> EventBase<B, S, T> {
    /// Begins a turn as [`poll`](EventBase::poll) does, and returns its wait, which [`end_sleep`](EventBase::end_sleep)
    /// takes back to continue the turn. Meanwhile the base is not borrowed: other threads may use it, under a mutex,
    /// and another loop may wait.
    ///
    /// ```text
    ///   begin_sleep ──▶ Asleep ── sleep(), without the base ──▶ end_sleep ──▶ Turn ── next_active …
    ///                     ▲
    ///                     └── insert, add, activate, remove, …: it wakes
    /// ```
    ///
    /// While the base is asleep, [`poll`](EventBase::poll), [`next_event`](EventBase::next_event),
    /// [`run`](EventBase::run) and `begin_sleep` return the backend's error; every other call is allowed. One that may
    /// bring the end of the wait forward wakes the sleeper, and so does dropping the base. If an event is active or the
    /// loop has ended, the sleeper does not sleep, and `end_sleep` says why.
    ///
    /// Dropping the sleeper ends the sleep. (`Manual` does not notice; call [`reinit`](EventBase::reinit) there.) In
    /// the child of a fork `reinit` ends it.
    ///
    /// This costs some system calls more than `poll`, and on poll and select a copy of all descriptors.
    ///
    /// # Errors
    ///
    /// When the base is already asleep, or the backend cannot wait. Nothing is lost.
    ///
    /// ```
    /// use core::time::Duration;
    /// use evcore::backend::Manual;
    /// use evcore::{EventBase, Fixed, Wait};
    ///
    /// let mut base: EventBase<Manual, Fixed<8>, &str> = EventBase::new(Manual::new());
    /// base.insert_timer(Duration::from_secs(1), "later").unwrap();
    /// let mut asleep = base.begin_sleep(Wait::Forever).unwrap();
    /// assert!(base.poll(Wait::None).is_err());
    ///
    /// base.insert_timer(Duration::ZERO, "now").unwrap(); // and so it wakes
    /// asleep.sleep();
    /// assert!(base.end_sleep(asleep).unwrap().is_running());
    /// assert_eq!(*base.next_active().unwrap().data, "now");
    /// ```
    pub fn begin_sleep(&mut self, wait: Wait) -> Result<Asleep<B::Sleeper>, B::Error> {
        let wanted = self.engine.sleep(wait);
        let (sleeper, is_prepared) = self.engine.begin_sleep(wanted)?;
        Ok(Asleep { sleeper, wanted, is_prepared })
    }

    /// Continues the turn that [`begin_sleep`](EventBase::begin_sleep) has begun: queues what is ready, without
    /// waiting, and returns as [`poll`](EventBase::poll).
    ///
    /// # Errors
    ///
    /// When `asleep` is another base's, whose sleep then ends; or when the backend could not wait, as in `poll`: this
    /// base is awake then. Nothing is lost.
    pub fn end_sleep(&mut self, asleep: Asleep<B::Sleeper>) -> Result<Turn, B::Error> {
        self.engine.end_sleep(asleep.sleeper, asleep.wanted, asleep.is_prepared)
    }
}
