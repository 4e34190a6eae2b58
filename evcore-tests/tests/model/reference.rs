//! The reference: the behaviour of a base in the simplest form, with vectors that are searched linearly.
//!
//! It shares no code with the core, and stores nothing that can be computed: an fd's interest is the union of its
//! members whenever it is needed, and an event is active if a queue contains it. Its uids are never reused.

use evcore::backend::ManualError;
use evcore::options::{Fairness, Limits};
use evcore::{Error, Instant, Interest, Mode, Ready};

use crate::call::{Call, FDS, Full, Kind, Outcome, SIGNALS, Seen, Snapshot, Spec, Tally, Target, Uid};

mod fds;
mod life;
mod timers;
mod turn;
mod world;

use fds::Row;
use world::World;

pub(crate) type Answer = Result<(), Error<ManualError>>;

/// A base and its world.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    /// The maximum number of events; `None` if unlimited.
    capacity: Option<usize>,
    /// All events ever created, by uid.
    events: Vec<Event>,
    world: World,

    /// The event that has, or last had, each slot.
    slots: Vec<Uid>,
    /// The free slots, the next one last.
    free_slots: Vec<usize>,
    entries: timers::Entries,
    restarts: timers::Restarts,
    /// The fds with events.
    rows: Vec<Option<Row>>,
    /// The free rows, the next one last.
    free_rows: Vec<usize>,
    /// The rows with pending changes for the backend, the next one last.
    changes: Vec<usize>,
    registrations: u64,

    /// Counts armings, which order equal deadlines.
    armings: u64,

    /// The queues by priority; the queue before all of them; the queue of the next turn.
    levels: Vec<Vec<Uid>>,
    front: Vec<Uid>,
    later: Vec<Uid>,

    turn: turn::Quota,
    limits: Limits,
    fairness: Fairness,
    slack: u64,
    /// The last reading of the clock, and whether it is the time of this turn.
    clock: u64,
    clock_is_current: bool,
    exit_at: Option<u64>,
    exit: bool,
    broken: bool,
    continued: bool,
    preparing: bool,
    /// A waker has ended the wait of this turn.
    woken: bool,
    /// Whether the backend must be rebuilt; the number of stale reports since the last rebuild.
    rebuild: bool,
    rebuild_is_postponed: bool,
    /// When the backend's temporary refusals are retried.
    retry_at: Option<u64>,
    stale: u64,
    /// The last event handed out was a once event.
    spent: bool,
    running: Option<Uid>,
    /// Inside of `run`.
    pub(crate) is_running: bool,
    tally: Tally,
    max_counts: [u32; 3],
}

#[derive(Clone, Debug)]
struct Event {
    spec: Spec,
    exists: bool,
    level: u8,
    /// Its fd, signal or watcher is registered; stays set during a pause.
    registered: bool,
    paused: bool,
    /// Has a timeout, armed or expired, or had one when its pause began.
    timed: bool,
    timed_before: bool,
    /// Was given a timeout, which can restart.
    was_given_timeout: bool,
    /// Was created with a timeout, which starts whenever the event is added.
    keeps_timeout: bool,
    /// Its timeout restarts at the end of this turn's hand-outs.
    restarting: bool,
    deadline: u64,
    interval: u64,
    /// When it was last armed, and its entry in the timer queue: a deadline that moves later does not change the
    /// entry until that reaches the top, or is visited by a sweep.
    armed: u64,
    ready: Ready,
    handed_out_in: u64,
    arrivals: u32,
    /// Its index in `rows`.
    row: usize,
    /// Has not been registered since it was bound to its fd.
    fresh: bool,
}

impl Model {
    pub(crate) fn new(capacity: Option<usize>) -> Self {
        Self {
            capacity,
            events: Vec::new(),
            world: World::default(),
            slots: Vec::new(),
            free_slots: Vec::new(),
            entries: timers::Entries::of(capacity),
            restarts: timers::Restarts::default(),
            rows: Vec::new(),
            free_rows: Vec::new(),
            changes: Vec::new(),
            registrations: 0,
            armings: 0,
            levels: vec![Vec::new()],
            front: Vec::new(),
            later: Vec::new(),
            turn: turn::Quota::default(),
            limits: Limits::DEFAULT,
            fairness: Fairness::Fair,
            slack: 0,
            clock: 0,
            clock_is_current: false,
            exit_at: None,
            exit: false,
            broken: false,
            continued: false,
            preparing: false,
            woken: false,
            rebuild: false,
            rebuild_is_postponed: false,
            retry_at: None,
            stale: 0,
            spent: false,
            running: None,
            is_running: false,
            tally: Tally::default(),
            max_counts: [0; 3],
        }
    }

