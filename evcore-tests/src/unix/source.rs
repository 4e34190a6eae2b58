//! The sources of the fixture for Unix.

use core::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use evcore::Fd;

/// A source and its other end.
pub struct UnixSource {
    pub(super) fd: Fd,
    /// `None` after the descriptor was closed while registered.
    pub(super) near: Option<End>,
    pub(super) far: Option<End>,
}

pub(super) enum End {
    Pair(UnixStream),
    Tcp(TcpStream),
    Listener(TcpListener),
    File(File),
}

impl fmt::Debug for UnixSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UnixSource").field(&self.fd).finish()
    }
}

impl UnixSource {
    pub(super) fn new(near: End, far: Option<End>) -> Self {
        Self { fd: Fd::of(&near), near: Some(near), far }
    }

    pub(super) fn pair() -> Self {
        let (near, far) = UnixStream::pair().expect("a socket pair");
        near.set_nonblocking(true).expect("a socket that does not block");
        far.set_nonblocking(true).expect("a socket that does not block");
        Self::new(End::Pair(near), Some(End::Pair(far)))
    }
}

impl AsFd for End {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Pair(socket) => socket.as_fd(),
            Self::Tcp(socket) => socket.as_fd(),
            Self::Listener(socket) => socket.as_fd(),
            Self::File(file) => file.as_fd(),
        }
    }
}

impl End {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Pair(socket) => (&*socket).read(buffer),
            Self::Tcp(socket) => (&*socket).read(buffer),
            Self::Listener(socket) => socket.accept().map(|_| 1),
            Self::File(file) => (&*file).read(buffer),
        }
    }

    pub(super) fn write(&self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Pair(socket) => (&*socket).write(buffer),
            Self::Tcp(socket) => (&*socket).write(buffer),
            Self::Listener(_) => Err(ErrorKind::Unsupported.into()),
            Self::File(file) => (&*file).write(buffer),
        }
    }

    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Pair(socket) => Self::Pair(socket.try_clone()?),
            Self::Tcp(socket) => Self::Tcp(socket.try_clone()?),
            Self::Listener(socket) => Self::Listener(socket.try_clone()?),
            Self::File(file) => Self::File(file.try_clone()?),
        })
    }

    /// Whether the end of the data has been reached.
    pub(super) fn reads_end(&self) -> bool {
        let mut buffer = [0; 4096];
        loop {
            match self.read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                // A reset: the closed end had unread data.
                Err(error) => return error.kind() == ErrorKind::ConnectionReset,
            }
        }
    }

    pub(super) fn read_all(&self) {
        let mut buffer = [0; 4096];
        loop {
            match self.read(&mut buffer) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("a source cannot be read: {error}"),
            }
        }
    }
}
