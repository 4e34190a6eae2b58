//! A TCP echo server on epoll.
//!
//! ```text
//! cargo run --release -p evplat-linux --example echo -- 127.0.0.1:7777 --idle 60s
//! ```
//!
//! The server is in `server.rs`, and that is the file to copy. It is written for any backend, so that the echo example of
//! `evplat-posix` is the same server on poll and on select; what makes it one on epoll is the line below.

mod options;
mod server;

use std::process::ExitCode;

use evplat_linux::Epoll;

fn main() -> ExitCode {
    options::run(&["epoll"], |_, options| server::Server::new(Epoll::new()?, options)?.run())
}
