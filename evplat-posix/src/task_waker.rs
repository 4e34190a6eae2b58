//! Converts a base's waker to a future's.
// Apart from `waker.rs`, which the loom models compile with another `Arc`.

use std::sync::Arc;
use std::task;

use crate::waker::Waker;

/// Wakes the base for a future that is polled outside it.
///
/// ```
/// use evplat_posix::{EventBase, Poll};
///
/// let mut base: EventBase<()> = EventBase::new(Poll::new()?);
/// let waker = std::task::Waker::from(base.waker()?);
/// waker.wake_by_ref();
/// # Ok::<(), evplat_posix::Error>(())
/// ```
impl From<Waker> for task::Waker {
    fn from(waker: Waker) -> Self {
        Arc::new(waker).into()
    }
}

impl task::Wake for Waker {
    fn wake(self: Arc<Self>) {
        Self::wake(&self);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        Self::wake(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doorbell::Doorbell;
    use crate::waker::WakeState;

    #[test]
    fn each_wake_wakes_the_base() {
        let base = Waker::new(WakeState::new(Doorbell::pipe().unwrap())).unwrap();
        let waker = task::Waker::from(base.clone());
        waker.wake_by_ref();
        assert!(base.state().awake());
        waker.wake();
        assert!(base.state().awake());
    }
}
