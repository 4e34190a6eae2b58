//! Runs on a base what the reference has predicted, and compares.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use evcore::backend::WakeFlag;
use evcore::error::Rejected;
use evcore::stats::Stats;
use evcore::storage::Complete;
use evcore::{Error, Event, EventBase, EventId, Fired, Instant, Mode};

use crate::call::{Call, FDS, Full, Handed, Kind, Outcome, Seen, Snapshot, Spec, Step, Tally, Target, Uid};
use crate::stage::Stage;

type Base<S> = EventBase<Stage, S, Data>;

/// The data of an event, which counts its drops.
struct Data {
    uid: Uid,
    drops: Rc<RefCell<Vec<u8>>>,
}

impl Drop for Data {
    fn drop(&mut self) {
        self.drops.borrow_mut()[self.uid] += 1;
    }
}

/// The step at which base and reference differ, and how.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) at: usize,
    pub(crate) what: String,
}

struct Replay<'s> {
    steps: &'s [Step],
    at: usize,
    /// By uid; `None` if it was refused.
    ids: Vec<Option<EventId>>,
    drops: Rc<RefCell<Vec<u8>>>,
    difference: Option<Difference>,
}

/// Replays the steps on a new base; returns the first difference.
pub(crate) fn replay<S: Complete>(steps: &[Step], flag: &'static WakeFlag) -> Result<(), Difference> {
    let drops = Rc::new(RefCell::new(Vec::new()));
    let mut replay = Replay { steps, at: 0, ids: Vec::new(), drops: Rc::clone(&drops), difference: None };
    let mut base = Base::<S>::new(Stage::new(flag));
    replay.go_on(&mut base);
    if let Some(difference) = replay.difference {
        return Err(difference);
    }
    drop(base);
    if drops.borrow().iter().any(|drops| *drops != 1) {
        let what = format!("with the base gone, data was dropped {:?} times", drops.borrow());
        return Err(Difference { at: steps.len(), what });
    }
    Ok(())
}

