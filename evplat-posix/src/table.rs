//! The table of descriptors for a backend that passes all of them to each wait.

use core::fmt;
use std::os::fd::{AsRawFd, RawFd};

use evcore::backend::{FdInfos, Modified, Token};
use evcore::storage::Parts;
use evcore::{Fd, Fixed, Growable};
use libc::pollfd;

use crate::error::Error;
use crate::sys::{FileId, OneMore};

/// Where a backend's table is stored: [`Growable`] or [`Fixed`], like the base's own tables. Sealed.
///
/// The table has an entry for each registered fd, so for a `Fixed` base use a backend with the same `Fixed`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a storage for a backend's table",
    label = "`Poll` and `Select` take `evcore::Growable` or `evcore::Fixed<N>`",
    note = "use the base's storage: the table has an entry for each registered fd"
)]
pub trait Slots: sealed::Sealed {
    /// A list with room for one element more than there can be fds.
    #[doc(hidden)]
    type List<T: Copy>: List<T>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Growable {}
    impl<const EVENTS: usize, const FDS: usize, const LEVELS: usize, P: super::Parts> Sealed
        for super::Fixed<EVENTS, FDS, LEVELS, P>
    {
    }
}

impl Slots for Growable {
    type List<T: Copy> = Vec<T>;
}

impl<const EVENTS: usize, const FDS: usize, const LEVELS: usize, P: Parts> Slots for Fixed<EVENTS, FDS, LEVELS, P> {
    type List<T: Copy> = Array<T, FDS>;
}

/// A list that starts with one element, and whose growth can fail.
#[doc(hidden)]
#[allow(unreachable_pub, reason = "older compilers do not see that `Slots` leads to it")]
pub trait List<T: Copy>: Sized {
    fn of(first: T) -> Result<Self, Error>;
    fn push(&mut self, element: T) -> Result<(), Error>;
    fn pop(&mut self);
    fn as_slice(&self) -> &[T];
    fn as_mut_slice(&mut self) -> &mut [T];
}

impl<T: Copy> List<T> for Vec<T> {
    fn of(first: T) -> Result<Self, Error> {
        let mut list = Self::new();
        List::push(&mut list, first)?;
        Ok(list)
    }

    fn push(&mut self, element: T) -> Result<(), Error> {
        self.try_reserve(1).map_err(|_| Error::Full)?;
        Self::push(self, element);
        Ok(())
    }

    fn pop(&mut self) {
        Self::pop(self);
    }

    fn as_slice(&self) -> &[T] {
        self
    }

    fn as_mut_slice(&mut self) -> &mut [T] {
        self
    }
}

/// The first element and an array of `N` more.
#[doc(hidden)]
pub struct Array<T, const N: usize> {
    items: OneMore<T, N>,
    len: usize,
}

impl<T: Copy + fmt::Debug, const N: usize> fmt::Debug for Array<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

impl<T: Copy, const N: usize> List<T> for Array<T, N> {
    fn of(first: T) -> Result<Self, Error> {
        Ok(Self { items: OneMore::new(first), len: 1 })
    }

    fn push(&mut self, element: T) -> Result<(), Error> {
        *self.items.as_mut_slice().get_mut(self.len).ok_or(Error::Full)? = element;
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    fn pop(&mut self) {
        self.len = self.len.saturating_sub(1);
    }

    fn as_slice(&self) -> &[T] {
        self.items.as_slice().get(..self.len).unwrap_or_default()
    }

    fn as_mut_slice(&mut self) -> &mut [T] {
        self.items.as_mut_slice().get_mut(..self.len).unwrap_or_default()
    }
}

/// The index of an fd in a backend's table. Stored in the base's fd map, so that finding an fd's entry costs nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Place(u32);

impl Place {
    const fn get(self) -> usize {
        self.0 as usize
    }
}

/// What is stored about an entry besides what the system gets.
#[derive(Clone, Copy)]
struct Row {
    token: Token,
    /// The file of the number when it was registered. If it belongs to another file now, the descriptor was closed
    /// since.
    file: FileId,
    /// How many reports are left until that is checked.
    unverified: u8,
}

/// How many reports an entry makes at most after its number was reused.
const VERIFIED_EVERY: u8 = 251;

/// How many waits there are between two rotating checks, each of one entry. They find a silent descriptor whose
/// number was reused even if the loop always finds something ready.
const ONE_VERIFIED_EVERY: u8 = 64;

/// An entry, as a scan visits it.
pub(crate) struct Found<'a> {
    pub(crate) entry: &'a mut pollfd,
    pub(crate) token: Token,
    row: &'a mut Row,
}

