//! W5.

use std::io;
use std::marker::PhantomData;
use std::net::{TcpListener, TcpStream};

use evcore::{Fd, Interest, Wait};
use evcore_benchmarks::echo::{self, Served};

use crate::{Backend, Base};

pub(crate) struct Echo<B>(PhantomData<B>);

enum Task {
    Listener,
    Connection(TcpStream),
}

impl<B: Backend> echo::Echo for Echo<B> {
    fn serve(listener: TcpListener) -> io::Result<Served> {
        let (mut base, mut served) = (Base::new(B::open()?), Served::default());
        base.insert(Fd::of(&listener), Interest::READ, Task::Listener)?;
        while !served.is_over() && base.poll(Wait::Forever)?.is_running() {
            while let Some(fired) = base.next_active() {
                let id = fired.id;
                match fired.data {
                    Task::Listener => {
                        while let Some(stream) = served.accept(&listener)? {
                            base.insert(Fd::of(&stream), Interest::READ, Task::Connection(stream))?;
                        }
                    }
                    Task::Connection(stream) => {
                        if !served.echo(stream)? {
                            base.remove(id);
                            served.close();
                        }
                    }
                }
            }
        }
        Ok(served)
    }
}