impl Replay<'_> {
    /// Replays up to the end of the `run` handler, or to the end.
    fn go_on<S: Complete>(&mut self, base: &mut Base<S>) {
        while let Some(Step { call, .. }) = self.steps.get(self.at) {
            match *call {
                _ if self.difference.is_some() => return,
                Call::Enter | Call::RunEnds => return,
                Call::Run(mode) => self.run(base, mode),
                call => {
                    let outcome = self.call(base, call);
                    self.compare(base, outcome);
                }
            }
        }
    }

    fn run<S: Complete>(&mut self, base: &mut Base<S>, mode: Mode) {
        self.at += 1;
        let end = base.run(mode, |base, occurrence| {
            if self.difference.is_none() {
                self.enter(base, occurrence);
            }
            if self.difference.is_some() {
                base.loop_break();
            }
        });
        if self.difference.is_none() {
            match self.steps.get(self.at).map(|step| step.call) {
                Some(Call::RunEnds) => self.compare(
                    base,
                    match end {
                        Ok(end) => Outcome::Ended(end),
                        Err(Error::Backend(error)) => Outcome::Failed(error),
                        Err(error) => Outcome::Refused(error),
                    },
                ),
                _ => self.differs(format!("run ends with {end:?}, too early")),
            }
        }
    }

    fn enter<S: Complete>(&mut self, base: &mut Base<S>, occurrence: Fired) {
        let Fired { id, ready, count, .. } = occurrence;
        let Some(uid) = base.get(id).map(|data| data.uid) else {
            return self.differs(format!("handed out {id:?}, which does not exist"));
        };
        if self.steps.get(self.at).is_none_or(|step| step.call != Call::Enter) {
            return self.differs(format!("handed out event {uid} for {ready:?}, which was not foretold"));
        }
        self.compare(base, Outcome::Handed(Some(Handed { uid, ready, count })));
        self.go_on(base);
    }

    fn compare<S: Complete>(&mut self, base: &mut Base<S>, outcome: Outcome) {
        let Some(step) = self.steps.get(self.at) else { return };
        if outcome != step.outcome {
            return self.differs(format!("answer: {outcome:?}\n  right: {:?}", step.outcome));
        }
        if !base.check() {
            return self.differs("the tables do not agree".into());
        }
        let seen = self.look(base, step.seen.as_ref().is_some_and(|seen| seen.full.is_some()));
        match &step.seen {
            Some(right) if seen != *right => {
                let what = unlike(&seen, right);
                self.differs(what);
            }
            _ => self.at += 1,
        }
    }

    fn differs(&mut self, what: String) {
        self.difference = self.difference.take().or(Some(Difference { at: self.at, what }));
    }

    fn id(&self, target: Target) -> EventId {
        let nobody = EventId::from_bits(u64::MAX).expect("its generation is not zero");
        match target {
            // An event that was refused has no id, so a foreign one is used.
            Target::Event(uid) => self.ids[uid].unwrap_or(nobody),
            Target::Nobody(bits) => EventId::from_bits(bits).unwrap_or(nobody),
        }
    }

    fn data(&mut self, uid: Uid) -> Data {
        assert_eq!(uid, self.ids.len());
        self.ids.push(None);
        self.drops.borrow_mut().push(0);
        Data { uid, drops: Rc::clone(&self.drops) }
    }

    fn created(&mut self, uid: Uid, result: Result<EventId, Rejected<Data, evcore::backend::ManualError>>) -> Outcome {
        match result {
            Ok(id) => {
                if self.ids.contains(&Some(id)) {
                    self.differs(format!("the id {id:?} is given twice"));
                }
                self.ids[uid] = Some(id);
                Outcome::Done
            }
            Err(Rejected { error, data }) => Outcome::Rejected(error, data.uid),
        }
    }

    fn call<S: Complete>(&mut self, base: &mut Base<S>, call: Call) -> Outcome {
        let done = |result: Result<(), _>| result.map_or_else(Outcome::Refused, |()| Outcome::Done);
        match call {
            Call::Create(uid, spec) => {
                let data = self.data(uid);
                let result = base.create(event(&spec), data);
                self.created(uid, result)
            }
            Call::Start { uid, spec, short } => {
                let data = self.data(uid);
                let result = start(base, &spec, short, data);
                self.created(uid, result)
            }
            Call::Add(target, timeout) => done(base.add(self.id(target), timeout.map(duration))),
            Call::AddAt(target, point) => done(base.add_at(self.id(target), Instant::from_nanos(point))),
            Call::Modify(target, interest) => done(base.modify(self.id(target), interest)),
            Call::ReplaceFd(target, fd) => done(base.replace_fd(self.id(target), fd)),
            Call::PauseFor(target, pause) => done(base.pause_for(self.id(target), duration(pause))),
            Call::ClearTimeout(target) => done(base.clear_timeout(self.id(target))),
            Call::Restart(target) => done(base.restart(self.id(target))),
            Call::Deregister(target) => done(base.deregister(self.id(target))),
            Call::ActivateCounted(target, count) => done(base.activate_counted(self.id(target), count)),
            Call::Activate(target, ready) => done(base.activate(self.id(target), ready)),
            Call::Again(target) => done(base.again(self.id(target))),
            Call::Del(target) => done(base.del(self.id(target))),
            Call::Remove(target) => Outcome::Data(base.remove(self.id(target)).map(|data| data.uid)),
            Call::SetPriority(target, priority) => done(base.set_priority(self.id(target), priority)),
            Call::SetPriorities(count) => done(base.set_priorities(count)),
            Call::Now => Outcome::Time(base.now()),
            Call::UpdateNow => Outcome::Time(base.update_now()),
            Call::Reinit => base.reinit().map_or_else(Outcome::Failed, |()| Outcome::Done),
            Call::Poll(wait) => base.poll(wait).map_or_else(Outcome::Failed, Outcome::Turn),
            Call::Next => Outcome::Handed(base.next_active().map(handed)),
            Call::NextEvent(wait) => match base.next_event(wait).map(|fired| fired.map(handed)) {
                Ok(None) => Outcome::Event(None, base.ended()),
                Ok(handed) => Outcome::Event(handed, None),
                Err(error) => Outcome::Failed(error),
            },
            plain => {
                simply(base, plain);
                Outcome::Done
            }
        }
    }

    fn look<S: Complete>(&self, base: &mut Base<S>, is_full: bool) -> Snapshot {
        let mut existing: Vec<(Uid, EventId)> = base.iter().map(|(id, data)| (data.uid, id)).collect();
        existing.sort_unstable();
        for id in self.ids.iter().flatten() {
            let exists = existing.iter().any(|(_, other)| other == id);
            assert_eq!((base.contains(*id), base.get(*id).is_some()), (exists, exists), "{id:?}");
        }
        let full = is_full.then(|| look_fully(base, &existing));
        Snapshot {
            full,
            existing: existing.iter().map(|(uid, _)| *uid).collect(),
            tally: tally(&base.stats()),
            next_deadline: base.next_deadline().map(Instant::as_nanos),
            running: base.current_event().and_then(|id| base.get(id)).map(|data| data.uid),
            priorities: base.priorities(),
            watched: FDS.map(|fd| base.backend().watched(fd)),
            drops: self.drops.borrow().clone(),
        }
    }
}

fn handed(fired: Fired<&mut Data>) -> Handed {
    Handed { uid: fired.data.uid, ready: fired.ready, count: fired.count }
}

