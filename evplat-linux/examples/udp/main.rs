//! A DNS responder over UDP, for the names given as arguments.
//!
//! ```text
//! cargo run -p evplat-linux --example udp -- 127.0.0.1:5353 printer.test=192.0.2.7 router.test=192.0.2.1
//! dig @127.0.0.1 -p 5353 printer.test
//! dig @127.0.0.1 -p 5353 nobody.test
//! ```
//!
//! This file handles datagrams; `dns.rs` handles their contents and uses no socket.

#[path = "../cli/mod.rs"]
mod cli;
mod dns;

use std::io::{self, ErrorKind, Write};
use std::net::{AddrParseError, Ipv4Addr, SocketAddr, UdpSocket};
use std::process::ExitCode;

use evplat_linux::{Epoll, Event, EventBase, Fd, Interest, Wait, signum};

use lexopt::{Arg, Error, Parser, ValueExt};

use dns::Zone;

/// How many datagrams are answered before timers and signals are handled.
const BATCH: usize = 64;

enum Task {
    Socket,
    Stop,
}

const HELP: &str = "\
usage: udp [IP:PORT] [NAME=IPV4]…

Answers DNS queries for these names. SIGINT or SIGTERM ends it.

  IP:PORT    the address to listen on (default: a free port of 127.0.0.1)
  NAME=IPV4  a name and its address (default: none)";

fn main() -> ExitCode {
    cli::run(HELP, parse, |(address, zone)| run(address, &zone))
}

fn parse(words: &mut Parser) -> Result<(SocketAddr, Zone), Error> {
    let (mut address, mut zone) = (None, Zone::default());
    while let Some(word) = words.next()? {
        match word {
            Arg::Value(word) if word.to_string_lossy().contains('=') => {
                let (name, ip) = word.parse_with(entry)?;
                zone.insert(&name, ip);
            }
            Arg::Value(word) if address.is_none() => address = Some(word.parse()?),
            other => return Err(other.unexpected()),
        }
    }
    Ok((address.unwrap_or(cli::any_port()), zone))
}

fn entry(text: &str) -> Result<(String, Ipv4Addr), AddrParseError> {
    let (name, ip) = text.split_once('=').unwrap_or((text, ""));
    Ok((name.to_owned(), ip.parse()?))
}

fn run(address: SocketAddr, zone: &Zone) -> io::Result<()> {
    let socket = UdpSocket::bind(address).map_err(|error| cli::about(address, error))?;
    socket.set_nonblocking(true)?;
    let mut base = EventBase::new(Epoll::new()?);
    base.insert(Fd::of(&socket), Interest::READ, Task::Socket)?;
    for signum in [signum::SIGINT, signum::SIGTERM] {
        base.start(Event::signal(signum), Task::Stop)?;
    }
    writeln!(io::stdout(), "listening on {}", socket.local_addr()?)?;

    let (mut answered, mut ignored) = (0_u64, 0_u64);
    while let Some(event) = base.next_event(Wait::Forever)? {
        match event.data {
            Task::Socket => serve(&socket, zone, &mut answered, &mut ignored)?,
            Task::Stop => base.loop_exit(),
        }
    }
    writeln!(io::stdout(), "answered {answered}, ignored {ignored}")
}

/// Answers the pending datagrams, up to a batch; the rest is reported again.
fn serve(socket: &UdpSocket, zone: &Zone, answered: &mut u64, ignored: &mut u64) -> io::Result<()> {
    // One byte more than allowed, so that a longer query is detected.
    let mut query = [0; dns::QUERY_MAX + 1];
    for _ in 0..BATCH {
        let (len, peer) = match socket.recv_from(&mut query) {
            Ok(received) => received,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            // Interrupted, or an error report about an earlier answer.
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionRefused) => continue,
            Err(error) => return Err(error),
        };
        match query.get(..len).and_then(|query| zone.answer(query)) {
            // An answer that cannot be sent now is dropped; the client asks again.
            Some(answer) if socket.send_to(&answer, peer).is_ok() => *answered += 1,
            _ => *ignored += 1,
        }
    }
    Ok(())
}
