//! At the limits of a process: descriptors, system calls; and an epoll set that other code has changed.
//!
//! Limits and sandboxes belong to the process, so each case runs in one of its own. Lack of memory is tested by
//! `parity_allocation.rs`.

#![cfg(target_os = "linux")]

/// Expands to one test per case and backend, in a process of its own.
macro_rules! on_each_backend {
    ($($case:ident)*) => { $(
        mod $case {
            use crate::sys;

            #[test]
            fn epoll() {
                sys::alone(|| super::$case(evplat_linux::Epoll::new));
            }

            #[test]
            fn poll() {
                sys::alone(|| super::$case(evplat_posix::Poll::new));
            }

            #[test]
            fn select() {
                sys::alone(|| super::$case(evplat_posix::Select::new));
            }

            #[test]
            fn chosen() {
                sys::alone(|| super::$case(crate::choose));
            }
        }
    )* };
}

mod closed;
mod descriptors;
mod forged;
mod sandbox;
mod set;
mod sys;

use std::io::Write;
use std::os::unix::net::UnixStream;

use evcore::backend::{Either, Wake};
use evcore::{EventBase, Growable, Ready, Wait};
use evplat_linux::Epoll;
use evplat_posix::{Error, Poll, Preferences, Select, Waker};

trait Backend: Wake<Fd = evcore::Fd, Error = Error, Waker = Waker> {}
impl<B: Wake<Fd = evcore::Fd, Error = Error, Waker = Waker>> Backend for B {}

type Make<B> = fn() -> Result<B, Error>;
type Base<B> = EventBase<B, Growable, u32>;

/// The backend of a program that chooses at run time.
fn choose() -> Result<Either<Either<Epoll, Poll>, Select>, Error> {
    let wanted = Preferences::new().ignore_environment();
    let choice = wanted.pick("epoll", Epoll::new).or("poll", Poll::new).or("select", Select::new);
    choice.backend().map_err(|_| Error::Unsupported)
}

/// The hand-outs of a turn, sorted by number.
fn turn<B: Backend>(base: &mut Base<B>, wait: Wait) -> Result<Vec<(u32, Ready)>, Error> {
    assert!(base.poll(wait)?.is_running());
    let mut found = Vec::new();
    while let Some(fired) = base.next_active() {
        found.push((*fired.data, fired.ready));
    }
    found.sort_by_key(|(number, _)| *number);
    Ok(found)
}

/// A readable socket and its peer.
fn readable() -> (UnixStream, UnixStream) {
    let (near, mut far) = UnixStream::pair().unwrap();
    far.write_all(b"x").unwrap();
    (near, far)
}
