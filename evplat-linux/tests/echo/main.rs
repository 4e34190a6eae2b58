//! The echo example on epoll, as a client sees it that has nothing of ours.

#![cfg(target_os = "linux")]

mod cases;
mod process;

const EXAMPLE: &str = "echo";

cases::against!(epoll, 1000);
