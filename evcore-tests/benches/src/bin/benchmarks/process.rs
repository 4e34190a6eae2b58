//! Runs a peer's program.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use evcore_benchmarks::sys;
use evcore_benchmarks::timers::{PHASES, operations};

use crate::machine::Machine;
use crate::peers::Peer;
use crate::plan::Case;

/// How a run is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    /// By the program itself.
    Clock,
    /// User-space instructions, as the difference between two numbers of operations, which excludes the set-up.
    Callgrind,
    /// The same for each phase of W4: each run ends one phase later.
    Phases,
    /// System calls, as the difference between two numbers of operations.
    Strace,
    /// By the clients.
    Load { millis: u64 },
    /// User-space instructions of a server under load, as the difference between two durations.
    CountedLoad,
}

impl Tool {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Clock => "time",
            Self::Callgrind | Self::Phases | Self::CountedLoad => "instructions",
            Self::Strace => "system calls",
            Self::Load { .. } => "load",
        }
    }

    /// Whether this tool measures a figure.
    pub(crate) fn finds(self, figure: &str) -> bool {
        match self {
            Self::Callgrind | Self::Phases | Self::CountedLoad => figure.ends_with("instr"),
            Self::Strace => figure == "calls",
            Self::Clock | Self::Load { .. } => figure != "calls" && !figure.ends_with("instr"),
        }
    }

    /// The program that this tool needs, if it is missing.
    pub(crate) fn missing(self) -> Option<&'static str> {
        let program = match self {
            Self::Callgrind | Self::Phases | Self::CountedLoad => "valgrind",
            Self::Strace => "strace",
            Self::Clock | Self::Load { .. } => return None,
        };
        let is_there = Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok();
        (!is_there).then_some(program)
    }
}

pub(crate) type Figures = BTreeMap<String, f64>;

/// A run that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs a case on a peer, as many times as its tool needs.
pub(crate) fn run(case: &Case, peer: &Peer, machine: &Machine) -> io::Result<Figures> {
    let whole = case.events(peer);
    match case.tool {
        Tool::Clock => clock(case, peer, machine, whole),
        Tool::Callgrind => {
            // An operation of W8 may take long.
            let few = if case.workload == "w8" && case.kind != "levels" { 1_000 } else { 5_000 };
            per_operation(case, "instr", few, 3 * few, |events| callgrind(case, peer, events, None))
        }
        Tool::Strace => per_operation(case, "calls", 2_000, 6_000, |events| strace(case, peer, machine, events)),
        Tool::Phases => phases(case, peer),
        Tool::Load { millis } => load(case, peer, machine, millis),
        Tool::CountedLoad => {
            per_operation(case, "instr", 1_000, 3_000, |millis| counted_load(case, peer, machine, millis))
        }
    }
}

/// Sets the program's arguments.
fn command(program: &mut Command, case: &Case, peer: &Peer, events: u64) {
    program
        .arg(case.workload)
        .args(["--variant", peer.variant(), "--kind", case.kind, "--n", &case.n.to_string()])
        .args(["--active", &case.active.to_string(), "--events", &events.to_string()])
        .args(["--cycles", &case.cycles.to_string()]);
}

fn clock(case: &Case, peer: &Peer, machine: &Machine, events: u64) -> io::Result<Figures> {
    let mut program = Command::new(&peer.program);
    command(&mut program, case, peer, events);
    // A program with one thread stays on one processor.
    let is_spread = matches!(case.kind, "wake" | "trip" | "awake") && !case.is_crowded;
    let processors = if is_spread { machine.all() } else { vec![0] };
    let (out, _) = finish(start(&mut program, &processors, machine)?)?;
    Ok(parse(&out))
}

/// The difference of the counts, divided by the difference of the operations.
fn per_operation(
    case: &Case,
    name: &str,
    few: u64,
    many: u64,
    count: impl Fn(u64) -> io::Result<(f64, f64)>,
) -> io::Result<Figures> {
    let ((less, done_less), (more, done_more)) = (count(few)?, count(many)?);
    if done_more <= done_less {
        return Err(io::Error::other(format!("{case}: no more was done")));
    }
    Ok(Figures::from([(name.to_owned(), (more - less) / (done_more - done_less))]))
}

/// The number of instructions, and of operations.
fn callgrind(case: &Case, peer: &Peer, events: u64, until: Option<&str>) -> io::Result<(f64, f64)> {
    let mut program = Command::new("valgrind");
    program.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(&peer.program);
    command(&mut program, case, peer, events);
    program.args(until.into_iter().flat_map(|phase| ["--until", phase]));
    program.stdout(Stdio::piped()).stderr(Stdio::piped());
    let (out, errors) = finish(program.spawn()?)?;
    Ok((collected(&errors)?, ops(&out)))
}

fn collected(errors: &str) -> io::Result<f64> {
    let line = errors.lines().find_map(|line| line.split_once("Collected : "));
    let count = line.and_then(|(_, number)| number.trim().parse().ok());
    count.ok_or_else(|| io::Error::other("valgrind tells no count"))
}

