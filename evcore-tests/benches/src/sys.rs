//! The system calls of the workloads and of the hand-written loop.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// An epoll set and the buffer of its waits.
pub struct EpollSet {
    fd: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl EpollSet {
    /// An empty set that reports up to `batch` events at once.
    pub fn new(batch: usize) -> io::Result<Self> {
        // SAFETY: a plain system call.
        let fd = checked(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        Ok(Self { fd: own(fd), events: vec![libc::epoll_event { events: 0, u64: 0 }; batch] })
    }

    /// Watches `source` for `events`.
    #[inline]
    pub fn add(&mut self, source: &impl AsFd, events: i32, cookie: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, source, events, cookie)
    }

    /// Changes what it is watched for.
    #[inline]
    pub fn modify(&mut self, source: &impl AsFd, events: i32, cookie: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, source, events, cookie)
    }

    /// Stops watching it.
    #[inline]
    pub fn remove(&mut self, source: &impl AsFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, source, 0, 0)
    }

    #[inline]
    fn control(&mut self, operation: i32, source: &impl AsFd, events: i32, cookie: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: events as u32, u64: cookie };
        let (set, source) = (self.fd.as_raw_fd(), source.as_fd().as_raw_fd());
        // SAFETY: both descriptors are open, and the event lives until the call returns.
        checked(unsafe { libc::epoll_ctl(set, operation, source, &raw mut event) }).map(drop)
    }

    /// Waits, for ever without a timeout. Returns the events that are ready.
    #[inline]
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<&[libc::epoll_event]> {
        let millis = timeout.map_or(-1, |timeout| timeout.as_nanos().div_ceil(1_000_000) as i32);
        let (set, room) = (self.fd.as_raw_fd(), self.events.len() as i32);
        // SAFETY: the buffer has room for `room` events.
        let count = checked(unsafe { libc::epoll_wait(set, self.events.as_mut_ptr(), room, millis) })?;
        Ok(&self.events[..count as usize])
    }
}

/// The read end and the write end of a pipe, both non-blocking.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: the array has room for the two descriptors.
    checked(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) })?;
    Ok((own(ends[0]), own(ends[1])))
}

/// An eventfd; `flags` says whether it blocks.
pub fn eventfd(flags: i32) -> io::Result<OwnedFd> {
    // SAFETY: a plain system call.
    checked(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | flags) }).map(own)
}

/// read(2), without additions that a library might make for some peers and not for others.
#[inline]
pub fn read(source: &impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let fd = source.as_fd().as_raw_fd();
    // SAFETY: the pointer and the length are those of a slice.
    let count = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// write(2), likewise.
#[inline]
pub fn write(sink: &impl AsFd, buffer: &[u8]) -> io::Result<usize> {
    let fd = sink.as_fd().as_raw_fd();
    // SAFETY: the pointer and the length are those of a slice.
    let count = unsafe { libc::write(fd, buffer.as_ptr().cast(), buffer.len()) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// A duplicate of a descriptor, with this number.
pub fn duplicate_to(source: &impl AsFd, number: usize) -> io::Result<OwnedFd> {
    // SAFETY: a plain system call; the callers choose a free number, so no descriptor of another owner is closed.
    checked(unsafe { libc::dup3(source.as_fd().as_raw_fd(), number as i32, libc::O_CLOEXEC) }).map(own)
}

/// Sends a signal to this thread. It has been delivered when the call returns.
#[inline]
pub fn raise(signum: i32) -> io::Result<()> {
    // SAFETY: a plain system call.
    checked(unsafe { libc::raise(signum) }).map(drop)
}

/// The processor time of this thread.
pub fn thread_time() -> Duration {
    clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// The processor time of this process.
pub fn process_time() -> Duration {
    clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

fn clock(id: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure lives until the call returns.
    unsafe { libc::clock_gettime(id, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Restricts this thread, and the processes that it starts, to these processors.
pub fn pin(processors: &[usize]) -> io::Result<()> {
    let mut words = [0u64; 16];
    for processor in processors {
        if let Some(word) = words.get_mut(processor / 64) {
            *word |= 1 << (processor % 64);
        }
    }
    // SAFETY: the kernel reads the given number of bytes, a mask of 1,024 processors.
    checked(unsafe { libc::sched_setaffinity(0, size_of_val(&words), (&raw const words).cast()) }).map(drop)
}

/// Raises the soft limit of open descriptors to the hard one, and returns it.
pub fn descriptors() -> io::Result<usize> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure lives until the call returns.
    checked(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    if limit.rlim_cur < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: as above.
        checked(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })?;
    }
    Ok(limit.rlim_cur as usize)
}

/// Takes ownership of a new descriptor.
fn own(fd: i32) -> OwnedFd {
    // SAFETY: the callers have it from the system call that opened it, and keep no copy.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn checked(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