    /// Carries out a call. The caller handles those that begin or end a `run`.
    pub(crate) fn call(&mut self, call: Call) -> Outcome {
        match call {
            Call::Create(uid, spec) => self.created(uid, spec, |_, _| Ok(())),
            Call::Start { uid, spec, .. } => self.created(uid, spec, |model, uid| model.add(uid, None)),
            Call::Add(target, timeout) => self.on(target, |model, uid| model.add(uid, timeout)),
            Call::AddAt(target, deadline) => self.on(target, |model, uid| model.add_at(uid, deadline)),
            Call::Modify(target, interest) => self.on(target, |model, uid| model.modify(uid, interest)),
            Call::ReplaceFd(target, fd) => self.on(target, |model, uid| model.replace_fd(uid, fd)),
            Call::PauseFor(target, pause) => self.on(target, |model, uid| model.pause_for(uid, pause)),
            Call::Restart(target) => self.on(target, |model, uid| model.restart(uid)),
            Call::Deregister(target) => self.on(target, |model, uid| {
                model.deregister(uid);
                Ok(())
            }),
            Call::ActivateCounted(target, count) => self.on(target, |model, uid| model.activate_counted(uid, count)),
            Call::ClearTimeout(target) => self.on(target, |model, uid| {
                model.clear_timeout(uid);
                Ok(())
            }),
            Call::Activate(target, ready) => self.on(target, |model, uid| {
                model.activate(uid, ready);
                Ok(())
            }),
            Call::Again(target) => self.on(target, |model, uid| {
                model.queue_for_later(uid, Ready::AGAIN);
                Ok(())
            }),
            Call::ActivateFd(fd, ready) => self.did(|model| model.activate_fd(fd, ready)),
            Call::ActivateSignal(signum, count) => self.did(|model| model.activate_signal(signum, count)),
            Call::Del(target) => self.on(target, |model, uid| {
                model.del(uid);
                Ok(())
            }),
            Call::Remove(target) => {
                let uid = self.resolve(target);
                uid.iter().for_each(|uid| self.remove(*uid));
                Outcome::Data(uid)
            }
            Call::SetPriority(target, priority) => self.on(target, |model, uid| model.set_priority(uid, priority)),
            Call::SetPriorities(count) => self.set_priorities(count).map_or_else(Outcome::Refused, |()| Outcome::Done),
            Call::SetLimits(limits) => self.did(|model| model.limits = limits),
            Call::SetFairness(fairness) => self.did(|model| model.fairness = fairness),
            Call::SetSlack(slack) => self.did(|model| model.slack = slack),
            Call::ClearMaxCounts => self.did(|model| model.max_counts = model.counts()),
            Call::Now => Outcome::Time(Instant::from_nanos(self.time())),
            Call::UpdateNow => Outcome::Time(Instant::from_nanos(self.update_now())),
            Call::Reinit => self.reinit().map_or_else(Outcome::Failed, |()| Outcome::Done),
            Call::LoopExit => self.did(|model| model.exit = true),
            Call::LoopExitAfter(delay) => self.did(|model| {
                let at = model.fresh_now().saturating_add(delay);
                model.exit_at = Some(model.exit_at.map_or(at, |earlier| earlier.min(at)));
            }),
            Call::LoopBreak => self.did(|model| model.broken = true),
            Call::LoopContinue => self.did(|model| model.continued = true),
            Call::Poll(wait) => self.poll(wait).map_or_else(Outcome::Failed, Outcome::Turn),
            Call::Next => Outcome::Handed(self.next()),
            Call::World(happens) => self.did(|model| model.world.happens(happens)),
            Call::NextEvent(_) | Call::Run(_) | Call::Enter | Call::RunEnds => unreachable!("said by the plan"),
        }
    }

    fn did(&mut self, change: impl FnOnce(&mut Self)) -> Outcome {
        change(self);
        Outcome::Done
    }

    fn on(&mut self, target: Target, change: impl FnOnce(&mut Self, Uid) -> Answer) -> Outcome {
        match self.resolve(target) {
            Some(uid) => change(self, uid).map_or_else(Outcome::Refused, |()| Outcome::Done),
            None => Outcome::Refused(Error::NoSuchEvent),
        }
    }

    fn created(&mut self, uid: Uid, spec: Spec, then: impl FnOnce(&mut Self, Uid) -> Answer) -> Outcome {
        assert_eq!(uid, self.events.len(), "uids are given in order");
        if let Err(error) = self.create(spec) {
            return Outcome::Rejected(error, uid);
        }
        match then(self, uid) {
            Ok(()) => Outcome::Done,
            Err(error) => {
                self.remove(uid);
                Outcome::Rejected(error, uid)
            }
        }
    }

    pub(crate) fn resolve(&self, target: Target) -> Option<Uid> {
        match target {
            Target::Event(uid) => Some(uid).filter(|uid| self.events[*uid].exists),
            Target::Nobody(_) => None,
        }
    }

    /// The existing events, by uid.
    pub(crate) fn existing(&self) -> Vec<Uid> {
        (0..self.events.len()).filter(|uid| self.events[*uid].exists).collect()
    }

    /// The existing events that watch an fd.
    pub(crate) fn existing_io(&self) -> Vec<Uid> {
        let is_io = |uid: &Uid| matches!(self.events[*uid].spec.kind, Kind::Io(..));
        self.existing().into_iter().filter(is_io).collect()
    }

    pub(crate) fn priorities(&self) -> u8 {
        self.levels.len() as u8
    }

