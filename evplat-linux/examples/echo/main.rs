//! A TCP echo server on epoll.
//!
//! ```text
//! cargo run --release -p evplat-linux --example echo -- 127.0.0.1:7777 --idle 60s
//! ```
//!
//! The server to copy is in `server.rs`. It works with any backend, so that the example `echo_posix` of evplat-posix
//! is the same server on poll and on select; `main` chooses epoll.

#[path = "../cli/mod.rs"]
mod cli;
mod options;
mod server;

use std::process::ExitCode;

use evplat_linux::Epoll;

const HELP: &str = "\
usage: echo [IP:PORT] [--idle TIME] [--quiet] [--method epoll]

Sends each client back what it sends, and prints figures every second. SIGINT or SIGTERM ends it.

  IP:PORT   the address to listen on (default: a free port of 127.0.0.1)
  --idle    the idle timeout of a connection: 500ms, 60s, 5m (default: 60s)
  --quiet   do not print figures every second
  --method  the backend (default: epoll)";

fn main() -> ExitCode {
    cli::run(
        HELP,
        |words| options::parse(words, &["epoll"]),
        |(_, options)| server::Server::new(Epoll::new()?, &options)?.run(),
    )
}
