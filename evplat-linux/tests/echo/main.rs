//! Tests the echo example on epoll through independent clients.

#![cfg(target_os = "linux")]

mod cases;
mod process;

const EXAMPLE: &str = "echo";

cases::against!(epoll, 1000);
