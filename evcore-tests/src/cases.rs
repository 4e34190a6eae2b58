//! The cases, one file for each topic.
//!
//! Each is a public function that takes a fixture, and a storage as a type parameter. The first line of its
//! documentation says what must hold.

pub mod changes;
pub mod clock;
pub mod edge;
pub mod events;
pub mod faults;
pub mod files;
pub mod halves;
pub mod handlers;
pub mod interest;
pub mod intervals;
pub mod limits;
pub mod loop_control;
pub mod many;
pub mod one_loop;
pub mod pauses;
pub mod priorities;
pub mod readiness;
pub mod refusals;
pub mod signals;
#[cfg(feature = "async")]
pub mod tasks;
pub mod timers;
pub mod unread;
pub mod unread_changes;
#[cfg(feature = "async")]
pub mod waits;
pub mod wake;
pub mod watchers;
