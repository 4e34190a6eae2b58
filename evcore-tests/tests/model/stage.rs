//! `Manual` with faults that it does not have itself.

use std::cell::Cell;

use evcore::backend::{
    EventOp, FdInfos, Features, Manual, ManualError, Modified, SignalOp, Signum, Sink, Sleep, Token, WakeFlag,
};
use evcore::{Instant, Interest, Ready};

use crate::call::{SIGNALS, World};

/// The maximum number of waits in a program: a loop that waits without end and finds nothing is a failure.
const WAITS: u32 = 20_000;

/// The backend of the model test: [`Manual`], which can also fail to wait, lose descriptors, and make wrong reports.
#[derive(Debug)]
pub(crate) struct Stage {
    manual: Manual,
    flag: &'static WakeFlag,
    fail_waits: u32,
    fail_reinits: u32,
    replace: u32,
    features: Features,
    /// How many times the core has called `is_usual`, which returns `false` every third time.
    asked: Cell<u32>,
    /// Reports and faults for the next wait.
    plans: Vec<World>,
    /// The token of each registration, and all tokens ever made.
    current: Vec<(u32, Token)>,
    given: Vec<Token>,
}

impl Stage {
    pub(crate) fn new(flag: &'static WakeFlag) -> Self {
        flag.take();
        Self {
            manual: Manual::new().with_flag(flag),
            flag,
            fail_waits: 0,
            fail_reinits: 0,
            replace: 0,
            features: Features::all(),
            asked: Cell::new(0),
            plans: Vec::new(),
            current: Vec::new(),
            given: Vec::new(),
        }
    }

    pub(crate) fn watched(&self, fd: u32) -> Option<Interest> {
        self.manual.watched(fd)
    }

    pub(crate) fn happens(&mut self, world: World) {
        match world {
            World::SetReady(fd, ready) => assert!(self.manual.set_ready(fd, ready)),
            World::Raise(signum) => self.manual.raise(signum),
            World::Wake => self.flag.wake(),
            World::Advance(nanos) => self.manual.advance(std::time::Duration::from_nanos(nanos)),
            World::SetNow(nanos) => self.manual.set_now(Instant::from_nanos(nanos)),
            World::Refuse(count) => self.manual.refuse(count),
            World::RefuseForNow(count) => self.manual.refuse_for_now(count),
            World::SetBatch(batch) => self.manual.set_batch(batch),
            World::FailWaits(count) => self.fail_waits = count,
            World::FailReinits(count) => self.fail_reinits = count,
            World::Replace(count) => self.replace = count,
            World::SetFeatures(features) => self.features = features,
            World::Fail(_) | World::Report(..) | World::ReportFd(..) | World::ReportStale(_) | World::Rebuild => {
                self.plans.push(world);
            }
        }
    }

    /// Adds the reports that a step asked for.
    fn report_more(&self, plan: World, reports: &mut Vec<(Token, Ready)>) {
        match plan {
            World::Report(fd, ready) => {
                let Some((_, current)) = self.current.iter().find(|(number, _)| *number == fd) else { return };
                match reports.iter_mut().find(|(token, _)| token == current) {
                    Some((_, bits)) => *bits |= ready,
                    None => reports.push((*current, ready)),
                }
            }
            World::ReportStale(ready) => reports.extend(self.stale().map(|token| (token, ready))),
            _ => {}
        }
    }

    fn stale(&self) -> impl Iterator<Item = Token> {
        let is_current = |token: &Token| self.current.iter().any(|(_, current)| current == token);
        self.given.iter().copied().filter(move |token| !is_current(token))
    }

    fn note(&mut self, fd: u32, token: Token) {
        self.current.retain(|(number, _)| *number != fd);
        self.current.push((fd, token));
        if !self.given.contains(&token) {
            self.given.push(token);
        }
    }
}

/// A sink that collects reports and passes on everything else.
struct Collected<'a, K> {
    sink: &'a mut K,
    reports: Vec<(Token, Ready)>,
}

impl<K: Sink<u32>> Sink<u32> for Collected<'_, K> {
    fn ready(&mut self, token: Token, ready: Ready) -> bool {
        self.reports.push((token, ready));
        true
    }

    fn ready_fd(&mut self, fd: u32, ready: Ready) -> bool {
        self.sink.ready_fd(fd, ready)
    }

    fn failed(&mut self, token: Token) {
        self.sink.failed(token);
    }

    fn signal(&mut self, signum: Signum, count: u32) {
        self.sink.signal(signum, count);
    }

    fn woken(&mut self) {
        self.sink.woken();
    }

    fn rebuild(&mut self) {
        self.sink.rebuild();
    }
}

