use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(0);
const CLIENT: Token = Token(1);

fn main() -> io::Result<()> {
    let mut listener = TcpListener::bind("127.0.0.1:0".parse().map_err(io::Error::other)?)?;
    let client = std::net::TcpStream::connect(listener.local_addr()?)?;
    client.set_nonblocking(true)?;
    (&client).write_all(b"hello")?;
    let mut client = TcpStream::from_std(client);

    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(128);
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    poll.registry().register(&mut client, CLIENT, Interest::READABLE)?;
    let mut connections = HashMap::new();
    let mut next = 2;
    let deadline = Instant::now() + Duration::from_secs(5);

    let mut buffer = [0; 1024];
    loop {
        let Some(left) = deadline.checked_duration_since(Instant::now()) else {
            return Err(io::ErrorKind::TimedOut.into());
        };
        match poll.poll(&mut events, Some(left)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            match event.token() {
                LISTENER => loop {
                    let (mut stream, _) = match listener.accept() {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                        other => other?,
                    };
                    poll.registry().register(&mut stream, Token(next), Interest::READABLE)?;
                    connections.insert(Token(next), stream);
                    next += 1;
                },
                CLIENT => {
                    let len = match client.read(&mut buffer) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                        other => other?,
                    };
                    println!("the server says {}", String::from_utf8_lossy(&buffer[..len]));
                    return Ok(());
                }
                token => {
                    let Some(stream) = connections.get_mut(&token) else { continue };
                    let len = match stream.read(&mut buffer) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                        other => other?,
                    };
                    stream.write_all(&buffer[..len])?;
                    if let Some(mut stream) = connections.remove(&token) {
                        poll.registry().deregister(&mut stream)?;
                    }
                }
            }
        }
    }
}
