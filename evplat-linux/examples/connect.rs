//! A TCP client that never blocks: it connects to the first of several addresses that answers, sends what it reads from its
//! standard input, and prints what comes back until the server closes.
//!
//! ```text
//! printf 'hello\n' | cargo run -p evplat-linux --example connect -- --timeout 3s 192.0.2.1:7 127.0.0.1:7777
//! ```
//!
//! `connect` is the function to copy. A connection attempt is an event that waits until its socket is writable, with
//! a timeout; the socket then has the result. The next address is tried when an attempt has failed, or when no
//! attempt has succeeded for a while. The first to succeed is used, and the others are dropped.

mod cli;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use evplat_linux::{Epoll, Event, EventBase, Fd, Interest, Wait};
use lexopt::{Arg, Error, Parser, ValueExt};
use socket2::{Domain, Socket, Type};

/// How long to wait for one address before the next is tried, too.
const HEAD_START: Duration = Duration::from_millis(250);
/// How much is read at once, and so the most that is buffered for the server.
const CHUNK: usize = 16 * 1024;

enum Task {
    Attempt(SocketAddr, Socket),
    /// It is time to try the next address as well.
    Next,
    Input,
    Server,
}

const HELP: &str = "\
usage: connect [--timeout TIME] IP:PORT…

Connects to the first of these addresses that answers, sends its standard input, and prints what it receives.

  --timeout  the time limit for all addresses together: 500ms, 3s (default: 10s)";

fn main() -> ExitCode {
    cli::run(HELP, parse, |(patience, addresses)| run(patience, &addresses))
}

fn parse(words: &mut Parser) -> Result<(Duration, Vec<SocketAddr>), Error> {
    let (mut patience, mut addresses) = (Duration::from_secs(10), Vec::new());
    while let Some(word) = words.next()? {
        match word {
            Arg::Long("timeout") => patience = words.value()?.parse_with(cli::time)?,
            Arg::Value(word) => addresses.push(word.parse()?),
            other => return Err(other.unexpected()),
        }
    }
    if addresses.is_empty() { Err("an IP:PORT is missing".into()) } else { Ok((patience, addresses)) }
}

fn run(patience: Duration, addresses: &[SocketAddr]) -> io::Result<()> {
    let mut base = EventBase::new(Epoll::new()?);
    let stream = connect(&mut base, patience, addresses)?;
    let address = stream.peer_addr()?;
    eprintln!("connected to {address}");
    converse(&mut base, stream).map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))
}

/// Connects to the first of these addresses that answers, each within `patience`.
fn connect(base: &mut EventBase<Task>, patience: Duration, addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let (mut rest, mut attempts, mut failures) = (addresses.iter(), Vec::new(), Vec::new());
    let next = base.start(Event::timer().timeout(Duration::ZERO), Task::Next)?;
    let winner = loop {
        if attempts.is_empty() && rest.len() == 0 {
            break None;
        }
        let Some(fired) = base.next_event(Wait::Forever)? else { break None };
        let (id, ready) = (fired.id, fired.ready);
        match fired.data {
            Task::Next => {
                let Some(address) = rest.next() else { continue };
                match begin(base, *address, patience) {
                    Ok(attempt) => {
                        attempts.push(attempt);
                        base.add(next, Some(HEAD_START))?;
                    }
                    Err(error) => {
                        failures.push(format!("{address}: {error}"));
                        base.add(next, Some(Duration::ZERO))?;
                    }
                }
            }
            Task::Attempt(address, socket) => {
                // Writable only means that the attempt has ended. The socket has its error, if there was one.
                let error = match socket.take_error() {
                    Ok(None) if ready.is_io() => None,
                    Ok(None) => Some(ErrorKind::TimedOut.into()),
                    Ok(Some(error)) | Err(error) => Some(error),
                };
                let failure = error.map(|error| format!("{address}: {error}"));
                attempts.retain(|attempt| *attempt != id);
                let Some(Task::Attempt(_, socket)) = base.remove(id) else { continue };
                match failure {
                    None => break Some(socket),
                    Some(failure) => failures.push(failure),
                }
                base.add(next, Some(Duration::ZERO))?;
            }
            Task::Input | Task::Server => {}
        }
    };
    base.remove(next);
    for attempt in attempts {
        base.remove(attempt);
    }
    winner.map(TcpStream::from).ok_or_else(|| io::Error::other(failures.join("; ")))
}

/// Starts an attempt. Its event is one-shot, and reported when the attempt has ended or timed out.
fn begin(base: &mut EventBase<Task>, address: SocketAddr, patience: Duration) -> io::Result<evplat_linux::EventId> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&address.into()) {
        // Connected, or the attempt is under way: the socket becomes writable in either case. An interrupted attempt
        // continues, too.
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) || error.kind() == ErrorKind::Interrupted => {}
        Err(error) => return Err(error),
    }
    let event = Event::io(Fd::of(&socket), Interest::WRITE).timeout(patience);
    Ok(base.start(event, Task::Attempt(address, socket))?)
}

/// Copies the standard input to the server, and the server's data to the standard output.
///
/// Reads no more input while data waits to be sent. The end of the input is passed on to the server; the end of the
/// server's data ends the program.
fn converse(base: &mut EventBase<Task>, mut stream: TcpStream) -> io::Result<()> {
    let (mut stdin, mut stdout) = (io::stdin(), io::stdout());
    let mut chunk = vec![0; CHUNK];
    let mut backlog: Vec<u8> = Vec::new();
    let server = base.insert(Fd::of(&stream), Interest::READ, Task::Server)?;
    let mut input = Some(base.insert(Fd::of(&stdin), Interest::READ, Task::Input)?);
    loop {
        let Some(fired) = base.next_event(Wait::Forever)? else { return Ok(()) };
        let (id, ready) = (fired.id, fired.ready);
        match fired.data {
            Task::Server => {
                if ready.is_readable() || ready.is_error() || ready.is_hangup() {
                    match moved(stream.read(&mut chunk))? {
                        Some(0) => return Ok(()),
                        Some(len) => stdout.write_all(&chunk[..len]).and_then(|()| stdout.flush())?,
                        None => {}
                    }
                }
            }
            Task::Input => match stdin.read(&mut chunk)? {
                0 => {
                    base.remove(id);
                    input = None;
                }
                len => backlog.extend_from_slice(&chunk[..len]),
            },
            Task::Attempt(..) | Task::Next => {}
        }
        if !backlog.is_empty() {
            let written = moved(stream.write(&backlog))?.unwrap_or(0);
            backlog.drain(..written);
        }
        match (backlog.is_empty(), input) {
            (true, Some(input)) => {
                base.modify(server, Interest::READ)?;
                base.modify(input, Interest::READ)?;
            }
            (true, None) => {
                base.modify(server, Interest::READ)?;
                // Repeated shutdowns do nothing. If the server has already gone, the end of its data shows that.
                let _ = stream.shutdown(Shutdown::Write);
            }
            (false, input) => {
                base.modify(server, Interest::READ | Interest::WRITE)?;
                if let Some(input) = input {
                    base.modify(input, Interest::empty())?;
                }
            }
        }
    }
}

/// How many bytes were transferred; `None` if the call would block.
fn moved(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        other => other.map(Some),
    }
}
