//! Tasks on Unix: read, write, accept and connect with `await`. Feature `async`.
//!
//! ```
//! use std::net::{Ipv4Addr, TcpListener, TcpStream};
//! use evplat_posix::task::{Handle, Io, executor};
//!
//! async fn echo(stream: Io<TcpStream>) -> std::io::Result<()> {
//!     let mut bytes = [0; 1024];
//!     loop {
//!         match stream.read(&mut bytes).await? {
//!             0 => return Ok(()),
//!             read => stream.write_all(&bytes[..read]).await?,
//!         }
//!     }
//! }
//!
//! async fn serve(handle: &Handle, listener: Io<TcpListener>) -> std::io::Result<()> {
//!     loop {
//!         let (stream, _) = listener.accept().await?;
//!         handle.spawn(echo(stream))?.detach();
//!     }
//! }
//!
//! let mut executor = executor()?;
//! let handle = executor.handle();
//! let listener = Io::new(&handle, TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?)?;
//! let address = listener.get_ref().local_addr()?;
//! executor.block_on(async {
//!     let server = handle.spawn({
//!         let handle = handle.clone();
//!         async move { serve(&handle, listener).await }
//!     })?;
//!     let client = Io::connect(&handle, address).await?;
//!     client.write_all(b"hello").await?;
//!     let mut bytes = [0; 5];
//!     assert_eq!(client.read(&mut bytes).await?, 5);
//!     server.abort();
//!     Ok::<(), std::io::Error>(())
//! })??;
//! # Ok::<(), std::io::Error>(())
//! ```

use core::mem;
use core::time::Duration;
use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{self as unix, UnixListener, UnixStream};
use std::task::{Context, Poll, ready};

use evcore::error::Rejected;
pub use evcore::task::{Item, JoinError, JoinHandle, yield_now};
use evcore::{Fd, Growable, Interest, Ready};

use crate::error::Error;
use crate::poll::Poll as PollBackend;
use crate::sys;

#[cfg(feature = "futures-io")]
mod futures;

/// Spawns tasks and makes them wait, on any backend for Unix descriptors: see [`evcore::task::Handle`].
pub type Handle = evcore::task::Handle<Fd, Error>;

/// A future for a period or a signal: see [`evcore::task::Watch`].
pub type Watch = evcore::task::Watch<Fd, Error>;

/// An executor on [`Poll`](crate::Poll); `T` is the type of data of your own events.
pub type Executor<T = ()> = evcore::task::Executor<PollBackend, Growable, T>;

/// Creates an executor on a new base, which other threads can wake. To have your own events beside the tasks, create
/// the base first: `Executor::new(base)`.
///
/// # Errors
///
/// When the system refuses a resource that the base needs.
pub fn executor() -> io::Result<Executor> {
    Ok(Executor::new(evcore::EventBase::new(PollBackend::new()?))?)
}

/// A file with asynchronous reads and writes: a socket, a pipe, a terminal, anything that lends a descriptor. It owns
/// the file and makes it non-blocking.
///
/// An operation is tried first, and waits only if it would block. The descriptor is registered once, when a task
/// first waits for it. One task may read while another writes, through a shared reference.
///
/// Dropping it deregisters the descriptor before it is closed.
pub struct Io<T> {
    source: evcore::task::Source<T, Fd, Error>,
    /// The directions in which the next operation waits before it is tried, because the last one waited or took
    /// everything there was.
    waits: Cell<Interest>,
}

impl<T: AsFd + 'static> Io<T> {
    /// Makes `file` non-blocking, and creates an event for it.
    ///
    /// # Errors
    ///
    /// When the system refuses or the base has no room. The error contains the file.
    pub fn new(handle: &Handle, file: T) -> Result<Self, Rejected<T, Error>> {
        // First, so that a file that is handed back still blocks, including in other processes that share it.
        let made_nonblocking = handle.room().and_then(|()| {
            sys::set_nonblocking(file.as_fd()).map_err(|error| evcore::Error::Backend(Error::during("fcntl")(error)))
        });
        match made_nonblocking {
            Ok(()) => Self::of(handle, file),
            Err(error) => Err(Rejected { error, data: file }),
        }
    }

    /// Like [`new`](Io::new), for a file that is already non-blocking.
    fn of(handle: &Handle, file: T) -> Result<Self, Rejected<T, Error>> {
        let fd = Fd::of(&file);
        Ok(Self { source: handle.source(fd, file)?, waits: Cell::new(Interest::empty()) })
    }
}

impl<T> Io<T> {
    /// The file.
    #[must_use]
    pub fn get_ref(&self) -> &T {
        self.source.get()
    }

