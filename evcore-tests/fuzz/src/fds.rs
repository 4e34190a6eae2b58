//! The fd map through the public interface, against a vector of events.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use evcore::backend::{EventOp, FdInfos, Features, Modified, Sink, Sleep, Token};
use evcore::storage::Complete;
use evcore::{Error, Event, EventBase, EventId, Fixed, Growable, Instant, Interest, Ready, Wait};

use crate::Reached;
use crate::bytes::Bytes;

/// The maximum number of events.
const EVENTS: usize = 12;
/// Some on one page of the growable map, some far apart.
const FDS: [u32; 6] = [0, 3, 4, 70, 5_000, 70_000];
/// The maximum number of bytes used: each check visits all events.
const LENGTH: usize = 4_096;

/// The first byte chooses the storage, the others the operations on the events.
pub fn fds(data: &[u8]) -> Reached {
    let mut bytes = Bytes::new(&data[..data.len().min(LENGTH)]);
    match bytes.below(3) {
        0 => Rig::<Fixed<EVENTS>>::new("fixed", EVENTS).run(&mut bytes),
        1 => Rig::<Fixed<3>>::new("fixed", 3).run(&mut bytes),
        _ => Rig::<Growable>::new("growable", EVENTS).run(&mut bytes),
    }
}

/// A backend that remembers its registrations, and reports on request.
#[derive(Default)]
struct Desk {
    registered: BTreeMap<u32, (Token, Interest)>,
    /// All tokens ever given.
    given: BTreeSet<u64>,
    /// The fds whose registrations were changed before this wait.
    flushed: BTreeSet<u32>,
    reports: Vec<(Token, Ready)>,
    restarts: u32,
}

impl Desk {
    fn note(&mut self, fd: u32, token: Token, interest: Interest) {
        assert!(!interest.is_empty(), "registered for nothing");
        assert_ne!(token, Token::NONE);
        self.given.insert(token.to_bits());
        self.registered.insert(fd, (token, interest));
    }
}

impl EventOp for Desk {
    type Fd = u32;
    type FdInfo = u32;
    type Error = Infallible;

