//! A TCP echo server with one task for each connection.
//!
//! ```text
//! cargo run --release -p evplat-linux --features async --example async_echo -- 127.0.0.1:7777
//! ```

mod cli;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use evplat_linux::signum;
use evplat_linux::task::{Handle, Io, executor};

/// A connection without traffic for this long is closed.
const IDLE: Duration = Duration::from_secs(60);
/// The pause in accepting after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);

const HELP: &str = "\
usage: async_echo [IP:PORT]

Sends each client back what it sends, with a task for each. SIGTERM ends it.

  IP:PORT  the address to listen on (default: a free port of 127.0.0.1)";

fn main() -> ExitCode {
    cli::run(HELP, cli::address, run)
}

fn run(address: SocketAddr) -> io::Result<()> {
    let mut executor = executor()?;
    let handle = executor.handle();
    let listener = Io::new(&handle, TcpListener::bind(address).map_err(|error| cli::about(address, error))?)?;
    writeln!(io::stdout(), "listening on {}", listener.get_ref().local_addr()?)?;
    handle.spawn(serve(handle.clone(), listener))?.detach();
    let mut stop = handle.signal(signum::SIGTERM)?;
    executor.block_on(stop.next())??;
    Ok(())
}

async fn serve(handle: Handle, listener: Io<TcpListener>) -> io::Result<()> {
    loop {
        match listener.accept().await {
            // An error of one connection does not affect the others.
            Ok((stream, _)) => drop(handle.spawn(echo(stream)).map(|task| task.detach())),
            // No descriptor or no memory is left.
            Err(_) => handle.sleep(PAUSE).await?,
        }
    }
}

async fn echo(stream: Io<TcpStream>) -> io::Result<()> {
    stream.set_idle_timeout(Some(IDLE));
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            len => stream.write_all(&buffer[..len]).await?,
        }
    }
}
