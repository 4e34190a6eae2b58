//! W5.

use std::io;
use std::net::{TcpListener, TcpStream};

use calloop::generic::{Generic, NoIoDrop};
use calloop::{EventLoop, Interest, LoopHandle, Mode, PostAction, Readiness};
use evcore_benchmarks::echo::{self, Served};

pub(crate) struct Echo;

impl echo::Echo for Echo {
    fn serve(listener: TcpListener) -> io::Result<Served> {
        let mut events = EventLoop::<Served>::try_new().map_err(io::Error::other)?;
        let (handle, mut served) = (events.handle(), Served::default());
        let accept = move |_: Readiness, listener: &mut NoIoDrop<TcpListener>, served: &mut Served| {
            while let Some(stream) = served.accept(listener)? {
                open(&handle, stream)?;
            }
            io::Result::Ok(PostAction::Continue)
        };
        let source = Generic::new(listener, Interest::READ, Mode::Level);
        events.handle().insert_source(source, accept).map_err(|error| io::Error::other(error.error))?;
        while !served.is_over() {
            events.dispatch(None, &mut served).map_err(io::Error::other)?;
        }
        Ok(served)
    }
}

fn open(handle: &LoopHandle<'_, Served>, stream: TcpStream) -> io::Result<()> {
    let source = Generic::new(stream, Interest::READ, Mode::Level);
    let serve = |_: Readiness, stream: &mut NoIoDrop<TcpStream>, served: &mut Served| {
        if served.echo(&**stream)? {
            return io::Result::Ok(PostAction::Continue);
        }
        served.close();
        Ok(PostAction::Remove)
    };
    handle.insert_source(source, serve).map(drop).map_err(|error| io::Error::other(error.error))
}
