//! A SOCKS5 proxy with two tasks for each session: half-closes, back-pressure, timeouts, a graceful stop.
//!
//! ```text
//! cargo run --release -p evplat-linux --features async --example async_proxy -- 127.0.0.1:1080
//! curl --socks5 127.0.0.1:1080 http://example.com/
//! ```
//!
//! Clients must name servers by address. Connecting may take `SECONDS` (60), and a session ends after that time
//! without traffic. After SIGTERM no new client is accepted, and the sessions have 10 s to end.

mod cli;

use std::cell::Cell;
use std::io::{self, ErrorKind, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use evplat_linux::task::{Handle, Io, executor};
use evplat_linux::{Event, Instant, Wait, signum};
use lexopt::{Arg, Error, Parser, ValueExt};

type Stream = Rc<Io<TcpStream>>;

const GRACE: Duration = Duration::from_secs(10);

const HELP: &str = "\
usage: async_proxy [IP:PORT [SECONDS]]

A SOCKS5 proxy. SIGTERM ends it when its sessions have ended, after 10 seconds at most.

  IP:PORT  the address to listen on (default: a free port of 127.0.0.1)
  SECONDS  the time limit for connecting, and the idle timeout of a session (default: 60)";

fn main() -> ExitCode {
    cli::run(HELP, parse, |(address, patience)| run(address, patience))
}

fn parse(words: &mut Parser) -> Result<(SocketAddr, Duration), Error> {
    let (mut address, mut patience) = (None, None);
    while let Some(word) = words.next()? {
        match word {
            Arg::Value(word) if address.is_none() => address = Some(word.parse()?),
            Arg::Value(word) if patience.is_none() => patience = Some(word.parse_with(cli::seconds)?),
            other => return Err(other.unexpected()),
        }
    }
    Ok((address.unwrap_or(cli::any_port()), patience.unwrap_or(Duration::from_secs(60))))
}

fn run(address: SocketAddr, patience: Duration) -> io::Result<()> {
    let mut executor = executor()?;
    let handle = executor.handle();
    let listener = Io::new(&handle, TcpListener::bind(address).map_err(|error| cli::about(address, error))?)?;
    writeln!(io::stdout(), "listening on {}", listener.get_ref().local_addr()?)?;
    let server = handle.spawn(serve(handle.clone(), listener, patience))?;
    let mut stop = handle.signal(signum::SIGTERM)?;
    executor.block_on(stop.next())??;
    server.abort();
    drop(stop);
    // A background timer does not keep the loop running after the last session has ended.
    let grace = Event::timer().background().timeout(GRACE);
    executor.base().ok_or(ErrorKind::Other)?.start(grace, ().into())?;
    let is_cut = executor.next_event(Wait::Forever)?.is_some();
    writeln!(io::stdout(), "{} sessions cut off", if is_cut { executor.tasks() } else { 0 })
}

async fn serve(handle: Handle, listener: Io<TcpListener>, patience: Duration) -> io::Result<()> {
    loop {
        match listener.accept().await {
            Ok((client, _)) => drop(handle.spawn(session(client, patience)).map(|task| task.detach())),
            // No descriptor or no memory is left: wait before the next attempt.
            Err(_) => handle.sleep(Duration::from_millis(100)).await?,
        }
    }
}

async fn session(client: Io<TcpStream>, patience: Duration) -> io::Result<()> {
    client.set_idle_timeout(Some(patience));
    let handle = client.handle().clone();
    let [5, methods] = read(&client).await? else { return Err(ErrorKind::InvalidData.into()) };
    client.read_exact(&mut vec![0; methods.into()]).await?;
    client.write_all(&[5, 0]).await?;
    let server = match read(&client).await? {
        [5, 1, _, 1] => SocketAddr::from((read::<4>(&client).await?, u16::from_be_bytes(read(&client).await?))),
        [5, 1, _, 4] => SocketAddr::from((read::<16>(&client).await?, u16::from_be_bytes(read(&client).await?))),
        [.., kind] => return client.write_all(&[5, if kind == 3 { 8 } else { 7 }, 0, 1, 0, 0, 0, 0, 0, 0]).await,
    };
    let connected = handle.timeout(patience, Io::connect(&handle, server)).await.map_err(io::Error::from);
    let reply = match &connected {
        Ok(Ok(_)) => 0,
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => 5,
        _ => 4,
    };
    client.write_all(&[5, reply, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    let server = connected??;
    server.set_idle_timeout(Some(patience));
    let (client, server, moved) = (Rc::new(client), Rc::new(server), Rc::new(Cell::new(handle.now()?)));
    handle.spawn(pass(client.clone(), server.clone(), moved.clone(), patience))?.detach();
    pass(server, client, moved, patience).await
}

/// Forwards data, then the end of it. After an error both connections end.
async fn pass(from: Stream, to: Stream, moved: Rc<Cell<Instant>>, patience: Duration) -> io::Result<()> {
    let passed = pass_bytes(&from, &to, &moved, patience).await;
    let how = if passed.is_ok() { (Shutdown::Write, Shutdown::Read) } else { (Shutdown::Both, Shutdown::Both) };
    let _ = (to.get_ref().shutdown(how.0), from.get_ref().shutdown(how.1));
    passed
}

async fn pass_bytes(from: &Stream, to: &Stream, moved: &Cell<Instant>, patience: Duration) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match from.read(&mut buffer).await {
            Ok(0) => return Ok(()),
            Ok(len) => {
                to.write_all(&buffer[..len]).await?;
                moved.set(from.handle().now()?);
            }
            // Data was transferred in the other direction in the meantime.
            Err(error) if error.kind() == ErrorKind::TimedOut && from.handle().now()? < moved.get() + patience => {}
            Err(error) => return Err(error),
        }
    }
}

async fn read<const N: usize>(stream: &Io<TcpStream>) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await.map(|()| bytes)
}
