//! W3: each change is a system call; one-shot events are the kernel's.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use evcore_benchmarks::{churn, sys::EpollSet};

pub(crate) struct Churn {
    set: EpollSet,
    readers: Vec<OwnedFd>,
}

impl Churn {
    fn watching(readers: Vec<OwnedFd>, events: i32) -> io::Result<Self> {
        let mut set = EpollSet::new(256)?;
        for (index, reader) in readers.iter().enumerate() {
            set.add(reader, events, index as u64)?;
        }
        Ok(Self { set, readers })
    }

    fn turn(&mut self) -> io::Result<()> {
        self.set.wait(Some(Duration::ZERO)).map(drop)
    }
}

impl churn::Churn for Churn {
    fn new(readers: Vec<OwnedFd>) -> io::Result<Self> {
        Self::watching(readers, libc::EPOLLIN)
    }

    fn once(readers: Vec<OwnedFd>) -> io::Result<Self> {
        Self::watching(readers, libc::EPOLLIN | libc::EPOLLONESHOT)
    }

    fn pair(&mut self) -> io::Result<u64> {
        for (index, reader) in self.readers.iter().enumerate() {
            self.set.remove(reader)?;
            self.set.add(reader, libc::EPOLLIN, index as u64)?;
        }
        self.turn()?;
        Ok(self.readers.len() as u64)
    }

    fn toggle(&mut self) -> io::Result<u64> {
        for (index, reader) in self.readers.iter().enumerate() {
            self.set.modify(reader, libc::EPOLLIN | libc::EPOLLOUT, index as u64)?;
            self.set.modify(reader, libc::EPOLLIN, index as u64)?;
        }
        self.turn()?;
        Ok(self.readers.len() as u64)
    }

    fn bulk(&mut self) -> io::Result<u64> {
        for reader in &self.readers {
            self.set.remove(reader)?;
        }
        self.turn()?;
        for (index, reader) in self.readers.iter().enumerate() {
            self.set.add(reader, libc::EPOLLIN, index as u64)?;
        }
        self.turn()?;
        Ok(self.readers.len() as u64)
    }

    fn oneshot(&mut self) -> io::Result<u64> {
        let mut served: [u64; 256] = [0; 256];
        let mut count = 0;
        for (event, place) in self.set.wait(Some(Duration::ZERO))?.iter().zip(&mut served) {
            *place = event.u64;
            count += 1;
        }
        for index in &served[..count] {
            if let Some(reader) = self.readers.get(*index as usize) {
                self.set.modify(reader, libc::EPOLLIN | libc::EPOLLONESHOT, *index)?;
            }
        }
        Ok(count as u64)
    }
}
