//! A supervisor: it runs commands, prints their output line by line, restarts those that fail, and stops them
//! cleanly.
//!
//! ```text
//! cargo run -p evplat-linux --example children -- --grace 2s 'echo hello; exit 1' 'sleep 60'
//! kill -TERM $(pidof children)
//! ```
//!
//! A command that exits with 0 is done. One that fails is restarted after a pause: 100 ms at first, doubled each
//! time, up to 10 s. One that fails `--tries` times in a row is given up. On SIGTERM or SIGINT each process group
//! gets SIGTERM, and after `--grace` SIGKILL.

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
/// The maximum length of a line of output; longer lines are split.
const LINE_MAX: usize = 8 * 1024;
/// The capacity of a pipe.
const PIPE_MAX: usize = 64 * 1024;

/// What an event is for. The number is the index of the job.
enum Task {
    Ended(usize),
    Output(usize, Output),
    Start(usize),
    Stop,
    /// The grace period of the commands is over.
    Kill,
}

/// One of a child's pipes, and the line read so far.
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
    /// The child while it runs, and when it was started.
    running: Option<(Child, Instant)>,
    /// The events of its pipes.
    outputs: Vec<EventId>,
    failures: u32,
    /// It will not be restarted.
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

Runs shell commands, prints their output, restarts those that fail, and stops them all on SIGTERM or SIGINT.

  --grace  the time between SIGTERM and SIGKILL: 500ms, 3s (default: 5s)
  --tries  how many times in a row a command may fail (default: 5)";

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

    /// Runs until every command is done, given up or stopped. Returns how many were given up.
    fn run(mut self) -> io::Result<usize> {
        let outcome = self.serve();
        // After an error, such as a closed standard output, commands may still be running.
        self.signal(Signal::KILL);
        outcome.map(|()| self.given_up)
    }

    fn serve(&mut self) -> io::Result<()> {
        for number in 0..self.jobs.len() {
            self.start(number)?;
        }
        // Processes that a child left behind may keep its pipes open; they are not waited for.
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

    /// Starts a command. Failure to start counts as a failed try.
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

    /// Handles the end of a child.
    fn end(&mut self, id: EventId, number: usize) -> io::Result<()> {
        let Some(job) = self.jobs.get_mut(number) else { return Ok(()) };
        let Some((child, since)) = &mut job.running else { return Ok(()) };
        let Some(status) = child.try_wait()? else { return Ok(()) };
        self.base.remove(id);
        // A command that ran for long enough starts with all its tries again.
        if self.base.now().saturating_since(*since) > LONGEST_PAUSE {
            job.failures = 0;
        }
        job.running = None;
        // Print the last output. The pipes may stay open, because processes that the child started may have them,
        // too.
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

    /// Schedules a restart of the command, or gives it up.
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
        say(number + 1, &format!("restarts in {pause:?}"))?;
        self.base.insert_timer(pause, Task::Start(number))?;
        Ok(())
    }

    /// Sends SIGTERM the first time, SIGKILL the second time.
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
            // The child has not been waited for, so its number has not been reused.
            if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process_group(group, signal);
            }
        }
    }
}

impl Job {
    /// Returns the process's number.
    fn start(&mut self, base: &mut EventBase<Task>, number: usize) -> io::Result<u32> {
        let mut command = Command::new("sh");
        command.args(["-c", &self.command]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A process group of its own: a signal then reaches all processes that the shell started, and one from the
        // terminal reaches only us.
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
        // Without an event its end would go unnoticed.
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
            // This makes only our end non-blocking; the child's end does not change.
            rustix::io::ioctl_fionbio(&pipe, true)?;
            let output = Output { pipe, line: Vec::new() };
            self.outputs.push(base.insert(Fd::of(&output.pipe), Interest::READ, Task::Output(number, output))?);
        }
        base.insert(Fd::of(child), Interest::READ, Task::Ended(number))?;
        Ok(())
    }
}

impl Output {
    /// Prints the complete lines. Returns how many bytes were read: 0 at the end of the pipe, `None` if the read
    /// would block.
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
