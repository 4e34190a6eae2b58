//! The wakers of a faulty backend.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use evcore::backend::Wake;

use crate::backend::{Broken, Sound};
use crate::fault::Fault;

/// What the backend and its wakers share.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) was_woken: AtomicBool,
    pub(crate) was_busy: AtomicBool,
    pub(crate) is_dead: AtomicBool,
    pub(crate) wakes: AtomicU32,
    /// A wake has come since the last wait.
    pub(crate) is_pending: AtomicBool,
}

/// A waker, with its backend's fault.
pub(crate) struct BrokenWaker<B: Sound> {
    inner: B::Waker,
    fault: Fault,
    number: u32,
    shared: Arc<Shared>,
}

impl<B: Sound> Clone for BrokenWaker<B> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), fault: self.fault, number: self.number, shared: self.shared.clone() }
    }
}

impl<B: Sound> BrokenWaker<B> {
    pub(crate) fn wake(&self) {
        let wakes = self.shared.wakes.fetch_add(1, Ordering::SeqCst);
        let is_lost = match self.fault {
            Fault::LosesWakes => true,
            Fault::LosesWakesWhenBusy => self.shared.was_busy.load(Ordering::SeqCst),
            Fault::WakesOnce => wakes > 0,
            Fault::SecondWakerIsDead => self.number > 1,
            Fault::ReinitLosesWakers => self.shared.is_dead.load(Ordering::SeqCst),
            _ => false,
        };
        if !is_lost {
            self.shared.was_woken.store(true, Ordering::SeqCst);
            self.shared.is_pending.store(true, Ordering::SeqCst);
            B::wake(&self.inner);
        }
    }
}

impl<B: Sound> Wake for Broken<B> {
    type Waker = BrokenWaker<B>;

    fn waker(&mut self) -> Result<BrokenWaker<B>, B::Error> {
        self.wakers += 1;
        self.shared.is_dead.store(false, Ordering::SeqCst);
        let (inner, shared) = (self.inner.waker()?, Arc::clone(&self.shared));
        Ok(BrokenWaker { inner, fault: self.fault, number: self.wakers, shared })
    }
}
