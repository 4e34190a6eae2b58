//! One base for each core: every thread has its own listener on the same port, and the kernel distributes the
//! connections. The threads share only the request to stop.
//!
//! ```text
//! cargo run --release -p evplat-linux --example multicore -- 127.0.0.1:7000 4
//! nc 127.0.0.1 7000
//! ```
//!
//! Each client gets a line with its thread's number and is disconnected.

mod cli;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use evplat_linux::{Epoll, Event, EventBase, EventId, Fd, Interest, Wait, signum};
use lexopt::{Arg, Error, Parser, ValueExt};
use socket2::{Domain, Protocol, Socket, Type};

/// The pause in accepting after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a client may take to close its side.
const LINGER: Duration = Duration::from_secs(2);

enum Task {
    Listener,
    /// A greeted client, which has not closed its side yet.
    Greeted(TcpStream),
    /// The main thread requests a stop.
    Woken,
}

struct Worker {
    number: usize,
    base: EventBase<Task>,
    listener: TcpListener,
    greeted: u64,
}

const HELP: &str = "\
usage: multicore [IP:PORT [THREADS]]

Greets each connection from one of several threads, each with a base and a listener. SIGINT or SIGTERM ends it.

  IP:PORT  the address that all of them listen on (default: a free port of 127.0.0.1)
  THREADS  the number of threads (default: one for each core)";

fn main() -> ExitCode {
    cli::run(HELP, parse, |(address, threads)| run(address, threads))
}

fn parse(words: &mut Parser) -> Result<(SocketAddr, usize), Error> {
    let (mut address, mut threads) = (None, None);
    while let Some(word) = words.next()? {
        match word {
            Arg::Value(word) if address.is_none() => address = Some(word.parse()?),
            Arg::Value(word) if threads.is_none() => threads = Some(word.parse::<NonZeroUsize>()?.get()),
            other => return Err(other.unexpected()),
        }
    }
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    Ok((address.unwrap_or(cli::any_port()), threads.unwrap_or_else(cores)))
}

fn run(mut address: SocketAddr, cores: usize) -> io::Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let (mut threads, mut wakers) = (Vec::new(), Vec::new());
    for number in 0..cores {
        let listener = listen(address)?;
        // The first listener may have chosen the port; the others use the same.
        address = listener.local_addr()?;
        let mut worker = Worker::new(number, listener)?;
        wakers.push(worker.base.waker()?);
        let stop = Arc::clone(&stop);
        threads.push(thread::Builder::new().spawn(move || worker.run(&stop))?);
    }

    // This thread has a base as well, for signals.
    let mut base = EventBase::new(Epoll::new()?);
    for signum in [signum::SIGINT, signum::SIGTERM] {
        base.insert_signal(signum, ())?;
    }
    writeln!(io::stdout(), "listening on {address}")?;
    base.next_event(Wait::Forever)?;
    stop.store(true, Ordering::Release);
    wakers.iter().for_each(evplat_linux::Waker::wake);
    for (number, thread) in threads.into_iter().enumerate() {
        let greeted = thread.join().map_err(|_| io::Error::other("a thread has panicked"))??;
        writeln!(io::stdout(), "thread {number} greeted {greeted}")?;
    }
    Ok(())
}

/// A listener that shares its port with others made in the same way.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into()).map_err(|error| cli::about(address, error))?;
    socket.listen(1024)?;
    Ok(socket.into())
}

impl Worker {
    fn new(number: usize, listener: TcpListener) -> io::Result<Self> {
        let mut base = EventBase::new(Epoll::new()?);
        base.insert(Fd::of(&listener), Interest::READ, Task::Listener)?;
        base.insert_wake(Task::Woken)?;
        Ok(Self { number, base, listener, greeted: 0 })
    }

    /// Serves until it is woken to stop. Returns how many clients it has greeted.
    fn run(&mut self, stop: &AtomicBool) -> io::Result<u64> {
        while let Some(fired) = self.base.next_event(Wait::Forever)? {
            let id = fired.id;
            match fired.data {
                Task::Listener => self.accept(id)?,
                // The client has closed its side, or has taken too long.
                Task::Greeted(stream) => match stream.read(&mut [0; 4096]) {
                    Ok(1..) if fired.ready.is_readable() => {}
                    _ => drop(self.base.remove(id)),
                },
                Task::Woken if stop.load(Ordering::Acquire) => self.base.loop_exit(),
                Task::Woken => {}
            }
        }
        Ok(self.greeted)
    }

    fn accept(&mut self, id: EventId) -> io::Result<()> {
        match self.listener.accept() {
            // If the client has already gone, or its socket cannot be watched, it is closed.
            Ok((stream, _)) => self.greeted += u64::from(self.greet(stream).is_ok()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
            // No descriptor or no memory is left.
            Err(_) => self.base.pause_for(id, PAUSE)?,
        }
        Ok(())
    }

    /// A new connection has room for so short a text. Closing at once would discard it if the client is sending.
    fn greet(&mut self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        stream.write_all(format!("thread {}\n", self.number).as_bytes())?;
        stream.shutdown(Shutdown::Write)?;
        let event = Event::io(Fd::of(&stream), Interest::READ).persist();
        self.base.start(event.timeout(LINGER), Task::Greeted(stream))?;
        Ok(())
    }
}
