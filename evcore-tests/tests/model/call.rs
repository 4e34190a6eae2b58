//! What is done to a base, step by step, and what must come of it.

use evcore::backend::{Features, ManualError};
use evcore::options::{Fairness, Limits, Missed};
use evcore::{End, Error, Instant, Interest, Mode, Ready, Turn, Wait};

/// Names an event in the model: never given twice.
pub(crate) type Uid = usize;

/// Which event a call is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// One that exists, or has existed.
    Event(Uid),
    /// The bits of an id that no base has given.
    Nobody(u64),
}

/// Where an event comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Io(u32, Interest),
    Signal(i32),
    Timer,
    Prepare,
    Check,
    Wake,
}

/// What an event is created from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Spec {
    pub(crate) kind: Kind,
    pub(crate) persist: bool,
    pub(crate) once: bool,
    pub(crate) background: bool,
    pub(crate) priority: Option<u8>,
    pub(crate) missed: Missed,
    pub(crate) timeout: Option<u64>,
}

/// One step. Delays and points in time are in nanoseconds; the largest is "never".
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Call {
    Create(Uid, Spec),
    /// By the method that is made for this kind of event, where there is one and `short` is set.
    Start {
        uid: Uid,
        spec: Spec,
        short: bool,
    },
    Add(Target, Option<u64>),
    AddAt(Target, u64),
    Modify(Target, Interest),
    ReplaceFd(Target, u32),
    PauseFor(Target, u64),
    ClearTimeout(Target),
    Restart(Target),
    Deregister(Target),
    Activate(Target, Ready),
    Again(Target),
    ActivateFd(u32, Ready),
    ActivateSignal(i32, u32),
    ActivateCounted(Target, u32),
    Del(Target),
    Remove(Target),
    SetPriority(Target, u8),
    SetPriorities(u8),
    SetLimits(Limits),
    SetFairness(Fairness),
    SetSlack(u64),
    ClearMaxCounts,
    Now,
    UpdateNow,
    Reinit,
    LoopExit,
    LoopExitAfter(u64),
    LoopBreak,
    LoopContinue,
    Poll(Wait),
    Next,
    NextEvent(Wait),
    /// Calls `run`; up to the `RunEnds` that belongs to it, what happens inside.
    Run(Mode),
    /// The handler of `run` is called.
    Enter,
    RunEnds,
    World(World),
}

/// What the world does: the backend's side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum World {
    SetReady(u32, Ready),
    Raise(i32),
    Wake,
    Advance(u64),
    SetNow(u64),
    Refuse(u32),
    /// The same, for the time being.
    RefuseForNow(u32),
    SetBatch(usize),
    /// What the backend can do.
    SetFeatures(Features),
    /// The next so many waits fail.
    FailWaits(u32),
    /// The next so many new starts fail.
    FailReinits(u32),
    /// The next so many changes find that the descriptor is another one now.
    Replace(u32),
    /// During the next wait: the registration of this fd is given up by the system.
    Fail(u32),
    /// During the next wait: a report by number, watched or not.
    ReportFd(u32, Ready),
    /// During the next wait: one more report of this fd's registration.
    Report(u32, Ready),
    /// During the next wait: reports of all registrations that have ended.
    ReportStale(Ready),
    /// During the next wait: the backend requests a rebuild.
    Rebuild,
}

/// A hand-out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Handed {
    pub(crate) uid: Uid,
    pub(crate) ready: Ready,
    pub(crate) count: u32,
}

/// What a call answers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Outcome {
    Done,
    Refused(Error<ManualError>),
    /// Refused, and the data of this event given back.
    Rejected(Error<ManualError>, Uid),
    Data(Option<Uid>),
    Time(Instant),
    Turn(Turn),
    Handed(Option<Handed>),
    /// Of `next_event`: what was handed out, or why there was nothing.
    Event(Option<Handed>, Option<End>),
    Ended(End),
    Failed(ManualError),
}

/// What can be seen of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    pub(crate) uid: Uid,
    pub(crate) registered: bool,
    pub(crate) remaining: Option<u64>,
    pub(crate) deadline: Option<u64>,
    pub(crate) active: Option<Ready>,
    pub(crate) priority: u8,
    pub(crate) fd: Option<u32>,
    pub(crate) interest: Option<Interest>,
    pub(crate) signum: Option<i32>,
}

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) turns: u64,
    pub(crate) waits: u64,
    pub(crate) handed_out: u64,
    pub(crate) expired: u64,
    pub(crate) changes: u64,
    pub(crate) refused: u64,
    pub(crate) stale: u64,
    pub(crate) rebuilds: u64,
    pub(crate) lateness: u64,
    pub(crate) lateness_max: u64,
}

/// What can be seen of a base from outside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Snapshot {
    /// `None` where it is not looked at (and then stale reports are not counted): to look at it makes the base put its queues in order first.
    pub(crate) full: Option<Full>,
    pub(crate) existing: Vec<Uid>,
    pub(crate) tally: Tally,
    pub(crate) next_deadline: Option<u64>,
    pub(crate) running: Option<Uid>,
    pub(crate) priorities: u8,
    /// What the backend watches each fd for.
    pub(crate) watched: [Option<Interest>; FDS.len()],
    /// How often the data of each event has been dropped.
    pub(crate) drops: Vec<u8>,
}

/// What can be seen of the events and of their queues.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Full {
    /// By uid.
    pub(crate) events: Vec<Seen>,
    pub(crate) is_empty: bool,
    /// Events, pending and active ones, now and at most.
    pub(crate) counts: [u32; 3],
    pub(crate) max_counts: [u32; 3],
}

impl Snapshot {
    /// What is seen, a line for each thing.
    pub(crate) fn lines(&self) -> Vec<String> {
        let Self { full, existing, tally, next_deadline, running, priorities, watched, drops } = self;
        let mut lines = vec![
            format!("events {existing:?}"),
            format!("{tally:?}"),
            format!("next_deadline {next_deadline:?}, running {running:?}, {priorities} priorities"),
            format!("fds {FDS:?} watched for {watched:?}"),
            format!("dropped {drops:?}"),
        ];
        if let Some(Full { events, is_empty, counts, max_counts }) = full {
            lines.push(format!("counts {counts:?}, at most {max_counts:?}, is_empty {is_empty}"));
            lines.extend(events.iter().map(|seen| format!("{seen:?}")));
        }
        lines
    }
}

/// The fds that programs use: some on one page of the growable fd map, some far away.
pub(crate) const FDS: [u32; 5] = [3, 4, 5, 70, 5_000];
/// The signals that programs use.
pub(crate) const SIGNALS: [i32; 3] = [1, 2, 15];

/// A call with what must come of it. `seen` is `None` where nothing can be looked at: when `run` begins.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) call: Call,
    pub(crate) outcome: Outcome,
    pub(crate) seen: Option<Snapshot>,
}
