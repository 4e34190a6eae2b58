//! W5.

use std::io;
use std::net::{TcpListener, TcpStream};

use evcore_benchmarks::echo::{self, Served};
use polling::{Event, Events, PollMode, Poller};

pub(crate) struct Echo;

/// polling reserves the largest key.
const LISTENER: usize = usize::MAX - 1;

impl echo::Echo for Echo {
    fn serve(listener: TcpListener) -> io::Result<Served> {
        let (poller, mut events, mut served) = (Poller::new()?, Events::new(), Served::default());
        let mut connections: Vec<Option<TcpStream>> = Vec::new();
        crate::sys::add(&poller, &listener, Event::readable(LISTENER), PollMode::Level)?;
        while !served.is_over() {
            events.clear();
            poller.wait(&mut events, None)?;
            for event in events.iter() {
                if event.key == LISTENER {
                    while let Some(stream) = served.accept(&listener)? {
                        let interest = Event::readable(connections.len());
                        crate::sys::add(&poller, &stream, interest, PollMode::Level)?;
                        connections.push(Some(stream));
                    }
                    continue;
                }
                let Some(slot) = connections.get_mut(event.key) else { continue };
                if let Some(stream) = slot {
                    if !served.echo(&mut *stream)? {
                        poller.delete(&*stream)?;
                        *slot = None;
                        served.close();
                    }
                }
            }
        }
        Ok(served)
    }
}
