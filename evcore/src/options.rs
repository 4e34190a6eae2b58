//! Options of a base and of its events that a first program does not need.

pub use crate::event::Missed;
pub use crate::limits::{Fairness, Limits};
