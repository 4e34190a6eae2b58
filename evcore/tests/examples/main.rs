//! The examples as processes.

#![cfg(target_os = "linux")]

#[allow(dead_code, reason = "it is shared with the tests of another crate, which need all of it")]
mod program;
mod usage;

use program::Program;

#[test]
fn hours_are_the_same_for_the_same_seed() {
    let hours = |seed| Program::start("simulation", &[seed]).rest();
    let (first, other) = (hours("7"), hours("8"));
    assert!(first.len() == 1 && first[0].starts_with("14400s: "), "{first:?}");
    assert_eq!(first, hours("7"));
    assert_ne!(first, other);
}

#[test]
fn the_firmware_blinks_for_an_hour() {
    let lines = Program::start("firmware", &[]).rest();
    assert!(lines[0].starts_with("3593 blinks, 1 press, "), "{lines:?}");
}

#[test]
fn callbacks_need_no_allocator() {
    assert_eq!(Program::start("callbacks_fixed", &[]).rest(), ["Exit after 10 ticks: [4, 5] bytes"]);
}
