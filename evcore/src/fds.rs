//! The fd column: fd → the events that watch it, and what the backend has been told of it.

use crate::backend::{Descriptor, FdInfos, Token};
use crate::event::{Interest, Ready};
use crate::storage::{FdIndex, Full, Index, Storage, Table};

mod changes;
#[cfg(any(test, feature = "check"))]
mod check;
#[cfg(test)]
mod tests;

pub(crate) use changes::Change;

/// The fd map, libevent's `event_io_map`.
///
/// ```text
///   index    fd number ─▶ row                              only looked at when an event is created
///   rows     [ fd, generation, head, tail, counts, want, told ]      one for each fd
///   watches  [ row, next, prev, mask ]                     one for each event, threaded into lists
/// ```
///
/// `want` is the union of what the pending events of an fd wait for; `told` is what the backend was last told. Rows in
/// which they differ are threaded into a list of changes, which is worked off just before the wait: whatever cancelled out
/// in between costs nothing, and anything else costs one call of the backend for each fd.
pub(crate) struct Fds<F, D, S: Storage> {
    index: S::FdIndex,
    rows: S::Table<Row<F, D, S::Index>>,
    watches: S::Table<Watch<S::Index>>,
    free: Option<S::Index>,
    changes: Option<S::Index>,
}

struct Row<F, D, I> {
    /// `None` in a row that is free.
    fd: Option<F>,
    /// Of this registration; the next one has another. With the row's place it is the token.
    generation: u32,
    head: I,
    tail: I,
    /// How many pending events wait for each of READ, PRIORITY, WRITE and CLOSED: kept where there are several.
    counts: [u16; 4],
    want: Interest,
    told: Interest,
    /// The bits that make a report more than the usual: all but `want` where one event watches the fd, else all.
    unusual: u16,
    /// How many events have been created on this fd.
    created: u16,
    /// The next row in the list of changes, or the next free row.
    next: I,
    /// The row before it in the list of changes; not kept up to date for the first.
    prev: I,
    in_changes: bool,
    /// The backend is to be asked whether the registration still stands.
    verify: bool,
    info: D,
}

impl<F, D, I: Index> Row<F, D, I> {
    fn token(&self, at: I) -> Token {
        Token::new(u32::try_from(at.get()).unwrap_or(u32::MAX), self.generation)
    }

    /// Whether one event is pending; true where none is, too.
    fn is_alone(&self) -> bool {
        self.head == self.tail
    }

    /// Sets what the only pending event waits for.
    fn wait_for(&mut self, interest: Interest) {
        self.want = interest;
        self.unusual = !(interest.bits() & IO);
    }

    /// Whether the backend is to be told, and is not going to be yet.
    fn is_to_be_listed(&self) -> bool {
        !self.in_changes && (self.verify || self.told != self.want)
    }

    /// Counts the interest of one of several events in.
    fn count_in(&mut self, interest: Interest) {
        self.count(interest, |count| count.saturating_add(1));
    }

    /// Counts the interest of one of several events out.
    fn count_out(&mut self, interest: Interest) {
        self.count(interest, |count| count.saturating_sub(1));
    }

    fn count(&mut self, interest: Interest, step: impl Fn(u16) -> u16) {
        for (bit, count) in COUNTED.into_iter().zip(&mut self.counts) {
            if interest.contains(bit) {
                *count = step(*count);
                self.want.set(bit, *count > 0);
            }
        }
    }
}

struct Watch<I> {
    row: I,
    next: I,
    prev: I,
    /// The interest, and what wakes every interest: ERROR and HANGUP.
    mask: u16,
    linked: bool,
    /// Has not been registered yet: if the fd turns out to be another one now, this event means the new one.
    fresh: bool,
}

const COUNTED: [Interest; 4] = [Interest::READ, Interest::PRIORITY, Interest::WRITE, Interest::CLOSED];
const IO: u16 = Interest::all().difference(Interest::EDGE).bits();
const ALWAYS: u16 = Ready::ERROR.union(Ready::HANGUP).bits();

const fn interest_of(mask: u16) -> Interest {
    Interest::from_bits_truncate(mask & !ALWAYS)
}

impl<I> Watch<I> {
    const fn interest(&self) -> Interest {
        interest_of(self.mask)
    }

    /// What of a report it is told. Whoever waits for READ or WRITE learns of an error or a hang-up by trying, as on every
    /// Unix.
    fn hears(&self, mut ready: Ready) -> Ready {
        if ready.intersects(Ready::ERROR.union(Ready::HANGUP)) {
            ready |= Ready::READ.union(Ready::WRITE);
        }
        Ready::from_bits_retain(ready.bits() & self.mask & Ready::IO.bits())
    }

    const fn set_interest(&mut self, interest: Interest) {
        self.mask = if interest.bits() & IO == 0 { 0 } else { interest.bits() | ALWAYS };
    }
}

