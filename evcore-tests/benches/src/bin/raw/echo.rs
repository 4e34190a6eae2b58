//! W5: level-triggered; the user data is an index into the table of connections.

use std::io;
use std::net::{TcpListener, TcpStream};

use evcore_benchmarks::echo::{self, Served};
use evcore_benchmarks::sys::EpollSet;

pub(crate) struct Echo;

const LISTENER: u64 = u64::MAX;

impl echo::Echo for Echo {
    fn serve(listener: TcpListener) -> io::Result<Served> {
        let (mut set, mut served) = (EpollSet::new(256)?, Served::default());
        set.add(&listener, libc::EPOLLIN, LISTENER)?;
        let mut connections: Vec<Option<TcpStream>> = Vec::new();
        let mut fresh: Vec<TcpStream> = Vec::new();
        while !served.is_over() {
            for event in set.wait(None)? {
                if event.u64 == LISTENER {
                    while let Some(stream) = served.accept(&listener)? {
                        fresh.push(stream);
                    }
                    continue;
                }
                let Some(slot) = connections.get_mut(event.u64 as usize) else { continue };
                if let Some(stream) = slot {
                    if !served.echo(stream)? {
                        *slot = None;
                        served.close();
                    }
                }
            }
            for stream in fresh.drain(..) {
                set.add(&stream, libc::EPOLLIN, connections.len() as u64)?;
                connections.push(Some(stream));
            }
        }
        Ok(served)
    }
}
