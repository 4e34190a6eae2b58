//! tokio, with its single-threaded executor.

use std::future::Future;
use std::io;
use std::process::ExitCode;

use evcore_benchmarks::tasks::{self, METER, Tasks, YIELD_EACH, begin, delay};
use evcore_benchmarks::{Spent, Stopwatch, peer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

struct Tokio;

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

async fn echo(mut stream: TcpStream) {
    let mut buffer = [0; 1024];
    while let Ok(len @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..len]).await.is_err() {
            break;
        }
        METER.answered();
    }
    METER.closed();
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        METER.accepted();
        tokio::spawn(echo(stream));
    }
}

impl Tasks for Tokio {
    fn echo(listener: std::net::TcpListener) -> io::Result<()> {
        runtime()?.block_on(async {
            tokio::spawn(serve(TcpListener::from_std(listener)?));
            METER.until_over().await;
            Ok(())
        })
    }

    fn spawn(ops: u64) -> io::Result<Spent> {
        runtime()?.block_on(async {
            let watch = Stopwatch::start();
            for _ in 0..ops {
                tokio::spawn(async {}).await?;
            }
            Ok(watch.stop())
        })
    }

    fn sleep(waiting: usize, ops: u64) -> io::Result<Spent> {
        runtime()?.block_on(async {
            for number in 0..waiting as u64 {
                tokio::spawn(tokio::time::sleep(delay(number)));
            }
            tokio::task::yield_now().await;
            let watch = Stopwatch::start();
            for number in 0..ops {
                begin(tokio::time::sleep(delay(number))).await;
                if number % YIELD_EACH == 0 {
                    tokio::task::yield_now().await;
                }
            }
            Ok(watch.stop())
        })
    }

    fn wake(answering: impl Future<Output = io::Result<()>> + Send + 'static) -> io::Result<()> {
        runtime()?.block_on(async { tokio::spawn(answering).await? })
    }
}

fn main() -> ExitCode {
    let version = evcore_benchmarks::locked_version("tokio");
    peer::run("tokio", version, |options| match options.workload.as_str() {
        "w9" => tasks::measure::<Tokio>(options),
        other => Err(peer::no_such(other)),
    })
}
