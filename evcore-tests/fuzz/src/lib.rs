//! What is fuzzed, as functions of some bytes. Each compares `evcore` with something plain, and panics where they differ.
//!
//! | target | what the bytes are | what it is compared with |
//! |---|---|---|
//! | `script` | programs of the model test: every operation, also from handlers | the model test's reference |
//! | `timers` | timers, armed, moved and taken back, and time that passes | a `BTreeMap` of deadlines |
//! | `fds` | events of few fds, which come, change, move and go, and reports, stale and forged ones too | a vector of events |
//!
//! The functions need no fuzzer: `cargo test` runs each of them on the committed seeds, on any compiler.

//! Each says what it has come across, so that a seed can be held to what it is for.

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

/// Things come across, each by a short name.
pub type Reached = std::collections::BTreeSet<&'static str>;
