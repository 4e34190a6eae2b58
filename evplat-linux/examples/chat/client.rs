//! One participant.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use evplat_posix::{Interest, Ready};

const LINE_MAX: usize = 1024;
/// A client with more unread output than this is disconnected.
const BEHIND_MAX: usize = 256 * 1024;

pub(crate) struct Client {
    stream: TcpStream,
    name: Option<String>,
    /// The beginning of a line.
    input: Vec<u8>,
    /// What others have said and the client has not read yet.
    output: Vec<u8>,
}

impl Client {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, name: None, input: Vec::new(), output: b"* your name?\n".to_vec() }
    }

    /// `None` before the first line, which is the name.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(crate) fn interest(&self) -> Interest {
        if self.output.is_empty() { Interest::READ } else { Interest::READ | Interest::WRITE }
    }

    /// Queues a line; `false` if the client is too far behind.
    pub(crate) fn tell(&mut self, line: &str) -> bool {
        let fits = self.output.len().saturating_add(line.len()) <= BEHIND_MAX;
        if fits {
            self.output.extend_from_slice(line.as_bytes());
        }
        fits
    }

    /// Writes and reads once each; remaining work is reported again. Returns what to send to all others, or `None` at
    /// the end of the connection.
    pub(crate) fn serve(&mut self, ready: Ready, buffer: &mut [u8]) -> io::Result<Option<String>> {
        if ready.is_writable() && !self.output.is_empty() {
            let sent = moved(self.stream.write(&self.output))?.unwrap_or(0);
            self.output.drain(..sent);
        }
        if !ready.is_readable() {
            return Ok(Some(String::new()));
        }
        let Some(len) = moved(self.stream.read(buffer))? else { return Ok(Some(String::new())) };
        self.input.extend_from_slice(buffer.get(..len).unwrap_or_default());
        let said = self.take_lines();
        // A client may have sent lines before it closed the connection.
        let is_over = len == 0 || self.input.len() > LINE_MAX;
        if is_over && said.is_empty() { Ok(None) } else { Ok(Some(said)) }
    }

    fn take_lines(&mut self) -> String {
        let mut said = String::new();
        let end = self.input.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let lines: Vec<u8> = self.input.drain(..end).collect();
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let line = printable(line);
            match &self.name {
                Some(name) => said += &format!("{name}: {line}\n"),
                None if line.is_empty() => {}
                None => {
                    said += &format!("* {line} is here\n");
                    self.name = Some(line);
                }
            }
        }
        said
    }
}

/// Removes control characters, which could affect the terminals of other clients.
fn printable(line: &[u8]) -> String {
    String::from_utf8_lossy(line).chars().filter(|char| !char.is_control()).collect::<String>().trim().to_owned()
}

/// How many bytes were transferred; `None` if the call would block.
fn moved(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        other => other.map(Some),
    }
}
