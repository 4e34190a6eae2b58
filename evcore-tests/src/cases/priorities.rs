//! priorities