/// What became of an event that was to join its fd's list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Joining {
    /// It is in the list, or silent and in none; the union is looked at before the wait.
    Done,
    /// The fd is to be registered now, before anything else is changed.
    Register,
    /// Edge- and level-triggered events cannot share an fd.
    Mixed,
    /// It has no fd.
    Unbound,
}

impl<F: Descriptor, D: Default, S: Storage> Fds<F, D, S> {
    pub(crate) const fn new() -> Self {
        Self { index: S::FdIndex::EMPTY, rows: S::Table::EMPTY, watches: S::Table::EMPTY, free: None, changes: None }
    }

    pub(crate) fn reserve(&mut self) -> Result<(), Full> {
        self.watches.reserve(1)
    }

    /// The event begins to exist, on no fd yet. The place of one that was there before is as good as new.
    pub(crate) fn create(&mut self, index: S::Index) {
        let none = Index::NIL;
        if self.watches.at(index).is_none() {
            self.watches.push(Watch { row: none, next: none, prev: none, mask: 0, linked: false, fresh: true });
        }
    }

    /// Makes room for one more event on `fd`: a row, and a way to find it. Undone by [`Fds::detach`].
    pub(crate) fn attach(&mut self, fd: F) -> Result<S::Index, Full> {
        let number = fd.number();
        if let Some(at) = self.find(fd) {
            let row = self.rows.at_mut(at).ok_or(Full)?;
            let created = row.created.checked_add(1).ok_or(Full)?;
            self.index.reserve(number)?;
            row.created = created;
            return Ok(at);
        }
        let at = match self.free {
            Some(at) => at,
            None => {
                self.rows.reserve(1)?;
                Index::new(self.rows.len())
            }
        };
        self.index.reserve(number)?;
        self.index.set(number, at);
        self.take_row(at, fd);
        Ok(at)
    }

    fn take_row(&mut self, at: S::Index, fd: F) {
        let none = Index::NIL;
        let mut row = Row {
            fd: Some(fd),
            generation: 1,
            head: none,
            tail: none,
            counts: [0; 4],
            want: Interest::empty(),
            told: Interest::empty(),
            unusual: u16::MAX,
            created: 1,
            next: none,
            prev: none,
            in_changes: false,
            verify: false,
            info: D::default(),
        };
        match self.rows.at_mut(at) {
            Some(place) => {
                self.free = Some(place.next).filter(|next| !next.is_nil());
                row.generation = place.generation;
                *place = row;
            }
            None => self.rows.push(row),
        }
    }

    /// Binds a created event to the row that [`Fds::attach`] gave.
    pub(crate) fn bind(&mut self, index: S::Index, row: S::Index, interest: Interest) {
        if let Some(watch) = self.watches.at_mut(index) {
            watch.row = row;
            watch.fresh = true;
            watch.set_interest(interest);
        }
    }

    /// The event, which has left, gives its fd up. Says what the backend must end if it was the fd's last.
    pub(crate) fn detach(&mut self, index: S::Index) -> Option<Change<F>> {
        let watch = self.watches.at_mut(index)?;
        watch.mask = 0;
        let at = core::mem::replace(&mut watch.row, Index::NIL);
        let row = self.rows.at_mut(at)?;
        let fd = row.fd?;
        row.created = row.created.saturating_sub(1);
        let mut ended = None;
        if row.created == 0 {
            if !row.told.is_empty() {
                ended = Some(Change { fd, token: row.token(at), told: row.told, want: row.want, verify: false });
            }
            self.index.set(fd.number(), Index::NIL);
        }
        self.index.release(fd.number());
        ended
    }

    /// Gives the row of an fd back, after [`Fds::detach`] and the backend's `del`.
    pub(crate) fn release(&mut self, at: S::Index) {
        let Some(row) = self.rows.at_mut(at) else { return };
        if row.fd.is_none() || row.created > 0 {
            return;
        }
        row.fd = None;
        row.generation = row.generation.wrapping_add(1);
        (row.want, row.told, row.verify) = (Interest::empty(), Interest::empty(), false);
        row.info = D::default();
        self.unlist(at);
        if let Some(row) = self.rows.at_mut(at) {
            row.next = self.free.unwrap_or(Index::NIL);
            self.free = Some(at);
        }
    }

    /// Puts the event at the end of its fd's list, unless the fd has to be registered first.
    #[inline]
    pub(crate) fn try_join(&mut self, index: S::Index) -> Joining {
        let Some(watch) = self.watches.at(index) else { return Joining::Unbound };
        let Some(row) = self.rows.at_mut(watch.row) else { return Joining::Unbound };
        let interest = watch.interest();
        if interest.is_empty() {
            return Joining::Done;
        }
        if row.want.is_empty() {
            if watch.fresh || row.told.is_empty() {
                return Joining::Register;
            }
        } else if row.want.contains(Interest::EDGE) != interest.contains(Interest::EDGE) {
            return Joining::Mixed;
        }
        // An event that waits for edges is to hear of what is ready now, also where the union comes out as it was.
        row.verify |= interest.contains(Interest::EDGE);
        self.join(index);
        Joining::Done
    }

