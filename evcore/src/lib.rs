//! evcore
#![no_std]
#![forbid(unsafe_code)]
#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;
mod backend;
mod event;
mod time;
#[cfg(all(feature = "std", unix))]
mod unix;
pub use backend::*;
pub use event::*;
pub use time::*;
#[cfg(all(feature = "std", unix))]
pub use unix::Fd;