impl Found<'_> {
    /// Counts a report, and every 251 reports verifies the number. Returns `false` if it no longer belongs to the
    /// file that it was registered for.
    #[inline]
    pub(crate) fn note_report(&mut self) -> bool {
        self.row.unverified = self.row.unverified.saturating_sub(1);
        self.row.unverified > 0 || self.stands()
    }

    /// Whether the number still belongs to the file that it was registered for.
    #[cold]
    pub(crate) fn stands(&mut self) -> bool {
        self.row.unverified = VERIFIED_EVERY;
        FileId::of(self.entry.fd).is_ok_and(|now| now.may_be(self.row.file))
    }
}

/// The registered descriptors, contiguous, as `poll(2)` requires.
///
/// ```text
///   index     0         1         2         3
///   entries [ doorbell, fd 7,     fd 4,    !9       ]     !9: disabled, because its number was closed
///   rows    [ -,        token,    token,   token    ]
///                       ▲
///                       start: a scan begins after the first entry that the previous one reported
/// ```
///
/// Adding appends an entry. Deleting moves the last entry into the gap and updates its index in the base's fd map.
#[doc(hidden)]
#[allow(unreachable_pub, reason = "older compilers do not see that `Scan` leads to it")]
pub struct Table<S: Slots> {
    entries: S::List<pollfd>,
    rows: S::List<Row>,
    start: usize,
    /// The index verified last by rotation, and the number of waits until the next.
    verified: usize,
    calm: u8,
}

const SILENT: pollfd = pollfd { fd: -1, events: 0, revents: 0 };

impl<S: Slots> Table<S> {
    pub(crate) fn new() -> Result<Self, Error> {
        let none = Row { token: Token::NONE, file: FileId::UNKNOWN, unverified: VERIFIED_EVERY };
        Ok(Self { entries: List::of(SILENT)?, rows: List::of(none)?, start: 1, verified: 0, calm: ONE_VERIFIED_EVERY })
    }

    /// The number of registered descriptors.
    pub(crate) fn len(&self) -> usize {
        self.rows.as_slice().len().saturating_sub(1)
    }

    /// Registers an open descriptor for `events`.
    pub(crate) fn add(
        &mut self,
        fd: Fd,
        token: Token,
        events: i16,
        infos: &mut impl FdInfos<Place>,
    ) -> Result<(), Error> {
        let file = FileId::of(fd.as_raw_fd()).map_err(Error::during("fstat"))?;
        let (entry, row) =
            (pollfd { fd: fd.as_raw_fd(), events, revents: 0 }, Row { token, file, unverified: VERIFIED_EVERY });
        let place = match self.find(fd, token, infos) {
            Some(place) => place,
            None => {
                self.entries.push(SILENT)?;
                if let Err(full) = self.rows.push(row) {
                    self.entries.pop();
                    return Err(full);
                }
                self.len()
            }
        };
        self.put(place, entry, row);
        note(token, place, infos);
        Ok(())
    }

    /// Changes the events of a descriptor, and checks that its number was not reused.
    pub(crate) fn modify(
        &mut self,
        fd: Fd,
        token: Token,
        events: i16,
        infos: &mut impl FdInfos<Place>,
    ) -> Result<Modified, Error> {
        let Some(place) = self.find(fd, token, infos) else {
            return self.add(fd, token, events, infos).map(|()| Modified::Replaced);
        };
        let file = FileId::of(fd.as_raw_fd()).map_err(Error::during("fstat"))?;
        let entry = pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
        let kept = self.entries.as_slice().get(place).is_some_and(|old| old.fd == entry.fd)
            && self.rows.as_slice().get(place).is_some_and(|old| file.may_be(old.file));
        self.put(place, entry, Row { token, file, unverified: VERIFIED_EVERY });
        Ok(if kept { Modified::Kept } else { Modified::Replaced })
    }

    /// Whether a number still belongs to the file that it was registered for.
    pub(crate) fn stands(&self, fd: Fd, token: Token, infos: &mut impl FdInfos<Place>) -> bool {
        let row = self.find(fd, token, infos).and_then(|place| self.rows.as_slice().get(place));
        row.is_none_or(|row| FileId::of(fd.as_raw_fd()).is_ok_and(|now| now.may_be(row.file)))
    }

    /// Deletes a registration, if there is one.
    pub(crate) fn del(&mut self, fd: Fd, token: Token, infos: &mut impl FdInfos<Place>) {
        let Some(place) = self.find(fd, token, infos) else { return };
        note(token, 0, infos);
        let last = self.entries.as_slice().last().copied().zip(self.rows.as_slice().last().copied());
        self.entries.pop();
        self.rows.pop();
        // Move the last entry into the gap, unless it was the one removed.
        if let (Some((entry, row)), true) = (last, place <= self.len()) {
            self.put(place, entry, row);
            note(row.token, place, infos);
        }
    }

