//! A supervisor: it runs commands, prints what they say line by line, starts again what fails, and ends them in good order.
//!
//! ```text
//! cargo run -p evplat-linux --example children -- --grace 2s 'echo hello; exit 1' 'sleep 60'
//! kill -TERM $(pidof children)
//! ```
//!
//! A command that exits with 0 is done. One that fails is started again after a while: 100 ms, and twice as long each time,
//! up to 10 s; one that fails `--tries` times in a row is given up. On SIGTERM or SIGINT each process group gets SIGTERM,
//! and after `--grace` SIGKILL.

mod cli;

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::{ChildStderr, ChildStdout, Command, ExitCode, Stdio};
use std::time::Duration;

use evplat_linux::{Child, Epoll, EventBase, EventId, Fd, Instant, Interest, Wait, signum};
use lexopt::{Arg, Error, Parser, ValueExt};
use rustix::process::{Pid, Signal, kill_process_group};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A line of output is not longer than this: what is longer is broken.
const LINE_MAX: usize = 8 * 1024;
/// How much fits into a pipe.
const PIPE_MAX: usize = 64 * 1024;

/// What an event is there for. The number is the job's.
enum Task {
    Ended(usize),
    Output(usize, Output),
    Start(usize),
    Stop,
    /// The time that they had to end by themselves is over.
    Kill,
}

/// One of a child's pipes, and the beginning of a line.
struct Output {
    pipe: Pipe,
    line: Vec<u8>,
}

enum Pipe {
    Stdout(ChildStdout),
    Stderr(ChildStderr),
}

struct Job {
    command: String,
    /// While it runs, and since when.
    running: Option<(Child, Instant)>,
    /// The events of its pipes.
    outputs: Vec<EventId>,
    failures: u32,
    /// It will not be started again.
    is_over: bool,
}

struct Options {
    grace: Duration,
    tries: u32,
    commands: Vec<String>,
}

struct Supervisor {
    base: EventBase<Task>,
    jobs: Vec<Job>,
    options: Options,
    is_stopping: bool,
    given_up: usize,
}

const HELP: &str = "\
usage: children [--grace TIME] [--tries N] COMMAND…

Runs shell commands, prints what they say, starts again what fails, and ends them all on SIGTERM or SIGINT.

  --grace  from SIGTERM to SIGKILL for what does not end: 500ms, 3s (default: 5s)
  --tries  how often in a row a command may fail (default: 5)";

fn main() -> ExitCode {
    cli::run(HELP, parse, |options| match Supervisor::new(options)?.run()? {
        0 => Ok(()),
        given_up => Err(io::Error::other(format!("{given_up} commands were given up"))),
    })
}

fn parse(words: &mut Parser) -> Result<Options, Error> {
    let mut options = Options { grace: Duration::from_secs(5), tries: 5, commands: Vec::new() };
    while let Some(word) = words.next()? {
        match word {
            Arg::Long("grace") => options.grace = words.value()?.parse_with(cli::time)?,
            Arg::Long("tries") => options.tries = words.value()?.parse()?,
            Arg::Value(word) => options.commands.push(word.string()?),
            other => return Err(other.unexpected()),
        }
    }
    if options.commands.is_empty() { Err("a COMMAND is missing".into()) } else { Ok(options) }
}

impl Supervisor {
    fn new(mut options: Options) -> io::Result<Self> {
        let mut base = EventBase::new(Epoll::new()?);
        for signum in [signum::SIGINT, signum::SIGTERM] {
            base.insert_signal(signum, Task::Stop)?;
        }
        let commands = std::mem::take(&mut options.commands);
        let job = |command| Job { command, running: None, outputs: Vec::new(), failures: 0, is_over: false };
        let jobs = commands.into_iter().map(job).collect();
        Ok(Self { base, jobs, options, is_stopping: false, given_up: 0 })
    }

    /// Until every command is done, given up or stopped; answers how many were given up.
    fn run(mut self) -> io::Result<usize> {
        let outcome = self.serve();
        // After an error, such as a standard output that nobody reads any more, some may be running.
        self.signal(Signal::KILL);
        outcome.map(|()| self.given_up)
    }

    fn serve(&mut self) -> io::Result<()> {
        for number in 0..self.jobs.len() {
            self.start(number)?;
        }
        // What a child has left behind, in its pipes' other ends, is not waited for.
        while !self.jobs.iter().all(|job| job.is_over) {
            let Some(fired) = self.base.next_event(Wait::Forever)? else { break };
            let id = fired.id;
            match fired.data {
                Task::Output(number, output) => {
                    if output.pass_on(*number + 1)? == Some(0) {
                        self.base.remove(id);
                    }
                }
                Task::Ended(number) => {
                    let number = *number;
                    self.end(id, number)?;
                }
                Task::Start(number) => {
                    let number = *number;
                    self.start(number)?;
                }
                Task::Stop => self.stop()?,
                Task::Kill => self.signal(Signal::KILL),
            }
        }
        Ok(())
    }

    /// Starts a command. One that cannot be started has failed.
    fn start(&mut self, number: usize) -> io::Result<()> {
        match self.jobs.get_mut(number) {
            Some(job) if !job.is_over => match job.start(&mut self.base, number) {
                Ok(id) => say(number + 1, &format!("started as {id}")),
                Err(error) => {
                    eprintln!("children: {}: {error}", job.command);
                    self.fail(number)
                }
            },
            _ => Ok(()),
        }
    }

