//! The server, in another process.

use std::io::{self, BufRead, BufReader, ErrorKind};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::process::Holdings;
use crate::sys;

/// A running echo server, killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
    /// Its resources before any client connected.
    pub(crate) at_start: Holdings,
}

/// What it printed at its end.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) line: String,
    pub(crate) connections: u64,
    pub(crate) refused: u64,
}

impl Server {
    pub(crate) fn start(program: &Path, idle: Duration) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.args(["127.0.0.1:0", "--quiet", "--idle", &format!("{}ms", idle.as_millis())]);
        sys::end_with_this_process(&mut command);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", program.display())))?;
        let output = BufReader::new(child.stdout.take().ok_or(ErrorKind::BrokenPipe)?);
        let (address, at_start) = (([127, 0, 0, 1], 0).into(), Holdings { descriptors: 0, memory: 0 });
        let mut server = Self { child, output, address, at_start };
        let greeting = server.line()?;
        let address = greeting.strip_prefix("listening on ").and_then(|address| address.parse().ok());
        server.address = address
            .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, format!("not where it listens: {greeting}")))?;
        server.at_start = server.holdings()?;
        Ok(server)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn holdings(&self) -> io::Result<Holdings> {
        Holdings::of(self.id())
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    /// Stops it, and returns its summary.
    pub(crate) fn stop(mut self) -> io::Result<Summary> {
        sys::kill(self.id(), libc::SIGTERM)?;
        let line = self.line()?;
        let status = self.child.wait()?;
        match (status.success(), number_after(&line, "served"), number_after(&line, "refused")) {
            (true, Some(connections), Some(refused)) => Ok(Summary { line, connections, refused }),
            _ => Err(io::Error::new(ErrorKind::InvalidData, format!("the server ended with {status}: {line}"))),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail if it has already ended, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The number after a word.
fn number_after(line: &str, word: &str) -> Option<u64> {
    let number = line.split_whitespace().skip_while(|each| *each != word).nth(1)?;
    number.trim_end_matches([',', ';']).parse().ok()
}