    pub(crate) fn clear(&mut self) {
        while self.len() > 0 {
            self.entries.pop();
            self.rows.pop();
        }
    }

    /// The doorbell's entry and all others, to pass to the wait. Without a doorbell, only the others, so that there
    /// are never more entries than the process has descriptors.
    pub(crate) fn entries(&mut self, doorbell: Option<RawFd>) -> &mut [pollfd] {
        let entries = self.entries.as_mut_slice();
        if let Some(first) = entries.first_mut() {
            *first = pollfd { fd: doorbell.unwrap_or(-1), events: libc::POLLIN, revents: 0 };
        }
        entries.get_mut(usize::from(doorbell.is_none())..).unwrap_or_default()
    }

    /// The wait's result for the doorbell.
    pub(crate) fn doorbell(&self) -> i16 {
        self.entries.as_slice().first().map_or(0, |first| first.revents)
    }

    /// The entries that are not disabled, without the doorbell's.
    pub(crate) fn watched(&self) -> impl Iterator<Item = &pollfd> {
        self.entries.as_slice().iter().skip(1).filter(|entry| entry.fd >= 0)
    }

    /// Visits the entries in rotation until `look` has found as many results as there are. The next scan visits the
    /// entry that was found first last, so every entry comes first at some point.
    #[inline]
    pub(crate) fn scan(&mut self, mut left: usize, mut look: impl FnMut(Found<'_>) -> usize) {
        let (entries, rows) = (self.entries.as_mut_slice(), self.rows.as_mut_slice());
        let start = self.start.min(rows.len()).max(1);
        let mut first = None;
        for part in [start..rows.len(), 1..start] {
            let (Some(entries), Some(rows)) = (entries.get_mut(part.clone()), rows.get_mut(part.clone())) else {
                continue;
            };
            for ((place, entry), row) in part.zip(entries).zip(rows) {
                if left == 0 {
                    break;
                }
                let found = look(Found { entry, token: row.token, row });
                if found > 0 {
                    left = left.saturating_sub(found);
                    first = first.or(Some(place));
                }
            }
        }
        if let Some(place) = first {
            self.start = place.saturating_add(1);
        }
    }

    /// Call this for each wait. Now and then it returns an entry to verify, in rotation.
    #[inline]
    pub(crate) fn next_to_verify(&mut self) -> Option<Found<'_>> {
        self.calm = self.calm.saturating_sub(1);
        if self.calm == 0 { self.take_turn() } else { None }
    }

    #[cold]
    fn take_turn(&mut self) -> Option<Found<'_>> {
        self.calm = ONE_VERIFIED_EVERY;
        let (entries, rows) = (self.entries.as_mut_slice(), self.rows.as_mut_slice());
        self.verified = self.verified.saturating_add(1);
        if self.verified >= rows.len() {
            self.verified = 1;
        }
        let (entry, row) = entries.get_mut(self.verified).zip(rows.get_mut(self.verified))?;
        (entry.fd >= 0).then_some(Found { token: row.token, entry, row })
    }

    /// The index of `fd`'s entry, from the fd map. If the map does not know the registration, all entries are
    /// searched.
    fn find(&self, fd: Fd, token: Token, infos: &mut impl FdInfos<Place>) -> Option<usize> {
        let is_it = |entry: &pollfd| entry.fd == fd.as_raw_fd() || !entry.fd == fd.as_raw_fd();
        let entries = self.entries.as_slice();
        match infos.info(token) {
            Some(place) => Some(place.get()).filter(|&place| place > 0 && entries.get(place).is_some_and(is_it)),
            None => entries.iter().skip(1).position(is_it).map(|place| place.saturating_add(1)),
        }
    }

    fn put(&mut self, place: usize, entry: pollfd, row: Row) {
        if let (Some(old_entry), Some(old_row)) =
            (self.entries.as_mut_slice().get_mut(place), self.rows.as_mut_slice().get_mut(place))
        {
            *old_entry = entry;
            *old_row = row;
        }
    }
}

/// Writes an entry's index to the fd map.
fn note(token: Token, place: usize, infos: &mut impl FdInfos<Place>) {
    if let Some(info) = infos.info(token) {
        // A table of 2³² entries does not fit into any address space with that many descriptors.
        *info = Place(u32::try_from(place).unwrap_or(0));
    }
}

/// Excludes an entry from waits until it is registered or changed again, and clears its last result, which belongs to
/// another file.
pub(crate) fn silence(entry: &mut pollfd) {
    entry.revents = 0;
    if entry.fd >= 0 {
        entry.fd = !entry.fd;
    }
}

impl<S: Slots> fmt::Debug for Table<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.entries.as_slice().iter().skip(1).map(|entry| entry.fd)).finish()
    }
}
