//! Runs a program on the reference, which computes the expected results.

use std::num::NonZeroU32;
use std::time::Duration;

use evcore::options::{Limits, Missed};
use evcore::{End, Error, Instant, Interest, Mode, Ready, Wait};

use crate::call::{Call, FDS, Handed, Kind, Outcome, Spec, Step, Target, Uid, World};
use crate::op::{self, From, New, Op, Program, When, Who};
use crate::reference::Model;

/// The maximum number of calls that one operation may cause through handlers.
const CALLS: usize = 120;
/// The maximum number of turns of a `run`; a longer one is omitted.
const TURNS: u32 = 60;
/// The maximum depth of nested hand-outs.
const DEPTH: u32 = 3;

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    model: Model,
    pub(crate) steps: Vec<Step>,
    /// The operations at each event's hand-outs, by uid.
    bodies: Vec<Vec<Op>>,
    without: u16,
    /// The last step that this operation may reach.
    ends_at: usize,
    depth: u32,
    /// The number of steps until the next full comparison.
    looks: usize,
}

fn timer(body: &[Op]) -> New {
    New {
        from: From::Timer,
        persist: false,
        once: false,
        background: false,
        priority: None,
        missed: Missed::Skip,
        timeout: None,
        body: body.to_vec(),
    }
}

/// A `run` that would not end soon.
struct Endless;

impl Plan {
    pub(crate) fn of(program: &Program, capacity: Option<usize>) -> Vec<Step> {
        let mut plan = Self {
            model: Model::new(capacity),
            steps: Vec::new(),
            bodies: Vec::new(),
            without: program.without,
            ends_at: usize::MAX,
            depth: 0,
            looks: program.looks,
        };
        plan.call(Call::World(World::SetNow(program.begins_at)));
        plan.call(Call::World(World::SetFeatures(program.features)));
        plan.call(Call::SetPriorities(program.priorities));
        for op in &program.ops {
            plan.ends_at = plan.steps.len() + CALLS;
            let _ = plan.carry_out(op, None);
        }
        plan.steps
    }

    fn call(&mut self, call: Call) -> Outcome {
        let outcome = self.model.call(call);
        self.push(call, outcome);
        outcome
    }

    fn push(&mut self, call: Call, outcome: Outcome) {
        let is_full = self.steps.len() % self.looks == 0;
        let seen = (!matches!(call, Call::Run(_))).then(|| self.model.snapshot(is_full));
        self.steps.push(Step { call, outcome, seen });
    }

    fn carry_out(&mut self, op: &Op, me: Option<Uid>) -> Result<(), Endless> {
        if op.kind() & self.without != 0 {
            return Ok(());
        }
        match op {
            Op::Turn(wait) => {
                let wait = self.wait(*wait);
                if Model::has_begun(&self.call(Call::Poll(wait))) {
                    while self.next()? && self.steps.len() < self.ends_at {}
                }
            }
            Op::Polls(turns) => {
                for _ in 0..*turns {
                    self.call(Call::Poll(Wait::None));
                }
            }
            Op::Next => {
                self.next()?;
            }
            Op::NextEvent(wait) => self.next_event(self.wait(*wait))?,
            Op::Run(mode) => return self.run_whole(*mode),
            Op::Raise(signum, times) => {
                for _ in 0..*times {
                    self.call(Call::World(World::Raise(*signum)));
                }
            }
            Op::ReportStale(ready, times) => {
                for _ in 0..*times {
                    self.call(Call::World(World::ReportStale(*ready)));
                }
            }
            Op::Create(new) => {
                let (uid, spec) = self.draw(new);
                self.call(Call::Create(uid, spec));
            }
            Op::Start { new, short } => {
                let (uid, spec) = self.draw(new);
                self.call(Call::Start { uid, spec, short: *short });
            }
            Op::Readers { once, persist, urgent, more, body } => self.readers([*once, *persist, *urgent, *more], body),
            Op::Crowd { count, delay, hand_outs, timers, body } => {
                let (hand_outs, timers) = (NonZeroU32::new(*hand_outs), NonZeroU32::new(*timers));
                self.call(Call::SetLimits(Limits { hand_outs, timers, ..Limits::DEFAULT }));
                for at in 0..*count {
                    let (uid, spec) =
                        self.draw(&New { priority: Some(u8::from(at % 4 == 3)), timeout: Some(*delay), ..timer(body) });
                    self.call(Call::Start { uid, spec, short: false });
                }
            }
            Op::AddAnew(who, timeout) => {
                let target = self.target(*who, me);
                self.call(Call::Del(target));
                self.call(Call::Add(target, *timeout));
            }
            simple => {
                let call = self.resolve(simple, me);
                self.call(call);
            }
        }
        Ok(())
    }

