//! The descriptors that a backend without a kernel object of its own has to name at each wait.

use core::fmt;
use std::os::fd::{AsRawFd, RawFd};

use evcore::backend::{FdInfos, Modified, Token};
use evcore::storage::Parts;
use evcore::{Fd, Fixed, Growable};
use libc::pollfd;

use crate::error::Error;
use crate::sys::{FileId, OneMore};

/// Where a backend's table lives: [`Growable`] or [`Fixed`], as the base's own tables do. Sealed.
///
/// The table has a place for each registered fd, so a backend for `Fixed` bases should be one of the same `Fixed`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no place for a backend's table",
    label = "`Poll` and `Select` take `evcore::Growable` or `evcore::Fixed<N>`",
    note = "take what the base takes: the table has a place for each registered fd"
)]
pub trait Slots: sealed::Sealed {
    /// A list with room for one element more than there are fds.
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

/// A list that begins with one element and can refuse to become longer.
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

/// A list in an array of `N` elements and the first.
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

/// Where a backend's table has an fd. Kept in the base's fd map, so that the way from an fd to its entry costs nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Place(u32);

impl Place {
    const fn get(self) -> usize {
        self.0 as usize
    }
}

/// What is known of an entry and not passed to the system.
#[derive(Clone, Copy)]
struct Row {
    token: Token,
    /// Which file the number stood for when it was registered: if it stands for another one now, it was closed meanwhile.
    file: FileId,
    /// After how many reports that is looked at.
    unverified: u8,
}

/// How many reports an entry makes at most for a file that is not its own.
const VERIFIED_EVERY: u8 = 251;

/// Once in this many waits one entry is verified that may never be reported: in a loop that always finds something, a file that was
/// replaced under its number would be waited for for ever.
const ONE_VERIFIED_EVERY: u8 = 64;

/// What a scan shows of an entry.
pub(crate) struct Found<'a> {
    pub(crate) entry: &'a mut pollfd,
    pub(crate) token: Token,
    row: &'a mut Row,
}

impl Found<'_> {
    /// Counts a report. `false`: the number does not stand any more for the file that it was registered for; whether it does
    /// is looked at now and then.
    #[inline]
    pub(crate) fn note_report(&mut self) -> bool {
        self.row.unverified = self.row.unverified.saturating_sub(1);
        self.row.unverified > 0 || self.stands()
    }

    /// Whether the number stands for the file that it was registered for.
    #[cold]
    pub(crate) fn stands(&mut self) -> bool {
        self.row.unverified = VERIFIED_EVERY;
        FileId::of(self.entry.fd).is_ok_and(|now| now.may_be(self.row.file))
    }
}

/// The registered descriptors, side by side and without a gap, as `poll(2)` wants them.
///
/// ```text
///   place     0         1         2         3
///   entries [ doorbell, fd 7,     fd 4,    !9       ]     !9: silent, its number was found closed
///   rows    [ -,        token,    token,   token    ]
///                       ▲
///                       start: each scan begins behind the first that the one before it reported
/// ```
///
/// Adding appends; deleting moves the last entry to the gap, and tells the base's fd map of its new place.
#[doc(hidden)]
#[allow(unreachable_pub, reason = "older compilers do not see that `Scan` leads to it")]
pub struct Table<S: Slots> {
    entries: S::List<pollfd>,
    rows: S::List<Row>,
    start: usize,
    /// The place that was verified by turns last, and how many waits there are until the next.
    verified: usize,
    calm: u8,
}

const SILENT: pollfd = pollfd { fd: -1, events: 0, revents: 0 };

impl<S: Slots> Table<S> {
    pub(crate) fn new() -> Result<Self, Error> {
        let none = Row { token: Token::NONE, file: FileId::UNKNOWN, unverified: VERIFIED_EVERY };
        Ok(Self { entries: List::of(SILENT)?, rows: List::of(none)?, start: 1, verified: 0, calm: ONE_VERIFIED_EVERY })
    }

    /// How many descriptors are registered.
    pub(crate) fn len(&self) -> usize {
        self.rows.as_slice().len().saturating_sub(1)
    }

    /// Registers an open descriptor, to be looked at for `events`.
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

    /// Changes what a descriptor is looked at for, and finds out whether it is still the same.
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

    /// Whether a number stands for the file that it was registered for.
    pub(crate) fn stands(&self, fd: Fd, token: Token, infos: &mut impl FdInfos<Place>) -> bool {
        let row = self.find(fd, token, infos).and_then(|place| self.rows.as_slice().get(place));
        row.is_none_or(|row| FileId::of(fd.as_raw_fd()).is_ok_and(|now| now.may_be(row.file)))
    }

    /// Ends a registration, if there is one.
    pub(crate) fn del(&mut self, fd: Fd, token: Token, infos: &mut impl FdInfos<Place>) {
        let Some(place) = self.find(fd, token, infos) else { return };
        note(token, 0, infos);
        let last = self.entries.as_slice().last().copied().zip(self.rows.as_slice().last().copied());
        self.entries.pop();
        self.rows.pop();
        // Unless it was the last itself, the last moves to its place.
        if let (Some((entry, row)), true) = (last, place <= self.len()) {
            self.put(place, entry, row);
            note(row.token, place, infos);
        }
    }

    /// Ends every registration.
    pub(crate) fn clear(&mut self) {
        while self.len() > 0 {
            self.entries.pop();
            self.rows.pop();
        }
    }

    /// The doorbell's entry and all others, for the wait; where there is no doorbell, just the others, so that there are
    /// never more than the process has descriptors.
    pub(crate) fn entries(&mut self, doorbell: Option<RawFd>) -> &mut [pollfd] {
        let entries = self.entries.as_mut_slice();
        if let Some(first) = entries.first_mut() {
            *first = pollfd { fd: doorbell.unwrap_or(-1), events: libc::POLLIN, revents: 0 };
        }
        entries.get_mut(usize::from(doorbell.is_none())..).unwrap_or_default()
    }

    /// What the wait said of the doorbell.
    pub(crate) fn doorbell(&self) -> i16 {
        self.entries.as_slice().first().map_or(0, |first| first.revents)
    }

    /// The entries that are not silent, without the doorbell's.
    pub(crate) fn watched(&self) -> impl Iterator<Item = &pollfd> {
        self.entries.as_slice().iter().skip(1).filter(|entry| entry.fd >= 0)
    }

    /// Goes round the entries until `look` has found as much as there is to find. Whichever is first to be found is the last
    /// to be looked at next time, so each comes to be the first.
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

    /// To be called for each wait: now and then, the entry whose turn it is to be verified.
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

    /// The entry of `fd`: where the fd map says. Where the map does not know the registration, all entries are looked at.
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

/// Tells the fd map where an entry is now.
fn note(token: Token, place: usize, infos: &mut impl FdInfos<Place>) {
    if let Some(info) = infos.info(token) {
        // A table of 2³² entries does not fit into any address space that has this many descriptors.
        *info = Place(u32::try_from(place).unwrap_or(0));
    }
}

/// Takes an entry out of all waits, until it is registered or changed again. What the last one has found is of another file.
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
