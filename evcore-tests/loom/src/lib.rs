//! Models of what threads and signal handlers share with a base, in every interleaving of loom's bound.
//!
//! ```text
//!   handler ──▶ inbox::arrived ─┐                         ┌─▶ Interrupts: prepare, awake, report
//!                               ├─▶ WakeState ─▶ Doorbell │
//!   thread ───▶ Waker::wake ────┘                (a model)└─▶ wait
//!   thread ───▶ a task's waker ───▶ task_inbox ───▶ executor
//! ```
//!
//! The files are those of evplat-posix and evcore, unchanged, compiled with loom's atomics through the crate `shim`.
//! The kernel's doorbell, the record of signal handlers, and forks are replaced by models.

#![allow(dead_code, unused_imports, reason = "the files are compiled for the models' sake")]
#![allow(unreachable_pub, missing_debug_implementations, clippy::all)]

extern crate alloc;
extern crate shim as core;
extern crate shim as std;

#[path = "../../../evplat-posix/src/error.rs"]
mod error;
#[path = "../../../evplat-posix/src/inbox.rs"]
mod inbox;
#[path = "../../../evplat-posix/src/interrupts.rs"]
mod interrupts;
#[path = "../../../evplat-posix/src/signal.rs"]
mod signal;
#[path = "../../../evplat-posix/src/sys.rs"]
mod sys;
#[path = "../../../evcore/src/task/inbox.rs"]
mod task_inbox;
#[path = "../../../evcore/src/wake.rs"]
mod wake;
#[path = "../../../evplat-posix/src/waker.rs"]
mod waker;

mod account;
mod doorbell;
mod event;
mod fork;
mod registry;

pub mod models;

// For links in the documentation.
pub use doorbell::Doorbell;
pub use error::Error;