    fn resolve(&self, op: &Op, me: Option<Uid>) -> Call {
        let of = |who: &Who| self.target(*who, me);
        match *op {
            Op::Add(ref who, timeout) => Call::Add(of(who), timeout),
            Op::AddAt(ref who, when) => Call::AddAt(of(who), self.point(when)),
            Op::Modify(ref who, interest) => Call::Modify(of(who), interest),
            Op::ReplaceFd(ref who, fd) => Call::ReplaceFd(of(who), fd),
            Op::PauseFor(ref who, pause) => Call::PauseFor(of(who), pause),
            Op::ClearTimeout(ref who) => Call::ClearTimeout(of(who)),
            Op::Restart(ref who) => Call::Restart(of(who)),
            Op::Deregister(ref who) => Call::Deregister(of(who)),
            Op::ActivateCounted(ref who, count) => Call::ActivateCounted(of(who), count),
            Op::Activate(ref who, ready) => Call::Activate(of(who), ready),
            Op::Again(ref who) => Call::Again(of(who)),
            Op::ActivateFd(fd, ready) => Call::ActivateFd(fd, ready),
            Op::ActivateSignal(signum, count) => Call::ActivateSignal(signum, count),
            Op::Del(ref who) => Call::Del(of(who)),
            Op::Remove(ref who) => Call::Remove(of(who)),
            Op::SetPriority(ref who, priority) => Call::SetPriority(of(who), self.priority(priority)),
            Op::SetPriorities(count) => Call::SetPriorities(count),
            Op::SetLimits(limits) => Call::SetLimits(limits),
            Op::SetFairness(fairness) => Call::SetFairness(fairness),
            Op::SetSlack(slack) => Call::SetSlack(slack),
            Op::ClearMaxCounts => Call::ClearMaxCounts,
            Op::Now => Call::Now,
            Op::UpdateNow => Call::UpdateNow,
            Op::Reinit => Call::Reinit,
            Op::LoopExit => Call::LoopExit,
            Op::LoopExitAfter(delay) => Call::LoopExitAfter(delay),
            Op::LoopBreak => Call::LoopBreak,
            Op::LoopContinue => Call::LoopContinue,
            Op::Poll(wait) => Call::Poll(self.wait(wait)),
            Op::SetReady(fd, ready) => Call::World(World::SetReady(fd, ready)),
            Op::Wake => Call::World(World::Wake),
            Op::Advance(when) => Call::World(World::Advance(self.point(when).saturating_sub(self.model.clock()))),
            Op::SetBack(nanos) => Call::World(World::SetNow(self.model.clock().saturating_sub(nanos))),
            Op::Refuse(u8::MAX) => Call::World(World::Refuse(u32::MAX)),
            Op::Refuse(count) => Call::World(World::Refuse(count.into())),
            Op::RefuseForNow(count) => Call::World(World::RefuseForNow(count.into())),
            Op::SetBatch(batch) => Call::World(World::SetBatch(batch)),
            Op::FailWait => Call::World(World::FailWaits(1)),
            Op::FailReinit => Call::World(World::FailReinits(1)),
            Op::Replace(count) => Call::World(World::Replace(count.into())),
            Op::Fail(fd) => Call::World(World::Fail(fd)),
            Op::Report(fd, ready) => Call::World(World::Report(fd, ready)),
            Op::ReportFd(fd, ready) => Call::World(World::ReportFd(fd, ready)),
            Op::Rebuild => Call::World(World::Rebuild),
            Op::Turn(_)
            | Op::Polls(_)
            | Op::Next
            | Op::NextEvent(_)
            | Op::Run(_)
            | Op::Raise(..)
            | Op::Create(_)
            | Op::Start { .. } => unreachable!(),
            Op::Readers { .. } | Op::Crowd { .. } | Op::AddAnew(..) | Op::ReportStale(..) => unreachable!(),
        }
    }

    fn readers(&mut self, bits: [u8; 4], body: &[Op]) {
        for (at, fd) in FDS.into_iter().enumerate() {
            let [once, persist, urgent, more] = bits.map(|bits| bits >> at & 1 == 1);
            let priority = urgent.then_some(0);
            let from = From::Io(fd, Interest::READ);
            let (uid, spec) = self.draw(&New { from, once, persist, priority, ..timer(body) });
            self.call(Call::Start { uid, spec, short: true });
            self.call(Call::World(World::SetReady(fd, Ready::READ)));
            if more {
                self.call(Call::World(World::Report(fd, Ready::WRITE)));
            }
        }
    }

    fn draw(&mut self, new: &New) -> (Uid, Spec) {
        let kind = match new.from {
            From::Io(fd, interest) => Kind::Io(fd, interest),
            From::Signal(signum) => Kind::Signal(signum),
            From::Timer => Kind::Timer,
            From::Prepare => Kind::Prepare,
            From::Check => Kind::Check,
            From::Wake => Kind::Wake,
        };
        let is_watcher = matches!(kind, Kind::Prepare | Kind::Check | Kind::Wake);
        let spec = Spec {
            kind,
            persist: new.persist || is_watcher && !new.once,
            once: new.once,
            background: new.background || matches!(kind, Kind::Prepare | Kind::Check),
            priority: new.priority.map(|priority| self.priority(priority)),
            missed: new.missed,
            timeout: new.timeout,
        };
        self.bodies.push(new.body.clone());
        (self.model.ever(), spec)
    }

    fn priority(&self, drawn: u8) -> u8 {
        if drawn == u8::MAX { drawn } else { drawn % self.model.priorities() }
    }

