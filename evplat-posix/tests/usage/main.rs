//! The command lines of the examples.

#![cfg(target_os = "linux")]

#[allow(dead_code, reason = "it is shared with the tests of another crate, which need all of it")]
mod program;
mod usage;