    fn name(&self) -> &'static str {
        "desk"
    }

    fn features(&self) -> Features {
        Features::all() - Features::SIGNALS
    }

    fn now(&self) -> Instant {
        Instant::ZERO
    }

    fn add(
        &mut self,
        fd: u32,
        token: Token,
        interest: Interest,
        infos: &mut impl FdInfos<u32>,
    ) -> Result<(), Infallible> {
        assert!(!self.given.contains(&token.to_bits()), "{token:?} is given twice");
        // The data stored for a registration must be its own.
        *infos.info(token).expect("the core does not know what it registers") = fd;
        self.note(fd, token, interest);
        Ok(())
    }

    fn modify(
        &mut self,
        fd: u32,
        token: Token,
        old: Interest,
        new: Interest,
        infos: &mut impl FdInfos<u32>,
    ) -> Result<Modified, Infallible> {
        assert_eq!(self.registered.get(&fd), Some(&(token, old)), "changes what is not so");
        assert!(self.flushed.insert(fd), "{fd} is changed twice before a wait");
        assert_eq!(infos.info(token).map(|info| *info), Some(fd), "what was kept is not there");
        self.note(fd, token, new);
        Ok(Modified::Kept)
    }

    fn del(&mut self, fd: u32, token: Token, old: Interest, _: &mut impl FdInfos<u32>) {
        assert_eq!(self.registered.remove(&fd), Some((token, old)), "ends what is not so");
    }

    fn dispatch(&mut self, _: Sleep, sink: &mut impl Sink<u32>) -> Result<(), Infallible> {
        for (token, ready) in std::mem::take(&mut self.reports) {
            let is_current = self.registered.values().any(|(current, _)| *current == token);
            assert_eq!(sink.ready(token, ready), is_current, "{token:?}");
        }
        Ok(())
    }

    fn reinit(&mut self) -> Result<(), Infallible> {
        self.registered.clear();
        self.restarts += 1;
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Reader {
    id: EventId,
    fd: u32,
    interest: Interest,
    persist: bool,
    pending: bool,
}

/// A base, and the same events in a vector.
struct Rig<S: Complete> {
    base: EventBase<Desk, S, usize>,
    readers: Vec<Option<Reader>>,
    capacity: usize,
    reached: Reached,
}

impl<S: Complete> Rig<S> {
    fn new(storage: &'static str, capacity: usize) -> Self {
        let (base, reached) = (EventBase::new(Desk::default()), Reached::from([storage]));
        Self { base, readers: vec![None; EVENTS], capacity, reached }
    }

    fn run(mut self, bytes: &mut Bytes<'_>) -> Reached {
        while let Some(kind) = bytes.next() {
            let which = bytes.below(EVENTS);
            match (kind % 16, self.readers[which]) {
                (0..=3, None) => self.create(which, bytes),
                (0..=3, Some(reader)) => self.add(which, reader),
                (4, Some(reader)) => {
                    self.reached.insert("del");
                    assert_eq!(self.base.del(reader.id), Ok(()));
                    self.change(which, |reader| reader.pending = false);
                }
                (5 | 6, Some(reader)) => self.remove(which, reader),
                (7 | 8, Some(reader)) => self.modify(which, reader, bytes),
                (9, Some(reader)) => self.replace(which, reader, bytes),
                (10, _) => {
                    self.reached.insert("reinit");
                    assert_eq!(self.base.reinit(), Ok(()));
                }
                _ => self.turn(bytes),
            }
            assert!(self.base.check(), "the tables do not agree");
        }
        self.reached
    }

    fn change(&mut self, which: usize, change: impl FnOnce(&mut Reader)) {
        if let Some(reader) = &mut self.readers[which] {
            change(reader);
        }
    }

    fn events(&self) -> usize {
        self.readers.iter().flatten().count()
    }

    /// The union of the interests of an fd's events, except one.
    fn want(&self, fd: u32, except: Option<usize>) -> Interest {
        let others = self.readers.iter().enumerate().filter(|(which, _)| Some(*which) != except);
        let waiting = others.filter_map(|(_, reader)| *reader).filter(|reader| reader.pending && reader.fd == fd);
        waiting
            .map(|reader| reader.interest)
            .filter(|interest| !is_silent(*interest))
            .fold(Interest::empty(), |all, one| all | one)
    }

    /// Whether an event cannot be added beside the others of this fd.
    fn mixes(&self, which: usize, fd: u32, interest: Interest) -> bool {
        let others = self.want(fd, Some(which));
        !is_silent(interest) && !others.is_empty() && (others ^ interest).contains(Interest::EDGE)
    }

    fn create(&mut self, which: usize, bytes: &mut Bytes<'_>) {
        let (fd, interest, persist) = (FDS[bytes.below(FDS.len())], interest(bytes), bytes.bool());
        let event = Event::io(fd, interest);
        match self.base.create(if persist { event.persist() } else { event }, which) {
            Ok(id) => {
                assert!(self.events() < self.capacity);
                self.readers[which] = Some(Reader { id, fd, interest, persist, pending: false });
            }
            Err(rejected) => {
                assert_eq!((rejected.error, rejected.data), (Error::Full, which));
                assert_eq!(self.events(), self.capacity);
                self.reached.insert("full");
            }
        }
    }

    fn add(&mut self, which: usize, reader: Reader) {
        let added = self.base.add(reader.id, None);
        if !reader.pending && self.mixes(which, reader.fd, reader.interest) {
            self.reached.insert("mixed by add");
            return assert_eq!(added, Err(Error::EdgeAndLevel));
        }
        assert_eq!(added, Ok(()));
        self.reached.insert(match (is_silent(reader.interest), reader.interest.contains(Interest::EDGE)) {
            (true, _) => "added for nothing",
            (false, true) => "added for edges",
            (false, false) => "added",
        });
        self.change(which, |reader| reader.pending = true);
        let is_registered = self.base.backend().registered.contains_key(&reader.fd);
        assert!(is_registered || is_silent(reader.interest), "the first registration waits for a flush");
    }

    fn remove(&mut self, which: usize, reader: Reader) {
        assert_eq!(self.base.remove(reader.id), Some(which));
        self.readers[which] = None;
        assert_eq!(self.base.add(reader.id, None), Err(Error::NoSuchEvent), "an id outlives its event");
        let is_last = self.readers.iter().flatten().all(|other| other.fd != reader.fd);
        let is_registered = self.base.backend().registered.contains_key(&reader.fd);
        assert!(!(is_last && is_registered), "the last event of {} left it registered", reader.fd);
        self.reached.insert(match (reader.pending, is_last) {
            (true, true) => "the last one removed",
            (true, false) => "one of several removed",
            (false, _) => "an idle one removed",
        });
    }

    fn modify(&mut self, which: usize, reader: Reader, bytes: &mut Bytes<'_>) {
        let interest = interest(bytes);
        let modified = self.base.modify(reader.id, interest);
        if reader.pending && interest != reader.interest && self.mixes(which, reader.fd, interest) {
            self.reached.insert("mixed by modify");
            return assert_eq!(modified, Err(Error::EdgeAndLevel));
        }
        assert_eq!(modified, Ok(()));
        self.reached.insert(if reader.pending { "modified" } else { "modified idle" });
        self.change(which, |reader| reader.interest = interest);
    }

    fn replace(&mut self, which: usize, reader: Reader, bytes: &mut Bytes<'_>) {
        let fd = FDS[bytes.below(FDS.len())];
        let replaced = self.base.replace_fd(reader.id, fd);
        if reader.pending && self.mixes(which, fd, reader.interest) {
            self.reached.insert("mixed by replace_fd");
            return assert_eq!(replaced, Err(Error::EdgeAndLevel));
        }
        assert_eq!(replaced, Ok(()));
        self.reached.insert(if reader.pending { "replaced" } else { "replaced idle" });
        assert_eq!(self.base.fd(reader.id), Some(fd));
        self.change(which, |reader| reader.fd = fd);
    }

    /// Reports some registrations, some ended ones and one that never existed; checks the hand-outs.
    fn turn(&mut self, bytes: &mut Bytes<'_>) {
        let draw = usize::from(bytes.byte() % 8);
        // Between the changes and the reports nothing can be queried, so the changes have a turn of their own.
        self.poll();
        assert!(self.base.next_active().is_none(), "nothing was reported");
        let mut expected = BTreeMap::new();
        let mut reports: Vec<(Token, Ready)> = Vec::new();
        let mut stale = 0;
        for _ in 0..draw {
            let (token, ready) = (self.token(bytes), ready(bytes));
            if reports.iter().any(|(other, _)| *other == token) {
                continue;
            }
            reports.push((token, ready));
            let desk = self.base.backend();
            let registered = desk.registered.iter().find(|(_, (current, _))| *current == token).map(|(fd, _)| *fd);
            self.reached.insert(match registered {
                Some(_) => "reported",
                None if token == Token::NONE => "nobody's",
                None if desk.given.contains(&token.to_bits()) => "stale",
                None => "forged",
            });
            match registered {
                Some(fd) => self.expect(fd, ready, &mut expected),
                None => stale += u64::from(token != Token::NONE),
            }
        }
        self.base.backend_mut().reports = reports;
        let before = self.base.stats().stale;
        self.poll();
        let mut found = BTreeMap::new();
        while let Some(fired) = self.base.next_active() {
            assert_eq!(found.insert(*fired.data, fired.ready), None, "handed out twice in a turn");
        }
        assert_eq!(found, expected, "event and what it is ready for");
        for which in found.keys() {
            self.change(*which, |reader| reader.pending = reader.persist);
        }
        assert_eq!(self.base.stats().stale - before, stale, "reports of registrations that have ended");
    }

    /// A wait, before which the backend must get all changes.
    fn poll(&mut self) {
        let restarts = self.base.backend().restarts;
        self.base.backend_mut().flushed.clear();
        assert!(self.base.poll(Wait::None).is_ok_and(evcore::Turn::is_running));
        let restarts = self.base.backend().restarts - restarts;
        assert!(restarts <= 1);
        if restarts == 1 {
            self.reached.insert("rebuilt for stale ones");
        }
        for fd in FDS {
            let want = Some(self.want(fd, None)).filter(|want| !want.is_empty());
            let registered = self.base.backend().registered.get(&fd).map(|(_, interest)| *interest);
            assert_eq!(registered, want, "what {fd} is watched for");
        }
    }

    fn token(&self, bytes: &mut Bytes<'_>) -> Token {
        let desk = self.base.backend();
        let (kind, at) = (bytes.byte(), usize::from(bytes.byte()));
        let current = desk.registered.values().map(|(token, _)| *token).nth(at % desk.registered.len().max(1));
        let any = desk.given.iter().nth(at % desk.given.len().max(1)).map(|bits| Token::from_bits(*bits));
        match kind % 8 {
            0..=4 => current.unwrap_or(Token::NONE),
            5 | 6 => any.unwrap_or(Token::NONE),
            _ => Token::from_bits(u64::MAX - at as u64),
        }
    }

    fn expect(&mut self, fd: u32, ready: Ready, expected: &mut BTreeMap<usize, Ready>) {
        let before = expected.len();
        for (which, reader) in self.readers.iter().enumerate() {
            let Some(reader) = reader.filter(|reader| reader.pending && reader.fd == fd) else { continue };
            let bits = matching(reader.interest, ready);
            if !bits.is_empty() {
                expected.insert(which, bits);
            }
        }
        let is_broken = ready.intersects(Ready::ERROR | Ready::HANGUP);
        self.reached.insert(match expected.len() - before {
            0 => "unwanted",
            _ if is_broken => "broken",
            1 => "matched",
            _ => "matched by several",
        });
    }
}

fn is_silent(interest: Interest) -> bool {
    interest.difference(Interest::EDGE).is_empty()
}

/// What an event with this interest gets of its fd's readiness.
fn matching(interest: Interest, ready: Ready) -> Ready {
    if is_silent(interest) {
        return Ready::empty();
    }
    let broken = ready & (Ready::ERROR | Ready::HANGUP);
    let found = if broken.is_empty() { ready } else { ready | Ready::READ | Ready::WRITE };
    let asked = [
        (Interest::READ, Ready::READ),
        (Interest::WRITE, Ready::WRITE),
        (Interest::URGENT, Ready::URGENT),
        (Interest::CLOSED, Ready::CLOSED),
    ];
    asked.into_iter().filter(|(bit, _)| interest.contains(*bit)).fold(broken, |all, (_, bit)| all | (found & bit))
}

fn interest(bytes: &mut Bytes<'_>) -> Interest {
    let bits = bytes.byte();
    let all = [Interest::READ, Interest::WRITE, Interest::URGENT, Interest::CLOSED];
    let some: Interest =
        all.into_iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, bit)| bit).collect();
    if bits >> 6 == 3 { some | Interest::EDGE } else { some }
}

/// Readiness, including bits without a meaning. A report has at least one bit.
fn ready(bytes: &mut Bytes<'_>) -> Ready {
    let drawn = Ready::from_bits_retain(u16::from_le_bytes([bytes.byte(), bytes.byte() & 0x20]));
    if drawn.is_empty() { Ready::READ } else { drawn }
}
