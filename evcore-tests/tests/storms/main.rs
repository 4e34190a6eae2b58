//! Storms: more wakes, signals, reused numbers and changes of a base that is asleep than anyone sends, on each backend.
//!
//! The counts are small here, so that a test run is short. `EVCORE_STORM=10000000` makes each storm that long;
//! `.ci/threads` does, also under a sanitizer.

#![cfg(target_os = "linux")]

/// Makes each case a test of each backend. Those with signals lock the others out.
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

/// How many: so many as `EVCORE_STORM` says, or a few.
fn storm(few: u32) -> u32 {
    std::env::var("EVCORE_STORM").map_or(few, |count| count.parse().expect("EVCORE_STORM is a number"))
}

/// Signals and descriptor numbers belong to the process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
