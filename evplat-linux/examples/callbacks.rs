//! Callbacks as in libevent: each event has a function and an argument, and all functions share one context. The
//! program greets each client, and ends on SIGINT or SIGTERM.
//!
//! ```text
//! cargo run -p evplat-linux --example callbacks -- 127.0.0.1:7000
//! nc 127.0.0.1 7000
//! ```
//!
//! The example `closures` is the same program with closures.

mod cli;

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use evplat_linux::evcore::{EventBase, Growable};
use evplat_linux::{Epoll, Event, EventId, Fd, Fired, Interest, Mode, signum};

/// The context that all callbacks share.
struct Greeter {
    listener: TcpListener,
    /// A callback's argument is a number, so the connections are stored here.
    streams: HashMap<EventId, TcpStream>,
    greeted: u64,
}

type Callback = evcore::callback::Callback<Epoll, Growable, Greeter>;
type Base = EventBase<Epoll, Growable, Callback>;

/// The pause in accepting after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a client may take to close its side.
const LINGER: Duration = Duration::from_secs(5);

fn on_connection(base: &mut Base, greeter: &mut Greeter, event: Fired, _: usize) {
    match greeter.listener.accept() {
        // If the client has already gone, or its socket cannot be watched, it is closed.
        Ok((stream, _)) => drop(greet(base, greeter, stream)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
        // No descriptor or no memory is left. If the pause fails, the next attempt follows at once.
        Err(_) => drop(base.pause_for(event.id, PAUSE)),
    }
}

fn greet(base: &mut Base, greeter: &mut Greeter, mut stream: TcpStream) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    stream.write_all(b"Hello, World!\n")?;
    // Closing at once would discard the greeting if the client is still sending.
    stream.shutdown(Shutdown::Write)?;
    let event = Event::io(Fd::of(&stream), Interest::READ).persist();
    let id = base.start(event.timeout(LINGER), Callback::new(on_client, 0))?;
    greeter.streams.insert(id, stream);
    greeter.greeted += 1;
    Ok(())
}

fn on_client(base: &mut Base, greeter: &mut Greeter, event: Fired, _: usize) {
    let read = greeter.streams.get_mut(&event.id).map(|stream| stream.read(&mut [0; 4096]));
    let goes_on = event.ready.is_io() && matches!(read, Some(Ok(1..)));
    if !goes_on {
        // Remove the event before its descriptor is closed.
        base.remove(event.id);
        greeter.streams.remove(&event.id);
    }
}

fn on_signal(base: &mut Base, _: &mut Greeter, _: Fired, signum: usize) {
    eprintln!("ended by signal {signum}");
    base.loop_exit();
}

const HELP: &str = "\
usage: callbacks [IP:PORT]

Greets each connection, with a function for each event. SIGINT or SIGTERM ends it.

  IP:PORT  the address to listen on (default: a free port of 127.0.0.1)";

fn main() -> ExitCode {
    cli::run(HELP, cli::address, run)
}

fn run(address: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(address).map_err(|error| cli::about(address, error))?;
    listener.set_nonblocking(true)?;
    let mut base = Base::new(Epoll::new()?);
    base.insert(Fd::of(&listener), Interest::READ, Callback::new(on_connection, 0))?;
    base.insert_signal(signum::SIGINT, Callback::new(on_signal, 2))?;
    base.insert_signal(signum::SIGTERM, Callback::new(on_signal, 15))?;
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
    let mut greeter = Greeter { listener, streams: HashMap::new(), greeted: 0 };
    base.run_callbacks(Mode::empty(), &mut greeter)?;
    writeln!(io::stdout(), "greeted {}", greeter.greeted)
}
