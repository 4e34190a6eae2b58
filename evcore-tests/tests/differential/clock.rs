//! Time that advances only when a script says so.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use evcore::backend::{EventOp, FdInfos, Features, Modified, SignalOp, Sink, Sleep, Token, Wake};
use evcore::{Instant, Interest};

/// One clock for all bases, so that a slow machine causes no difference.
#[derive(Clone, Debug)]
pub(crate) struct Clock(Rc<Cell<Duration>>);

impl Clock {
    /// Not zero, which libevent takes for "no time".
    pub(crate) fn new() -> Self {
        Self(Rc::new(Cell::new(Duration::from_secs(1_000))))
    }

    pub(crate) fn now(&self) -> Duration {
        self.0.get()
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.0.set(self.0.get() + time);
    }
}

/// A backend on this clock. Its waits still last as long as requested in real time.
#[derive(Debug)]
pub(crate) struct Timed<B> {
    backend: B,
    clock: Clock,
}

impl<B> Timed<B> {
    pub(crate) fn new(backend: B, clock: Clock) -> Self {
        Self { backend, clock }
    }
}

impl<B: EventOp> EventOp for Timed<B> {
    type Fd = B::Fd;
    type FdInfo = B::FdInfo;
    type Error = B::Error;

    fn name(&self) -> &'static str {
        self.backend.name()
    }

    fn features(&self) -> Features {
        self.backend.features()
    }

    fn now(&self) -> Instant {
        Instant::ZERO.saturating_add(self.clock.now())
    }

    fn usable(&self) -> Result<(), B::Error> {
        self.backend.usable()
    }

    fn is_usual(&self) -> bool {
        self.backend.is_usual()
    }

    fn add(
        &mut self,
        fd: B::Fd,
        token: Token,
        interest: Interest,
        infos: &mut impl FdInfos<B::FdInfo>,
    ) -> Result<(), B::Error> {
        self.backend.add(fd, token, interest, infos)
    }

    fn modify(
        &mut self,
        fd: B::Fd,
        token: Token,
        old: Interest,
        new: Interest,
        infos: &mut impl FdInfos<B::FdInfo>,
    ) -> Result<Modified, B::Error> {
        self.backend.modify(fd, token, old, new, infos)
    }

    fn del(&mut self, fd: B::Fd, token: Token, old: Interest, infos: &mut impl FdInfos<B::FdInfo>) {
        self.backend.del(fd, token, old, infos);
    }

    fn look(&mut self, sink: &mut impl Sink<B::Fd>) -> bool {
        self.backend.look(sink)
    }

    fn dispatch(&mut self, wait: Sleep, sink: &mut impl Sink<B::Fd>) -> Result<(), B::Error> {
        let wait = match wait {
            Sleep::Until(point) if point > self.now() => {
                Sleep::Until(self.backend.now().saturating_add(point.saturating_since(self.now())))
            }
            Sleep::Until(_) => Sleep::None,
            other => other,
        };
        self.backend.dispatch(wait, sink)
    }

    fn reinit(&mut self) -> Result<(), B::Error> {
        self.backend.reinit()
    }

    fn signals(&mut self) -> Option<&mut dyn SignalOp<Error = B::Error>> {
        self.backend.signals()
    }
}

impl<B: Wake> Wake for Timed<B> {
    type Waker = B::Waker;

    fn waker(&mut self) -> Result<B::Waker, B::Error> {
        self.backend.waker()
    }
}