    /// The number of events ever created.
    pub(crate) fn ever(&self) -> usize {
        self.events.len()
    }

    /// Whether `run` ends between turns because the base is empty; then it ends the turn.
    pub(crate) fn ends_empty(&mut self, mode: Mode) -> bool {
        let ends = !mode.contains(Mode::NO_EXIT_ON_EMPTY) && self.is_empty() && !self.end_is_asked_for();
        if ends {
            self.end_turn();
            self.preparing = false;
        }
        ends
    }

    pub(crate) fn end_is_asked_for(&self) -> bool {
        self.broken || self.exit
    }

    pub(crate) fn is_watcher(&self, uid: Uid) -> bool {
        matches!(self.events[uid].spec.kind, Kind::Prepare | Kind::Check)
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.woken
    }

    pub(crate) fn is_preparing(&self) -> bool {
        self.preparing
    }

    /// Whether the outcome is a turn.
    pub(crate) fn has_begun(outcome: &Outcome) -> bool {
        matches!(outcome, Outcome::Turn(turn) if turn.is_running())
    }

    /// The first deadline that can expire.
    pub(crate) fn first_deadline(&self) -> Option<u64> {
        let armed = (0..self.events.len()).filter(|uid| self.is_armed(*uid));
        let deadlines = armed.map(|uid| self.events[uid].deadline);
        deadlines.chain(self.exit_at).chain(self.retry_at).filter(|deadline| *deadline != u64::MAX).min()
    }

    pub(crate) fn clock(&self) -> u64 {
        self.fresh_now()
    }

    fn fresh_now(&self) -> u64 {
        self.world.now.max(self.clock)
    }

    /// The result of `now`: in handlers the time of the turn, otherwise the current time.
    fn time(&mut self) -> u64 {
        if self.running.is_some() { self.now() } else { self.update_now() }
    }

    /// The time of this turn.
    fn now(&mut self) -> u64 {
        if self.clock_is_current { self.clock } else { self.update_now() }
    }

    fn update_now(&mut self) -> u64 {
        self.clock = self.fresh_now();
        self.clock_is_current = true;
        self.clock
    }

    fn is_waiting(&self, uid: Uid) -> bool {
        let event = &self.events[uid];
        event.exists && (event.registered || event.timed)
    }

    fn is_empty(&self) -> bool {
        let keeps_alive = |uid: &Uid| self.is_waiting(*uid) && !self.events[*uid].spec.background;
        !self.existing().iter().any(keeps_alive) && self.active() == 0 && self.exit_at.is_none()
    }

    fn counts(&self) -> [u32; 3] {
        let existing = self.existing();
        let pending = existing.iter().filter(|uid| self.is_waiting(**uid)).count();
        [existing.len() as u32, pending as u32, self.active() as u32]
    }

    /// Updates the maxima of existing and pending events after a call that increased them.
    fn note_counts(&mut self) {
        let counts = self.counts();
        for (most, count) in self.max_counts.iter_mut().zip(counts).take(2) {
            *most = count.max(*most);
        }
    }

    /// The visible state: all of it, or what is cheap to compare.
    pub(crate) fn snapshot(&self, is_full: bool) -> Snapshot {
        let full = || Full {
            events: self.existing().into_iter().map(|uid| self.seen(uid)).collect(),
            counts: self.counts(),
            is_empty: self.is_empty(),
            max_counts: self.max_counts,
        };
        Snapshot {
            full: is_full.then(full),
            existing: self.existing(),
            tally: self.tally,
            next_deadline: self.next_deadline().into_iter().chain(self.exit_at).chain(self.retry_at).min(),
            running: self.running.filter(|uid| self.events[*uid].exists),
            priorities: self.priorities(),
            watched: FDS.map(|fd| self.world.watched(fd)),
            drops: self.events.iter().map(|event| u8::from(!event.exists)).collect(),
        }
    }

    fn seen(&self, uid: Uid) -> Seen {
        let event = &self.events[uid];
        let (fd, interest) = match event.spec.kind {
            Kind::Io(fd, interest) => (Some(fd), Some(interest)),
            _ => (None, None),
        };
        let restarted = self.fresh_now().saturating_add(event.interval);
        let deadline = event.timed.then_some(if event.restarting { restarted } else { event.deadline });
        Seen {
            uid,
            registered: event.registered,
            remaining: deadline.map(|deadline| deadline.saturating_sub(self.fresh_now())),
            deadline,
            active: self.is_active(uid).then_some(event.ready),
            priority: event.level,
            fd,
            interest,
            signum: match event.spec.kind {
                Kind::Signal(signum) => Some(signum),
                _ => None,
            },
        }
    }
}

/// Converts a program's small index to an fd or a signal.
pub(crate) fn fd(at: u8) -> u32 {
    FDS[usize::from(at) % FDS.len()]
}

pub(crate) fn signum(at: u8) -> i32 {
    SIGNALS[usize::from(at) % SIGNALS.len()]
}

/// An interest of EDGE alone counts as empty.
fn normal(interest: Interest) -> Interest {
    if interest == Interest::EDGE { Interest::empty() } else { interest }
}
