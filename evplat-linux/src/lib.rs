//! The Linux backend of [`evcore`]: epoll, with wakers and signals. [The guide](https://github.com/evcore/evcore/blob/main/docs/guide.md)
//! builds a server on it in seven steps; [the README](https://github.com/evcore/evcore#how-to) leads from each task to its
//! example: connect, fork, TLS, threads, children, tests in virtual time. The methods are on
//! [`evcore::EventBase`].
//!
//! ```text
//!   your program ──▶ evcore::EventBase<Epoll, Growable, T>
//!                               │ EventOp            ▲ Sink: (token, ready), signals
//!   ┌───────────────────────────▼────────────────────┴───────────────┐
//!   │ Epoll ─┬─ epoll set   sockets, pipes, terminals, timers, …     │
//!   │        ├─ files       what epoll refuses: always ready         │
//!   │        ├─ doorbell    an eventfd, for wakers and signals       │
//!   │        └─ nest        one descriptor for all of it, on request │
//!   └───────────────────────────┬────────────────────────────────────┘
//!                evplat-posix: the process's signals, forks, the clock
//! ```
//!
//! ```
//! use std::io::{Read, Write};
//! use std::os::unix::net::UnixStream;
//! use std::time::Duration;
//!
//! use evplat_linux::{Epoll, EventBase, Fd, Interest, Wait};
//!
//! enum Task {
//!     Receive(UnixStream),
//!     GiveUp,
//! }
//!
//! let (mut near, far) = UnixStream::pair()?;
//! let mut base: EventBase<Task> = EventBase::new(Epoll::new()?);
//! base.insert(Fd::of(&far), Interest::READ, Task::Receive(far))?;
//! base.insert_timer(Duration::from_secs(5), Task::GiveUp)?;
//!
//! near.write_all(b"hello")?;
//! let mut received = [0; 5];
//! while let Some(event) = base.next_event(Wait::Forever)? {
//!     if let Task::Receive(stream) = event.data {
//!         stream.read_exact(&mut received)?;
//!     }
//!     base.loop_exit();
//! }
//! assert_eq!(&received, b"hello");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Features
//!
//! None is on by default.
//!
//! - `async`: `task`, an executor on epoll, and files and sockets that are read and written by `.await`. See
//!   [tasks](https://github.com/evcore/evcore/blob/main/docs/async.md).
//! - `futures-io`: these files and sockets implement `AsyncRead` and `AsyncWrite`.
//! - `log`: logs what no result shows, such as an older system call used in place of a newer one.

#![deny(unsafe_code)]

#[macro_use]
mod log;

mod bell;
mod child;
mod epoll;
mod files;
mod mask;
mod nest;
mod signal;
#[cfg(test)]
mod sink;
#[allow(unsafe_code)]
mod sys;
#[cfg(feature = "async")]
pub mod task;
mod waker;

pub use child::Child;
pub use epoll::Epoll;
/// The core crate. This crate re-exports what most programs use; the rest is in the core's modules.
pub use evplat_posix::evcore;
#[doc(no_inline)]
pub use evplat_posix::{
    Clock, End, Error, Event, EventId, Fd, Fired, Instant, Interest, Mode, Ready, Sleeper, Turn, Wait, Waker,
    fd_from_raw, signum,
};

/// An event base on epoll, with memory that grows (`struct event_base`). `T` is the type of each event's data.
///
/// ```
/// use std::time::Duration;
///
/// use evplat_linux::{Epoll, EventBase, Wait};
///
/// let mut base: EventBase<&str> = EventBase::new(Epoll::new()?);
/// base.insert_timer(Duration::from_millis(1), "a millisecond")?;
/// assert!(base.poll(Wait::Forever)?.is_running());
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "event_base")]
pub type EventBase<T> = evcore::EventBase<Epoll, evcore::Growable, T>;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Runs the programs on the page about tasks.
#[cfg(all(doctest, feature = "async"))]
#[doc = include_str!("../../docs/async.md")]
struct Async;
