//! One client: the data received from it, and the data not yet sent to it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use evplat_posix::{Instant, Interest, Ready};

use crate::request::{self, Parsed};
use crate::response::{self, Date, Status};
use crate::server::Options;
use crate::service;

/// How much is read at once.
const CHUNK: usize = 16 * 1024;
/// A client with this much unread output gets no further answer until it reads.
const OUTPUT_MAX: usize = 64 * 1024;
/// After the last answer, how much the client may still send, which is discarded, and for how long.
const LEFT_OVER: usize = 16 << 20;
const LINGER: Duration = Duration::from_secs(2);

/// State that all connections share.
pub(crate) struct Shared {
    pub(crate) options: Options,
    /// The time of this turn.
    pub(crate) now: Instant,
    pub(crate) is_stopping: bool,
    pub(crate) requests: u64,
    date: Date,
    /// A read buffer shared by all connections.
    buffer: Vec<u8>,
}

impl Shared {
    pub(crate) fn new(options: Options) -> Self {
        let date = Date::default();
        Self { options, now: Instant::ZERO, is_stopping: false, requests: 0, date, buffer: vec![0; CHUNK] }
    }
}

pub(crate) struct Connection {
    stream: TcpStream,
    /// What was received and not answered yet: at most the beginning of a request, unless the client does not read.
    input: Vec<u8>,
    /// The length of `input` at which parsing is tried again.
    wanted: usize,
    output: Vec<u8>,
    deadline: Instant,
    /// The answer that closes the connection has been written or sent.
    is_last: bool,
    /// The last answer is sent, and this many bytes may still arrive.
    left_over: Option<usize>,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, deadline: Instant) -> Self {
        let (input, output) = (Vec::new(), Vec::new());
        Self { stream, input, wanted: 0, output, deadline, is_last: false, left_over: None }
    }

    /// When its time limit expires.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether neither side waits for the other.
    pub(crate) fn is_idle(&self) -> bool {
        self.input.is_empty() && self.output.is_empty() && !self.is_last
    }

    /// Transfers data, and returns what to wait for next; `None`, or an error, at the end of the connection.
    pub(crate) fn serve(&mut self, ready: Ready, shared: &mut Shared) -> io::Result<Option<Interest>> {
        if ready.is_error() {
            return Ok(None);
        }
        if ready.is_timeout() && !ready.is_io() {
            return self.time_out(shared);
        }
        if self.left_over.is_some() {
            return self.drain(shared);
        }
        let was_idle = self.is_idle();
        if self.output.is_empty() {
            let Some(len) = moved(self.stream.read(&mut shared.buffer))? else { return Ok(Some(Interest::READ)) };
            if len == 0 {
                return Ok(None);
            }
            self.input.extend_from_slice(shared.buffer.get(..len).unwrap_or_default());
        }
        let interest = self.proceed(shared)?;
        if was_idle && !self.is_idle() {
            self.deadline = shared.now.saturating_add(shared.options.timeout);
        }
        Ok(interest)
    }

    /// Alternates between answering and sending until it has to wait for the client.
    fn proceed(&mut self, shared: &mut Shared) -> io::Result<Option<Interest>> {
        loop {
            self.answer_all(shared);
            self.flush()?;
            if !self.output.is_empty() {
                return Ok(Some(Interest::WRITE));
            }
            if self.is_last {
                return self.linger(shared);
            }
            if self.input.len() < self.wanted.max(1) {
                return Ok(Some(Interest::READ));
            }
        }
    }

    /// Answers the complete requests: all of them, unless the client reads too slowly.
    fn answer_all(&mut self, shared: &mut Shared) {
        let mut done = 0;
        while !self.is_last && self.output.len() < OUTPUT_MAX {
            let rest = self.input.get(done..).unwrap_or_default();
            if rest.len() < self.wanted.max(1) {
                break;
            }
            match request::parse(rest) {
                Ok(Parsed::Partial { wanted, expects_continue }) => {
                    self.wanted = wanted;
                    // Sent only once: parsing is tried again when the whole request is there.
                    if expects_continue {
                        self.output.extend_from_slice(response::CONTINUE);
                    }
                }
                Ok(Parsed::Complete { request, len }) => {
                    self.is_last = shared.is_stopping || !request.keeps_alive;
                    service::answer(&request, self.is_last, &mut shared.date, &mut self.output);
                    (done, self.wanted) = (done.saturating_add(len), 0);
                    shared.requests = shared.requests.saturating_add(1);
                    self.deadline = shared.now.saturating_add(match self.input.len() > done {
                        true => shared.options.timeout,
                        false => shared.options.keep_alive,
                    });
                }
                Err(status) => self.refuse(status, shared),
            }
        }
        self.input.drain(..done);
    }

    /// After this error, the beginning of the next request is unknown.
    fn refuse(&mut self, status: Status, shared: &mut Shared) {
        response::write_error(status, true, &mut shared.date, &mut self.output);
        self.is_last = true;
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut sent = 0;
        while let Some(rest) = self.output.get(sent..).filter(|rest| !rest.is_empty()) {
            match moved(self.stream.write(rest))? {
                Some(0) => return Err(ErrorKind::WriteZero.into()),
                Some(len) => sent = sent.saturating_add(len),
                None => break,
            }
        }
        self.output.drain(..sent);
        Ok(())
    }

    /// Disconnects a silent client, answers 408 to half a request, and disconnects a client that does not read.
    fn time_out(&mut self, shared: &mut Shared) -> io::Result<Option<Interest>> {
        if self.input.is_empty() || !self.output.is_empty() || self.is_last {
            return Ok(None);
        }
        self.refuse(Status::REQUEST_TIMEOUT, shared);
        self.deadline = shared.now.saturating_add(LINGER);
        self.proceed(shared)
    }

    /// Shuts down our side, and waits for the client to close its own. Closing at once would reset the connection if
    /// the client is still sending, and the reset could discard the last answer.
    fn linger(&mut self, shared: &mut Shared) -> io::Result<Option<Interest>> {
        self.stream.shutdown(Shutdown::Write)?;
        (self.input, self.output) = (Vec::new(), Vec::new());
        self.left_over = Some(LEFT_OVER);
        self.deadline = shared.now.saturating_add(LINGER);
        self.drain(shared)
    }

    fn drain(&mut self, shared: &mut Shared) -> io::Result<Option<Interest>> {
        let Some(len) = moved(self.stream.read(&mut shared.buffer))? else { return Ok(Some(Interest::READ)) };
        self.left_over = self.left_over.and_then(|left| left.checked_sub(len));
        Ok((len > 0 && self.left_over.is_some()).then_some(Interest::READ))
    }
}

/// How many bytes were transferred; `None` if the call would block.
fn moved(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        other => other.map(Some),
    }
}
