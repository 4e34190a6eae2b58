//! A TLS echo server on the plain loop, with rustls between the socket and the echo.
//!
//! ```text
//! openssl req -x509 -newkey ed25519 -nodes -subj /CN=localhost -keyout key.pem -out cert.pem
//! cargo run --manifest-path evcore-tests/tls/Cargo.toml --bin tls -- cert.pem key.pem 127.0.0.1:7443
//! openssl s_client -quiet -connect 127.0.0.1:7443
//! ```
//!
//! What TLS changes in a loop: data that was read from the socket may be buffered in the TLS layer, which the kernel
//! does not know. A handler that processes one piece per turn, so that other connections are served, would not be
//! called again before the client sends more. So it calls [`EventBase::again`](evplat_linux::EventBase::again).

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use evcore_tls::Options;
use evplat_linux::evcore::options::Missed;
use evplat_linux::{Epoll, Event, EventBase, EventId, Fd, Interest, Wait, signum};
use rustls::{ServerConfig, ServerConnection};

/// The pause in accepting after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);
/// How much a connection echoes before the others are served.
const PIECE: usize = 4 * 1024;

enum Task {
    Listener,
    Connection(Box<Connection>),
    Stop,
}

struct Connection {
    stream: TcpStream,
    tls: ServerConnection,
    /// The client has sent its end, and so have we.
    is_closing: bool,
}

/// How a connection continues.
struct Next {
    interest: Interest,
    /// There is more to do, which the socket does not report.
    again: bool,
}

fn main() -> ExitCode {
    evcore_tls::main("tls", serve)
}

fn serve(options: &Options) -> io::Result<()> {
    let listener = TcpListener::bind(options.address)?;
    listener.set_nonblocking(true)?;
    let mut base = EventBase::new(Epoll::new()?);
    base.insert(Fd::of(&listener), Interest::READ, Task::Listener)?;
    for signum in [signum::SIGINT, signum::SIGTERM] {
        base.insert_signal(signum, Task::Stop)?;
    }
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
    let mut piece = vec![0; PIECE];
    while let Some(fired) = base.next_event(Wait::Forever)? {
        let (id, ready) = (fired.id, fired.ready);
        match fired.data {
            Task::Listener => accept(&mut base, id, &listener, options)?,
            Task::Connection(_) if ready.is_timeout() && !ready.is_io() && !ready.is_again() => drop(base.remove(id)),
            Task::Connection(connection) => match connection.serve(&mut piece) {
                Ok(Some(next)) => {
                    base.modify(id, next.interest)?;
                    if next.again {
                        base.again(id)?;
                    }
                }
                // Done, or an error of this connection, which does not affect the others.
                Ok(None) | Err(_) => drop(base.remove(id)),
            },
            Task::Stop => base.loop_exit(),
        }
    }
    Ok(())
}

fn accept(base: &mut EventBase<Task>, id: EventId, listener: &TcpListener, options: &Options) -> io::Result<()> {
    match listener.accept() {
        Ok((stream, _)) => {
            // If it cannot be watched, it is closed.
            let _ = open(base, stream, &options.config, options.idle);
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
        // No descriptor or no memory is left.
        Err(_) => base.pause_for(id, PAUSE)?,
    }
    Ok(())
}

fn open(base: &mut EventBase<Task>, stream: TcpStream, config: &Arc<ServerConfig>, idle: Duration) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    let tls = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    let event = Event::io(Fd::of(&stream), Interest::READ).persist().missed(Missed::Delay).timeout(idle);
    base.start(event, Task::Connection(Box::new(Connection { stream, tls, is_closing: false })))?;
    Ok(())
}

impl Connection {
    /// Does one read of the socket, echoes one piece of plain text, and writes as much as the socket accepts. `None`
    /// at the end.
    ///
    /// While data waits to be written nothing is read, neither from the socket nor from the TLS layer: so a client
    /// that does not read costs no more memory than one piece and one read of the socket.
    fn serve(&mut self, piece: &mut [u8]) -> io::Result<Option<Next>> {
        self.write()?;
        if !self.tls.wants_write() && !self.is_closing {
            self.read()?;
            self.echo(piece)?;
            self.write()?;
        }
        let next = match (self.tls.wants_write(), self.tls.wants_read()) {
            (true, _) => Next { interest: Interest::WRITE, again: false },
            (false, _) if self.is_closing => return Ok(None),
            (false, true) => Next { interest: Interest::READ, again: false },
            // The TLS layer is full, or the input has ended: its data must be processed first.
            (false, false) => Next { interest: Interest::empty(), again: true },
        };
        Ok(Some(next))
    }

    /// Reads records from the socket, if the TLS layer has room and some have arrived.
    fn read(&mut self) -> io::Result<()> {
        if !self.tls.wants_read() {
            return Ok(());
        }
        match self.tls.read_tls(&mut self.stream) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(()),
            other => other?,
        };
        self.tls.process_new_packets().map_err(|wrong| {
            // Sends the alert that describes the error, if the socket accepts it at once.
            let _ = self.tls.write_tls(&mut self.stream);
            io::Error::new(ErrorKind::InvalidData, wrong)
        })?;
        Ok(())
    }

    fn echo(&mut self, piece: &mut [u8]) -> io::Result<()> {
        match self.tls.reader().read(piece) {
            // The client has closed its half properly. (Otherwise it is an error, because an attacker can cut a
            // connection.)
            Ok(0) => {
                self.tls.send_close_notify();
                self.is_closing = true;
                Ok(())
            }
            Ok(len) => self.tls.writer().write_all(&piece[..len]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn write(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.stream) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => break,
                other => other?,
            };
        }
        Ok(())
    }
}
