//! A DNS responder: it answers for the names that it is given, over UDP.
//!
//! ```text
//! cargo run -p evplat-linux --example udp -- 127.0.0.1:5353 printer.test=192.0.2.7 router.test=192.0.2.1
//! dig @127.0.0.1 -p 5353 printer.test
//! dig @127.0.0.1 -p 5353 nobody.test
//! ```
//!
//! Everything about datagrams is here; `dns.rs` is what is in them, and knows of no socket.

mod dns;

use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;

use evplat_linux::{Epoll, Event, EventBase, Fd, Interest, Wait, signum};

use dns::Zone;

/// How many datagrams are answered before timers and signals have their turn again.
const BATCH: usize = 64;

enum Task {
    Socket,
    Stop,
}

fn main() -> ExitCode {
    let (address, zone) = match parse(std::env::args().skip(1)) {
        Ok(parsed) => parsed,
        Err(wrong) => {
            eprintln!("{wrong}\nusage: udp [IP:PORT] [NAME=IPV4]…");
            return ExitCode::from(2);
        }
    };
    match run(address, &zone) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("udp: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(words: impl Iterator<Item = String>) -> Result<(SocketAddr, Zone), String> {
    let (mut address, mut zone) = (SocketAddr::from(([127, 0, 0, 1], 0)), Zone::default());
    for word in words {
        match word.split_once('=') {
            Some((name, ip)) => zone.insert(name, ip.parse().map_err(|_| format!("not an address: {ip}"))?),
            None => address = word.parse().map_err(|_| format!("not an address: {word}"))?,
        }
    }
    Ok((address, zone))
}

fn run(address: SocketAddr, zone: &Zone) -> io::Result<()> {
    let socket = UdpSocket::bind(address)?;
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

/// Answers what is there, up to a batch; the rest is reported again.
fn serve(socket: &UdpSocket, zone: &Zone, answered: &mut u64, ignored: &mut u64) -> io::Result<()> {
    // One byte more than is legal: a longer query is cut off there, and seen to be too long.
    let mut query = [0; dns::QUERY_MAX + 1];
    for _ in 0..BATCH {
        let (len, peer) = match socket.recv_from(&mut query) {
            Ok(received) => received,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            // Interrupted; or news of an earlier answer that did not arrive.
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionRefused) => continue,
            Err(error) => return Err(error),
        };
        match query.get(..len).and_then(|query| zone.answer(query)) {
            // What cannot be sent now is lost, as datagrams are: the client asks again.
            Some(answer) if socket.send_to(&answer, peer).is_ok() => *answered += 1,
            _ => *ignored += 1,
        }
    }
    Ok(())
}
