//! A TCP echo server: one thread, any number of connections.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use evcore::backend::EventOp;
use evcore::options::Missed;
use evcore::{Event, EventBase, EventId, Fd, Growable, Interest, Wait};

use crate::cli;
use crate::options::Options;

/// How many connections are accepted before other events are handled.
const ACCEPTS: usize = 64;
/// The pause in accepting after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);
/// How much is read at once, and so the most that is buffered for a client that does not read.
const BUFFER: usize = 64 * 1024;

/// What an event is for.
enum Task {
    Listener,
    Connection(Connection),
    Figures,
    Stop,
}

/// The server. `B` is its backend; a server for epoll alone has an `evplat_linux::EventBase<Task>`, and no `B`.
pub(crate) struct Server<B: EventOp> {
    base: EventBase<B, Growable, Task>,
    listener: TcpListener,
    idle: Duration,
    /// A read buffer shared by all connections.
    buffer: Vec<u8>,
    totals: Totals,
}

#[derive(Default)]
struct Totals {
    accepted: u64,
    closed: u64,
    refused: u64,
    pauses: u64,
    bytes: u64,
    /// The number of hand-outs when the figures were last printed.
    events: u64,
}

impl<B: EventOp<Fd = Fd, Error: Into<io::Error>>> Server<B> {
    /// Listens, and prints the address.
    pub(crate) fn new(backend: B, options: &Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.address).map_err(|error| cli::about(options.address, error))?;
        listener.set_nonblocking(true)?;
        let mut base = EventBase::new(backend);
        base.insert(Fd::of(&listener), Interest::READ, Task::Listener)?;
        base.insert_signal(libc::SIGINT, Task::Stop)?;
        base.insert_signal(libc::SIGTERM, Task::Stop)?;
        if !options.quiet {
            base.insert_interval(Duration::from_secs(1), Task::Figures)?;
        }
        writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
        io::stdout().flush()?;
        Ok(Self { base, listener, idle: options.idle, buffer: vec![0; BUFFER], totals: Totals::default() })
    }

    /// Serves until SIGINT or SIGTERM.
    pub(crate) fn run(mut self) -> io::Result<()> {
        while let Some(fired) = self.base.next_event(Wait::Forever).map_err(Into::into)? {
            let (id, ready, count) = (fired.id, fired.ready, fired.count);
            match fired.data {
                Task::Listener => self.accept(id)?,
                // An error, or the idle time has passed and nothing else is reported.
                Task::Connection(_) if ready.is_error() || ready.is_timeout() && !ready.is_io() => self.close(id),
                Task::Connection(connection) => match connection.serve(&mut self.buffer, &mut self.totals) {
                    Ok(Some(interest)) if self.base.modify(id, interest).is_ok() => {}
                    _ => self.close(id),
                },
                Task::Figures => self.print_figures(count),
                Task::Stop => self.base.loop_exit(),
            }
        }
        self.print_summary()
    }

    fn accept(&mut self, id: EventId) -> io::Result<()> {
        for _ in 0..ACCEPTS {
            match self.listener.accept() {
                Ok((stream, _)) => self.open(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
                // No descriptor (EMFILE, ENFILE) or no memory is left. The connection stays in the kernel's queue,
                // and the listener would be reported in every turn, so it is paused.
                Err(_) => {
                    self.totals.pauses += 1;
                    self.base.pause_for(id, PAUSE)?;
                    break;
                }
            }
        }
        Ok(())
    }

    /// Watches a connection until it ends or has been idle for too long. If it cannot be watched, it is closed.
    fn open(&mut self, stream: TcpStream) {
        let event = Event::io(Fd::of(&stream), Interest::READ).persist().missed(Missed::Delay);
        let is_prepared = stream.set_nonblocking(true).is_ok();
        let task = Task::Connection(Connection { stream, backlog: Vec::new() });
        match is_prepared && self.base.start(event.timeout(self.idle), task).is_ok() {
            true => self.totals.accepted += 1,
            false => self.totals.refused += 1,
        }
    }

    fn close(&mut self, id: EventId) {
        self.base.remove(id);
        self.totals.closed += 1;
    }

    fn print_figures(&mut self, seconds: u32) {
        let (stats, totals) = (self.base.stats(), &mut self.totals);
        let events = stats.handed_out.saturating_sub(totals.events) / u64::from(seconds.max(1));
        totals.events = stats.handed_out;
        // The server continues even if nobody reads the figures.
        let _ = writeln!(
            io::stderr(),
            "{} connections, {} bytes, {events} events/s, {} turns, largest lateness {:?}",
            totals.accepted - totals.closed,
            totals.bytes,
            stats.turns,
            stats.lateness_max,
        );
    }

    fn print_summary(&self) -> io::Result<()> {
        let (stats, Totals { accepted, refused, pauses, bytes, .. }) = (self.base.stats(), &self.totals);
        writeln!(
            io::stdout(),
            "served {accepted} connections, {bytes} bytes, {} events in {} turns, largest lateness {:?}; \
             refused {refused}, paused {pauses} times",
            stats.handed_out,
            stats.turns,
            stats.lateness_max,
        )
    }
}

/// A client, and the data read from it that could not be written back yet.
///
/// While there is such a backlog nothing more is read, so a client that does not read its echo is soon unable to
/// send.
struct Connection {
    stream: TcpStream,
    backlog: Vec<u8>,
}

impl Connection {
    /// Transfers data, and returns what to wait for next; `None` at the end of the connection.
    ///
    /// Reads and writes once. Remaining work is reported again, after the other connections.
    fn serve(&mut self, buffer: &mut [u8], totals: &mut Totals) -> io::Result<Option<Interest>> {
        let written;
        if self.backlog.is_empty() {
            let Some(len) = moved(self.stream.read(buffer))? else { return Ok(Some(Interest::READ)) };
            if len == 0 {
                return Ok(None);
            }
            written = moved(self.stream.write(&buffer[..len]))?.unwrap_or(0);
            self.backlog.extend_from_slice(&buffer[written..len]);
        } else {
            written = moved(self.stream.write(&self.backlog))?.unwrap_or(0);
            self.backlog = self.backlog.split_off(written);
        }
        totals.bytes += written as u64;
        Ok(Some(if self.backlog.is_empty() { Interest::READ } else { Interest::WRITE }))
    }
}

/// How many bytes were transferred; `None` if the call would block.
fn moved(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        other => other.map(Some),
    }
}
