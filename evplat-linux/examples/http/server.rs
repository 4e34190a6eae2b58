//! The loop: who may connect, who has had his time, and how it ends.

use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use evplat_linux::{Epoll, Event, EventBase, EventId, Fd, Interest, Wait, signum};

use crate::cli;
use crate::connection::{Connection, Shared};

/// How many connections are accepted in one go, before the others have their turn again.
const ACCEPTS: usize = 64;
/// For how long no connection is accepted after one could not be.
const PAUSE: Duration = Duration::from_millis(100);
/// How long requests may take to end after the request to stop.
const GRACE: Duration = Duration::from_secs(5);

pub(crate) struct Options {
    pub(crate) address: SocketAddr,
    /// For a request and its answer, and for what is left of it after the answer.
    pub(crate) timeout: Duration,
    /// Until the next request of the same client.
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
    /// Listens, and says where.
    pub(crate) fn new(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.address).map_err(|error| cli::about(options.address, error))?;
        listener.set_nonblocking(true)?;
        let mut base = EventBase::new(Epoll::new()?);
        let id = base.insert(Fd::of(&listener), Interest::READ, Task::Listener)?;
        // In the background: once the listener and all connections are gone, the loop ends.
        for signum in [signum::SIGINT, signum::SIGTERM] {
            base.start(Event::signal(signum).persist().background(), Task::Stop)?;
        }
        writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
        Ok(Self { base, listener: Some((id, listener)), shared: Shared::new(options) })
    }

    /// Serves until SIGINT or SIGTERM, and then until the requests that had begun are answered.
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
                // No descriptor is left, or no memory: the connection waits in the kernel's queue until some are.
                Err(_) => {
                    self.base.pause_for(*id, PAUSE)?;
                    break;
                }
            }
        }
        Ok(())
    }

    /// A one-shot event, so that its time limit is not renewed by each byte that comes: see `wait_on`.
    fn open(&mut self, stream: TcpStream) {
        let event = Event::io(Fd::of(&stream), Interest::READ);
        // Answers are written whole, so there is nothing that Nagle's algorithm could save.
        if stream.set_nonblocking(true).is_ok() && stream.set_nodelay(true).is_ok() {
            let connection = Connection::new(stream, self.shared.now.saturating_add(self.shared.options.timeout));
            let first = self.shared.options.timeout;
            // One that cannot be watched is closed.
            let _ = self.base.start(event.timeout(first), Task::Connection(connection));
        }
    }

    /// Waits for more on a connection, until its deadline, wherever that stands by now. To wait for the same as before is no
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

    /// The first time: nobody new is let in, who has asked for nothing is let go, and who waits for an answer gets it, as the
    /// last one. The second time: the end.
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
