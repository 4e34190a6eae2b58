//! A worker pool: long computations run in other threads, which send their results back and wake the loop.
//!
//! ```text
//! cargo run --release -p evplat-linux --example threads -- 127.0.0.1:7000
//! printf '15\n1000036000099\n' | nc -q5 127.0.0.1 7000
//! ```
//!
//! Each line is a number, and the answer is its factors. While a number is being factored nothing is read from its
//! client, so there are never more jobs than clients.

mod cli;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use evplat_linux::{Epoll, Event, EventBase, EventId, Fd, Interest, Wait, Waker, signum};

const LINE_MAX: usize = 64;
/// The pause in accepting after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a client may be silent.
const IDLE: Duration = Duration::from_secs(60);

enum Task {
    Listener,
    Client(Client),
    /// A worker has finished a job.
    Finished,
    Stop,
}

struct Client {
    stream: TcpStream,
    input: Vec<u8>,
}

/// The client's id and its number. If the client has gone meanwhile, the id is stale and no other client has it.
type Job = (EventId, u64);
type Outcome = (EventId, String);

const HELP: &str = "\
usage: threads [IP:PORT]

Answers each line, a number, with its factors, which worker threads compute. SIGINT or SIGTERM ends it.

  IP:PORT  the address to listen on (default: a free port of 127.0.0.1)";

fn main() -> ExitCode {
    cli::run(HELP, cli::address, run)
}

fn run(address: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(address).map_err(|error| cli::about(address, error))?;
    listener.set_nonblocking(true)?;
    let mut base = EventBase::new(Epoll::new()?);
    base.insert(Fd::of(&listener), Interest::READ, Task::Listener)?;
    for signum in [signum::SIGINT, signum::SIGTERM] {
        base.insert_signal(signum, Task::Stop)?;
    }
    base.insert_wake(Task::Finished)?;
    let (jobs, queue) = mpsc::channel();
    let (results, finished) = mpsc::channel();
    let queue = Arc::new(Mutex::new(queue));
    let workers = thread::available_parallelism().map_or(1, usize::from);
    for _ in 0..workers {
        let (queue, results, waker) = (Arc::clone(&queue), results.clone(), base.waker()?);
        // They end after the loop does, when the sender of jobs is dropped.
        thread::Builder::new().spawn(move || work(&queue, &results, &waker))?;
    }
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;

    while let Some(fired) = base.next_event(Wait::Forever)? {
        let (id, ready) = (fired.id, fired.ready);
        match fired.data {
            Task::Listener => accept(&mut base, id, &listener)?,
            Task::Client(_) if ready.is_timeout() && !ready.is_io() => drop(base.remove(id)),
            Task::Client(client) => {
                let outcome = client.receive();
                proceed(&mut base, id, outcome, &jobs);
            }
            // Several wakes may be merged, so take all the results there are.
            Task::Finished => {
                for (id, line) in finished.try_iter() {
                    answer(&mut base, id, &line, &jobs);
                }
            }
            Task::Stop => base.loop_exit(),
        }
    }
    writeln!(io::stdout(), "{workers} workers")
}

/// The work of a thread.
fn work(queue: &Mutex<Receiver<Job>>, results: &Sender<Outcome>, waker: &Waker) {
    loop {
        // The lock is held while waiting for a job, and not while working on it.
        let Ok(Ok((id, number))) = queue.lock().map(|queue| queue.recv()) else { break };
        if results.send((id, format!("{number}:{}\n", factors(number)))).is_err() {
            break;
        }
        // Send the result before the wake, so that the woken loop finds it.
        waker.wake();
    }
}

fn accept(base: &mut EventBase<Task>, id: EventId, listener: &TcpListener) -> io::Result<()> {
    match listener.accept() {
        Ok((stream, _)) => {
            let event = Event::io(Fd::of(&stream), Interest::READ);
            if stream.set_nonblocking(true).is_ok() {
                // If it cannot be watched, it is closed.
                let _ = base.start(event.timeout(IDLE), Task::Client(Client { stream, input: Vec::new() }));
            }
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
        // No descriptor or no memory is left.
        Err(_) => base.pause_for(id, PAUSE)?,
    }
    Ok(())
}

impl Client {
    /// Reads once. Returns the next number if it is complete.
    fn receive(&mut self) -> io::Result<Option<u64>> {
        let mut buffer = [0; LINE_MAX];
        match self.stream.read(&mut buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(len) => self.input.extend_from_slice(buffer.get(..len).unwrap_or_default()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
        self.next()
    }

    /// The next complete number in what was read.
    fn next(&mut self) -> io::Result<Option<u64>> {
        let Some(end) = self.input.iter().position(|byte| *byte == b'\n') else {
            let is_too_long = self.input.len() > LINE_MAX;
            return if is_too_long { Err(ErrorKind::InvalidData.into()) } else { Ok(None) };
        };
        let line: Vec<u8> = self.input.drain(..=end).collect();
        let number = std::str::from_utf8(&line).ok().and_then(|line| line.trim().parse().ok());
        number.map(Some).ok_or(ErrorKind::InvalidData.into())
    }
}

/// Sends a client's number to the workers, or waits for more input. The event is one-shot, so it is inactive until it
/// is added again.
fn proceed(base: &mut EventBase<Task>, id: EventId, next: io::Result<Option<u64>>, jobs: &Sender<Job>) {
    let goes_on = match next {
        Ok(Some(number)) => jobs.send((id, number)).is_ok(),
        Ok(None) => base.add(id, Some(IDLE)).is_ok(),
        Err(_) => false,
    };
    if !goes_on {
        base.remove(id);
    }
}

fn answer(base: &mut EventBase<Task>, id: EventId, line: &str, jobs: &Sender<Job>) {
    let Some(Task::Client(client)) = base.get_mut(id) else { return };
    // The line is short. A client that has left its answers unread until there is no room for another is disconnected.
    let next = match client.stream.write(line.as_bytes()) {
        Ok(len) if len == line.len() => client.next(),
        Ok(_) => Err(ErrorKind::WriteZero.into()),
        Err(error) => Err(error),
    };
    proceed(base, id, next, jobs);
}

fn factors(mut number: u64) -> String {
    let (mut text, mut factor) = (String::new(), 2);
    while factor <= number / factor {
        if number % factor == 0 {
            text += &format!(" {factor}");
            number /= factor;
        } else {
            factor += 1;
        }
    }
    text + &format!(" {number}")
}
