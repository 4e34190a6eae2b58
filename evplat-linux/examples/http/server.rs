//! The loop: accepting connections, time limits, stopping.

use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use evplat_linux::{Epoll, Event, EventBase, EventId, Fd, Interest, Wait, signum};

use crate::cli;
use crate::connection::{Connection, Shared};

/// How many connections are accepted before other events are handled.
const ACCEPTS: usize = 64;
/// The pause in accepting after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);
/// How long requests may take to finish after a stop was requested.
const GRACE: Duration = Duration::from_secs(5);

pub(crate) struct Options {
    pub(crate) address: SocketAddr,
    /// The time limit for a request and its answer, and for lingering after the last answer.
    pub(crate) timeout: Duration,
    /// The time limit until the next request of the same client.
    pub(crate) keep_alive: Duration,
}

enum Task {
    Listener,
    Connection(Connection),
    Stop,
    GraceOver,
}

pub(crate) struct Server {
    base: EventBase<Task>,
    /// `None` once the server is stopping.
    listener: Option<(EventId, TcpListener)>,
    shared: Shared,
}

impl Server {
    /// Listens, and prints the address.
    pub(crate) fn new(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.address).map_err(|error| cli::about(options.address, error))?;
        listener.set_nonblocking(true)?;
        let mut base = EventBase::new(Epoll::new()?);
        let id = base.insert(Fd::of(&listener), Interest::READ, Task::Listener)?;
        // Background events: once the listener and all connections are gone, the loop ends.
        for signum in [signum::SIGINT, signum::SIGTERM] {
            base.start(Event::signal(signum).persist().background(), Task::Stop)?;
        }
        writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
        Ok(Self { base, listener: Some((id, listener)), shared: Shared::new(options) })
    }

    /// Serves until SIGINT or SIGTERM, then finishes the requests that have begun.
    pub(crate) fn run(mut self) -> io::Result<()> {
        while self.base.poll(Wait::Forever)?.is_running() {
            self.shared.now = self.base.now();
            while let Some(fired) = self.base.next_active() {
                let (id, ready) = (fired.id, fired.ready);
                match fired.data {
                    Task::Listener => self.accept()?,
                    Task::Connection(connection) => match connection.serve(ready, &mut self.shared) {
                        Ok(Some(interest)) => self.wait_on(id, interest),
                        _ => self.close(id),
                    },
                    Task::Stop => self.stop()?,
                    Task::GraceOver => self.base.loop_exit(),
                }
            }
        }
        writeln!(io::stdout(), "served {} requests", self.shared.requests)
    }

    fn accept(&mut self) -> io::Result<()> {
        for _ in 0..ACCEPTS {
            let Some((id, listener)) = &self.listener else { break };
            match listener.accept() {
                Ok((stream, _)) => self.open(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
                // No descriptor or no memory is left: the connection waits in the kernel's queue.
                Err(_) => {
                    self.base.pause_for(*id, PAUSE)?;
                    break;
                }
            }
        }
        Ok(())
    }

    /// The event is one-shot, so that arriving data does not extend its time limit: see `wait_on`.
    fn open(&mut self, stream: TcpStream) {
        let event = Event::io(Fd::of(&stream), Interest::READ);
        // Each response is written whole, so Nagle's algorithm has no benefit.
        if stream.set_nonblocking(true).is_ok() && stream.set_nodelay(true).is_ok() {
            let connection = Connection::new(stream, self.shared.now.saturating_add(self.shared.options.timeout));
            let first = self.shared.options.timeout;
            // If it cannot be watched, it is closed.
            let _ = self.base.start(event.timeout(first), Task::Connection(connection));
        }
    }

    /// Waits for more on a connection until its current deadline. Waiting for the same interest as before needs no
    /// system call.
    fn wait_on(&mut self, id: EventId, interest: Interest) {
        let Some(Task::Connection(connection)) = self.base.get(id) else { return };
        let deadline = connection.deadline();
        if self.base.modify(id, interest).and_then(|()| self.base.add_at(id, deadline)).is_err() {
            self.close(id);
        }
    }

    fn close(&mut self, id: EventId) {
        self.base.remove(id);
    }

    /// The first time, stops accepting, disconnects clients without a request, and answers the others one last time.
    /// The second time, ends at once.
    fn stop(&mut self) -> io::Result<()> {
        let Some((listener, _)) = self.listener.take() else {
            self.base.loop_exit();
            return Ok(());
        };
        self.base.remove(listener);
        self.shared.is_stopping = true;
        let is_idle = |task: &Task| matches!(task, Task::Connection(connection) if connection.is_idle());
        let idle: Vec<EventId> = self.base.iter().filter(|(_, task)| is_idle(task)).map(|(id, _)| id).collect();
        idle.into_iter().for_each(|id| self.close(id));
        self.base.start(Event::timer().background().timeout(GRACE), Task::GraceOver)?;
        Ok(())
    }
}
