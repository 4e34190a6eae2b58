//! Resolves names in threads: the system's resolver blocks, so threads call it, and wake the loop when they have a
//! result.
//!
//! ```text
//! cargo run -p evplat-linux --example resolve -- --timeout 2s localhost example.com:443
//! ```
//!
//! `Resolver` is the type to copy: it works for any call that blocks. It has few threads, so a thousand names do not
//! need a thousand threads. A lookup cannot be cancelled; after its timeout, its answer is discarded.

mod cli;

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use evplat_linux::{Epoll, EventBase, EventId, Wait, Waker};
use lexopt::{Arg, Error, Parser, ValueExt};

const THREADS: usize = 4;

enum Task {
    /// Answers have arrived.
    Resolved,
    /// A lookup has timed out.
    TooLate(usize),
}

/// A number that identifies the job, a name and a port.
type Job = (usize, String, u16);
type Answer = (usize, io::Result<Vec<SocketAddr>>);

struct Resolver {
    jobs: Sender<Job>,
    answers: Receiver<Answer>,
}

impl Resolver {
    /// Starts threads that wake the loop through `waker` when there are answers. They end when the resolver is
    /// dropped.
    fn start(waker: &Waker) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let (results, answers) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..THREADS {
            let (queue, results, waker) = (Arc::clone(&queue), results.clone(), waker.clone());
            thread::Builder::new().name("resolver".to_owned()).spawn(move || {
                loop {
                    // The lock is held while waiting for a job, and not during the lookup.
                    let Ok(Ok((number, host, port))) = queue.lock().map(|queue| queue.recv()) else { break };
                    let found = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
                    if results.send((number, found)).is_err() {
                        break;
                    }
                    // Send the answer before the wake, so that the woken loop finds it.
                    waker.wake();
                }
            })?;
        }
        Ok(Self { jobs, answers })
    }
}

const HELP: &str = "\
usage: resolve [--timeout TIME] NAME[:PORT]…

Asks the system's resolver for these names, in threads, and prints the addresses.

  --timeout  the time limit for each name: 500ms, 3s (default: 10s)";

fn main() -> ExitCode {
    cli::run(HELP, parse, |(patience, names)| match run(patience, &names)? {
        0 => Ok(()),
        failures => Err(io::Error::other(format!("{failures} of {} names were not resolved", names.len()))),
    })
}

fn parse(words: &mut Parser) -> Result<(Duration, Vec<String>), Error> {
    let (mut patience, mut names) = (Duration::from_secs(10), Vec::new());
    while let Some(word) = words.next()? {
        match word {
            Arg::Long("timeout") => patience = words.value()?.parse_with(cli::time)?,
            Arg::Value(word) => names.push(word.string()?),
            other => return Err(other.unexpected()),
        }
    }
    if names.is_empty() { Err("a NAME is missing".into()) } else { Ok((patience, names)) }
}

/// Prints the answers in the order in which they arrive. Returns how many lookups failed.
fn run(patience: Duration, names: &[String]) -> io::Result<usize> {
    let mut base: EventBase<Task> = EventBase::new(Epoll::new()?);
    base.insert_wake(Task::Resolved)?;
    let resolver = Resolver::start(&base.waker()?)?;
    let mut waiting: HashMap<usize, EventId> = HashMap::new();
    for (number, name) in names.iter().enumerate() {
        // An address may contain colons itself.
        let with_port = name.rsplit_once(':').filter(|_| name.parse::<IpAddr>().is_err());
        let with_port = with_port.and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (host, port) = with_port.unwrap_or((name, 0));
        let host = host.trim_matches(['[', ']']).to_owned();
        resolver.jobs.send((number, host, port)).map_err(|_| io::Error::other("no thread is left"))?;
        waiting.insert(number, base.insert_timer(patience, Task::TooLate(number))?);
    }

    let mut failures = 0;
    while !waiting.is_empty() {
        let Some(event) = base.next_event(Wait::Forever)? else { break };
        match *event.data {
            // Several wakes may be merged, so take all the answers there are.
            Task::Resolved => {
                for (number, found) in resolver.answers.try_iter() {
                    let (Some(timer), Some(name)) = (waiting.remove(&number), names.get(number)) else { continue };
                    base.remove(timer);
                    match found {
                        Ok(found) => say(name, &found)?,
                        Err(error) => {
                            eprintln!("{name}: {error}");
                            failures += 1;
                        }
                    }
                }
            }
            Task::TooLate(number) => {
                waiting.remove(&number);
                eprintln!("{}: no answer within {patience:?}", names.get(number).map_or("", String::as_str));
                failures += 1;
            }
        }
    }
    Ok(failures)
}

fn say(name: &str, found: &[SocketAddr]) -> io::Result<()> {
    let mut line = format!("{name}:");
    for address in found {
        // The resolver returns each address once for every kind of socket.
        let text = if address.port() == 0 { address.ip().to_string() } else { address.to_string() };
        if !line.split(' ').any(|word| word == text) {
            line += &format!(" {text}");
        }
    }
    writeln!(io::stdout(), "{line}")
}
