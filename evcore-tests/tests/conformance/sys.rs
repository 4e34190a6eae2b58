//! The operations of the suite's fixture that need system calls. All `unsafe` code of the tests is here.

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use evcore_tests::{Powers, Raiser};

pub(crate) fn powers() -> Powers {
    let mut powers = Powers::default();
    powers.urgent = Some(urgent);
    powers.refused = Some(refused);
    powers.pipe = Some(pipe);
    powers.raise = Some(raise);
    powers.raiser = Some(raiser);
    powers.fork = Some(fork);
    powers
}

fn urgent(socket: &TcpStream) -> io::Result<()> {
    // SAFETY: the buffer is one byte long, and the socket stays open while it is borrowed.
    let sent = unsafe { libc::send(socket.as_raw_fd(), b"!".as_ptr().cast(), 1, libc::MSG_OOB) };
    if sent == 1 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn refused() -> io::Result<TcpStream> {
    // SAFETY: it takes numbers.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the system has just made this descriptor, and nothing else owns it.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let stream = TcpStream::from(socket);
    stream.set_nonblocking(true)?;
    // SAFETY: an address is made of numbers, and may be all zeros.
    let mut name: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    name.sin_family = libc::AF_INET as libc::sa_family_t;
    // Systems never assign the lowest port automatically, and no program listens on it nowadays.
    name.sin_port = 1u16.to_be();
    name.sin_addr.s_addr = u32::from(std::net::Ipv4Addr::LOCALHOST).to_be();
    let len = size_of_val(&name) as libc::socklen_t;
    // SAFETY: the pointer and the length are those of an address.
    let answer = unsafe { libc::connect(stream.as_raw_fd(), (&raw const name).cast(), len) };
    let error = io::Error::last_os_error();
    // A connect that fails at once is no test of readiness. It does not happen on a non-blocking socket.
    if answer < 0 && error.raw_os_error() == Some(libc::EINPROGRESS) { Ok(stream) } else { Err(error) }
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: the array has room for the two numbers that are written.
    if unsafe { libc::pipe(ends.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    for end in ends {
        // SAFETY: both descriptors are open, and nothing else owns them.
        unsafe { libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC) };
        // SAFETY: as above.
        unsafe { libc::fcntl(end, libc::F_SETFL, libc::O_NONBLOCK) };
    }
    // SAFETY: the descriptor is open, and nothing else owns it.
    let reader = unsafe { OwnedFd::from_raw_fd(ends[0]) };
    // SAFETY: as above.
    let writer = unsafe { OwnedFd::from_raw_fd(ends[1]) };
    Ok((reader, writer))
}

fn raise(signum: i32) {
    // SAFETY: a call without pointers. The case watches the signal.
    assert_eq!(unsafe { libc::raise(signum) }, 0);
}

fn raiser() -> Raiser {
    // SAFETY: a call without arguments.
    let thread = unsafe { libc::pthread_self() };
    Box::new(move |signum| {
        // SAFETY: the thread waits for this one before it ends. The case watches the signal.
        assert_eq!(unsafe { libc::pthread_kill(thread, signum) }, 0);
    })
}

fn fork(child: &mut dyn FnMut() -> bool) -> bool {
    // SAFETY: the child runs the closure and ends without returning. The other threads of this process are blocked by
    // the fixture's lock and hold no lock that the closure needs.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "no child: {}", io::Error::last_os_error());
    if pid == 0 {
        // SAFETY: a call without pointers. It kills a child that hangs.
        unsafe { libc::alarm(20) };
        let code = if child() { 0 } else { 1 };
        // SAFETY: ends the child at once, without the harness's exit handlers.
        unsafe { libc::_exit(code) };
    }
    let mut status = -1;
    // SAFETY: the status is written to a variable of this frame.
    while unsafe { libc::waitpid(pid, &mut status, 0) } < 0 {
        assert_eq!(io::Error::last_os_error().kind(), io::ErrorKind::Interrupted);
    }
    status == 0
}

/// Another descriptor of a number's file.
#[allow(dead_code, reason = "one of the tests that share this file needs it")]
pub(crate) fn keep(number: i32) -> Option<OwnedFd> {
    // SAFETY: a call without pointers.
    let fresh = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    // SAFETY: the system has just made this descriptor, and nothing else owns it.
    (fresh >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fresh) })
}
