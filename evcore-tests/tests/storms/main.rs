//! Storms: large numbers of wakes, signals, reused numbers and changes of a sleeping base, on each backend.
//!
//! By default the counts are small, so that a test run is short. `EVCORE_STORM=10000000` makes each storm that long;
//! `.ci/threads` does, also under a sanitizer.

#![cfg(target_os = "linux")]

/// Expands to one test per case and backend. Those with signals exclude the others.
macro_rules! on_each_backend {
    ($($case:ident)*) => { $(
        mod $case {
            #[test]
            fn epoll() {
                super::$case(evplat_linux::Epoll::new);
            }

            #[test]
            fn poll() {
                super::$case(evplat_posix::Poll::new);
            }

            #[test]
            fn select() {
                super::$case(evplat_posix::Select::new);
            }
        }
    )* };
}

mod halves;
mod numbers;
mod signals;
mod sys;
mod wakes;

use std::sync::{Mutex, MutexGuard, PoisonError};

use evcore::backend::{Split, Wake};
use evcore::{EventBase, Growable};
use evplat_posix::{Error, Sleeper, Waker};

trait Backend: Wake<Fd = evcore::Fd, FdInfo: Send, Error = Error, Waker = Waker> + Split<Sleeper = Sleeper> + Send {}
impl<B: Wake<Fd = evcore::Fd, FdInfo: Send, Error = Error, Waker = Waker> + Split<Sleeper = Sleeper> + Send> Backend
    for B
{
}

type Make<B> = fn() -> Result<B, Error>;
type Base<B> = EventBase<B, Growable, u32>;

/// The length of a storm: `EVCORE_STORM`, or `few`.
fn storm(few: u32) -> u32 {
    std::env::var("EVCORE_STORM").map_or(few, |count| count.parse().expect("EVCORE_STORM is a number"))
}

/// Signals and descriptor numbers belong to the process, so these tests take this lock.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
