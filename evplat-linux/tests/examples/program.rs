//! An example of this package as a process.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for something immediate before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A running example, killed when it is dropped.
pub(crate) struct Program {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Program {
    pub(crate) fn start(example: &str, arguments: &[&str]) -> Self {
        Self::spawn(Command::new(path_of(example)).args(arguments).stdin(Stdio::null()))
    }

    /// Starts it with a limit on descriptors.
    pub(crate) fn start_limited(example: &str, descriptors: u32, arguments: &[&str]) -> Self {
        let script = format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        Self::spawn(command.arg("-c").arg(script).arg(path_of(example)).args(arguments).stdin(Stdio::null()))
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the example starts");
        let (stdout, stderr) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        Self { child, stdout, stderr }
    }

    /// The next line that it prints.
    pub(crate) fn line(&self) -> String {
        self.stdout.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no line; {:?}", self.complaints()))
    }

    pub(crate) fn complaint(&self) -> String {
        self.stderr.recv_timeout(PATIENCE).expect("it complains")
    }

    fn complaints(&self) -> Vec<String> {
        self.stderr.try_iter().collect()
    }

    /// The address where it listens, from its first line.
    pub(crate) fn address(&self) -> SocketAddr {
        let line = self.line();
        let address = line.strip_prefix("listening on ").and_then(|address| address.parse().ok());
        address.unwrap_or_else(|| panic!("not where it listens: {line}"))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its standard input, if it was started with a pipe for that.
    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("a pipe")
    }

    pub(crate) fn signal(&self, name: &str) {
        let script = format!("kill -s {name} {}", self.child.id());
        assert!(Command::new("sh").arg("-c").arg(script).status().unwrap().success());
    }

    fn end(&mut self) -> Option<ExitStatus> {
        let mut status = None;
        until("the process ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status
    }

    /// Waits until it ends without being asked. Returns its exit code and the lines on its standard output and
    /// standard error.
    pub(crate) fn outcome(mut self) -> (Option<i32>, Vec<String>, Vec<String>) {
        let status = self.end();
        (status.and_then(|status| status.code()), self.stdout.iter().collect(), self.stderr.iter().collect())
    }

    /// Waits until it ends without being asked, which must be a success. Returns the lines it prints.
    pub(crate) fn rest(mut self) -> Vec<String> {
        let status = self.end();
        assert_eq!(status.and_then(|status| status.code()), Some(0), "{status:?} {:?}", self.complaints());
        self.stdout.iter().collect()
    }

    /// Stops it, and returns the lines it prints.
    pub(crate) fn stop(self) -> Vec<String> {
        self.signal("TERM");
        self.rest()
    }

    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("it runs").count()
    }

    /// Whether all of its descriptors below a limit are in use. It may have inherited some above.
    pub(crate) fn has_all_below(&self, limit: u32) -> bool {
        let names = fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("it runs");
        let numbers = names.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse::<u32>().unwrap());
        numbers.filter(|number| *number < limit).count() == limit as usize
    }

    /// How much memory it uses, in kB.
    #[allow(dead_code, reason = "the proxy alone is asked, which needs a feature")]
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its size");
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// The processor time it has used, to 10 ms.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it runs");
        // The name, in parentheses, may contain anything; user and system time are the 12th and 13th field after it.
        let fields = stat.rsplit(')').next().unwrap().split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection whose calls have a timeout.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("the server is there");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The next line from a client's connection; empty at the end.
pub(crate) fn read_line(reader: &mut impl BufRead) -> String {
    let mut line = String::new();
    match reader.read_line(&mut line) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("no line: {error}"),
        _ => line.trim_end().to_owned(),
    }
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

/// The path of an example of this package.
///
/// cargo passes the paths of programs to tests, but not those of examples. Building them, which `cargo test` has
/// already done, prints the paths.
pub(crate) fn path_of(example: &str) -> &'static Path {
    built().get(example).unwrap_or_else(|| panic!("no example {example} among {:?}", built()))
}

/// The names of all examples of this package.
pub(crate) fn examples() -> Vec<&'static str> {
    let mut names: Vec<_> = built().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[allow(unexpected_cfgs, reason = "the file is linked into packages that have not all of these features")]
fn built() -> &'static HashMap<String, PathBuf> {
    static BUILT: OnceLock<HashMap<String, PathBuf>> = OnceLock::new();
    BUILT.get_or_init(|| {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        // A relative target directory is relative to the workspace.
        cargo.current_dir(package.parent().unwrap()).args(["build", "--examples", "--message-format", "json"]);
        cargo.arg("--manifest-path").arg(package.join("Cargo.toml"));
        // With the same features as this test, or everything would be built again.
        let features = [
            ("async", cfg!(feature = "async")),
            ("futures-io", cfg!(feature = "futures-io")),
            ("log", cfg!(feature = "log")),
        ];
        let features = features.iter().filter(|(_, is_on)| *is_on).map(|(name, _)| *name);
        cargo.arg("--features").arg(features.collect::<Vec<_>>().join(","));
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        let output = cargo.output().expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let messages = String::from_utf8(output.stdout).unwrap();
        let paths = messages.split("\"executable\":\"").skip(1).filter_map(|rest| rest.split('"').next());
        paths.map(PathBuf::from).map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path)).collect()
    })
}
