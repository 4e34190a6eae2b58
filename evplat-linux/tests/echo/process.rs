//! The echo example as a process.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::EXAMPLE;

/// How long a test waits for something immediate before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A running echo server, killed when it is dropped.
pub(crate) struct Echo {
    child: Child,
    pub(crate) address: SocketAddr,
    stdout: Receiver<String>,
    pub(crate) stderr: Receiver<String>,
    descriptors_at_start: usize,
}

/// The figures that a server prints when it ends.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) connections: u64,
    pub(crate) bytes: u64,
    pub(crate) events: u64,
    pub(crate) turns: u64,
    pub(crate) refused: u64,
    pub(crate) pauses: u64,
}

impl Echo {
    /// Starts a server without periodic figures, on a port that it chooses.
    pub(crate) fn start(method: &str) -> Self {
        Self::start_with(method, &["--quiet"])
    }

    pub(crate) fn start_with(method: &str, arguments: &[&str]) -> Self {
        Self::spawn(Command::new(program()).args(["--method", method]).args(arguments))
    }

    /// Starts a server limited to this many descriptors.
    pub(crate) fn start_limited(method: &str, descriptors: u32) -> Self {
        let script = format!("ulimit -n {descriptors} && exec \"$0\" --method {method} --quiet");
        Self::spawn(Command::new("sh").arg("-c").arg(script).arg(program()))
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the example starts");
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        let Ok(greeting) = stdout.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            panic!("it does not say where it listens: {:?}", stderr.iter().collect::<Vec<_>>());
        };
        let address = greeting.strip_prefix("listening on ").and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("not where it listens: {greeting}"));
        let mut echo = Self { child, address, stdout, stderr, descriptors_at_start: 0 };
        echo.descriptors_at_start = echo.descriptors();
        echo
    }

    /// A connection whose calls have a timeout.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect_timeout(&self.address, PATIENCE).expect("the server is there");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// How many descriptors it has open.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(self.proc("fd")).expect("it runs").count()
    }

    /// Whether all of its descriptors below a limit are in use. It may have inherited some above.
    pub(crate) fn has_all_below(&self, limit: u32) -> bool {
        let names = fs::read_dir(self.proc("fd")).expect("it runs").map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_str().unwrap().parse::<u32>().unwrap() < limit).count() == limit as usize
    }

    /// How many descriptors it has open beyond those of an idle server.
    pub(crate) fn connections(&self) -> usize {
        self.descriptors().saturating_sub(self.descriptors_at_start)
    }

    /// The processor time it has used, to 10 ms.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(self.proc("stat")).expect("it runs");
        // The name, in parentheses, may contain anything; user and system time are the 12th and 13th field after it.
        let fields = stat.rsplit(')').next().unwrap().split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// How much memory it has in use, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(self.proc("status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells");
        line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
    }

    fn proc(&self, file: &str) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string()).join(file)
    }

    pub(crate) fn signal(&self, name: &str) {
        let script = format!("kill -s {name} {}", self.child.id());
        assert!(Command::new("sh").arg("-c").arg(script).status().unwrap().success());
    }

    /// Waits until every connection is closed, ends the server, and returns its summary.
    pub(crate) fn end(self) -> Summary {
        self.end_by("TERM")
    }

    pub(crate) fn end_by(self, signal: &str) -> Summary {
        until("every descriptor is closed", || self.descriptors() == self.descriptors_at_start);
        self.stop_by(signal)
    }

    /// Ends the server with a signal, whatever it is doing, and returns its summary.
    pub(crate) fn stop_by(mut self, signal: &str) -> Summary {
        self.signal(signal);
        let summary = self.stdout.recv_timeout(PATIENCE).expect("it prints a summary");
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "{status}");
        Summary::parse(&summary).unwrap_or_else(|| panic!("not a summary: {summary}"))
    }

    fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        until("the process ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Summary {
    fn parse(line: &str) -> Option<Self> {
        Some(Self {
            connections: number_after(line, "served")?,
            bytes: number_after(line, "connections,")?,
            events: number_after(line, "bytes,")?,
            turns: number_after(line, "in")?,
            refused: number_after(line, "refused")?,
            pauses: number_after(line, "paused")?,
        })
    }
}

/// The number after a word.
pub(crate) fn number_after(line: &str, word: &str) -> Option<u64> {
    let number = line.split_whitespace().skip_while(|each| *each != word).nth(1)?;
    number.trim_end_matches([',', ';']).parse().ok()
}

/// Runs the program to its end, for arguments with which it ends soon.
pub(crate) fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(program());
    let command = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the example starts");
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() && begin.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(2));
    }
    let _ = child.kill();
    child.wait_with_output().unwrap()
}

/// Polls a condition, and fails if that takes too long.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The lines that a process prints, as a channel, so that waiting for one can time out.
fn lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    receiver
}

/// The example of this package.
///
/// cargo passes the paths of programs to tests, but not those of examples. Building the example, which `cargo test`
/// has already done, prints the path.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        // A relative target directory is relative to the workspace.
        cargo.current_dir(package.parent().unwrap()).args(["build", "--example", EXAMPLE, "--message-format", "json"]);
        cargo.arg("--manifest-path").arg(package.join("Cargo.toml"));
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        let output = cargo.output().expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let messages = String::from_utf8(output.stdout).unwrap();
        let built = messages.split("\"executable\":\"").nth(1).and_then(|rest| rest.split('"').next());
        built.expect("cargo names what it has built").into()
    })
}
