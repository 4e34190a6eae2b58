use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use evplat_linux::{Epoll, Event, EventBase, EventId, Fd, Interest, Wait, signum};

/// A connection without traffic is closed after this time.
const IDLE: Duration = Duration::from_secs(60);
/// How long the listener rests after `accept` has failed.
const PAUSE: Duration = Duration::from_millis(100);

enum Task {
    Listener(TcpListener),
    Connection(Connection),
    Stop,
}

fn main() -> io::Result<()> {
    let mut base = EventBase::new(Epoll::new()?);
    listen(&mut base)?;
    base.insert_signal(signum::SIGINT, Task::Stop)?;
    base.insert_signal(signum::SIGTERM, Task::Stop)?;
    while let Some(event) = base.next_event(Wait::Forever)? {
        let (id, ready) = (event.id, event.ready);
        match event.data {
            Task::Listener(listener) => {
                let accepted = listener.accept();
                accept(&mut base, id, accepted.map(|(stream, _)| stream))?;
            }
            Task::Connection(_) if ready.is_timeout() && !ready.is_io() => drop(base.remove(id)),
            Task::Connection(connection) => match connection.serve() {
                Ok(Some(interest)) if base.modify(id, interest).is_ok() => {}
                _ => drop(base.remove(id)),
            },
            Task::Stop => base.loop_exit(),
        }
    }
    println!("{} events in {} turns", base.stats().handed_out, base.stats().turns);
    Ok(())
}

fn listen(base: &mut EventBase<Task>) -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:7777".to_owned());
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    println!("listening on {}", listener.local_addr()?);
    base.insert(Fd::of(&listener), Interest::READ, Task::Listener(listener))?;
    Ok(())
}

fn accept(base: &mut EventBase<Task>, listener: EventId, accepted: io::Result<TcpStream>) -> io::Result<()> {
    match accepted {
        // A connection that cannot be registered is closed.
        Ok(stream) => drop(open(base, stream)),
        // The client has gone, or a signal interrupted `accept`.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionAborted
            ) => {}
        // Out of descriptors or memory.
        Err(_) => base.pause_for(listener, PAUSE)?,
    }
    Ok(())
}

fn open(base: &mut EventBase<Task>, stream: TcpStream) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    let connection = Connection { stream, backlog: Vec::new() };
    let event = Event::io(Fd::of(&connection.stream), Interest::READ).persist();
    base.start(event.timeout(IDLE), Task::Connection(connection))?;
    Ok(())
}

struct Connection {
    stream: TcpStream,
    /// Read, and not yet written back.
    backlog: Vec<u8>,
}

impl Connection {
    /// Returns what to wait for next, or `None` at the end of the connection.
    fn serve(&mut self) -> io::Result<Option<Interest>> {
        if self.backlog.is_empty() {
            let mut buffer = [0; 4096];
            let Some(len) = moved(self.stream.read(&mut buffer))? else { return Ok(Some(Interest::READ)) };
            if len == 0 {
                return Ok(None);
            }
            self.backlog.extend_from_slice(&buffer[..len]);
        }
        let written = moved(self.stream.write(&self.backlog))?.unwrap_or(0);
        self.backlog.drain(..written);
        Ok(Some(if self.backlog.is_empty() { Interest::READ } else { Interest::WRITE }))
    }
}

/// Returns how many bytes were moved, or `None` if the stream was not ready.
fn moved(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        other => other.map(Some),
    }
}
