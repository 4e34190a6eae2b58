//! The standard library, with loom in the place of everything that threads share.
//!
//! A crate that says `extern crate shim as core` and `extern crate shim as std` compiles source files under loom that know
//! nothing of it.

pub use ::std::*;

pub mod sync {
    pub use ::std::sync::*;
    pub use loom::sync::Arc;

    pub use crate::once::OnceLock;

    pub mod atomic {
        pub use ::std::sync::atomic::Ordering;
        pub use loom::sync::atomic::fence;

        pub use crate::cells::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicUsize};
    }
}

pub mod hint {
    pub use loom::thread::yield_now as spin_loop;
}

pub mod thread {
    pub use loom::thread::yield_now;

    /// Time is of no matter to a model.
    pub fn sleep(_: core::time::Duration) {
        yield_now();
    }
}

/// What no model shares, and loom is to know nothing of.
pub mod really {
    pub use ::std::sync::Mutex;
    pub use ::std::sync::atomic::{AtomicUsize, Ordering};
}

mod cells;
mod made;
mod once;
mod sys;

pub use once::begin;
pub use sys::Body;
