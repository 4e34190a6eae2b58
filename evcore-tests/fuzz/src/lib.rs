//! Fuzz targets, as functions of a byte sequence. Each compares `evcore` with something simple, and panics if they
//! differ.
//!
//! | target | meaning of the bytes | compared with |
//! |---|---|---|
//! | `script` | programs of the model test: every operation, including those in handlers | the model test's reference
//! |
//! | `timers` | arming, moving and cancelling timers, and advancing time | a `BTreeMap` of deadlines |
//! | `fds` | adding, changing, moving and removing events of few fds, and reports, including stale and forged ones |
//! a vector of events |
//!
//! The functions need no fuzzer: `cargo test` runs each of them on the committed seeds, on any compiler.

//! Each returns what it has reached, so that a seed can be checked against its purpose.

#![forbid(unsafe_code)]

mod bytes;
mod draw;
mod fds;
mod script;
mod timers;

// The model test's files name each other by these paths.
use script::model::{call, op, reference, stage};

pub use fds::fds;
pub use script::{calls, script};
pub use timers::timers;

/// What a run has reached, each by a short name.
pub type Reached = std::collections::BTreeSet<&'static str>;
