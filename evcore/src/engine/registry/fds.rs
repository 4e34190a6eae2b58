//! The fd map: the events of each fd, and its registration.

use crate::backend::{Descriptor, FdInfos, Token};
use crate::ready::{Interest, Ready};
use crate::storage::{FdIndex, Full, Index, Link, Storage, Table};

mod alone;
mod changes;
#[cfg(any(test, feature = "check"))]
mod check;
mod members;
mod row;
#[cfg(test)]
mod tests;
mod watches;

pub(crate) use alone::Alone;
pub(in crate::engine) use changes::Change;
pub(in crate::engine) use members::{Changed, Joining};
use row::{Row, Watch};
use watches::Watches;

/// libevent's `event_io_map`.
///
/// ```text
///   index    fd number ─▶ row                                              looked at when an event is created
///   rows     [ fd, generation, head, wanted, registered, next ]            one for each fd
///   watches  [ row, next, prev, mask ]                                     by event, threaded into lists
/// ```
///
/// `wanted` is the union of the pending events' interests, `registered` what the backend watches. Rows where they
/// may differ form a list of changes, which is processed just before the wait: one call of the backend for each fd,
/// none for changes that cancel out. A row that is freed stays in the list, and so does one that takes its place.
pub(super) struct Fds<F, D, S: Storage> {
    index: S::FdIndex,
    rows: S::Fds<Row<F, D, S>>,
    watches: Watches<S>,
    free: Link<S::Index>,
    changes: Link<S::Index>,
}

impl<F: Descriptor, D: Default, S: Storage> Fds<F, D, S> {
    pub(super) const fn new() -> Self {
        Self {
            index: S::FdIndex::EMPTY,
            rows: S::Fds::EMPTY,
            watches: Watches::new(),
            free: Link::NONE,
            changes: Link::NONE,
        }
    }

    /// Makes room to bind this event to an fd.
    pub(super) fn reserve(&mut self, index: S::Index) -> Result<(), Full> {
        self.watches.reserve(index)
    }

    /// Makes room for another event on `fd`: a row, and a way to find it. Undone by [`Fds::detach`].
    pub(super) fn attach(&mut self, fd: F) -> Result<S::Index, Full> {
        if let Some(at) = self.find(fd) {
            if !S::HAS_SHARED_FDS {
                return Err(Full);
            }
            let row = self.rows.at_mut(at).ok_or(Full)?;
            row.created = row.created.checked_add(1).ok_or(Full)?;
            return Ok(at);
        }
        let mut at = self.free.place();
        if at.is_nil() {
            self.rows.reserve(1)?;
            at = Index::new(self.rows.len());
        }
        let rows = &self.rows;
        self.index.insert(fd.number(), at, |row| rows.at(row).map_or(0, |row| row.fd.number()))?;
        self.take_row(at, fd);
        Ok(at)
    }

    /// Whether an event can be detached from its fd and attached to `fd`.
    pub(super) fn has_room_to_move(&mut self, index: S::Index, fd: F) -> bool {
        let own = self.row_of(index).unwrap_or(Index::NIL);
        match self.find(fd) {
            Some(at) if at == own => true,
            Some(at) => S::HAS_SHARED_FDS && self.rows.at(at).is_some_and(|row| row.created < u16::MAX),
            None => {
                let is_own_freed = self.rows.at(own).is_some_and(|row| row.created == 1);
                is_own_freed || !self.free.is_none() || self.rows.reserve(1).is_ok()
            }
        }
    }

    fn take_row(&mut self, at: S::Index, fd: F) {
        let mut row = Row::new(fd, D::default());
        match self.rows.at_mut(at) {
            Some(place) => {
                self.free = Link::to(place.head);
                row.replace(place);
                *place = row;
            }
            None => self.rows.push(row),
        }
    }

    /// Binds a created event to the row of [`Fds::attach`].
    pub(super) fn bind(&mut self, index: S::Index, row: S::Index, interest: Interest) {
        self.watches.create(index);
        if let Some(watch) = self.watches.at_mut(index) {
            watch.row = row;
            watch.set_unverified(true);
            watch.set_interest(interest);
        }
    }

    /// Unbinds an event that has left its list. Returns what the backend must end if it was the fd's last.
    pub(super) fn detach(&mut self, index: S::Index) -> Option<Change<F>> {
        let watch = self.watches.at_mut(index)?;
        let at = core::mem::replace(&mut watch.row, Index::NIL);
        self.watches.remove(index);
        let row = self.rows.at_mut(at)?;
        row.created = row.created.saturating_sub(1);
        if S::HAS_SHARED_FDS && row.created > 0 {
            return None;
        }
        self.index.remove(row.fd.number(), at);
        Self::to_end(at, row)
    }

    /// The registration of the event's fd, if the backend still has it and no event wants it.
    pub(super) fn unwanted(&self, index: S::Index) -> Option<Change<F>> {
        let at = self.row_of(index)?;
        self.rows.at(at).filter(|row| row.wanted.is_empty()).and_then(|row| Self::to_end(at, row))
    }

    fn to_end(at: S::Index, row: &Row<F, D, S>) -> Option<Change<F>> {
        let (fd, token, registered) = (row.fd, row.token(at), row.registered());
        row.is_registered().then(|| Change { fd, token, registered, wanted: Interest::empty(), verify: false })
    }

