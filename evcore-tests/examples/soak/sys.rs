//! The system calls that the standard library lacks. All `unsafe` is here.

#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::net::{SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

fn done(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn size_of<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(mem::size_of::<T>()).unwrap_or(0)
}

/// Starts to connect. The stream is non-blocking; it is writable when the attempt has succeeded or failed.
pub(crate) fn connect(address: SocketAddrV4) -> io::Result<TcpStream> {
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: it takes numbers.
    let socket = done(unsafe { libc::socket(libc::AF_INET, kind, 0) })?;
    // SAFETY: the system has just made this descriptor, and nothing else owns it.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let name = libc::sockaddr_in {
        sin_family: libc::sa_family_t::try_from(libc::AF_INET).unwrap_or(0),
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
        sin_zero: [0; 8],
    };
    // SAFETY: the pointer and the length are those of an address.
    let begun =
        done(unsafe { libc::connect(socket.as_raw_fd(), (&raw const name).cast(), size_of::<libc::sockaddr_in>()) });
    match begun {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(socket.into()),
    }
}

/// Resets a connection instead of closing it normally.
pub(crate) fn reset(stream: TcpStream) -> io::Result<()> {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let (level, option) = (libc::SOL_SOCKET, libc::SO_LINGER);
    // SAFETY: the pointer and the length are those of the option's value.
    done(unsafe {
        libc::setsockopt(stream.as_raw_fd(), level, option, (&raw const linger).cast(), size_of::<libc::linger>())
    })?;
    Ok(())
}

/// Sends `signum` to a process.
pub(crate) fn kill(process: u32, signum: i32) -> io::Result<()> {
    let process = libc::pid_t::try_from(process).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: it takes numbers.
    done(unsafe { libc::kill(process, signum) }).map(drop)
}

/// Sends `signum` to this thread: it has arrived when this returns, so that no two are merged.
pub(crate) fn raise(signum: i32) -> io::Result<()> {
    // SAFETY: it takes a number.
    done(unsafe { libc::raise(signum) }).map(drop)
}

/// Makes the kernel kill the process that `command` starts when the thread that starts it ends, for any reason.
pub(crate) fn end_with_this_process(command: &mut Command) {
    // SAFETY: what runs between fork and exec is one system call, which takes numbers.
    unsafe { command.pre_exec(kill_me_at_the_end) };
}

fn kill_me_at_the_end() -> io::Result<()> {
    // SAFETY: this option takes a number.
    done(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) }).map(drop)
}
