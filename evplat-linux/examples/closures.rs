//! A closure for each event, which owns its data. The program greets each client, and ends on SIGINT or SIGTERM.
//!
//! ```text
//! cargo run -p evplat-linux --example closures -- 127.0.0.1:7000
//! nc 127.0.0.1 7000
//! ```
//!
//! The example `callbacks` is the same program with functions.

mod cli;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use evplat_linux::evcore::{EventBase, Growable};
use evplat_linux::{Epoll, Event, Fd, Interest, Mode, signum};

/// The context that all closures share: the number of clients greeted.
type Closure = evcore::callback::Closure<Epoll, Growable, u64>;
type Base = EventBase<Epoll, Growable, Closure>;

/// The pause in accepting after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a client may take to close its side.
const LINGER: Duration = Duration::from_secs(5);

const HELP: &str = "\
usage: closures [IP:PORT]

Greets each connection, with a closure for each event. SIGINT or SIGTERM ends it.

  IP:PORT  the address to listen on (default: a free port of 127.0.0.1)";

fn main() -> ExitCode {
    cli::run(HELP, cli::address, run)
}

fn run(address: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(address).map_err(|error| cli::about(address, error))?;
    listener.set_nonblocking(true)?;
    let local = listener.local_addr()?;
    let mut base = Base::new(Epoll::new()?);
    for signum in [signum::SIGINT, signum::SIGTERM] {
        let stop = move |base: &mut Base, _: &mut u64, _| {
            eprintln!("ended by signal {signum}");
            base.loop_exit();
        };
        base.insert_signal(signum, Closure::new(stop))?;
    }
    let accept = Event::io(Fd::of(&listener), Interest::READ).persist();
    let on_connection = Closure::new(move |base, greeted, event| match listener.accept() {
        // If the client has already gone, or its socket cannot be watched, it is closed.
        Ok((stream, _)) => *greeted += u64::from(greet(base, stream).is_ok()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
        // No descriptor or no memory is left. If the pause fails, the next attempt follows at once.
        Err(_) => drop(base.pause_for(event.id, PAUSE)),
    });
    base.start(accept, on_connection)?;
    writeln!(io::stdout(), "listening on {local}")?;
    let mut greeted = 0;
    base.run_closures(Mode::empty(), &mut greeted)?;
    writeln!(io::stdout(), "greeted {greeted}")
}

fn greet(base: &mut Base, mut stream: TcpStream) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    stream.write_all(b"Hello, World!\n")?;
    // Closing at once would discard the greeting if the client is still sending.
    stream.shutdown(Shutdown::Write)?;
    let event = Event::io(Fd::of(&stream), Interest::READ).persist();
    let on_client = Closure::new(move |base: &mut Base, _, event| {
        // A timeout, the end of the data or an error: remove the event, and with it the closure and its stream.
        if event.ready.is_timeout() && !event.ready.is_io() || !matches!(stream.read(&mut [0; 4096]), Ok(1..)) {
            base.remove(event.id);
        }
    });
    base.start(event.timeout(LINGER), on_client)?;
    Ok(())
}
