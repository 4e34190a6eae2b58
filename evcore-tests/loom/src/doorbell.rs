//! A model of the kernel's part: something to ring and to wait for.

use loom::sync::atomic;
use shim::Body;
use shim::really::{AtomicUsize, Ordering};

use crate::error::Error;

/// The number of rings of all doorbells in an interleaving, each a system call.
static RINGS: AtomicUsize = AtomicUsize::new(0);

pub fn rings() -> usize {
    RINGS.load(Ordering::Relaxed)
}

pub fn forget_rings() {
    RINGS.store(0, Ordering::Relaxed);
}

/// Unlike a real pipe, ringing does not order memory: writes before a ring are not visible because of it. So the
/// protocol must provide its guarantees by its own orderings.
pub struct Doorbell {
    rung: atomic::AtomicUsize,
    /// Accessed by the threads that ring.
    body: Body,
}

impl core::fmt::Debug for Doorbell {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Doorbell")
    }
}

impl Doorbell {
    pub fn pipe() -> Result<Self, Error> {
        Ok(Self { rung: atomic::AtomicUsize::new(0), body: Body::new() })
    }

    /// No model registers descriptors.
    pub fn has(&self, _: i32) -> bool {
        false
    }

    pub fn ring(&self) -> bool {
        self.body.use_it();
        RINGS.fetch_add(1, Ordering::Relaxed);
        self.rung.fetch_add(1, atomic::Ordering::Relaxed);
        true
    }

    pub fn drain(&self) -> Result<(), Error> {
        self.rung.swap(0, atomic::Ordering::Relaxed);
        Ok(())
    }

    pub fn replace(&self, _: &Self) -> Result<(), Error> {
        Ok(())
    }

    /// Sleeps until it was rung, and leaves it so: like a level-triggered wait for a pipe.
    pub fn wait_by_level(&self) {
        // A read that also writes sees the latest value, as in the kernel.
        while self.rung.fetch_add(0, atomic::Ordering::Relaxed) == 0 {
            loom::thread::yield_now();
        }
    }

    /// Takes the edge, if there is one, like a poll of an epoll set.
    pub fn take_edge(&self) -> bool {
        self.rung.swap(0, atomic::Ordering::Relaxed) != 0
    }

    /// Sleeps until there is an edge, and takes it, like an eventfd in an epoll set.
    pub fn wait_by_edge(&self) {
        while !self.take_edge() {
            loom::thread::yield_now();
        }
    }
}