fn tally(stats: &Stats) -> Tally {
    let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    Tally {
        turns: stats.turns,
        waits: stats.waits,
        handed_out: stats.handed_out,
        expired: stats.expired,
        changes: stats.changes,
        refused: stats.refused,
        stale: stats.stale,
        rebuilds: stats.rebuilds,
        lateness: nanos(stats.lateness),
        lateness_max: nanos(stats.lateness_max),
    }
}

fn look_fully<S: Complete>(base: &mut Base<S>, existing: &[(Uid, EventId)]) -> Full {
    let events: Vec<Seen> = existing.iter().map(|(uid, id)| see(base, *id, *uid)).collect();
    let (counts, max) = (base.counts(), base.max_counts());
    let busy = events.iter().filter(|seen| seen.registered || seen.deadline.is_some() || seen.active.is_some());
    assert_eq!(base.to_string().lines().count(), 1 + busy.count(), "a line for each:\n{base}");
    Full {
        events,
        is_empty: base.is_empty(),
        counts: [counts.events, counts.pending, counts.active],
        max_counts: [max.events, max.pending, max.active],
    }
}

fn see<S: Complete>(base: &mut Base<S>, id: EventId, uid: Uid) -> Seen {
    let pending = base.pending(id).expect("it exists");
    assert!(base.contains(id) && base.get(id).is_some_and(|data| data.uid == uid));
    Seen {
        uid,
        registered: pending.registered,
        remaining: pending.remaining.map(|left| u64::try_from(left.as_nanos()).unwrap_or(u64::MAX)),
        deadline: pending.deadline.map(Instant::as_nanos),
        active: pending.active,
        priority: base.priority(id).expect("it exists"),
        fd: base.fd(id),
        interest: base.interest(id),
        signum: base.signum(id),
    }
}

fn simply<S: Complete>(base: &mut Base<S>, call: Call) {
    match call {
        Call::ActivateFd(fd, ready) => base.activate_fd(fd, ready),
        Call::ActivateSignal(signum, count) => base.activate_signal(signum, count),
        Call::SetLimits(limits) => base.set_limits(limits),
        Call::SetFairness(fairness) => base.set_fairness(fairness),
        Call::SetSlack(slack) => base.set_slack(duration(slack)),
        Call::ClearMaxCounts => base.clear_max_counts(),
        Call::LoopExit => base.loop_exit(),
        Call::LoopExitAfter(delay) => base.loop_exit_after(duration(delay)),
        Call::LoopBreak => base.loop_break(),
        Call::LoopContinue => base.loop_continue(),
        Call::World(world) => base.backend_mut().happens(world),
        other => unreachable!("{other:?}"),
    }
}

fn event(spec: &Spec) -> Event<u32> {
    let mut event = match spec.kind {
        Kind::Io(fd, interest) => Event::io(fd, interest),
        Kind::Signal(signum) => Event::signal(signum),
        Kind::Timer => Event::timer(),
        Kind::Prepare => Event::prepare(),
        Kind::Check => Event::check(),
        Kind::Wake => Event::wake(),
    };
    if spec.once {
        event = event.once();
    }
    if spec.persist {
        event = event.persist();
    }
    if spec.background {
        event = event.background();
    }
    if let Some(priority) = spec.priority {
        event = event.priority(priority);
    }
    if let Some(timeout) = spec.timeout {
        event = event.timeout(duration(timeout));
    }
    event.missed(spec.missed)
}

/// The methods for one kind of event.
fn start<S: Complete>(
    base: &mut Base<S>,
    spec: &Spec,
    short: bool,
    data: Data,
) -> Result<EventId, Rejected<Data, evcore::backend::ManualError>> {
    let plain =
        Spec { kind: spec.kind, persist: spec.persist, once: spec.once, background: false, priority: None, ..*spec };
    let is_plain = *spec == plain && spec.missed == evcore::options::Missed::Skip;
    match (spec.kind, (spec.persist, spec.once), spec.timeout) {
        _ if !short || !is_plain => base.start(event(spec), data),
        (Kind::Io(fd, interest), (true, false), None) => base.insert(fd, interest, data),
        (Kind::Timer, (false, true), Some(delay)) => base.insert_timer(duration(delay), data),
        (Kind::Timer, (true, false), Some(period)) => base.insert_interval(duration(period), data),
        (Kind::Signal(signum), (true, false), None) => base.insert_signal(signum, data),
        _ => base.start(event(spec), data),
    }
}

fn duration(nanos: u64) -> Duration {
    if nanos == u64::MAX { Duration::MAX } else { Duration::from_nanos(nanos) }
}

/// Describes how two states differ.
fn unlike(seen: &Snapshot, right: &Snapshot) -> String {
    let pairs = seen.lines().into_iter().zip(right.lines()).filter(|(seen, right)| seen != right);
    pairs.map(|(seen, right)| format!("\n   seen: {seen}\n  right: {right}")).collect()
}
