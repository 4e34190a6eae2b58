//! W5: edge-triggered. A read that does not fill the buffer has emptied the socket; runtimes on mio assume the same.

use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;

use evcore_benchmarks::echo::{self, Served};
use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

pub(crate) struct Echo;

const LISTENER: Token = Token(usize::MAX);

impl echo::Echo for Echo {
    fn serve(listener: TcpListener) -> io::Result<Served> {
        let (mut poll, mut served) = (Poll::new()?, Served::default());
        let mut events = Events::with_capacity(crate::BATCH);
        let mut connections: Vec<Option<TcpStream>> = Vec::new();
        poll.registry().register(&mut SourceFd(&listener.as_raw_fd()), LISTENER, Interest::READABLE)?;
        while !served.is_over() {
            poll.poll(&mut events, None)?;
            for event in &events {
                if event.token() == LISTENER {
                    while let Some(stream) = served.accept(&listener)? {
                        let mut stream = TcpStream::from_std(stream);
                        poll.registry().register(&mut stream, Token(connections.len()), Interest::READABLE)?;
                        connections.push(Some(stream));
                    }
                    continue;
                }
                let Some(slot) = connections.get_mut(event.token().0) else { continue };
                if let Some(stream) = slot {
                    if !served.echo(&mut *stream)? {
                        poll.registry().deregister(stream)?;
                        *slot = None;
                        served.close();
                    }
                }
            }
        }
        Ok(served)
    }
}
