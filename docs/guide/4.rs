use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

use evplat_linux::{Epoll, EventBase, Fd, Interest, Wait};

enum Task {
    Listener(TcpListener),
    Connection(Connection),
}

fn main() -> io::Result<()> {
    let mut base = EventBase::new(Epoll::new()?);
    listen(&mut base)?;
    while let Some(event) = base.next_event(Wait::Forever)? {
        let id = event.id;
        match event.data {
            Task::Listener(listener) => {
                let (stream, _) = listener.accept()?;
                open(&mut base, stream)?;
            }
            Task::Connection(connection) => match connection.serve() {
                Ok(Some(interest)) => base.modify(id, interest).map_err(io::Error::from)?,
                Ok(None) | Err(_) => drop(base.remove(id)),
            },
        }
    }
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

fn open(base: &mut EventBase<Task>, stream: TcpStream) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    let connection = Connection { stream, backlog: Vec::new() };
    base.insert(Fd::of(&connection.stream), Interest::READ, Task::Connection(connection))?;
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
