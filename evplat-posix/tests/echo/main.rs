//! The example `echo_posix` on poll and on select, as a client sees it that has nothing of ours: the cases are those of
//! `evplat-linux`, by a link. They look at the process through `/proc`.

#![cfg(target_os = "linux")]

mod cases;
mod process;
mod shortages;

const EXAMPLE: &str = "echo_posix";

cases::against!(poll, 1000);
// select has no place for a descriptor from 1024 on.
cases::against!(select, 900);
