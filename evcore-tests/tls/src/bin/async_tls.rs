//! A TLS echo server of tasks, with `futures-rustls`: a library for the traits of `futures-io` works unchanged.
//!
//! ```text
//! cargo run --manifest-path evcore-tests/tls/Cargo.toml --bin async_tls -- cert.pem key.pem 127.0.0.1:7443
//! openssl s_client -quiet -connect 127.0.0.1:7443
//! ```

use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use evcore_tls::Options;
use evplat_linux::signum;
use evplat_linux::task::{Handle, Io, executor};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use futures_rustls::TlsAcceptor;

/// The pause in accepting after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    evcore_tls::main("async_tls", run)
}

fn run(options: &Options) -> io::Result<()> {
    let mut executor = executor()?;
    let handle = executor.handle();
    let listener = Io::new(&handle, TcpListener::bind(options.address)?)?;
    writeln!(io::stdout(), "listening on {}", listener.get_ref().local_addr()?)?;
    let acceptor = TlsAcceptor::from(options.config.clone());
    handle.spawn(serve(handle.clone(), listener, acceptor, options.idle))?.detach();
    let mut stop = handle.signal(signum::SIGTERM)?;
    executor.block_on(stop.next())??;
    Ok(())
}

async fn serve(handle: Handle, listener: Io<TcpListener>, acceptor: TlsAcceptor, idle: Duration) -> io::Result<()> {
    loop {
        match listener.accept().await {
            // An error of one connection does not affect the others.
            Ok((stream, _)) => drop(handle.spawn(echo(stream, acceptor.clone(), idle)).map(|task| task.detach())),
            // No descriptor or no memory is left.
            Err(_) => handle.sleep(PAUSE).await?,
        }
    }
}

async fn echo(stream: Io<TcpStream>, acceptor: TlsAcceptor, idle: Duration) -> io::Result<()> {
    // The timeout applies to the handshake, too.
    stream.set_idle_timeout(Some(idle));
    let mut stream = acceptor.accept(stream).await?;
    let mut buffer = vec![0; 4 * 1024];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return stream.close().await,
            len => stream.write_all(&buffer[..len]).await?,
        }
        // Written data may still be buffered in the TLS layer.
        stream.flush().await?;
    }
}
