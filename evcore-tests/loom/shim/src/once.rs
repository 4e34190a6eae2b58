//! A `OnceLock` that may be in a `static`, and is empty again in the next interleaving.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use loom::sync::atomic::AtomicBool;

static INTERLEAVING: AtomicUsize = AtomicUsize::new(0);

/// Call this first in each model: it clears what was set in an earlier interleaving.
pub fn begin() {
    INTERLEAVING.fetch_add(1, Ordering::Relaxed);
    crate::made::fill();
}

/// The number of the current interleaving.
pub(crate) fn interleaving() -> usize {
    INTERLEAVING.load(Ordering::Relaxed)
}

pub struct OnceLock<T: 'static> {
    slot: Mutex<Option<Slot<T>>>,
}

/// The value of one interleaving. Never freed, as `get` lends it.
struct Slot<T: 'static> {
    interleaving: usize,
    is_set: &'static AtomicBool,
    value: Option<&'static T>,
}

impl<T: 'static> OnceLock<T> {
    pub const fn new() -> Self {
        Self { slot: Mutex::new(None) }
    }

    fn with<R>(&self, look: impl FnOnce(&mut Slot<T>) -> R) -> R {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        let interleaving = INTERLEAVING.load(Ordering::Relaxed);
        let fresh =
            || Slot { interleaving, is_set: Box::leak(Box::new(crate::made::AtomicBool::take(false))), value: None };
        let current = slot.take().filter(|slot| slot.interleaving == interleaving).unwrap_or_else(fresh);
        look(slot.insert(current))
    }

    /// One acquire load, as in the standard library.
    pub fn get(&self) -> Option<&T> {
        // The load may switch threads, so it must not happen while the slot is locked.
        let is_set = self.with(|slot| slot.is_set);
        if is_set.load(Ordering::Acquire) { self.with(|slot| slot.value) } else { None }
    }

    pub fn set(&self, value: T) -> Result<(), T> {
        let is_set = self.with(|slot| slot.is_set);
        if is_set.load(Ordering::Acquire) {
            return Err(value);
        }
        self.with(|slot| slot.value = Some(Box::leak(Box::new(value))));
        is_set.store(true, Ordering::Release);
        Ok(())
    }
}

impl<T: 'static> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}
