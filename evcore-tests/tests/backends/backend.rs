//! The backends under test, and a base on any of them.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use evcore::backend::{Either, Features, Split, Wake};
use evcore::{EventBase, Growable, Ready, Wait};
use evplat_linux::Epoll;
use evplat_posix::choice::NoBackend;
use evplat_posix::{Error, Poll, Preferences, Select, Sleeper, Waker};

use crate::sys;

/// What all of the backends implement.
pub(crate) trait Backend:
    Wake<Waker = Waker> + Split<Fd = evcore::Fd, Error = Error, Sleeper = Sleeper>
{
}
impl<B: Wake<Waker = Waker> + Split<Fd = evcore::Fd, Error = Error, Sleeper = Sleeper>> Backend for B {}

/// Creates a backend.
pub(crate) type Make<B> = fn() -> Result<B, Error>;

/// A base whose events' data are numbers.
pub(crate) type Base<B> = EventBase<B, Growable, u32>;

/// The backend of a program that chooses at run time.
pub(crate) type Chosen = Either<Either<Epoll, Poll>, Select>;

pub(crate) fn choose(preferences: Preferences) -> Result<Chosen, NoBackend> {
    preferences.pick("epoll", Epoll::new).or("poll", Poll::new).or("select", Select::new).backend()
}

pub(crate) fn chosen_epoll() -> Result<Chosen, Error> {
    let chosen = choose(Preferences::new().ignore_environment()).unwrap();
    assert!(matches!(chosen, Either::Left(Either::Left(_))));
    Ok(chosen)
}

pub(crate) fn chosen_poll() -> Result<Chosen, Error> {
    let chosen = choose(Preferences::new().ignore_environment().avoid("epoll")).unwrap();
    assert!(matches!(chosen, Either::Left(Either::Right(_))));
    Ok(chosen)
}

pub(crate) fn chosen_select() -> Result<Chosen, Error> {
    let chosen = choose(Preferences::new().ignore_environment().avoid("epoll").avoid("poll")).unwrap();
    assert!(matches!(chosen, Either::Right(_)));
    Ok(chosen)
}

pub(crate) fn base<B: Backend>(make: Make<B>) -> Base<B> {
    EventBase::new(make().unwrap())
}

/// Runs one turn. Returns its hand-outs, sorted by number.
pub(crate) fn turn<B: Backend>(base: &mut Base<B>, wait: Wait) -> Vec<(u32, Ready)> {
    assert!(base.poll(wait).unwrap().is_running());
    let mut found = Vec::new();
    while let Some(fired) = base.next_active() {
        found.push((*fired.data, fired.ready));
    }
    found.sort_by_key(|(number, _)| *number);
    found
}

/// Runs turns until one hands something out. Returns nothing after five seconds.
pub(crate) fn wait<B: Backend>(base: &mut Base<B>) -> Vec<(u32, Ready)> {
    let end = base.update_now().saturating_add(Duration::from_secs(5));
    loop {
        let found = turn(base, Wait::Until(end));
        if !found.is_empty() || base.update_now() >= end {
            return found;
        }
    }
}

/// What a base does while nothing should happen: its number of turns and its processor time.
pub(crate) struct Rest {
    pub(crate) turns: u64,
    pub(crate) cpu: Duration,
    pub(crate) found: Vec<(u32, Ready)>,
}

impl Rest {
    pub(crate) fn of<B: Backend>(base: &mut Base<B>, time: Duration) -> Self {
        let (turns, cpu) = (base.stats().turns, sys::cpu_time());
        let end = base.update_now().saturating_add(time);
        let mut found = Vec::new();
        while base.update_now() < end {
            found.extend(turn(base, Wait::Until(end)));
        }
        Self { turns: base.stats().turns - turns, cpu: sys::cpu_time() - cpu, found }
    }

    /// Asserts that nothing was handed out and the base slept: a few turns are allowed, and as much processor time as
    /// B2 allows in a second.
    #[track_caller]
    pub(crate) fn assert_idle(&self, what: &str) {
        assert_eq!(self.found, [], "{what}");
        assert!(self.turns <= 4, "{what}: {} turns", self.turns);
        assert!(self.cpu < Duration::from_millis(10), "{what}: {:?} of a processor", self.cpu);
    }
}

/// What a backend reports of these bits: without ERRORS and CLOSED, they become READ and WRITE.
pub(crate) fn visible<B: Backend>(base: &Base<B>, mut ready: Ready) -> Ready {
    if !base.features().contains(Features::ERRORS) {
        ready.remove(Ready::ERROR | Ready::HANGUP);
    }
    if !base.features().contains(Features::CLOSED) {
        ready.remove(Ready::CLOSED);
    }
    ready
}

/// A readable socket and its peer.
pub(crate) fn readable() -> (UnixStream, UnixStream) {
    use std::io::Write;
    let (near, mut far) = UnixStream::pair().unwrap();
    far.write_all(b"x").unwrap();
    (near, far)
}
