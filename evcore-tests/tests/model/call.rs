//! The operations on a base, step by step, with their expected results.

use evcore::backend::{Features, ManualError};
use evcore::options::{Fairness, Limits, Missed};
use evcore::{End, Error, Instant, Interest, Mode, Ready, Turn, Wait};

/// Identifies an event in the model; never reused.
pub(crate) type Uid = usize;

/// The event of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// An event that exists or has existed.
    Event(Uid),
    /// The bits of an id that no base has returned.
    Nobody(u64),
}

/// What an event is created from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Io(u32, Interest),
    Signal(i32),
    Timer,
    Prepare,
    Check,
    Wake,
}

/// The arguments of an event's creation.
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

/// One step. Times are in nanoseconds; the largest means "never".
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Call {
    Create(Uid, Spec),
    /// If `short` is set, with the method for this kind of event, if there is one.
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
    /// Calls `run`; the steps up to the matching `RunEnds` happen inside.
    Run(Mode),
    /// The handler of `run` is called.
    Enter,
    RunEnds,
    World(World),
}

/// Changes to the backend.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum World {
    SetReady(u32, Ready),
    Raise(i32),
    Wake,
    Advance(u64),
    SetNow(u64),
    Refuse(u32),
    /// The same with a temporary error.
    RefuseForNow(u32),
    SetBatch(usize),
    /// Sets what the backend can do.
    SetFeatures(Features),
    /// The next waits fail, this many times.
    FailWaits(u32),
    /// The next `reinit`s fail, this many times.
    FailReinits(u32),
    /// The next changes find that the number was reused, this many times.
    Replace(u32),
    /// During the next wait: the system ends the registration of this fd.
    Fail(u32),
    /// During the next wait: reports an fd by its number, whether watched or not.
    ReportFd(u32, Ready),
    /// During the next wait: reports this fd's registration once more.
    Report(u32, Ready),
    /// During the next wait: reports all ended registrations.
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

/// The result of a call.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Outcome {
    Done,
    Refused(Error<ManualError>),
    /// Refused; returns the data of this event.
    Rejected(Error<ManualError>, Uid),
    Data(Option<Uid>),
    Time(Instant),
    Turn(Turn),
    Handed(Option<Handed>),
    /// The result of `next_event`: the hand-out, or why there was none.
    Event(Option<Handed>, Option<End>),
    Ended(End),
    Failed(ManualError),
}

/// The visible state of an event.
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

/// The statistics.
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

/// The visible state of a base.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Snapshot {
    /// `None` if it is not compared (then stale reports are not counted): querying it makes the base sort its queues
    /// first.
    pub(crate) full: Option<Full>,
    pub(crate) existing: Vec<Uid>,
    pub(crate) tally: Tally,
    pub(crate) next_deadline: Option<u64>,
    pub(crate) running: Option<Uid>,
    pub(crate) priorities: u8,
    /// The interest that the backend watches each fd for.
    pub(crate) watched: [Option<Interest>; FDS.len()],
    /// How many times the data of each event has been dropped.
    pub(crate) drops: Vec<u8>,
}

/// The visible state of the events and queues.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Full {
    /// By uid.
    pub(crate) events: Vec<Seen>,
    pub(crate) is_empty: bool,
    /// Existing, pending and active events: now, and the maximum.
    pub(crate) counts: [u32; 3],
    pub(crate) max_counts: [u32; 3],
}

impl Snapshot {
    /// The state as text, one line per item.
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

/// The fds that programs use: some on one page of the growable fd map, some far apart.
pub(crate) const FDS: [u32; 5] = [3, 4, 5, 70, 5_000];
/// The signals that programs use.
pub(crate) const SIGNALS: [i32; 3] = [1, 2, 15];

/// A call with its expected result. `seen` is `None` where no query is possible: when `run` begins.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) call: Call,
    pub(crate) outcome: Outcome,
    pub(crate) seen: Option<Snapshot>,
}