    /// A handle to its executor.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        self.source.handle()
    }

    /// Deregisters the file and returns it; it stays non-blocking. Returns `None` while the base is borrowed.
    pub fn into_inner(self) -> Option<T> {
        self.source.into_inner()
    }

    /// Makes each wait fail with [`ErrorKind::TimedOut`] if nothing happens for `idle` in either direction. Takes
    /// effect with the next wait. Needs no additional event.
    pub fn set_idle_timeout(&self, idle: Option<Duration>) {
        self.source.set_idle_timeout(idle);
    }

    /// Waits until the file is readable: there is data, end of file, a connection or an error. Level-triggered.
    ///
    /// # Errors
    ///
    /// When the backend refuses the file, after the [idle timeout](Io::set_idle_timeout), or when the executor has
    /// ended.
    pub async fn readable(&self) -> io::Result<Ready> {
        in_time(self.source.ready(Interest::READ).await?)
    }

    /// Waits until the file is writable or broken. Level-triggered.
    ///
    /// # Errors
    ///
    /// As [`readable`](Io::readable).
    pub async fn writable(&self) -> io::Result<Ready> {
        in_time(self.source.ready(Interest::WRITE).await?)
    }

    /// Like [`readable`](Io::readable), for adapters and hand-written futures. Only one task at a time may use it.
    ///
    /// # Errors
    ///
    /// As [`readable`](Io::readable).
    pub fn poll_readable(&self, context: &Context<'_>) -> Poll<io::Result<Ready>> {
        self.poll_ready(context, Interest::READ)
    }

    /// Like [`writable`](Io::writable), for adapters and hand-written futures. Only one task at a time may use it.
    ///
    /// # Errors
    ///
    /// As [`readable`](Io::readable).
    pub fn poll_writable(&self, context: &Context<'_>) -> Poll<io::Result<Ready>> {
        self.poll_ready(context, Interest::WRITE)
    }

    fn poll_ready(&self, context: &Context<'_>, interest: Interest) -> Poll<io::Result<Ready>> {
        let ready = ready!(self.source.poll_ready(context, interest))?;
        Poll::Ready(in_time(ready))
    }

    /// Calls `read`, and waits and retries whenever it returns [`ErrorKind::WouldBlock`].
    ///
    /// # Errors
    ///
    /// Any other error of `read`, and as [`readable`](Io::readable).
    pub fn read_with<R>(&self, mut read: impl FnMut(&T) -> io::Result<R>) -> impl Future<Output = io::Result<R>> {
        let mut is_first = true;
        poll_fn(move |context| self.poll_with(context, Interest::READ, mem::take(&mut is_first), &mut read))
    }

    /// Calls `write`, and waits and retries whenever it returns [`ErrorKind::WouldBlock`].
    ///
    /// # Errors
    ///
    /// Any other error of `write`, and as [`readable`](Io::readable).
    pub fn write_with<R>(&self, mut write: impl FnMut(&T) -> io::Result<R>) -> impl Future<Output = io::Result<R>> {
        let mut is_first = true;
        poll_fn(move |context| self.poll_with(context, Interest::WRITE, mem::take(&mut is_first), &mut write))
    }

    /// `is_first`: this operation has not waited yet, so a pending idle timeout belongs to an earlier wait that was
    /// dropped.
    fn poll_with<R>(
        &self,
        context: &Context<'_>,
        interest: Interest,
        is_first: bool,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        loop {
            let mut is_late = false;
            if self.waits.get().contains(interest) {
                is_late = ready!(self.source.poll_ready(context, interest))? == Ready::TIMEOUT && !is_first;
                self.waits.set(self.waits.get().difference(interest));
            } else {
                ready!(self.handle().poll_proceed(context));
            }
            match operation(self.get_ref()) {
                // Readiness is level-triggered, so waiting before the next attempt loses nothing.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.wait_first(interest);
                    // Checked only now: the idle timeout may be that of a dropped wait, and data may have arrived
                    // since.
                    if is_late {
                        return Poll::Ready(Err(ErrorKind::TimedOut.into()));
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
    }

    fn wait_first(&self, interest: Interest) {
        self.waits.set(self.waits.get().union(interest));
    }
}

// Not `async fn`, which would add a state machine around `poll_fn`'s future, in memory and in each poll.
/// Reads and writes, for files that support them through a shared reference, as all files of the standard library do.
impl<T> Io<T>
where
    for<'a> &'a T: Read,
{
    /// Reads into `bytes`, like [`Read::read`]. Returns 0 at the end of the file.
    ///
    /// # Errors
    ///
    /// The file's error, and as [`readable`](Io::readable).
    pub fn read(&self, bytes: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        let mut is_first = true;
        poll_fn(move |context| self.poll_read_some(context, mem::take(&mut is_first), bytes))
    }

    /// Reads until `bytes` is full. On an error, `bytes` contains what was read before it; the amount is not
    /// returned.
    ///
    /// # Errors
    ///
    /// As [`read`](Io::read), and [`ErrorKind::UnexpectedEof`] at the end of the file.
    pub async fn read_exact(&self, mut bytes: &mut [u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.read(bytes).await? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                read => bytes = bytes.get_mut(read..).unwrap_or_default(),
            }
        }
        Ok(())
    }

    /// Like [`read`](Io::read), for adapters and hand-written futures. Only one task at a time may use it.
    ///
    /// # Errors
    ///
    /// As [`read`](Io::read).
    pub fn poll_read(&self, context: &Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_read_some(context, false, bytes)
    }

    fn poll_read_some(&self, context: &Context<'_>, is_first: bool, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        let length = bytes.len();
        if length == 0 {
            return self.handle().poll_proceed(context).map(|()| Ok(0));
        }
        let read = ready!(self.poll_with(context, Interest::READ, is_first, |mut file| file.read(bytes)))?;
        if read < length {
            self.wait_first(Interest::READ);
        }
        Poll::Ready(Ok(read))
    }
}

impl<T> Io<T>
where
    for<'a> &'a T: Write,
{
    /// Writes some of `bytes`, like [`Write::write`].
    ///
    /// # Errors
    ///
    /// The file's error, and as [`readable`](Io::readable).
    pub fn write(&self, bytes: &[u8]) -> impl Future<Output = io::Result<usize>> {
        let mut is_first = true;
        poll_fn(move |context| self.poll_write_some(context, mem::take(&mut is_first), bytes))
    }

    /// Writes all of `bytes`. On an error, the amount written before it is not returned.
    ///
    /// # Errors
    ///
    /// As [`write`](Io::write), and [`ErrorKind::WriteZero`] if the file accepts no more.
    pub fn write_all(&self, mut bytes: &[u8]) -> impl Future<Output = io::Result<()>> {
        let mut is_first = true;
        poll_fn(move |context| {
            while !bytes.is_empty() {
                match ready!(self.poll_write_some(context, mem::take(&mut is_first), bytes))? {
                    0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                    written => bytes = bytes.get(written..).unwrap_or_default(),
                }
            }
            Poll::Ready(Ok(()))
        })
    }

    /// Like [`write`](Io::write), for adapters and hand-written futures. Only one task at a time may use it.
    ///
    /// # Errors
    ///
    /// As [`write`](Io::write).
    pub fn poll_write(&self, context: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_some(context, false, bytes)
    }

    fn poll_write_some(&self, context: &Context<'_>, is_first: bool, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_with(context, Interest::WRITE, is_first, |mut file| file.write(bytes))
    }
}

impl Io<TcpListener> {
    /// Waits for a connection and accepts it. Skips connections that the peer has already aborted.
    ///
    /// # Errors
    ///
    /// The system's error. If no descriptors are left, or a base of fixed capacity is full, `accept` fails at once
    /// each time: sleep before the next attempt. The connection stays in the system's queue.
    pub async fn accept(&self) -> io::Result<(Io<TcpStream>, SocketAddr)> {
        self.accept_with(TcpListener::accept).await
    }
}

impl Io<UnixListener> {
    /// As for a [`TcpListener`].
    ///
    /// # Errors
    ///
    /// As for a [`TcpListener`].
    pub async fn accept(&self) -> io::Result<(Io<UnixStream>, unix::SocketAddr)> {
        self.accept_with(UnixListener::accept).await
    }
}

impl<T> Io<T> {
    async fn accept_with<X: AsFd + 'static, A>(
        &self,
        accept: impl Fn(&T) -> io::Result<(X, A)>,
    ) -> io::Result<(Io<X>, A)> {
        let accepted = self.read_with(|listener| {
            // Before accepting a connection that could not be kept.
            self.handle().room()?;
            loop {
                match accept(listener) {
                    Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                    accepted => return accepted,
                }
            }
        });
        let (stream, peer) = accepted.await?;
        Ok((Io::new(self.handle(), stream)?, peer))
    }
}

