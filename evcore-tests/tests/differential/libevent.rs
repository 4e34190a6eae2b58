//! The same on libevent: a C program carries out the steps on sources of its own, and prints what its events get.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use evcore::{Interest, Ready};

use crate::SIGNALS;
use crate::differences::{common_to_libevent, libevent_must_tell};
use crate::lane::Told;
use crate::model::Model;
use crate::script::{Body, From, Kind, Shut, Start, Step, Timeout};
use crate::trace::{Trace, Track};
use crate::world::Raw;

/// Only a difference that occurs this many times in a row counts, because the other program has its own connections.
const TIMES: usize = 3;

// libevent's bits, and its feature for CLOSED.
const EV_TIMEOUT: u32 = 0x01;
const EV_READ: u32 = 0x02;
const EV_WRITE: u32 = 0x04;
const EV_SIGNAL: u32 = 0x08;
const EV_PERSIST: u32 = 0x10;
const EV_ET: u32 = 0x20;
const EV_CLOSED: u32 = 0x80;
const EV_FEATURE_EARLY_CLOSE: u32 = 8;

/// libevent on epoll, poll and select.
pub(crate) struct Libevent {
    drivers: [Driver; 3],
}

/// What an event got in a turn: its bits, and its number of calls.
struct Called {
    event: u8,
    ready: Ready,
    times: u32,
}

struct Driver {
    method: &'static str,
    has_closed: bool,
    child: Child,
    steps: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Libevent {
    /// Compiles and starts the driver; or returns why that is not possible.
    pub(crate) fn build() -> Result<Self, String> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/driver.c");
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("libevent-driver-{}", std::process::id()));
        let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
        compiler.args(["-O1", "-o"]).args([&program, &source]).arg("-levent_core");
        let output = compiler.output().map_err(|error| format!("no C compiler ({error})"))?;
        if !output.status.success() {
            let complaint =
                String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or("it does not say why").to_owned();
            return Err(format!(
                "the driver does not compile; libevent's headers are in Debian's libevent-dev ({complaint})"
            ));
        }
        let start = |method| Driver::start(&program, method);
        let drivers = (start("epoll"), start("poll"), start("select"));
        let _ = std::fs::remove_file(&program);
        Ok(Self { drivers: [drivers.0?, drivers.1?, drivers.2?] })
    }

    /// Whether libevent's events got the same. Returns `false` if its descriptors never had the same readiness.
    pub(crate) fn compare(&mut self, trace: &Trace) -> Result<bool, String> {
        let mut is_proof = true;
        for (driver, track) in self.drivers.iter_mut().zip(&trace.tracks) {
            let mut outcome = Ok(false);
            for _ in 0..TIMES {
                outcome = driver.compare(track);
                if outcome.is_ok() {
                    break;
                }
            }
            is_proof &=
                outcome.map_err(|why| format!("{}\nlibevent's {}: {why}", track.lines.join("\n"), driver.method))?;
        }
        Ok(is_proof)
    }
}

