use std::io;
use std::net::TcpListener;

use evplat_linux::{Epoll, EventBase, Fd, Interest, Wait};

enum Task {
    Listener(TcpListener),
}

fn main() -> io::Result<()> {
    let mut base = EventBase::new(Epoll::new()?);
    listen(&mut base)?;
    while let Some(event) = base.next_event(Wait::Forever)? {
        match event.data {
            Task::Listener(listener) => {
                let (_stream, peer) = listener.accept()?;
                println!("{peer} called");
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