impl Io<TcpStream> {
    /// Connects a new socket.
    ///
    /// # Errors
    ///
    /// Why the connection failed, and as [`readable`](Io::readable).
    pub async fn connect(handle: &Handle, to: SocketAddr) -> io::Result<Self> {
        let stream = Self::of(handle, sys::connect(to)?)?;
        stream.connected().await?;
        Ok(stream)
    }

    /// Waits until a connect that was started on a non-blocking socket ends. For sockets with options of your own,
    /// for instance.
    ///
    /// # Errors
    ///
    /// Why the connection failed, and as [`readable`](Io::readable).
    pub async fn connected(&self) -> io::Result<()> {
        loop {
            let ready = self.writable().await?;
            if let Some(error) = self.get_ref().take_error()? {
                return Err(error);
            }
            match self.get_ref().peer_addr() {
                Ok(_) => return Ok(()),
                // A spurious report: the connect is still under way.
                Err(error) if error.kind() == ErrorKind::NotConnected && !ready.is_hangup() => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Returns an error if the idle timeout has expired and nothing else is reported.
fn in_time(ready: Ready) -> io::Result<Ready> {
    if ready == Ready::TIMEOUT { Err(ErrorKind::TimedOut.into()) } else { Ok(ready) }
}

impl<T: AsFd> AsFd for Io<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl<T: fmt::Debug> fmt::Debug for Io<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Io").field(self.get_ref()).finish()
    }
}