    /// A child has ended.
    fn end(&mut self, id: EventId, number: usize) -> io::Result<()> {
        let Some(job) = self.jobs.get_mut(number) else { return Ok(()) };
        let Some((child, since)) = &mut job.running else { return Ok(()) };
        let Some(status) = child.try_wait()? else { return Ok(()) };
        self.base.remove(id);
        // One that held out is not held responsible for what was before.
        if self.base.now().saturating_since(*since) > LONGEST_PAUSE {
            job.failures = 0;
        }
        job.running = None;
        // What it said last. Its pipes may go on: what it has started may have them, too.
        for id in job.outputs.drain(..) {
            let Some(Task::Output(_, output)) = self.base.get_mut(id) else { continue };
            for _ in 0..PIPE_MAX / LINE_MAX {
                if !matches!(output.pass_on(number + 1)?, Some(1..)) {
                    break;
                }
            }
        }
        say(number + 1, &format!("ended with {status}"))?;
        if status.success() || self.is_stopping {
            job.is_over = true;
            return Ok(());
        }
        self.fail(number)
    }

    /// Has a command wait before it is started again, or gives it up.
    fn fail(&mut self, number: usize) -> io::Result<()> {
        let Some(job) = self.jobs.get_mut(number) else { return Ok(()) };
        job.failures += 1;
        if job.failures >= self.options.tries {
            eprintln!("children: given up: {}", job.command);
            job.is_over = true;
            self.given_up += 1;
            return Ok(());
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << (job.failures - 1).min(16)).min(LONGEST_PAUSE);
        say(number + 1, &format!("starts again in {pause:?}"))?;
        self.base.insert_timer(pause, Task::Start(number))?;
        Ok(())
    }

    /// Asks them to end, the first time; the second time it does not ask.
    fn stop(&mut self) -> io::Result<()> {
        if self.is_stopping {
            self.signal(Signal::KILL);
            return Ok(());
        }
        self.is_stopping = true;
        for job in &mut self.jobs {
            job.is_over = job.running.is_none();
        }
        self.base.insert_timer(self.options.grace, Task::Kill)?;
        self.signal(Signal::TERM);
        Ok(())
    }

    fn signal(&self, signal: Signal) {
        for (child, _) in self.jobs.iter().filter_map(|job| job.running.as_ref()) {
            // It has not been waited for, so the number is still its own.
            if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process_group(group, signal);
            }
        }
    }
}

impl Job {
    /// Answers the number of the process.
    fn start(&mut self, base: &mut EventBase<Task>, number: usize) -> io::Result<u32> {
        let mut command = Command::new("sh");
        command.args(["-c", &self.command]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own, so that a signal reaches what the shell has started, and the terminal's reaches us alone.
        let mut process = command.process_group(0).spawn()?;
        let pipes = [process.stdout.take().map(Pipe::Stdout), process.stderr.take().map(Pipe::Stderr)];
        let (mut process, error) = match Child::new(process) {
            Ok(child) => match self.watch(base, number, &child, pipes) {
                Ok(()) => {
                    let id = child.id();
                    self.running = Some((child, base.now()));
                    return Ok(id);
                }
                Err(error) => (child.into_inner(), error),
            },
            Err(rejected) => (rejected.data, rejected.error.into()),
        };
        // Nobody would notice its end.
        process.kill()?;
        process.wait()?;
        for output in self.outputs.drain(..) {
            base.remove(output);
        }
        Err(error)
    }

    fn watch(
        &mut self,
        base: &mut EventBase<Task>,
        number: usize,
        child: &Child,
        pipes: [Option<Pipe>; 2],
    ) -> io::Result<()> {
        for pipe in pipes.into_iter().flatten() {
            // Our end alone: how the child sees its own is its business.
            rustix::io::ioctl_fionbio(&pipe, true)?;
            let output = Output { pipe, line: Vec::new() };
            self.outputs.push(base.insert(Fd::of(&output.pipe), Interest::READ, Task::Output(number, output))?);
        }
        base.insert(Fd::of(child), Interest::READ, Task::Ended(number))?;
        Ok(())
    }
}

impl Output {
    /// Prints the lines that have come. Answers how many bytes were read: 0 at the end of the pipe, `None` if not now.
    fn pass_on(&mut self, name: usize) -> io::Result<Option<usize>> {
        let mut chunk = [0; LINE_MAX];
        let len = match self.pipe.read(&mut chunk) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(None),
            other => other?,
        };
        self.line.extend_from_slice(&chunk[..len]);
        while let Some(end) = self.line.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.line.drain(..=end).collect();
            say(name, String::from_utf8_lossy(&line).trim_end())?;
        }
        if !self.line.is_empty() && (len == 0 || self.line.len() > LINE_MAX) {
            let line = std::mem::take(&mut self.line);
            say(name, &String::from_utf8_lossy(&line))?;
        }
        Ok(Some(len))
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(pipe) => pipe.read(buffer),
            Self::Stderr(pipe) => pipe.read(buffer),
        }
    }
}

impl AsFd for Pipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Stdout(pipe) => pipe.as_fd(),
            Self::Stderr(pipe) => pipe.as_fd(),
        }
    }
}

fn say(name: usize, line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "[{name}] {line}")
}
