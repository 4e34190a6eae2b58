//! Names in threads: the system's resolver blocks, so threads ask it, and wake the loop with what they have found.
//!
//! ```text
//! cargo run -p evplat-linux --example resolve -- --timeout 2s localhost example.com:443
//! ```
//!
//! `Resolver` is what to copy: any call that blocks fits in its place. It has few threads, so that a thousand names are not a
//! thousand threads. A lookup cannot be cancelled; when its time is up, its answer is thrown away.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use evplat_linux::{Epoll, EventBase, EventId, Wait, Waker};

const THREADS: usize = 4;
const USAGE: &str = "usage: resolve [--timeout 500ms|3s] NAME[:PORT]…";

enum Task {
    /// Some names have been resolved.
    Resolved,
    /// The time of one of them is up.
    TooLate(usize),
}

/// A name and a port, under a number.
type Job = (usize, String, u16);
type Answer = (usize, io::Result<Vec<SocketAddr>>);

struct Resolver {
    jobs: Sender<Job>,
    answers: Receiver<Answer>,
}

impl Resolver {
    /// Wakes by `waker` when there are answers. The threads end when this does.
    fn start(waker: &Waker) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let (results, answers) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..THREADS {
            let (queue, results, waker) = (Arc::clone(&queue), results.clone(), waker.clone());
            thread::Builder::new().name("resolver".to_owned()).spawn(move || {
                loop {
                    // The lock is held while waiting for a name, and not while asking for it.
                    let Ok(Ok((number, host, port))) = queue.lock().map(|queue| queue.recv()) else { break };
                    let found = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
                    if results.send((number, found)).is_err() {
                        break;
                    }
                    // First the answer, then the wake: the loop that wakes finds it.
                    waker.wake();
                }
            })?;
        }
        Ok(Self { jobs, answers })
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let (patience, names) = match parse(&words) {
        Ok(parsed) => parsed,
        Err(wrong) => {
            eprintln!("resolve: {wrong}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(patience, &names) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failures) => {
            eprintln!("resolve: {failures} of {} names were not resolved", names.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("resolve: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(words: &[String]) -> Result<(Duration, Vec<String>), String> {
    let (mut patience, mut names) = (Duration::from_secs(10), Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--timeout" {
            let value = words.next().ok_or("--timeout needs a value")?;
            let millis = match (value.strip_suffix("ms"), value.strip_suffix('s')) {
                (Some(millis), _) => millis.parse().ok(),
                (_, Some(seconds)) => seconds.parse::<u64>().ok().and_then(|seconds| seconds.checked_mul(1000)),
                _ => None,
            };
            patience = Duration::from_millis(millis.ok_or(format!("not a time: {value}"))?);
        } else if word.starts_with('-') {
            return Err(format!("no such option: {word}"));
        } else {
            names.push(word.clone());
        }
    }
    if names.is_empty() { Err("a name is missing".to_owned()) } else { Ok((patience, names)) }
}

/// Prints what is found, in the order in which it is found; answers how many were not.
fn run(patience: Duration, names: &[String]) -> io::Result<usize> {
    let mut base: EventBase<Task> = EventBase::new(Epoll::new()?);
    base.insert_wake(Task::Resolved)?;
    let resolver = Resolver::start(&base.waker()?)?;
    let mut waiting: HashMap<usize, EventId> = HashMap::new();
    for (number, name) in names.iter().enumerate() {
        // An address may have colons itself.
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
            // However many wakes there were: whatever there is.
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
        // The same address comes once for each kind of socket.
        let text = if address.port() == 0 { address.ip().to_string() } else { address.to_string() };
        if !line.split(' ').any(|word| word == text) {
            line += &format!(" {text}");
        }
    }
    writeln!(io::stdout(), "{line}")
}