fn counted_down(count: &mut u32) -> bool {
    let any = *count > 0;
    *count = count.saturating_sub(1);
    any
}

impl EventOp for Stage {
    type Fd = u32;
    type FdInfo = ();
    type Error = ManualError;

    fn name(&self) -> &'static str {
        self.manual.name()
    }

    fn features(&self) -> Features {
        self.features
    }

    fn now(&self) -> Instant {
        self.manual.now()
    }

    fn is_usual(&self) -> bool {
        self.asked.set(self.asked.get().wrapping_add(1));
        self.asked.get() % 3 != 0
    }

    fn add(
        &mut self,
        fd: u32,
        token: Token,
        interest: Interest,
        infos: &mut impl FdInfos<()>,
    ) -> Result<(), ManualError> {
        assert!(infos.info(token).is_some(), "the core adds a registration that it does not know");
        let added = EventOp::add(&mut self.manual, fd, token, interest, infos);
        match added {
            Ok(()) => self.note(fd, token),
            Err(_) => self.current.retain(|(number, _)| *number != fd),
        }
        added
    }

    fn modify(
        &mut self,
        fd: u32,
        token: Token,
        old: Interest,
        new: Interest,
        infos: &mut impl FdInfos<()>,
    ) -> Result<Modified, ManualError> {
        assert_eq!(self.watched(fd), Some(old), "the core changes what it has not registered");
        assert!(!new.is_empty());
        EventOp::modify(&mut self.manual, fd, token, old, new, infos)?;
        self.note(fd, token);
        Ok(if counted_down(&mut self.replace) { Modified::Replaced } else { Modified::Kept })
    }

    fn del(&mut self, fd: u32, token: Token, old: Interest, infos: &mut impl FdInfos<()>) {
        assert_eq!(self.watched(fd), Some(old), "the core ends what it has not registered");
        self.current.retain(|(number, _)| *number != fd);
        EventOp::del(&mut self.manual, fd, token, old, infos);
    }

    fn dispatch(&mut self, wait: Sleep, sink: &mut impl Sink<u32>) -> Result<(), ManualError> {
        assert!(self.manual.waits() < WAITS, "the loop spins");
        if counted_down(&mut self.fail_waits) {
            return Err(ManualError::Refused);
        }
        // A signal with a count of zero must have no effect.
        SIGNALS.into_iter().for_each(|signum| sink.signal(signum, 0));
        let plans = std::mem::take(&mut self.plans);
        // These reports end a wait, too.
        let mut found = Collected { sink, reports: Vec::new() };
        self.manual.dispatch(if plans.is_empty() { wait } else { Sleep::None }, &mut found)?;
        let mut reports = found.reports;
        plans.iter().for_each(|plan| self.report_more(*plan, &mut reports));
        for (token, ready) in reports {
            let is_current = self.current.iter().any(|(_, current)| *current == token);
            assert_eq!(sink.ready(token, ready), is_current, "whether a registration has ended");
        }
        for plan in plans {
            match plan {
                World::Fail(fd) => {
                    if let Some((_, token)) = self.current.iter().find(|(number, _)| *number == fd) {
                        sink.failed(*token);
                    }
                }
                World::ReportFd(fd, ready) => {
                    sink.ready_fd(fd, ready);
                }
                World::Rebuild => sink.rebuild(),
                _ => {}
            }
        }
        Ok(())
    }

    fn is_temporary(error: &ManualError) -> bool {
        Manual::<64>::is_temporary(error)
    }

    fn reinit(&mut self) -> Result<(), ManualError> {
        if counted_down(&mut self.fail_reinits) {
            return Err(ManualError::Refused);
        }
        self.current.clear();
        self.manual.reinit()
    }

    fn signals(&mut self) -> Option<&mut dyn SignalOp<Error = ManualError>> {
        if self.features.contains(Features::SIGNALS) { self.manual.signals() } else { None }
    }
}

/// The readiness that an fd can have.
pub(crate) fn readiness(bits: u8) -> Ready {
    let all = [Ready::READ, Ready::WRITE, Ready::URGENT, Ready::CLOSED, Ready::ERROR, Ready::HANGUP];
    all.into_iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, bit)| bit).collect()
}
