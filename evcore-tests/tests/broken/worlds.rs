//! Correct backends to put faults into, and the fixtures for the result.

use std::cell::Cell;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use evcore::Fd;
use evcore::backend::{Manual, ManualError, Signum, WakeFlag};
use evcore_tests::{ByHand, Fixture, PATIENCE, Unix};
use evplat_linux::Epoll;
use evplat_posix::{Error, Waker};

use crate::backend::{Broken, Sound};
use crate::fault::Fault;
use crate::sys;
use crate::wakers::BrokenWaker;

/// Large enough for the cases that need many sources.
pub(crate) type Large = Manual<1_040>;

impl Sound for Large {
    type Kept = ();

    fn refusal() -> ManualError {
        ManualError::Refused
    }
    fn wake(waker: &&'static WakeFlag) {
        waker.wake();
    }
    fn keep(_: u32) -> Option<()> {
        None
    }
    fn fd(number: u32, _: u32) -> u32 {
        number
    }
}

impl Sound for Epoll {
    type Kept = OwnedFd;

    fn refusal() -> Error {
        Error::Full
    }
    fn wake(waker: &Waker) {
        waker.wake();
    }
    fn keep(fd: Fd) -> Option<OwnedFd> {
        sys::keep(fd.as_raw_fd())
    }
    fn fd(_: u32, fd: Fd) -> Fd {
        fd
    }
}

thread_local! {
    static FAULT: Cell<Fault> = const { Cell::new(Fault::None) };
}

/// See [`on_epoll`].
pub(crate) type OnEpoll = Unix<Broken<Epoll>>;

/// The fixture for epoll with a fault. The backend is created in this thread.
pub(crate) fn on_epoll(fault: Fault) -> OnEpoll {
    FAULT.set(fault);
    Unix::new(|| Epoll::new().map(|epoll| Broken::new(epoll, FAULT.get())), BrokenWaker::wake)
        .with(sys::powers())
        .refusing(Broken::refuse)
        // What a fault withholds does not come later, so a short wait is enough.
        .impatient(if fault == Fault::None { PATIENCE } else { Duration::from_millis(200) })
}

/// The fixture for `Manual` with a fault.
pub(crate) fn on_manual(fault: Fault) -> OnManual {
    OnManual { hands: ByHand::with_room(Box::leak(Box::default())), fault, can_bound: true }
}

pub(crate) struct OnManual {
    hands: ByHand<1_040>,
    fault: Fault,
    /// Whether it can limit the reports of a wait.
    pub(crate) can_bound: bool,
}

macro_rules! by_hand {
    ($($name:ident)*) => {
        $(fn $name(&mut self, backend: &mut Broken<Large>, source: &mut u32) -> bool {
            self.hands.$name(&mut backend.inner, source)
        })*
    };
}

impl Fixture for OnManual {
    type Backend = Broken<Large>;
    type Source = u32;
    type Waker = BrokenWaker<Large>;
    const IS_VIRTUAL: bool = true;

    fn backend(&mut self) -> Broken<Large> {
        Broken::new(self.hands.backend(), self.fault)
    }
    fn source(&mut self, backend: &mut Broken<Large>) -> u32 {
        self.hands.source(&mut backend.inner)
    }
    fn sources(&self) -> usize {
        self.hands.sources()
    }
    fn fd(&self, source: &u32) -> u32 {
        *source
    }
    fn feed(&mut self, backend: &mut Broken<Large>, source: &mut u32) {
        self.hands.feed(&mut backend.inner, source);
    }
    fn drain(&mut self, backend: &mut Broken<Large>, source: &mut u32) {
        self.hands.drain(&mut backend.inner, source);
    }
    fn pass(&mut self, backend: &mut Broken<Large>, time: Duration) {
        backend.inner.advance(time);
    }
    by_hand! { fill make_room half_close hang_up reset }
    fn urgent(&mut self, backend: &mut Broken<Large>) -> Option<u32> {
        self.hands.urgent(&mut backend.inner)
    }
    fn listener(&mut self, backend: &mut Broken<Large>) -> Option<u32> {
        self.hands.listener(&mut backend.inner)
    }
    fn file(&mut self, backend: &mut Broken<Large>, kind: usize) -> Option<u32> {
        self.hands.file(&mut backend.inner, kind)
    }
    fn refuse(&mut self, backend: &mut Broken<Large>, count: u32) -> bool {
        backend.refuse(count);
        true
    }
    fn set_batch(&mut self, backend: &mut Broken<Large>, batch: usize) -> bool {
        self.can_bound && self.hands.set_batch(&mut backend.inner, batch)
    }
    fn turn_back(&mut self, backend: &mut Broken<Large>, time: Duration) -> bool {
        self.hands.turn_back(&mut backend.inner, time)
    }
    fn waker(&mut self, backend: &mut Broken<Large>) -> Option<BrokenWaker<Large>> {
        evcore::backend::Wake::waker(backend).ok()
    }
    fn wake(waker: &BrokenWaker<Large>) {
        waker.wake();
    }
    fn signal(&self, which: usize) -> Option<Signum> {
        self.hands.signal(which)
    }
    fn raise(&mut self, backend: &mut Broken<Large>, signum: Signum) {
        self.hands.raise(&mut backend.inner, signum);
    }
}
