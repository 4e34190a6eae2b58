//! W5: a TCP echo server, with clients in another process on the other processor.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::{Figures, Stopwatch};

/// A server.
pub trait Echo {
    /// Serves until the last of its connections is closed. `listener` is non-blocking. Returns how many requests were
    /// served.
    fn serve(listener: TcpListener) -> io::Result<Served>;
}

/// The counts of a server: what is left to do, and what has been done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Served {
    accepted: u64,
    closed: u64,
    requests: u64,
    watch: Option<Stopwatch>,
}

impl Served {
    /// Accepts all pending connections.
    #[inline]
    pub fn accept(&mut self, listener: &TcpListener) -> io::Result<Option<TcpStream>> {
        match listener.accept() {
            Ok((stream, _)) => {
                self.accepted += 1;
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                Ok(Some(stream))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The handler: reads a request and answers it. Returns `false` when the connection has ended.
    ///
    /// A request is one segment, and its answer fits the socket's buffer, because a client waits for the answer.
    #[inline]
    pub fn echo(&mut self, mut stream: impl Read + Write) -> io::Result<bool> {
        self.watch.get_or_insert_with(Stopwatch::start);
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer) {
            Ok(0) => Ok(false),
            Ok(read) => {
                stream.write_all(&buffer[..read])?;
                self.requests += 1;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(false),
            Err(error) => Err(error),
        }
    }

    #[inline]
    pub fn close(&mut self) {
        self.closed += 1;
    }

    #[inline]
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.accepted > 0 && self.accepted == self.closed
    }
}

/// Listens, prints the address, and serves.
pub fn measure<E: Echo>() -> io::Result<Figures> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    println!("port={}", listener.local_addr()?.port());
    let served = E::serve(listener)?;
    Ok(Figures::of(served.requests, served.watch.map(Stopwatch::stop).unwrap_or_default()))
}
