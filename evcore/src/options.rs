//! What may be chosen of a base and of its events, beyond what a first program needs.

pub use crate::event::Missed;
pub use crate::limits::{Fairness, Limits};
