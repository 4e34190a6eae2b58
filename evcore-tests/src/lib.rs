//! The conformance suite that any backend of [`evcore`] must pass.
//!
//! ```text
//!   conformance!(name, fixture)      one #[test] for each case, on each storage
//!        │
//!   ┌────▼──────────┐      ┌──────────────────┐      ┌──────────────────────────────┐
//!   │ cases         │─────▶│ World            │─────▶│ Fixture                      │
//!   │ one function  │      │ an EventBase and │      │ your backend, its sources,   │
//!   │ each, one file│      │ operations on it │      │ and operations on them       │
//!   │ per topic     │      │                  │      └──────────────────────────────┘
//!   └───────────────┘      └──────────────────┘
//! ```
//!
//! A case is a public function that takes a [`Fixture`]: your backend, sources for it, and ways to make them ready.
//! Most methods of a fixture are optional. If one is missing, the case says so. If the backend's
//! [`Features`](evcore::backend::Features) lack something, the case asserts that it is refused. The case returns what
//! it has shown, a [`Proof`].
//!
//! On Unix, this is a test file of your backend's crate:
//!
//! ```
//! use evcore_tests::{ByHand, conformance};
//!
//! conformance!(manual, ByHand::new());
//! # fn main() {}
//! ```
//!
//! with [`Unix::new(YourBackend::new, YourWaker::wake)`](Unix::new) instead of `ByHand::new()`. Without the standard
//! library, call [`run_all`] or single cases from `main`: they allocate nothing. A case that fails panics.

#![no_std]
#![forbid(unsafe_code)]
#![allow(clippy::missing_panics_doc, reason = "a case fails by panicking")]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod by_hand;
mod cases;
mod fixture;
mod list;
mod needs;
mod proof;
#[cfg(all(feature = "std", unix))]
mod unix;
mod world;

pub use by_hand::ByHand;
pub use cases::{
    changes, clock, edge, events, faults, files, halves, handlers, interest, intervals, limits, loop_control, many,
    one_loop, pauses, priorities, readiness, refusals, signals, timers, unread, unread_changes, wake, watchers,
};
#[cfg(feature = "async")]
pub use cases::{tasks, waits};
pub use evcore::Fixed;
#[cfg(feature = "alloc")]
#[doc(hidden)]
pub use evcore::Growable;
#[doc(hidden)]
pub use evcore::storage::Storage;
pub use fixture::{FdOf, Fixture};
pub use list::{NAMES, run_all};
pub use needs::Needs;
#[doc(hidden)]
pub use needs::contains;
pub use proof::Proof;
#[cfg(feature = "std")]
#[doc(hidden)]
pub use proof::print;
#[cfg(all(feature = "std", unix))]
pub use unix::{Fork, MakePipe, Powers, Raiser, Unix, UnixSource};
pub(crate) use world::BUSY;
pub use world::{PATIENCE, Seen, World};

/// Compiles and runs the README's program.
#[cfg(all(doctest, target_os = "linux", feature = "std"))]
#[doc = include_str!("../../README.md")]
struct Readme;

/// Compiles and runs the program on the page of `evcore`.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../../evcore/README.md")]
struct Evcore;

/// Compiles and runs the programs on the page for users of libevent.
#[cfg(all(doctest, target_os = "linux", feature = "std"))]
#[doc = include_str!("../../docs/from-libevent.md")]
struct FromLibevent;

/// Compiles and runs the program on the page of `evplat-posix`.
#[cfg(all(doctest, unix, feature = "std"))]
#[doc = include_str!("../../evplat-posix/README.md")]
struct Posix;
