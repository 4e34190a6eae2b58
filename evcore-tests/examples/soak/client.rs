//! One client: what it sends, how it ends, and whether it got everything back.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddrV4, TcpStream};
use std::time::{Duration, Instant};

use evcore::{Fd, Interest, Ready};

use crate::random::Random;
use crate::sys;

/// How a connection ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    /// The client has got everything back, and closes.
    Close,
    /// It shuts down its writing side, then waits for the rest and the server's close.
    HalfClose,
    /// It reads nothing, and resets the connection when the server accepts no more, or everything is sent.
    Reset,
    /// It has got everything back, and is silent until the server closes.
    Idle,
}

/// How much is sent at once.
const CHUNK: usize = 16 * 1024;

pub(crate) struct Client {
    stream: TcpStream,
    pub(crate) ending: Ending,
    seed: u64,
    wanted: usize,
    pub(crate) sent: usize,
    pub(crate) received: usize,
    is_connected: bool,
    /// It sends more than the buffers between it and the server can hold.
    pub(crate) is_heavy: bool,
    /// It reads nothing until the server accepts no more, so that the server has a backlog.
    reads_nothing: bool,
    is_shut: bool,
    /// A time no later than that of the last byte sent.
    sent_at: Instant,
}

/// What the client does next.
#[derive(Debug)]
pub(crate) enum Next {
    Wait(Interest),
    /// It has ended as it should.
    Done,
}

impl Client {
    /// A client that has started to connect.
    pub(crate) fn new(address: SocketAddrV4, ending: Ending, is_heavy: bool, random: &mut Random) -> io::Result<Self> {
        let most = match ending {
            // One piece, so that the server's last event is not earlier than the send.
            Ending::Idle => 1024,
            _ if is_heavy => 16 * 1024 * 1024,
            Ending::Reset => 256 * 1024,
            Ending::Close | Ending::HalfClose => [64, 4096, 200_000][random.below(3) as usize],
        };
        Ok(Self {
            stream: sys::connect(address)?,
            ending,
            seed: random.below(256),
            wanted: random.below(most) as usize + 1,
            sent: 0,
            received: 0,
            is_connected: false,
            is_heavy,
            reads_nothing: is_heavy || ending == Ending::Reset,
            is_shut: false,
            sent_at: Instant::now(),
        })
    }

    pub(crate) fn fd(&self) -> Fd {
        Fd::of(&self.stream)
    }

    /// How many bytes should have come back and did not.
    pub(crate) fn lost(&self) -> usize {
        if self.ending == Ending::Reset { 0 } else { self.sent.saturating_sub(self.received) }
    }

    /// Resets the connection if this client should.
    pub(crate) fn end(self) -> io::Result<()> {
        if self.ending == Ending::Reset { sys::reset(self.stream) } else { Ok(()) }
    }

    /// Does what can be done now. An error says what went wrong.
    pub(crate) fn step(&mut self, ready: Ready, buffer: &mut [u8], idle: Duration) -> Result<Next, String> {
        if ready == Ready::TIMEOUT {
            return Err("stuck".into());
        }
        self.go_on(buffer, idle).map_err(|error| error.to_string())
    }

    fn go_on(&mut self, buffer: &mut [u8], idle: Duration) -> io::Result<Next> {
        if !self.is_connected {
            self.stream.take_error()?.map_or(Ok(()), Err)?;
            self.is_connected = true;
        }
        if self.reads_nothing {
            // Until the system refuses: it may report a socket as not writable earlier, and then neither side would
            // continue.
            while self.sent < self.wanted && self.send(buffer)? {}
            self.reads_nothing = false;
        }
        if self.ending == Ending::Reset {
            return Ok(Next::Done);
        }
        self.send(buffer)?;
        if self.ending == Ending::HalfClose && self.sent == self.wanted && !self.is_shut {
            self.stream.shutdown(Shutdown::Write)?;
            self.is_shut = true;
        }
        if self.receive(buffer)? {
            return self.at_end(idle);
        }
        if self.ending == Ending::Close && self.received == self.wanted {
            return Ok(Next::Done);
        }
        let rest = if self.sent < self.wanted { Interest::WRITE } else { Interest::empty() };
        Ok(Next::Wait(Interest::READ | rest))
    }

    /// Sends a piece; returns `false` if the socket accepts nothing now.
    fn send(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let len = CHUNK.min(self.wanted.saturating_sub(self.sent)).min(buffer.len());
        let piece = buffer.get_mut(..len).unwrap_or_default();
        if piece.is_empty() {
            return Ok(true);
        }
        (self.sent..).zip(&mut *piece).for_each(|(at, byte)| *byte = pattern(self.seed, at));
        self.sent_at = Instant::now();
        match self.stream.write(piece) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
            Ok(len) => {
                self.sent += len;
                Ok(true)
            }
        }
    }

    /// Reads and compares what has arrived; returns `true` at the end of the connection.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let len = match self.stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            other => other?,
        };
        let piece = buffer.get(..len).unwrap_or_default();
        if let Some((at, _)) = (self.received..).zip(piece).find(|(at, byte)| **byte != pattern(self.seed, *at)) {
            return Err(io::Error::new(ErrorKind::InvalidData, format!("byte {at} came back as another one")));
        }
        self.received += len;
        Ok(len == 0)
    }

    /// Whether the server was right to close.
    fn at_end(&self, idle: Duration) -> io::Result<Next> {
        let silence = self.sent_at.elapsed();
        let wrong = match self.ending {
            _ if self.received < self.wanted => "closed too early".to_owned(),
            Ending::Idle if silence < idle => format!("closed as idle after {silence:?}"),
            Ending::Idle | Ending::HalfClose => return Ok(Next::Done),
            Ending::Close | Ending::Reset => "closed by the server".to_owned(),
        };
        Err(io::Error::new(ErrorKind::UnexpectedEof, wrong))
    }
}

/// The byte at a position, different for each client.
fn pattern(seed: u64, at: usize) -> u8 {
    (at.wrapping_mul(31) ^ at >> 8).wrapping_add(seed as usize) as u8
}
