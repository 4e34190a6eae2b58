//! A chat: what one says, all others read. Nobody waits for a slow reader: whoever is too far behind is let go.
//!
//! ```text
//! cargo run -p evplat-linux --example chat -- 127.0.0.1:7000
//! nc 127.0.0.1 7000        # in several terminals; the first line is your name
//! ```
//!
//! `server.rs` is the loop, `client.rs` one of those who talk.

mod client;
mod server;

use std::net::SocketAddr;
use std::process::ExitCode;

fn main() -> ExitCode {
    let address = std::env::args().nth(1).map_or(Ok(SocketAddr::from(([127, 0, 0, 1], 0))), |word| word.parse());
    let Ok(address) = address else {
        eprintln!("usage: chat [IP:PORT]");
        return ExitCode::from(2);
    };
    match server::Server::new(address).and_then(server::Server::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chat: {error}");
            ExitCode::FAILURE
        }
    }
}