    /// Frees a row, after [`Fds::detach`] and the backend's `del`.
    pub(super) fn release(&mut self, at: S::Index) {
        let Some(row) = self.rows.at_mut(at) else { return };
        if S::HAS_SHARED_FDS && row.created > 0 {
            return;
        }
        row.generation = row.generation.wrapping_add(1);
        row.wanted = Interest::empty();
        row.set_registered(Interest::empty());
        row.info = D::default();
        row.head = core::mem::replace(&mut self.free, Link::to(at)).place();
    }

    /// The first pending event of a registration.
    pub(super) fn first(&self, token: Token) -> Option<S::Index> {
        let row = self.row(token)?;
        Some(row.head).filter(|head| !head.is_nil())
    }

    /// The next pending event on the same fd.
    pub(super) fn next(&self, index: S::Index) -> Option<S::Index> {
        if !S::HAS_SHARED_FDS {
            return None;
        }
        self.watches.at(index).map(|watch| watch.next).filter(|next| !next.is_nil())
    }

    /// Whether the event has joined since the registration was last verified.
    pub(super) fn is_unverified(&self, index: S::Index) -> bool {
        self.watches.at(index).is_some_and(|watch| watch.is_unverified())
    }

    pub(super) fn set_unverified(&mut self, index: S::Index) {
        if let Some(watch) = self.watches.at_mut(index) {
            watch.set_unverified(true);
        }
    }

    /// The event of a report, if it is the fd's only one and waits for all that is reported.
    #[inline]
    pub(super) fn sole_watcher(&self, token: Token, ready: Ready) -> Option<S::Index> {
        let row = self.row(token)?;
        (row.unexpected & ready.bits() == 0).then_some(row.head)
    }

    /// Calls `found` with each event that a report concerns, in the order of joining. `None`: the report is stale.
    pub(super) fn report(&mut self, token: Token, ready: Ready, mut found: impl FnMut(S::Index, Ready)) -> Option<()> {
        let mut at = self.row(token)?.head;
        let mut any = false;
        while let Some(watch) = self.watches.at(at) {
            let matching = watch.matching(ready);
            if !matching.is_empty() {
                any = true;
                found(at, matching);
            }
            at = if S::HAS_SHARED_FDS { watch.next } else { S::Index::NIL };
        }
        if !any {
            self.narrow(token);
        }
        Some(())
    }

    /// No event waits for what was reported: if the backend watches for more than is wanted, its registration is
    /// changed again.
    #[cold]
    fn narrow(&mut self, token: Token) {
        self.list_if_changed(S::Index::new(Self::place(token)));
    }

    /// The token of an fd's registration, also while the backend refuses it.
    pub(super) fn registration_of(&self, fd: F) -> Option<Token> {
        let at = self.find(fd)?;
        let row = self.rows.at(at)?;
        (row.is_registered() || !row.wanted.is_empty()).then_some(row.token(at))
    }

    /// The fd of a registration that events wait for.
    pub(super) fn fd_of(&self, token: Token) -> Option<F> {
        self.row(token).filter(|row| row.is_watched()).map(|row| row.fd)
    }

    pub(super) fn next_registration(&self, after: Token) -> Option<(Token, F)> {
        // `Token::NONE` has the largest row, so the first follows it.
        let mut at = Self::place(Token::new(after.row().wrapping_add(1), 0));
        while let Some(row) = self.rows.as_slice().get(at) {
            if row.is_watched() {
                return Some((row.token(Index::new(at)), row.fd));
            }
            at = at.saturating_add(1);
        }
        None
    }

    /// The part of a report for which an event is handed out.
    pub(super) fn matching(&self, index: S::Index, ready: Ready) -> Ready {
        self.watches.at(index).map_or(Ready::empty(), |watch| watch.matching(ready))
    }

    pub(super) fn fd(&self, index: S::Index) -> Option<F> {
        self.rows.at(self.watches.at(index)?.row).map(|row| row.fd)
    }

    pub(super) fn row_of(&self, index: S::Index) -> Option<S::Index> {
        self.watches.at(index).map(|watch| watch.row)
    }

    pub(super) fn interest(&self, index: S::Index) -> Interest {
        self.watches.at(index).map_or(Interest::empty(), Watch::interest)
    }

    /// Sets the interest of an event that is in no list.
    pub(super) fn set_interest(&mut self, index: S::Index, interest: Interest) {
        if let Some(watch) = self.watches.at_mut(index) {
            watch.set_interest(interest);
        }
    }

    fn find(&self, fd: F) -> Option<S::Index> {
        let number = fd.number();
        let holds = |row| self.rows.at(row).is_some_and(|row| row.fd.number() == number && row.created > 0);
        self.index.find(number, self.rows.len(), holds)
    }

    #[inline]
    fn row(&self, token: Token) -> Option<&Row<F, D, S>> {
        self.rows.as_slice().get(Self::place(token)).filter(|row| row.generation == token.generation())
    }

    #[inline]
    #[expect(clippy::as_conversions, reason = "a number that does not fit finds nothing")]
    const fn place(token: Token) -> usize {
        token.row() as usize
    }

    #[cfg(any(test, feature = "check"))]
    pub(super) fn is_linked(&self, index: S::Index) -> bool {
        self.watches.at(index).is_some_and(|watch| watch.is_linked())
    }
}

impl<F: Descriptor, D: Default, S: Storage> FdInfos<D> for Fds<F, D, S> {
    fn info(&mut self, token: Token) -> Option<&mut D> {
        let row = self.rows.as_mut_slice().get_mut(Self::place(token))?;
        (row.generation == token.generation()).then_some(&mut row.info)
    }
}
