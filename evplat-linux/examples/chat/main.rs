//! A chat: what one client says, all others read. A client that reads too slowly is disconnected, so nobody waits for
//! it.
//!
//! ```text
//! cargo run -p evplat-linux --example chat -- 127.0.0.1:7000
//! nc 127.0.0.1 7000        # in several terminals; the first line is your name
//! ```
//!
//! `server.rs` is the loop, `client.rs` one participant.

#[path = "../cli/mod.rs"]
mod cli;
mod client;
mod server;

use std::process::ExitCode;

const HELP: &str = "\
usage: chat [IP:PORT]

Sends each line of a client to all others; the first line is the client's name. SIGINT or SIGTERM ends it.

  IP:PORT  the address to listen on (default: a free port of 127.0.0.1)";

fn main() -> ExitCode {
    cli::run(HELP, cli::address, |address| server::Server::new(address)?.run())
}
