use std::io::{self, Read, Write};
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
            Task::Connection(connection) => {
                if !connection.serve()? {
                    base.remove(id);
                }
            }
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
    base.insert(Fd::of(&stream), Interest::READ, Task::Connection(Connection { stream }))?;
    Ok(())
}

struct Connection {
    stream: TcpStream,
}

impl Connection {
    /// Returns whether the connection goes on.
    fn serve(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 4096];
        let len = self.stream.read(&mut buffer)?;
        self.stream.write_all(&buffer[..len])?;
        Ok(len > 0)
    }
}