impl Driver {
    fn start(program: &Path, method: &'static str) -> Result<Self, String> {
        let mut command = Command::new(program);
        command.arg(method).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("the driver does not start ({error})"))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (steps, output) = pipes.ok_or("the driver has no pipes")?;
        let mut driver = Self { method, has_closed: false, child, steps, output: BufReader::new(output) };
        let first = driver.line().map_err(|error| error.to_string())?;
        match first.split_once(' ').and_then(|(name, bits)| Some((name, bits.parse::<u32>().ok()?))) {
            Some((name, features)) if name == method => driver.has_closed = features & EV_FEATURE_EARLY_CLOSE != 0,
            _ => return Err(format!("libevent has no {method} here")),
        }
        Ok(driver)
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim().to_owned())
    }

    fn compare(&mut self, track: &Track) -> Result<bool, String> {
        let Some(called) = self.repeat(track).map_err(|error| format!("the driver: {error}"))? else {
            return Ok(false);
        };
        if called.len() != track.turns.len() {
            return Err(format!("{} turns, and {} here", called.len(), track.turns.len()));
        }
        for (turn, (ours, its)) in track.turns.iter().zip(&called).enumerate() {
            compare(ours, its, self.has_closed).map_err(|why| format!("turn {turn}: {why}"))?;
        }
        Ok(true)
    }

    /// The results of each turn; `None` if its descriptors did not have the same readiness.
    fn repeat(&mut self, track: &Track) -> std::io::Result<Option<Vec<Vec<Called>>>> {
        let text: String = track.lines.iter().map(|line| format!("{line}\n")).collect();
        self.steps.write_all(format!("begin\n{text}end\n").as_bytes())?;
        self.steps.flush()?;
        let mut turns = Vec::new();
        loop {
            match self.line()?.as_str() {
                "same" => return Ok(Some(turns)),
                "elsewhere" => return Ok(None),
                line => turns.push(line.split(' ').filter_map(called).collect()),
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// "EVENT:BITS:TIMES".
fn called(text: &str) -> Option<Called> {
    let mut parts = text.split(':');
    let (event, bits, times) =
        (parts.next()?.parse().ok()?, parts.next()?.parse::<u32>().ok()?, parts.next()?.parse().ok()?);
    let all = [
        (EV_TIMEOUT, Ready::TIMEOUT),
        (EV_READ, Ready::READ),
        (EV_WRITE, Ready::WRITE),
        (EV_SIGNAL, Ready::SIGNAL),
        (EV_CLOSED, Ready::CLOSED),
    ];
    let ready = all.into_iter().filter(|(bit, _)| bits & bit != 0).map(|(_, ready)| ready).collect();
    Some(Called { event, ready, times })
}

fn compare(ours: &Told, its: &[Called], has_closed: bool) -> Result<(), String> {
    if let Some(one) = its.iter().find(|one| ours.due.iter().all(|(event, _)| *event != one.event)) {
        return Err(format!("event {} got {:?}, which does not exist here", one.event, one.ready));
    }
    for (event, due) in &ours.due {
        let common = |ready| common_to_libevent(ready, due.all.contains(Ready::ERROR), has_closed);
        let (must, may) = (libevent_must_tell(common(due.must)), common(due.all));
        let called = its.iter().find(|called| called.event == *event);
        let (got, times) = called.map_or((Ready::empty(), 0), |called| (common(called.ready), called.times));
        if !got.contains(must) || !may.contains(got) {
            return Err(format!("event {event} got {got:?}; here it must be {must:?}, and may be {may:?}"));
        }
        let count = ours.handed.iter().find(|one| one.event == *event).map_or(1, |one| one.count);
        if times > count.max(1) {
            return Err(format!("event {event} was called {times} times; here it stands for {count}"));
        }
    }
    Ok(())
}

/// The driver's line for a step, made before the step is carried out here; `None` if the driver does not support it.
pub(crate) fn line(step: Step, model: &Model) -> Option<String> {
    Some(match step {
        Step::Write(end, bytes) => format!("write {end} {bytes}"),
        Step::Fill(end) => format!("fill {end}"),
        Step::Read(end, bytes) => format!("read {end} {bytes}"),
        Step::Drain(end) => format!("drain {end}"),
        Step::Shut(end, shut) => format!("shut {end} {}", how(shut)),
        Step::Close(end) => format!("close {end}"),
        Step::Reset(end) => format!("break {end}"),
        Step::Reopen(source, kind) => open(source, kind),
        Step::Start(event, start) => {
            let (once, body) = (u8::from(start.once), body(start.body));
            let made = match start.from {
                From::Io(end, _) => format!("io {event} {end}"),
                From::Signal(signal) => format!("other {event} {}", SIGNALS[usize::from(signal)]),
                From::Timer => format!("other {event} -1"),
            };
            format!("{made} {} {once} {body}\nadd {event} {}", bits(&start, model), milliseconds(start.timeout))
        }
        Step::Add(event, timeout) => format!("add {event} {}", milliseconds(timeout)),
        Step::Del(event) => format!("del {event}"),
        Step::Remove(event) => format!("remove {event}"),
        Step::Modify(event, interest) => {
            let its = model.event(event)?;
            let From::Io(end, _) = its.start.from else { return None };
            let start = Start { from: From::Io(end, interest), ..its.start };
            format!("modify {event} {} {}", bits(&start, model), u8::from(its.pending))
        }
        Step::Activate(event, ready) => format!("active {event} {}", ready_bits(ready)),
        Step::RemoveTimer(event) => format!("untime {event}"),
        Step::Raise(signal, times) => {
            vec![format!("raise {}", SIGNALS[usize::from(signal)]); usize::from(times)].join("\n")
        }
        Step::Turn(_) => "turn".into(),
        _ => return None,
    })
}

pub(crate) fn open(source: u8, kind: Kind) -> String {
    let kind = match kind {
        Kind::Pipe => 0,
        Kind::Pair => 1,
        Kind::Tcp => 2,
    };
    format!("open {source} {kind}")
}

/// The readiness that the driver must wait for before it continues.
pub(crate) fn await_line(raw: &Raw) -> String {
    raw.iter().fold("await".into(), |line, end| format!("{line} {}", end.unwrap_or(-1)))
}

fn how(shut: Shut) -> i32 {
    match shut {
        Shut::Read => libc::SHUT_RD,
        Shut::Write => libc::SHUT_WR,
        Shut::Both => libc::SHUT_RDWR,
    }
}

fn body(body: Body) -> u8 {
    match body {
        Body::Add => 1,
        Body::Del => 2,
        _ => 0,
    }
}

fn milliseconds(timeout: Timeout) -> i32 {
    match timeout {
        Timeout::None => -1,
        Timeout::Soon => 50,
        Timeout::Later => 3_600_000,
    }
}

fn bits(start: &Start, model: &Model) -> u32 {
    let persist = if start.persist { EV_PERSIST } else { 0 };
    let source = match start.from {
        From::Io(end, interest) => interest_bits(model.on_end(end, interest)),
        From::Signal(_) => EV_SIGNAL,
        From::Timer => 0,
    };
    persist | source
}

fn interest_bits(interest: Interest) -> u32 {
    let all = [
        (Interest::READ, EV_READ),
        (Interest::WRITE, EV_WRITE),
        (Interest::CLOSED, EV_CLOSED),
        (Interest::EDGE, EV_ET),
    ];
    all.into_iter().filter(|(bit, _)| interest.contains(*bit)).fold(0, |all, (_, bit)| all | bit)
}

fn ready_bits(ready: Ready) -> u32 {
    interest_bits(Interest::from_bits_truncate(ready.bits()))
}
