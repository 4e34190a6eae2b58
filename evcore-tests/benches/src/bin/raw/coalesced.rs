//! W3, with a table of the requested and the registered interest of each fd; before the wait, differences are passed
//! to the kernel.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use evcore_benchmarks::{churn, sys::EpollSet};

pub(crate) struct Churn {
    set: EpollSet,
    rows: Vec<Row>,
    /// The rows that may differ.
    changed: Vec<u32>,
}

struct Row {
    reader: OwnedFd,
    wanted: i32,
    registered: i32,
    is_listed: bool,
}

impl Churn {
    #[inline]
    fn set(&mut self, index: u32, wanted: i32) {
        if let Some(row) = self.rows.get_mut(index as usize) {
            row.wanted = wanted;
            if !row.is_listed {
                row.is_listed = true;
                self.changed.push(index);
            }
        }
    }

    /// Updates the kernel and waits. Returns what is ready.
    fn turn(&mut self) -> io::Result<&[libc::epoll_event]> {
        for index in self.changed.drain(..) {
            let Some(row) = self.rows.get_mut(index as usize) else { continue };
            row.is_listed = false;
            match (row.registered, row.wanted) {
                (registered, wanted) if registered == wanted => {}
                (_, 0) => self.set.remove(&row.reader)?,
                (0, want) => self.set.add(&row.reader, want, index.into())?,
                (_, want) => self.set.modify(&row.reader, want, index.into())?,
            }
            row.registered = row.wanted;
        }
        self.set.wait(Some(Duration::ZERO))
    }

    fn indices(&self) -> std::ops::Range<u32> {
        0..self.rows.len() as u32
    }
}

impl churn::Churn for Churn {
    fn new(readers: Vec<OwnedFd>) -> io::Result<Self> {
        let rows: Vec<_> =
            readers.into_iter().map(|reader| Row { reader, wanted: 0, registered: 0, is_listed: false }).collect();
        let mut churn = Self { set: EpollSet::new(256)?, changed: Vec::with_capacity(rows.len()), rows };
        churn.indices().for_each(|index| churn.set(index, libc::EPOLLIN));
        churn.turn()?;
        Ok(churn)
    }

    fn once(readers: Vec<OwnedFd>) -> io::Result<Self> {
        Self::new(readers)
    }

    fn pair(&mut self) -> io::Result<u64> {
        for index in self.indices() {
            self.set(index, 0);
            self.set(index, libc::EPOLLIN);
        }
        self.turn()?;
        Ok(self.rows.len() as u64)
    }

    fn toggle(&mut self) -> io::Result<u64> {
        for index in self.indices() {
            self.set(index, libc::EPOLLIN | libc::EPOLLOUT);
            self.set(index, libc::EPOLLIN);
        }
        self.turn()?;
        Ok(self.rows.len() as u64)
    }

    fn bulk(&mut self) -> io::Result<u64> {
        self.indices().for_each(|index| self.set(index, 0));
        self.turn()?;
        self.indices().for_each(|index| self.set(index, libc::EPOLLIN));
        self.turn()?;
        Ok(self.rows.len() as u64)
    }

    fn oneshot(&mut self) -> io::Result<u64> {
        let mut served = [0; 256];
        let ready = self.turn()?;
        let count = ready.len();
        for (event, place) in ready.iter().zip(&mut served) {
            *place = event.u64 as u32;
        }
        for index in &served[..count] {
            self.set(*index, 0);
            self.set(*index, libc::EPOLLIN);
        }
        Ok(count as u64)
    }
}