fn phases(case: &Case, peer: &Peer) -> io::Result<Figures> {
    let (mut figures, mut before) = (Figures::new(), callgrind(case, peer, 0, Some("setup"))?.0);
    for (phase, ops) in PHASES.into_iter().zip(operations(case.n)) {
        let (count, _) = callgrind(case, peer, 0, Some(phase))?;
        figures.insert(format!("{phase} instr"), (count - before) / ops as f64);
        before = count;
    }
    Ok(figures)
}

/// The number of system calls of all threads, and of operations.
fn strace(case: &Case, peer: &Peer, machine: &Machine, events: u64) -> io::Result<(f64, f64)> {
    let mut program = Command::new("strace");
    program.args(["-f", "-c"]).arg(&peer.program);
    command(&mut program, case, peer, events);
    program.stderr(Stdio::piped());
    let (out, errors) = finish(start(&mut program, &machine.all(), machine)?)?;
    let total = errors.lines().find(|line| line.trim_end().ends_with(" total"));
    let count = total.and_then(|line| line.split_whitespace().nth(3)).and_then(|number| number.parse().ok());
    Ok((count.ok_or_else(|| io::Error::other("strace tells no total"))?, ops(&out)))
}

/// The server runs on the first processor, the clients on the last.
fn load(case: &Case, peer: &Peer, machine: &Machine, millis: u64) -> io::Result<Figures> {
    let mut program = Command::new(&peer.program);
    command(&mut program, case, peer, 0);
    let (clients, rest, _) = serve(program, case, peer, machine, millis)?;
    let mut figures = clients;
    figures.extend(parse(&rest).into_iter().filter(|(name, _)| matches!(name.as_str(), "cpu" | "bytes")));
    Ok(figures)
}

/// The number of instructions of the server, and of requests.
fn counted_load(case: &Case, peer: &Peer, machine: &Machine, millis: u64) -> io::Result<(f64, f64)> {
    let mut program = Command::new("valgrind");
    program.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(&peer.program);
    command(&mut program, case, peer, 0);
    program.stderr(Stdio::piped());
    let (_, rest, errors) = serve(program, case, peer, machine, millis)?;
    let requests = parse(&rest).get("total").copied().unwrap_or_default();
    Ok((collected(&errors)?, requests))
}

/// Runs a server and its clients. Returns the clients' figures, and the server's output on both streams.
fn serve(
    mut program: Command,
    case: &Case,
    peer: &Peer,
    machine: &Machine,
    millis: u64,
) -> io::Result<(Figures, String, String)> {
    let mut server = start(&mut program, &[0], machine)?;
    let mut lines = BufReader::new(server.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?);
    let mut first = String::new();
    lines.read_line(&mut first)?;
    let Some(port) = first.trim().strip_prefix("port=") else {
        server.kill()?;
        return Err(io::Error::other("the server does not say where it listens"));
    };
    let mut clients = Command::new(peer.program.with_file_name("generator"));
    if peer.program.parent().is_some_and(|directory| directory.ends_with("c")) {
        clients = Command::new(std::env::current_exe()?.with_file_name("generator"));
    }
    clients.args([port, "--n", &case.n.to_string(), "--events", &millis.to_string()]);
    let loaded = start(&mut clients, &[machine.processors - 1], machine).and_then(finish);
    if loaded.is_err() {
        server.kill()?;
    }
    let mut rest = String::new();
    lines.read_to_string(&mut rest)?;
    let (_, errors) = finish(server)?;
    Ok((parse(&loaded?.0), rest, errors))
}

/// Starts a program on these processors.
fn start(program: &mut Command, processors: &[usize], machine: &Machine) -> io::Result<Child> {
    program.stdout(Stdio::piped());
    sys::pin(processors)?;
    let child = program.spawn();
    sys::pin(&machine.all())?;
    child
}

/// Waits for the end of a program. Returns its output on both streams, if these are pipes that nothing else reads.
fn finish(mut child: Child) -> io::Result<(String, String)> {
    let (out, errors) = (child.stdout.take().map(read_all), child.stderr.take().map(read_all));
    let end = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let text = |reader: Option<std::thread::JoinHandle<String>>| {
        reader.and_then(|reader| reader.join().ok()).unwrap_or_default()
    };
    let (out, errors) = (text(out), text(errors));
    if status.success() { Ok((out, errors)) } else { Err(io::Error::other(format!("{status} {}", errors.trim()))) }
}

fn read_all(mut source: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = Vec::new();
        // Output that cannot be read is missing in the results.
        let _ = source.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    })
}

fn parse(out: &str) -> Figures {
    let pairs = out.split_whitespace().filter_map(|word| word.split_once('='));
    pairs.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
}

fn ops(out: &str) -> f64 {
    parse(out).get("ops").copied().unwrap_or_default()
}
