//! The loop.

use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use evplat_linux::{Epoll, EventBase, EventId, Fd, Interest, Wait, signum};

use crate::cli;
use crate::client::Client;

/// The pause in accepting after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);
/// How much is read from one client before the others are served.
const CHUNK: usize = 4096;

enum Task {
    Listener,
    Client(Client),
    Stop,
}

pub(crate) struct Server {
    base: EventBase<Task>,
    listener: TcpListener,
    buffer: [u8; CHUNK],
    /// How many clients were disconnected because they did not read.
    dropped: u32,
}

impl Server {
    pub(crate) fn new(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).map_err(|error| cli::about(address, error))?;
        listener.set_nonblocking(true)?;
        let mut base = EventBase::new(Epoll::new()?);
        base.insert(Fd::of(&listener), Interest::READ, Task::Listener)?;
        for signum in [signum::SIGINT, signum::SIGTERM] {
            base.insert_signal(signum, Task::Stop)?;
        }
        writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
        Ok(Self { base, listener, buffer: [0; CHUNK], dropped: 0 })
    }

    pub(crate) fn run(mut self) -> io::Result<()> {
        while let Some(fired) = self.base.next_event(Wait::Forever)? {
            let (id, ready) = (fired.id, fired.ready);
            match fired.data {
                Task::Listener => self.accept(id)?,
                Task::Client(_) if ready.is_error() => self.close(id),
                Task::Client(client) => match client.serve(ready, &mut self.buffer) {
                    Ok(Some(said)) => {
                        let interest = client.interest();
                        match self.base.modify(id, interest) {
                            Ok(()) => self.broadcast(id, said),
                            Err(_) => self.close(id),
                        }
                    }
                    _ => self.close(id),
                },
                Task::Stop => self.base.loop_exit(),
            }
        }
        writeln!(io::stdout(), "dropped {}", self.dropped)
    }

    fn accept(&mut self, id: EventId) -> io::Result<()> {
        match self.listener.accept() {
            Ok((stream, _)) => self.open(stream),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
            // No descriptor or no memory is left.
            Err(_) => self.base.pause_for(id, PAUSE)?,
        }
        Ok(())
    }

    fn open(&mut self, stream: TcpStream) {
        let fd = Fd::of(&stream);
        if stream.set_nonblocking(true).is_ok() {
            let client = Client::new(stream);
            let interest = client.interest();
            // If it cannot be watched, it is closed.
            let _ = self.base.insert(fd, interest, Task::Client(client));
        }
    }

    fn close(&mut self, id: EventId) {
        if let Some(said) = self.remove(id) {
            self.broadcast(id, said);
        }
    }

    /// Disconnects a client. Returns what to send to the others.
    fn remove(&mut self, id: EventId) -> Option<String> {
        let Some(Task::Client(client)) = self.base.remove(id) else { return None };
        client.name().map(|name| format!("* {name} is gone\n"))
    }

    /// Queues a text for all clients but one. Each client gets one write in the next turn, with everything that was
    /// said in this turn.
    fn broadcast(&mut self, speaker: EventId, said: String) {
        let mut news = vec![(speaker, said)];
        while let Some((speaker, said)) = news.pop() {
            if said.is_empty() {
                continue;
            }
            for id in self.tell_all(speaker, &said) {
                self.dropped += 1;
                // The others must learn of this, too.
                news.extend(self.remove(id).map(|said| (id, said)));
            }
        }
    }

    /// Returns the clients that are too far behind.
    fn tell_all(&mut self, speaker: EventId, said: &str) -> Vec<EventId> {
        let mut ids: Vec<EventId> = self.base.iter().map(|(id, _)| id).filter(|id| *id != speaker).collect();
        ids.retain(|id| {
            let Some(Task::Client(client)) = self.base.get_mut(*id) else { return false };
            if client.name().is_none() {
                return false;
            }
            let is_told = client.tell(said);
            let interest = client.interest();
            !is_told || self.base.modify(*id, interest).is_err()
        });
        ids
    }
}
