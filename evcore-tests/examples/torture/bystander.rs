//! The second thread.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use evplat_posix::Waker;

use crate::sys;

/// What the second thread does after a moment.
pub(crate) enum Errand {
    Wake(Waker),
    /// Raises it in itself, so that the handler runs in a thread that does not sleep in the base.
    Raise(i32),
}

enum State {
    Starting,
    Idle,
    Sent(Errand),
    Busy,
    Ended,
}

/// A thread that runs errands while the base sleeps. Once it has started, nothing here allocates.
pub(crate) struct Bystander {
    desk: Arc<Desk>,
    thread: JoinHandle<()>,
}

struct Desk {
    state: Mutex<State>,
    changed: Condvar,
}

/// Long enough for the base to fall asleep.
const MOMENT: Duration = Duration::from_millis(5);

impl Bystander {
    /// Starts it, and waits until it is ready.
    pub(crate) fn new() -> Self {
        let desk = Arc::new(Desk { state: Mutex::new(State::Starting), changed: Condvar::new() });
        let its = Arc::clone(&desk);
        let bystander = Self { desk, thread: thread::spawn(move || its.serve()) };
        bystander.rest();
        bystander
    }

    pub(crate) fn send(&self, errand: Errand) {
        self.desk.put(State::Sent(errand));
    }

    /// Waits until the errand is completely done.
    pub(crate) fn rest(&self) {
        drop(self.desk.wait(|state| matches!(state, State::Idle)));
    }

    pub(crate) fn end(self) {
        self.desk.put(State::Ended);
        let _ = self.thread.join();
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, state: State) {
        *self.lock() = state;
        self.changed.notify_all();
    }

    fn wait(&self, until: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        self.changed.wait_while(self.lock(), |state| !until(state)).unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self) {
        sys::mark();
        self.put(State::Idle);
        loop {
            let mut state = self.wait(|state| matches!(state, State::Sent(_) | State::Ended));
            let State::Sent(errand) = std::mem::replace(&mut *state, State::Busy) else { return };
            drop(state);
            thread::sleep(MOMENT);
            match errand {
                Errand::Wake(waker) => waker.wake(),
                Errand::Raise(signum) => sys::raise(signum),
            }
            self.put(State::Idle);
        }
    }
}
