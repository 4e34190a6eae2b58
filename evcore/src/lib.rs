//! An event loop: libevent's event core in Rust, for servers and microcontrollers.
//!
//! ```text
//!   your program                your backend, or a platform crate's
//!  ┌───────────────────────┐   ┌────────────────────────────────────┐
//!  │ while let Some(fired) │   │ Epoll · Poll · Select · Manual · … │
//!  │   = base.next_event(…)│   └─────────────────┬──────────────────┘
//!  └──────────┬────────────┘                     │ impl EventOp
//!  ┌──────────▼──────────────────────────────────▼──────────────────┐
//!  │ EventBase ─┬─ slots    events with generations, and their data │
//!  │            ├─ fds      fd → the events that watch it           │
//!  │            ├─ signals  signal → the events that watch it       │
//!  │            ├─ timers   deadlines in a 4-ary heap               │
//!  │            └─ queue    active events, by priority              │
//!  │ storage: Fixed<N> (no allocator) or Growable (feature `alloc`) │
//!  └────────────────────────────────────────────────────────────────┘
//! ```
//!
//! An [`EventBase`] waits for readiness, time and signals, and hands out active events one at a time. It has no locks
//! and no global state, needs no allocator, is safe Rust throughout and does not panic.
//! [The guide](https://github.com/evcore/evcore/blob/main/docs/guide.md) builds a server in seven steps,
//! [firmware](https://github.com/evcore/evcore/blob/main/docs/embedded.md) puts it on a board, and
//! [the README](https://github.com/evcore/evcore#how-to) leads from each task to its example: connect, fork, TLS,
//! threads, children, tests in virtual time.
//!
//! ```
//! use core::time::Duration;
//! use evcore::{EventBase, Fixed, Interest, Wait, backend::Manual};
//!
//! enum Task {
//!     Button,
//!     Blink { on: bool },
//! }
//!
//! // `Manual` is a backend for tests: its descriptors are numbers, and time passes only while the base waits.
//! let mut base: EventBase<Manual, Fixed<8>, Task> = EventBase::new(Manual::new());
//! base.insert(3, Interest::READ, Task::Button).unwrap();
//! base.insert_interval(Duration::from_millis(500), Task::Blink { on: false }).unwrap();
//! base.loop_exit_after(Duration::from_secs(2));
//!
//! while let Some(event) = base.next_event(Wait::Forever).unwrap() {
//!     match event.data {
//!         Task::Button => println!("pressed"),
//!         Task::Blink { on } => *on = !*on,
//!     }
//! }
//! ```
//!
//! # Features
//!
//! None is on by default. A feature adds items, and changes none that exist without it.
//!
//! - `alloc`: `Growable` storage and boxed closures.
//! - `std`: `Fd`, the descriptor type of all Unix backends, and conversions to `std::io::Error`.
//! - `defmt`: `defmt::Format` for ids, interests, errors, counters and all other plain values.
//! - `async`: `task`, an executor on a base. Needs `alloc` and atomic compare-and-swap.
//! - `critical-section`: the default of `Board::masked`, a critical section of that crate.
//! - `embassy-time-driver`: `EmbassyTime`, clock and alarm of a board with an embassy time driver.
//! - `embedded-hal`: `Delay` and `LinePin`.
//! - `embedded-io`: `Reader` and `Writer` for the bytes of a line.
//! - `check`: `EventBase::check`, which verifies every table; for tests.

#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::integer_division,
    clippy::panic,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used
)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::indexing_slicing,
        clippy::integer_division,
        clippy::panic,
        clippy::unwrap_used
    )
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

pub mod backend;
mod base;
pub mod board;
#[cfg(test)]
mod bounds;
pub mod callback;
mod either;
mod engine;
pub mod error;
mod event;
#[cfg(feature = "defmt")]
mod formats;
mod limits;
mod manual;
pub mod options;
mod ready;
pub mod stats;
#[cfg(test)]
mod steps;
pub mod storage;
#[cfg(all(feature = "async", target_has_atomic = "ptr"))]
pub mod task;
mod time;
mod traits;
#[cfg(all(feature = "std", unix))]
mod unix;
mod wake;

pub use base::{End, EventBase, Fired, Mode, Turn};
pub use error::Error;
pub use event::{Event, EventId};
pub use ready::{Interest, Ready};
pub use storage::Fixed;
#[cfg(feature = "alloc")]
pub use storage::Growable;
pub use time::{Instant, Wait};
#[cfg(all(feature = "std", unix))]
pub use unix::Fd;
