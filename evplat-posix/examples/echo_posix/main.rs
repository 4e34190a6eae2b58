//! A TCP echo server on poll or on select.
//!
//! ```text
//! cargo run --release -p evplat-posix --example echo_posix -- --method poll 127.0.0.1:7777 --idle 60s
//! ```
//!
//! `server.rs`, the server itself, is a link to that of `evplat-linux`'s echo example, as it does not depend on the
//! backend. It is a link rather than a path, so that the published crate contains the file.

#[path = "../cli/mod.rs"]
mod cli;
mod options;
mod server;

use std::process::ExitCode;

use evplat_posix::{Poll, Select};

const HELP: &str = "\
usage: echo_posix [IP:PORT] [--idle TIME] [--quiet] [--method poll|select]

Sends each client back what it sends, and prints figures every second. SIGINT or SIGTERM ends it.

  IP:PORT   the address to listen on (default: a free port of 127.0.0.1)
  --idle    the idle timeout of a connection: 500ms, 60s, 5m (default: 60s)
  --quiet   do not print figures every second
  --method  the backend (default: poll)";

fn main() -> ExitCode {
    cli::run(
        HELP,
        |words| options::parse(words, &["poll", "select"]),
        |(method, options)| match method {
            "select" => server::Server::new(Select::new()?, &options)?.run(),
            _ => server::Server::new(Poll::new()?, &options)?.run(),
        },
    )
}
