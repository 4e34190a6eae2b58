//! A TCP echo server on poll or on select.
//!
//! ```text
//! cargo run --release -p evplat-posix --example echo -- --method poll 127.0.0.1:7777 --idle 60s
//! ```
//!
//! The server itself, `server.rs`, is the one of the echo example of `evplat-linux`, and a link to it: there is nothing in it
//! that depends on what it runs on. It is a link and not a path, so that the published crate holds the file.

mod options;
mod server;

use std::process::ExitCode;

use evplat_posix::{Poll, Select};

fn main() -> ExitCode {
    options::run(&["poll", "select"], |method, options| match method {
        "select" => server::Server::new(Select::new()?, options)?.run(),
        _ => server::Server::new(Poll::new()?, options)?.run(),
    })
}
