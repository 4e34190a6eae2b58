//! The I/O traits of `futures-io`, for libraries written on them, such as TLS and WebSockets.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use super::Io;
use crate::sys;

impl<T> Unpin for Io<T> {}

impl<T> AsyncRead for Io<T>
where
    for<'a> &'a T: Read,
{
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        Io::poll_read(&self, context, bytes)
    }
}

impl<T: AsFd> AsyncWrite for Io<T>
where
    for<'a> &'a T: Write,
{
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Io::poll_write(&self, context, bytes)
    }

    /// Nothing is buffered.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Shuts down the writing direction of a socket; does nothing for other files.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(sys::shutdown_write(self.as_fd()))
    }
}
