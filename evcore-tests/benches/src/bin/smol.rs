//! smol: async-io, and async-executor's single-threaded executor.

use std::future::Future;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::rc::Rc;

use async_executor::LocalExecutor;
use async_io::{Async, Timer, block_on};
use evcore_benchmarks::tasks::{self, METER, Tasks, YIELD_EACH, begin, delay};
use evcore_benchmarks::{Spent, Stopwatch, peer};
use futures_lite::future::yield_now;
use futures_lite::{AsyncReadExt, AsyncWriteExt};

struct Smol;

async fn echo(mut stream: Async<TcpStream>) {
    let mut buffer = [0; 1024];
    while let Ok(len @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..len]).await.is_err() {
            break;
        }
        METER.answered();
    }
    METER.closed();
}

async fn serve(executor: Rc<LocalExecutor<'static>>, listener: Async<TcpListener>) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.get_ref().set_nodelay(true)?;
        METER.accepted();
        executor.spawn(echo(stream)).detach();
    }
}

impl Tasks for Smol {
    fn echo(listener: TcpListener) -> io::Result<()> {
        let executor = Rc::new(LocalExecutor::new());
        executor.spawn(serve(Rc::clone(&executor), Async::new(listener)?)).detach();
        block_on(executor.run(METER.until_over()));
        Ok(())
    }

    fn spawn(ops: u64) -> io::Result<Spent> {
        let executor = LocalExecutor::new();
        Ok(block_on(executor.run(async {
            let watch = Stopwatch::start();
            for _ in 0..ops {
                executor.spawn(async {}).await;
            }
            watch.stop()
        })))
    }

    fn sleep(waiting: usize, ops: u64) -> io::Result<Spent> {
        let executor = LocalExecutor::new();
        for number in 0..waiting as u64 {
            executor.spawn(Timer::after(delay(number))).detach();
        }
        Ok(block_on(executor.run(async {
            // Until each of them was polled.
            for _ in 0..waiting {
                yield_now().await;
            }
            let watch = Stopwatch::start();
            for number in 0..ops {
                begin(Timer::after(delay(number))).await;
                if number % YIELD_EACH == 0 {
                    yield_now().await;
                }
            }
            watch.stop()
        })))
    }

    fn wake(answering: impl Future<Output = io::Result<()>> + Send + 'static) -> io::Result<()> {
        let executor = LocalExecutor::new();
        block_on(executor.run(executor.spawn(answering)))
    }
}

fn main() -> ExitCode {
    let version = evcore_benchmarks::locked_version("async-io");
    peer::run("smol", version, |options| match options.workload.as_str() {
        "w9" => tasks::measure::<Smol>(options),
        other => Err(peer::no_such(other)),
    })
}
