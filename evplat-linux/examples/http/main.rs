//! A small HTTP/1.1 server: keep-alive, pipelining, limits on everything that a client sends, time limits that a slow
//! client cannot extend, and a graceful stop.
//!
//! ```text
//! cargo run --release -p evplat-linux --example http -- 127.0.0.1:8080 --timeout 10 --keep-alive 5
//! curl -i http://127.0.0.1:8080/
//! curl -d 'some text' http://127.0.0.1:8080/echo
//! curl -X DELETE -i http://127.0.0.1:8080/
//! printf 'GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /none HTTP/1.0\r\n\r\n' | nc 127.0.0.1 8080
//! wrk -t1 -c100 -d10s http://127.0.0.1:8080/
//! kill -TERM $(pidof http)
//! ```
//!
//! | file | contents |
//! |---|---|
//! | `server.rs` | the loop: accepting, time limits, stopping |
//! | `connection.rs` | one client: its input and output |
//! | `request.rs` | parsing a request, and what is refused |
//! | `response.rs` | formatting a response |
//! | `service.rs` | what the server does: replace this file |
//!
//! Not supported: TLS, HTTP/2, chunked requests (answered by 411, which requests a length).

#[path = "../cli/mod.rs"]
mod cli;
mod connection;
mod request;
mod response;
mod server;
mod service;

use std::process::ExitCode;
use std::time::Duration;

use lexopt::{Arg, Error, Parser, ValueExt};

use server::{Options, Server};

const HELP: &str = "\
usage: http [IP:PORT] [--timeout SECONDS] [--keep-alive SECONDS]

A small HTTP/1.1 server. SIGINT or SIGTERM ends it when the requests that have begun are answered.

  IP:PORT       the address to listen on (default: a free port of 127.0.0.1)
  --timeout     the time limit for a request and its answer (default: 10)
  --keep-alive  the time limit until a client's next request (default: 5)";

fn main() -> ExitCode {
    cli::run(HELP, parse, |options| Server::new(options)?.run())
}

fn parse(words: &mut Parser) -> Result<Options, Error> {
    let (mut address, mut timeout, mut keep_alive) = (None, Duration::from_secs(10), Duration::from_secs(5));
    while let Some(word) = words.next()? {
        match word {
            Arg::Long("timeout") => timeout = words.value()?.parse_with(cli::seconds)?,
            Arg::Long("keep-alive") => keep_alive = words.value()?.parse_with(cli::seconds)?,
            Arg::Value(word) if address.is_none() => address = Some(word.parse()?),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Options { address: address.unwrap_or(cli::any_port()), timeout, keep_alive })
}
