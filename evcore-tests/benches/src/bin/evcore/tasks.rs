//! W9: with `--variant tasks` on tasks, with `--variant epoll` on the plain loop.

use std::future::Future;
use std::io;
use std::net::{TcpListener, TcpStream};

use evcore::{EventBase, Fd, Growable, Interest, Wait};
use evcore_benchmarks::tasks::{METER, Tasks, YIELD_EACH, begin, delay};
use evcore_benchmarks::{Spent, Stopwatch};
use evplat_linux::Epoll;
use evplat_linux::task::{Handle, Io, executor, yield_now};

pub(crate) struct ByTasks;

async fn echo(stream: Io<TcpStream>) {
    let mut buffer = [0; 1024];
    while let Ok(len @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..len]).await.is_err() {
            break;
        }
        METER.answered();
    }
    METER.closed();
}

async fn serve(handle: Handle, listener: Io<TcpListener>) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.get_ref().set_nodelay(true)?;
        METER.accepted();
        handle.spawn(echo(stream))?.detach();
    }
}

impl Tasks for ByTasks {
    fn echo(listener: TcpListener) -> io::Result<()> {
        let mut executor = executor()?;
        let handle = executor.handle();
        handle.spawn(serve(handle.clone(), Io::new(&handle, listener)?))?.detach();
        Ok(executor.block_on(METER.until_over())?)
    }

    fn spawn(ops: u64) -> io::Result<Spent> {
        let mut executor = executor()?;
        let handle = executor.handle();
        executor.block_on(async {
            let watch = Stopwatch::start();
            for _ in 0..ops {
                handle.spawn(async {})?.await.map_err(|error| io::Error::other(error.to_string()))?;
            }
            Ok(watch.stop())
        })?
    }

    fn sleep(waiting: usize, ops: u64) -> io::Result<Spent> {
        let mut executor = executor()?;
        let handle = executor.handle();
        for number in 0..waiting as u64 {
            let sleeper = handle.clone();
            handle.spawn(async move { sleeper.sleep(delay(number)).await })?.detach();
        }
        executor.block_on(async {
            yield_now().await;
            let watch = Stopwatch::start();
            for number in 0..ops {
                begin(handle.sleep(delay(number))).await;
                if number % YIELD_EACH == 0 {
                    yield_now().await;
                }
            }
            Ok(watch.stop())
        })?
    }

    fn wake(answering: impl Future<Output = io::Result<()>> + Send + 'static) -> io::Result<()> {
        let mut executor = executor()?;
        let task = executor.handle().spawn(answering)?;
        executor.block_on(task)?.map_err(|error| io::Error::other(error.to_string()))?
    }
}

/// The same without tasks, for the kinds that a plain loop can do.
pub(crate) struct Plain;

enum Task {
    Listener,
    Connection(TcpStream),
}

impl Tasks for Plain {
    fn echo(listener: TcpListener) -> io::Result<()> {
        use io::{Read, Write};

        let mut base: EventBase<Epoll, Growable, Task> = EventBase::new(Epoll::new()?);
        base.insert(Fd::of(&listener), Interest::READ, Task::Listener)?;
        let mut buffer = [0; 1024];
        while !METER.is_over() {
            let Some(fired) = base.next_event(Wait::Forever)? else { break };
            let id = fired.id;
            match fired.data {
                Task::Listener => {
                    if let Ok((stream, _)) = listener.accept() {
                        stream.set_nonblocking(true)?;
                        stream.set_nodelay(true)?;
                        METER.accepted();
                        base.insert(Fd::of(&stream), Interest::READ, Task::Connection(stream))?;
                    }
                }
                Task::Connection(stream) => match stream.read(&mut buffer) {
                    Ok(len @ 1..) => {
                        stream.write_all(&buffer[..len])?;
                        METER.answered();
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    _ => {
                        base.remove(id);
                        METER.closed();
                    }
                },
            }
        }
        Ok(())
    }

    fn spawn(_: u64) -> io::Result<Spent> {
        Err(io::Error::other("the plain loop has no tasks"))
    }

    fn sleep(waiting: usize, ops: u64) -> io::Result<Spent> {
        let mut base: EventBase<Epoll, Growable, ()> = EventBase::new(Epoll::new()?);
        for number in 0..waiting as u64 {
            base.insert_timer(delay(number), ())?;
        }
        let turn = |base: &mut EventBase<Epoll, Growable, ()>| base.next_event(Wait::None).map(drop);
        turn(&mut base)?;
        let watch = Stopwatch::start();
        for number in 0..ops {
            let timer = base.insert_timer(delay(number), ())?;
            base.remove(timer);
            if number % YIELD_EACH == 0 {
                turn(&mut base)?;
            }
        }
        Ok(watch.stop())
    }

    fn wake(_: impl Future<Output = io::Result<()>> + Send + 'static) -> io::Result<()> {
        Err(io::Error::other("the plain loop has no tasks; W7 is its way"))
    }
}
