//! Tests the example `echo_posix` on poll and on select through independent clients. The cases are those of
//! `evplat-linux`, through a link. They inspect the process through `/proc`.

#![cfg(target_os = "linux")]

mod cases;
mod process;
mod shortages;

const EXAMPLE: &str = "echo_posix";

cases::against!(poll, 1000);
// select cannot wait for descriptors from 1024 on.
cases::against!(select, 900);
