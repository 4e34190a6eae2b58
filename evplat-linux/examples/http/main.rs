//! A small HTTP/1.1 server: keep-alive, pipelining, limits on all that a client may send, time limits that no slow client
//! can stretch, and an end at which nobody is cut off.
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
//! | file | what is in it |
//! |---|---|
//! | `server.rs` | the loop: accepting, time limits, the end |
//! | `connection.rs` | one client: its bytes, in and out |
//! | `request.rs` | from bytes to a request, and what is refused |
//! | `response.rs` | from an answer to bytes |
//! | `service.rs` | what the server is there for: replace this one |
//!
//! What it does not do: TLS, HTTP/2, chunked requests (it asks for a length, by 411).

mod connection;
mod request;
mod response;
mod server;
mod service;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use server::{Options, Server};

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(wrong) => {
            eprintln!("{wrong}\nusage: http [IP:PORT] [--timeout SECONDS] [--keep-alive SECONDS]");
            return ExitCode::from(2);
        }
    };
    match Server::new(options).and_then(Server::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("http: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        timeout: Duration::from_secs(10),
        keep_alive: Duration::from_secs(5),
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--timeout" => options.timeout = seconds(words.next())?,
            "--keep-alive" => options.keep_alive = seconds(words.next())?,
            other => {
                options.address = other.parse().map_err(|_| format!("neither an option nor an address: {other}"))?
            }
        }
    }
    Ok(options)
}

fn seconds(text: Option<String>) -> Result<Duration, String> {
    let text = text.ok_or("an option needs a value")?;
    let time = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.filter(|time| !time.is_zero()).ok_or(format!("not a time to wait for: {text}"))
}
