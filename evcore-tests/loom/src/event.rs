//! What a task's place names.

pub type EventId = u32;
