//! Operations on descriptors and sockets that tasks need and the standard library lacks.

#![allow(clippy::cast_possible_truncation, reason = "families and sizes of addresses are small")]

use core::ffi::c_int;
use core::mem;
use core::ptr;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::errno::checked;

/// Makes a file non-blocking.
pub(crate) fn set_nonblocking(file: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the descriptor is open, and this takes no argument.
    let flags = checked(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) })?;
    if flags & libc::O_NONBLOCK != 0 {
        return Ok(());
    }
    // SAFETY: the descriptor is open, and the argument a number.
    checked(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) })?;
    Ok(())
}

/// Shuts down the writing direction of a socket. Does nothing for a file that has none, or a socket that is no longer
/// connected.
#[cfg(feature = "futures-io")]
pub(crate) fn shutdown_write(file: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the descriptor is open, and the argument a number.
    match checked(unsafe { libc::shutdown(file.as_raw_fd(), libc::SHUT_WR) }) {
        Err(error) if !matches!(error.raw_os_error(), Some(libc::ENOTSOCK | libc::ENOTCONN | libc::EINVAL)) => {
            Err(error)
        }
        _ => Ok(()),
    }
}

/// A non-blocking socket.
fn socket(family: c_int) -> io::Result<OwnedFd> {
    #[cfg(not(any(target_vendor = "apple", target_os = "aix", target_os = "haiku")))]
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    #[cfg(any(target_vendor = "apple", target_os = "aix", target_os = "haiku"))]
    let kind = libc::SOCK_STREAM;
    // SAFETY: the arguments are numbers.
    let number = checked(unsafe { libc::socket(family, kind, 0) })?;
    // SAFETY: the number was just opened, and nothing else owns it.
    let socket = unsafe { OwnedFd::from_raw_fd(number) };
    #[cfg(any(target_vendor = "apple", target_os = "aix", target_os = "haiku"))]
    {
        // SAFETY: the descriptor is open, and the argument a number.
        checked(unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) })?;
        set_nonblocking(std::os::fd::AsFd::as_fd(&socket))?;
    }
    Ok(socket)
}

/// Starts to connect a new socket, without waiting.
pub(crate) fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let socket = match to {
        SocketAddr::V4(to) => {
            let socket = socket(libc::AF_INET)?;
            // SAFETY: all zeros are an address of this family.
            let mut address: libc::sockaddr_in = unsafe { mem::zeroed() };
            address.sin_family = libc::AF_INET as libc::sa_family_t;
            address.sin_port = to.port().to_be();
            address.sin_addr.s_addr = u32::from_ne_bytes(to.ip().octets());
            begin_connect(&socket, &address)?;
            socket
        }
        SocketAddr::V6(to) => {
            let socket = socket(libc::AF_INET6)?;
            // SAFETY: all zeros are an address of this family.
            let mut address: libc::sockaddr_in6 = unsafe { mem::zeroed() };
            address.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            address.sin6_port = to.port().to_be();
            address.sin6_flowinfo = to.flowinfo();
            address.sin6_addr.s6_addr = to.ip().octets();
            address.sin6_scope_id = to.scope_id();
            begin_connect(&socket, &address)?;
            socket
        }
    };
    Ok(socket.into())
}

/// `A` is the system's address type: `sockaddr_in` or `sockaddr_in6`.
fn begin_connect<A>(socket: &OwnedFd, address: &A) -> io::Result<()> {
    let length = mem::size_of::<A>() as libc::socklen_t;
    // SAFETY: the address is readable for the length that is passed with it.
    match checked(unsafe { libc::connect(socket.as_raw_fd(), ptr::from_ref(address).cast(), length) }) {
        // An interrupted connect continues as well; a second call would be refused.
        Err(error) if !matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR)) => Err(error),
        _ => Ok(()),
    }
}