    /// What the backend is to register before the event can join. Reports of any earlier registration of this fd are stale
    /// from here on.
    pub(crate) fn begin_registration(&mut self, index: S::Index) -> Option<(F, Token, Interest)> {
        let watch = self.watches.at(index)?;
        let row = self.rows.at_mut(watch.row)?;
        row.generation = row.generation.wrapping_add(1);
        row.told = Interest::empty();
        Some((row.fd?, row.token(watch.row), watch.interest()))
    }

    /// The backend has registered the fd for this interest: the event joins its list.
    pub(crate) fn registered(&mut self, index: S::Index, interest: Interest) {
        let Some(watch) = self.watches.at_mut(index) else { return };
        watch.fresh = false;
        if let Some(row) = self.rows.at_mut(watch.row) {
            row.told = interest;
        }
        self.join(index);
    }

    /// Puts the event, which is in no list and waits for something, at the end of its fd's list.
    fn join(&mut self, index: S::Index) {
        let Some(watch) = self.watches.at_mut(index) else { return };
        let at = watch.row;
        let Some(row) = self.rows.at_mut(at) else { return };
        row.verify |= watch.fresh;
        watch.linked = true;
        watch.next = Index::NIL;
        watch.prev = core::mem::replace(&mut row.tail, index);
        if !row.head.is_nil() {
            return self.append(at, index);
        }
        row.head = index;
        row.wait_for(watch.interest());
        if row.is_to_be_listed() {
            self.list(at);
        }
    }

    /// Joins an event, which is the last one now, to others that are pending on its fd.
    // Out of line, as `unlink` is: one event an fd is the usual case, and small then.
    #[inline(never)]
    fn append(&mut self, at: S::Index, index: S::Index) {
        let Some(&Watch { prev: last, mask, .. }) = self.watches.at(index) else { return };
        let Some(row) = self.rows.at_mut(at) else { return };
        let Some(last_watch) = self.watches.at_mut(last) else { return };
        last_watch.next = index;
        if row.head == last {
            row.counts = [0; 4];
            row.count_in(last_watch.interest());
        }
        row.count_in(interest_of(mask));
        row.unusual = u16::MAX;
        self.list_if_changed(at);
    }

    /// Takes the event out of its fd's list.
    pub(crate) fn leave(&mut self, index: S::Index) {
        let Some(watch) = self.watches.at_mut(index) else { return };
        if !core::mem::take(&mut watch.linked) {
            return;
        }
        let (at, next, prev, interest) = (watch.row, watch.next, watch.prev, watch.interest());
        let Some(row) = self.rows.at_mut(at) else { return };
        if !row.is_alone() {
            row.count_out(interest);
            return self.unlink(at, next, prev);
        }
        (row.head, row.tail) = (Index::NIL, Index::NIL);
        (row.want, row.unusual) = (Interest::empty(), u16::MAX);
        if row.is_to_be_listed() {
            self.list(at);
        }
    }

    /// Closes the gap that an event leaves in the list of its fd.
    #[inline(never)]
    fn unlink(&mut self, at: S::Index, next: S::Index, prev: S::Index) {
        let Some(row) = self.rows.at_mut(at) else { return };
        match self.watches.at_mut(prev) {
            Some(before) => before.next = next,
            None => row.head = next,
        }
        match self.watches.at_mut(next) {
            Some(after) => after.prev = prev,
            None => row.tail = prev,
        }
        if row.is_alone() {
            row.wait_for(row.want);
        }
        self.list_if_changed(at);
    }

    /// Sets what an event in its fd's list waits for; it keeps its place there. `false`, and nothing has changed: it
    /// would be edge-triggered among level-triggered ones, or the other way round.
    pub(crate) fn change(&mut self, index: S::Index, interest: Interest) -> bool {
        if interest.bits() & IO == 0 {
            self.leave(index);
            self.set_interest(index, interest);
            return true;
        }
        let Some(watch) = self.watches.at_mut(index) else { return true };
        let at = watch.row;
        let Some(row) = self.rows.at_mut(at) else { return true };
        if !row.is_alone() {
            return self.change_one_of_many(index, interest);
        }
        watch.set_interest(interest);
        // As in `join`, and in `try_join`.
        row.verify |= watch.fresh || interest.contains(Interest::EDGE);
        row.wait_for(interest);
        if row.is_to_be_listed() {
            self.list(at);
        }
        true
    }

