//! The sources of a script: real descriptors that all bases watch.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use evcore::Fd;

use crate::script::{ENDS, End, Kind, Script, Shut, Step};
use crate::sys as shared;

mod sys;

/// The first number of the ends: above those that the test opens temporarily, and below the limit of select(2).
const NUMBERS: i32 = 600;

/// What poll(2) reports for each end; `None` if it is closed.
pub(crate) type Raw = [Option<i16>; ENDS as usize];

pub(crate) struct World {
    kinds: Vec<Kind>,
    ends: [Option<File>; ENDS as usize],
}

impl World {
    pub(crate) fn new(script: &Script) -> Self {
        let mut world = Self { kinds: script.kinds.to_vec(), ends: Default::default() };
        for (source, kind) in (0..).zip(script.kinds) {
            world.open(source, kind);
        }
        world
    }

    fn open(&mut self, source: u8, kind: Kind) {
        self.kinds[usize::from(source)] = kind;
        for (side, end) in (0..).zip(pair(kind)) {
            let end_number = 2 * source + side;
            self.ends[usize::from(end_number)] = Some(sys::duplicate_to(&end, NUMBERS + i32::from(end_number)).into());
        }
    }

    pub(crate) fn kind(&self, end: End) -> Kind {
        self.kinds[usize::from(end / 2)]
    }

    pub(crate) fn is_open(&self, end: End) -> bool {
        self.ends[usize::from(end)].is_some()
    }

    pub(crate) fn fd(&self, end: End) -> Option<Fd> {
        self.ends[usize::from(end)].as_ref().map(Fd::of)
    }

    pub(crate) fn raw(&self) -> Raw {
        self.ends.each_ref().map(|end| end.as_ref().map(sys::revents))
    }

    /// Waits until nothing is in transit, as far as that can be observed.
    pub(crate) fn settle(&self) -> Raw {
        let mut raw = self.raw();
        for _ in 0..100 {
            let again = self.raw();
            if again == raw {
                break;
            }
            raw = again;
            std::thread::yield_now();
        }
        raw
    }

    /// Carries out a step on a source. Returns `false` if this end cannot do it.
    pub(crate) fn act(&mut self, step: Step) -> bool {
        match step {
            Step::Reopen(source, kind) => {
                (self.ends[usize::from(2 * source)], self.ends[usize::from(2 * source + 1)]) = (None, None);
                self.open(source, kind);
                true
            }
            Step::Close(end) => self.ends[usize::from(end)].take().is_some(),
            Step::Reset(end) if self.kind(end) == Kind::Tcp => {
                let Some(socket) = self.ends[usize::from(end)].take() else { return false };
                sys::break_off_at_close(&socket);
                true
            }
            Step::Write(end, _) | Step::Fill(end) if self.kind(end) == Kind::Pipe && end % 2 == 0 => false,
            Step::Read(end, _) | Step::Drain(end) if self.kind(end) == Kind::Pipe && end % 2 == 1 => false,
            // How much room there is depends on when acknowledgements are sent.
            Step::Fill(end) if self.kind(end) == Kind::Tcp => false,
            Step::Write(end, _) | Step::Fill(end) | Step::Read(end, _) | Step::Drain(end) => self.transfer(end, step),
            Step::Shut(end, shut) if self.kind(end) != Kind::Pipe => self.shut(end, shut),
            Step::Urgent(end) if self.kind(end) == Kind::Tcp => self.send_urgent(end),
            _ => false,
        }
    }

    /// The result of the system call does not matter, since it is the same for all.
    fn transfer(&self, end: End, step: Step) -> bool {
        let Some(mut file) = self.ends[usize::from(end)].as_ref() else { return false };
        let mut buffer = [0; 4_096];
        match step {
            Step::Write(_, bytes) => drop(file.write(&buffer[..usize::from(bytes)])),
            Step::Fill(_) => while file.write(&buffer).is_ok() {},
            Step::Read(_, bytes) => drop(file.read(&mut buffer[..usize::from(bytes)])),
            _ => while file.read(&mut buffer).is_ok_and(|count| count > 0) {},
        }
        true
    }

    fn shut(&self, end: End, shut: Shut) -> bool {
        let Some(file) = &self.ends[usize::from(end)] else { return false };
        let how = match shut {
            Shut::Read => Shutdown::Read,
            Shut::Write => Shutdown::Write,
            Shut::Both => Shutdown::Both,
        };
        let _ = UnixStream::from(copy(file)).shutdown(how);
        true
    }

    fn send_urgent(&self, end: End) -> bool {
        let Some(file) = &self.ends[usize::from(end)] else { return false };
        let is_broken = sys::revents(file) & (libc::POLLERR | libc::POLLHUP) != 0;
        if is_broken || self.is_shut(end) {
            return false;
        }
        shared::send_urgent(&TcpStream::from(copy(file)));
        true
    }

    /// Whether the end can no longer send: then even writing nothing fails.
    fn is_shut(&self, end: End) -> bool {
        let peer = end ^ 1;
        !self.is_open(peer) || self.raw()[usize::from(peer)].is_some_and(|raw| raw & libc::POLLRDHUP != 0)
    }
}

/// A temporary descriptor of the same file.
fn copy(file: &File) -> OwnedFd {
    file.as_fd().try_clone_to_owned().unwrap()
}

/// Both ends of a new source, non-blocking.
fn pair(kind: Kind) -> [OwnedFd; 2] {
    match kind {
        Kind::Pipe => {
            let (reader, writer) = shared::pipe();
            [reader.into(), writer.into()]
        }
        Kind::Pair => {
            let (near, far) = UnixStream::pair().unwrap();
            near.set_nonblocking(true).unwrap();
            far.set_nonblocking(true).unwrap();
            [near.into(), far.into()]
        }
        Kind::Tcp => {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (far, _) = listener.accept().unwrap();
            for socket in [&near, &far] {
                socket.set_nonblocking(true).unwrap();
                socket.set_nodelay(true).unwrap();
            }
            [near.into(), far.into()]
        }
    }
}
