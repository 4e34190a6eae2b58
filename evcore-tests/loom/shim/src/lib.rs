//! The standard library, with loom's version of everything that threads share.
//!
//! A crate that says `extern crate shim as core` and `extern crate shim as std` compiles unmodified source files
//! under loom.

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

    /// Time does not matter to a model.
    pub fn sleep(_: core::time::Duration) {
        yield_now();
    }
}

/// Items that no model shares, and that loom must not see.
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
