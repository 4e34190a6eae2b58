//! Backends for [`evcore`] on any Unix: `poll(2)` and `select(2)`, and the parts that every Unix backend shares. [The
//! guide](https://github.com/evcore/evcore/blob/main/docs/guide.md) builds a server in seven steps on epoll; this is
//! the same with `Poll`.
//!
//! ```text
//!   your program          evcore                 evplat-posix                        the system
//!  ┌─────────────┐   ┌───────────────┐   ┌─────────────────────────────┐
//!  │ next_active │──▶│ EventBase     │──▶│ Poll     ┐                  │──▶ poll(2), ppoll(2)
//!  │ Waker::wake │   │  impl EventOp │   │ Select   ┴ Table            │──▶ pselect(2)
//!  └──────┬──────┘   └───────────────┘   │ Interrupts ┬ WakeState ─ Doorbell ──▶ pipe(2)
//!         └──────────────────────────────┤▶           └ Signals ─ registry ◀─── sigaction(2)
//!                                        │ Clock, ForkGuard, Error     │──▶ clock_gettime(2), pthread_atfork(3)
//!                                        └─────────────────────────────┘
//! ```
//!
//! A base on [`Poll`] watches any descriptor; [`Select`] is for systems without anything better. Both behave like all
//! other backends; their [`features`](evcore::backend::EventOp::features) say what they cannot do.
//!
//! ```
//! use std::io::Write;
//! use std::os::unix::net::UnixStream;
//! use evplat_posix::{EventBase, Fd, Interest, Poll, Ready, Wait};
//!
//! let (near, mut far) = UnixStream::pair()?;
//! let mut base: EventBase<&str> = EventBase::new(Poll::new()?);
//! base.insert(Fd::of(&near), Interest::READ, "socket").map_err(|rejected| rejected.error)?;
//!
//! far.write_all(b"x")?;
//! assert!(base.poll(Wait::Forever)?.is_running());
//! let fired = base.next_active().ok_or("nothing was ready")?;
//! assert_eq!((*fired.data, fired.ready), ("socket", Ready::READ));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [The README](https://github.com/evcore/evcore#how-to) leads from each task to its example.
//!
//! # Features
//!
//! None is on by default.
//!
//! - `async`: `task`, an executor on poll, and files and sockets that are read and written by `.await`. See
//!   [tasks](https://github.com/evcore/evcore/blob/main/docs/async.md).
//! - `futures-io`: these files and sockets implement `AsyncRead` and `AsyncWrite`.
//! - `log`: logs what no result shows, such as why a backend was not chosen.
//!
//! # For backends of other crates
//!
//! The registry of signal handlers is in this crate and shared by the whole process, so that bases may be dropped in
//! any order. A backend on another system call must use its [`Signals`](backend::Signals), and may use the rest:
//! [`Interrupts`](backend::Interrupts) provides wakers and signals with any [`Doorbell`](backend::Doorbell).

#![deny(unsafe_code)]
#![deny(
    clippy::arithmetic_side_effects,
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
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::integer_division,
        clippy::panic,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

#[macro_use]
mod log;

mod account;
#[cfg(test)]
mod cases;
mod clock;
mod doorbell;
mod error;
mod events;
mod fork;
mod handler;
mod idle;
mod inbox;
mod interrupts;
mod poll;
mod preferences;
mod registry;
mod scan;
mod select;
mod signal;
mod sleeper;
#[allow(unsafe_code)]
mod sys;
mod table;
#[cfg(feature = "async")]
pub mod task;
mod task_waker;
mod waker;

pub use clock::Clock;
pub use error::Error;
/// The core crate. This crate re-exports what most programs use; the rest is in the core's modules.
pub use evcore;
#[doc(no_inline)]
pub use evcore::{End, Event, EventId, Fd, Fired, Instant, Interest, Mode, Ready, Turn, Wait};
pub use poll::Poll;
pub use preferences::Preferences;
pub use select::Select;
pub use sleeper::Sleeper;
pub use sys::fd_from_raw;
pub use waker::Waker;

/// Parts for backends in other crates: wakers, signals, fork detection, the fd table.
pub mod backend {
    pub use crate::doorbell::Doorbell;
    pub use crate::fork::ForkGuard;
    pub use crate::interrupts::Interrupts;
    pub use crate::scan::Scan;
    pub use crate::signal::Signals;
    pub use crate::sleeper::Sleepers;
    pub use crate::table::{Place, Slots};
    pub use crate::waker::WakeState;
}

/// The types that choosing a backend at run time returns: see [`Preferences`].
pub mod choice {
    pub use crate::preferences::{Choice, NoBackend, Reason, Refusal};
}

/// Signal numbers, for [`insert_signal`](evcore::EventBase::insert_signal).
pub mod signum {
    pub use libc::{
        SIGABRT, SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGPIPE, SIGPROF, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN,
        SIGTTOU, SIGURG, SIGUSR1, SIGUSR2, SIGVTALRM, SIGWINCH, SIGXCPU, SIGXFSZ,
    };
}

/// An event base on [`Poll`], with memory that grows.
#[doc(alias = "event_base")]
pub type EventBase<T> = evcore::EventBase<Poll, evcore::Growable, T>;

/// An event base on [`Select`], with memory that grows.
pub type SelectBase<T> = evcore::EventBase<Select, evcore::Growable, T>;