    fn target(&self, who: Who, me: Option<Uid>) -> Target {
        let existing = match who {
            Who::ExistingIo(_) => self.model.existing_io(),
            _ => self.model.existing(),
        };
        let nth = |at: u8, count: usize| usize::from(at) % count;
        match (who, me) {
            (Who::Me, Some(uid)) => Target::Event(uid),
            (Who::Nobody(bits), _) => Target::Nobody(bits),
            (Who::Existing(at) | Who::ExistingIo(at), _) if !existing.is_empty() => {
                Target::Event(existing[nth(at, existing.len())])
            }
            (Who::Me, None) if !existing.is_empty() => Target::Event(existing[existing.len() - 1]),
            (Who::Ever(at), _) if self.model.ever() > 0 => Target::Event(nth(at, self.model.ever())),
            _ => Target::Nobody(u64::MAX),
        }
    }

    fn point(&self, when: When) -> u64 {
        let now = self.model.clock();
        match when {
            When::In(delay) => now.saturating_add(delay),
            When::Ago(delay) => now.saturating_sub(delay),
            When::Deadline(after) => self.model.first_deadline().unwrap_or(now).saturating_add_signed(after.into()),
            When::At(point) => point,
        }
    }

    fn wait(&self, wait: op::Wait) -> Wait {
        match wait {
            op::Wait::None => Wait::None,
            op::Wait::For(nanos) => Wait::For(Duration::from_nanos(nanos)),
            op::Wait::Until(when) => Wait::Until(Instant::from_nanos(self.point(when))),
            op::Wait::Forever => Wait::Forever,
        }
    }

    /// The next hand-out of this turn, with what its handler does.
    fn next(&mut self) -> Result<bool, Endless> {
        let Outcome::Handed(Some(handed)) = self.call(Call::Next) else { return Ok(false) };
        self.handle(handed)?;
        Ok(true)
    }

    /// The next event after any number of turns, with what its handler does; nothing if it would take too long.
    fn next_event(&mut self, wait: Wait) -> Result<(), Endless> {
        let before = self.model.clone();
        let Some(outcome) = self.model.next_event(wait, TURNS) else {
            self.model = before;
            return Ok(());
        };
        self.push(Call::NextEvent(wait), outcome);
        match outcome {
            Outcome::Event(Some(handed), _) => self.handle(handed),
            _ => Ok(()),
        }
    }

    fn handle(&mut self, handed: Handed) -> Result<(), Endless> {
        if self.depth == DEPTH {
            return Ok(());
        }
        self.depth += 1;
        let body = self.bodies[handed.uid].clone();
        for op in &body {
            if self.steps.len() < self.ends_at {
                self.carry_out(op, Some(handed.uid))?;
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// A `run`; nothing if it would not end soon.
    fn run_whole(&mut self, mode: Mode) -> Result<(), Endless> {
        if self.model.is_running {
            return self.run(mode);
        }
        let before = self.clone();
        if self.run(mode).is_err() {
            *self = before;
        }
        Ok(())
    }

    fn run(&mut self, mode: Mode) -> Result<(), Endless> {
        self.push(Call::Run(mode), Outcome::Done);
        let outcome = if std::mem::replace(&mut self.model.is_running, true) {
            Outcome::Refused(Error::Reentered)
        } else {
            let outcome = self.run_turns(mode)?;
            self.model.is_running = false;
            outcome
        };
        self.push(Call::RunEnds, outcome);
        Ok(())
    }

    fn run_turns(&mut self, mode: Mode) -> Result<Outcome, Endless> {
        let wait = match (mode.contains(Mode::NONBLOCK), mode.contains(Mode::NO_EXIT_ON_EMPTY)) {
            (true, _) => Wait::None,
            (false, true) => Wait::Until(Instant::MAX),
            (false, false) => Wait::Forever,
        };
        for _ in 0..TURNS {
            if self.model.ends_empty(mode) {
                return Ok(Outcome::Ended(End::Empty));
            }
            match self.model.call(Call::Poll(wait)) {
                Outcome::Turn(evcore::Turn::Ended(end)) => return Ok(Outcome::Ended(end)),
                Outcome::Turn(_) => {}
                failed => return Ok(failed),
            }
            let is_prepare = self.model.is_preparing();
            let mut any = self.model.is_woken() && !mode.contains(Mode::NONBLOCK);
            while let Outcome::Handed(Some(handed)) = self.model.call(Call::Next) {
                any |= !self.model.is_watcher(handed.uid);
                self.push(Call::Enter, Outcome::Handed(Some(handed)));
                self.handle(handed)?;
                if self.steps.len() >= self.ends_at {
                    self.call(Call::LoopBreak);
                }
            }
            if is_prepare || self.model.end_is_asked_for() {
                continue;
            }
            if any && mode.intersects(Mode::ONCE | Mode::NONBLOCK) {
                return Ok(Outcome::Ended(End::Once));
            }
            if mode.contains(Mode::NONBLOCK) {
                return Ok(Outcome::Ended(End::NotReady));
            }
        }
        Err(Endless)
    }
}