    #[inline(never)]
    fn change_one_of_many(&mut self, index: S::Index, interest: Interest) -> bool {
        let Some(watch) = self.watches.at_mut(index) else { return true };
        let (at, old) = (watch.row, watch.interest());
        let Some(row) = self.rows.at_mut(at) else { return true };
        if row.want.contains(Interest::EDGE) != interest.contains(Interest::EDGE) {
            return false;
        }
        watch.set_interest(interest);
        row.verify |= watch.fresh || interest.contains(Interest::EDGE);
        row.count_out(old);
        row.count_in(interest);
        self.list_if_changed(at);
        true
    }

    /// The events pending on a registration, from the first.
    pub(crate) fn first(&self, token: Token) -> Option<S::Index> {
        let row = self.row(token)?;
        Some(row.head).filter(|head| !head.is_nil())
    }

    /// The pending event after this one on the same fd.
    pub(crate) fn next(&self, index: S::Index) -> Option<S::Index> {
        self.watches.at(index).map(|watch| watch.next).filter(|next| !next.is_nil())
    }

    /// Whether the event was there before the fd's last registration.
    pub(crate) fn is_fresh(&self, index: S::Index) -> bool {
        self.watches.at(index).is_some_and(|watch| watch.fresh)
    }

    /// The event that a report concerns, in the usual case: there is one, and all that is reported is what it waits for.
    #[inline]
    pub(crate) fn usual(&self, token: Token, ready: Ready) -> Option<S::Index> {
        let row = self.row(token)?;
        (row.unusual & ready.bits() == 0).then_some(row.head)
    }

    /// Calls `found` with each event that a report concerns, in the order they joined. `None`: the report is stale.
    #[inline]
    pub(crate) fn report(&mut self, token: Token, ready: Ready, mut found: impl FnMut(S::Index, Ready)) -> Option<()> {
        let mut at = self.row(token)?.head;
        let mut any = false;
        while let Some(watch) = self.watches.at(at) {
            let heard = watch.hears(ready);
            if !heard.is_empty() {
                any = true;
                found(at, heard);
            }
            at = watch.next;
        }
        if !any {
            self.unwanted(token);
        }
        Some(())
    }

    /// Nobody wants what was reported: if the backend watches for more than it should, it is told again.
    #[cold]
    fn unwanted(&mut self, token: Token) {
        self.list_if_changed(S::Index::new(Self::place(token)));
    }

    /// The token of an fd's registration. Whatever has events that wait is registered: the first of them sees to that.
    pub(crate) fn registration_of(&self, fd: F) -> Option<Token> {
        let at = self.find(fd)?;
        let row = self.rows.at(at)?;
        (!row.told.is_empty()).then_some(row.token(at))
    }

    /// What of a report an event is told.
    pub(crate) fn heard_by(&self, index: S::Index, ready: Ready) -> Ready {
        self.watches.at(index).map_or(Ready::empty(), |watch| watch.hears(ready))
    }

    pub(crate) fn fd(&self, index: S::Index) -> Option<F> {
        self.rows.at(self.watches.at(index)?.row)?.fd
    }

    pub(crate) fn row_of(&self, index: S::Index) -> Option<S::Index> {
        self.watches.at(index).map(|watch| watch.row)
    }

    pub(crate) fn interest(&self, index: S::Index) -> Interest {
        self.watches.at(index).map_or(Interest::empty(), Watch::interest)
    }

    /// Sets what an event waits for that is in no list at the moment.
    pub(crate) fn set_interest(&mut self, index: S::Index, interest: Interest) {
        if let Some(watch) = self.watches.at_mut(index) {
            watch.set_interest(interest);
        }
    }

    fn find(&self, fd: F) -> Option<S::Index> {
        let numbers = self.rows.as_slice().iter().map(|row| row.fd.map(Descriptor::number));
        self.index.find(fd.number(), numbers)
    }

    #[inline]
    fn row(&self, token: Token) -> Option<&Row<F, D, S::Index>> {
        self.rows.as_slice().get(Self::place(token)).filter(|row| row.generation == token.generation())
    }

    #[inline]
    #[expect(clippy::as_conversions, reason = "a number that does not fit finds nothing")]
    const fn place(token: Token) -> usize {
        token.row() as usize
    }

    #[cfg(any(test, feature = "check"))]
    pub(crate) fn is_linked(&self, index: S::Index) -> bool {
        self.watches.at(index).is_some_and(|watch| watch.linked)
    }
}

impl<F: Descriptor, D: Default, S: Storage> FdInfos<D> for Fds<F, D, S> {
    fn info(&mut self, token: Token) -> Option<&mut D> {
        let row = self.rows.as_mut_slice().get_mut(Self::place(token))?;
        (row.generation == token.generation() && row.fd.is_some()).then_some(&mut row.info)
    }
}
