//! Random scripts: operations on a few sources, and on events that watch them.

use evcore::{Interest, Ready};
use proptest::collection::vec;
use proptest::prelude::*;

/// The number of sources in a script; each has two ends.
pub(crate) const SOURCES: u8 = 3;
pub(crate) const ENDS: u8 = 2 * SOURCES;
/// The maximum number of events at one time.
pub(crate) const EVENTS: u8 = 8;
pub(crate) const LEVELS: u8 = 3;
/// In milliseconds; at most [`SOON`](crate::model::SOON).
const LONGEST_PASS: u8 = 50;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The near end is read from, the far one written to.
    Pipe,
    Pair,
    Tcp,
}

/// An end of a source: twice the source's number, and one more for the far end.
pub(crate) type End = u8;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shut {
    Read,
    Write,
    Both,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Timeout {
    None,
    /// Due after [`SOON`](crate::model::SOON).
    Soon,
    /// Does not expire in this test.
    Later,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum From {
    Io(End, Interest),
    Signal(u8),
    Timer,
}

/// What an event's handler does: to itself, or to a less urgent event, so that the order within a priority does not
/// matter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Body {
    Nothing,
    Add,
    Del,
    Remove,
    Modify(Interest),
    DelOther(u8),
    RemoveOther(u8),
    ModifyOther(u8, Interest),
    ActivateOther(u8),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Start {
    pub(crate) from: From,
    pub(crate) persist: bool,
    pub(crate) once: bool,
    pub(crate) level: u8,
    pub(crate) timeout: Timeout,
    pub(crate) body: Body,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    Write(End, u16),
    /// Writes until there is no room.
    Fill(End),
    Read(End, u16),
    Drain(End),
    Shut(End, Shut),
    Close(End),
    /// Closes it so that the peer gets a reset.
    Reset(End),
    Urgent(End),
    /// Opens another source with the same numbers.
    Reopen(u8, Kind),
    Start(u8, Start),
    Add(u8, Timeout),
    Del(u8),
    Remove(u8),
    Modify(u8, Interest),
    ReplaceFd(u8, End),
    Activate(u8, Ready),
    RemoveTimer(u8),
    Pause(u8),
    SetPriority(u8, u8),
    Reinit,
    Raise(u8, u8),
    Wake,
    /// Advances the time exactly until all timers that expire soon have expired.
    Lapse,
    /// Advances the time by this many milliseconds.
    Pass(u8),
    /// A turn; `true`: it may sleep if something will end the wait.
    Turn(bool),
}

/// What scripts are drawn for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Profile {
    /// Everything that our backends have in common.
    Ours,
    /// Everything that libevent can do as well, with the same meaning: see [`differences`](crate::differences).
    Libevent,
}

#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) kinds: [Kind; SOURCES as usize],
    /// The ends whose events are edge-triggered, as a bit mask.
    pub(crate) edges: u8,
    /// libevent's order: one priority per turn.
    pub(crate) strict: bool,
    /// A base without priorities uses a faster path to hand out.
    pub(crate) one_level: bool,
    pub(crate) steps: Vec<Step>,
}

impl Script {
    pub(crate) fn is_edge(&self, end: End) -> bool {
        self.edges >> end & 1 == 1
    }

    /// How many priorities a base has.
    pub(crate) fn levels(&self) -> u8 {
        if self.one_level { 1 } else { LEVELS }
    }

    /// A step restricted to the script's priorities. In libevent's order there are no timers, as it cannot be
    /// predicted in which of several turns they are handed out.
    pub(crate) fn fit(&self, step: Step) -> Step {
        let later = |timeout| if self.strict && timeout == Timeout::Soon { Timeout::Later } else { timeout };
        match step {
            Step::Start(event, start) => {
                let (level, timeout) = (start.level % self.levels(), later(start.timeout));
                Step::Start(event, Start { level, timeout, ..start })
            }
            Step::Add(event, timeout) => Step::Add(event, later(timeout)),
            Step::SetPriority(event, level) => Step::SetPriority(event, level % self.levels()),
            step => step,
        }
    }
}

pub(crate) fn script(profile: Profile) -> BoxedStrategy<Script> {
    let edges = prop_oneof![3 => Just(0), 1 => any::<u8>()];
    let strict = prop::bool::weighted(if profile == Profile::Ours { 0.2 } else { 0.0 });
    let one_level = prop::bool::weighted(if profile == Profile::Ours { 0.4 } else { 1.0 });
    let kinds = [kind(), kind(), kind()];
    (kinds, edges, strict, one_level, vec(step(profile), 1..60))
        .prop_map(|(kinds, edges, strict, one_level, steps)| Script {
            kinds,
            // In strict order a report may be outdated when its less urgent event is handed out, so edges are only
            // for fair scripts.
            edges: if strict { 0 } else { edges },
            strict,
            one_level,
            steps,
        })
        .boxed()
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![1 => Just(Kind::Pipe), 2 => Just(Kind::Pair), 2 => Just(Kind::Tcp)]
}

fn step(profile: Profile) -> BoxedStrategy<Step> {
    let common = prop_oneof![
        30 => of_the_world(),
        24 => (event(), start(profile)).prop_map(|(event, start)| Step::Start(event, start)),
        10 => of_an_event(profile),
        20 => any::<bool>().prop_map(Step::Turn),
        2 => (0u8..2, 1u8..4).prop_map(|(signal, times)| Step::Raise(signal, times)),
        4 => Just(Step::Lapse),
        8 => (1..=LONGEST_PASS).prop_map(Step::Pass),
    ];
    let more = prop_oneof![
        2 => (event(), end()).prop_map(|(event, end)| Step::ReplaceFd(event, end)),
        2 => event().prop_map(Step::Pause),
        2 => (event(), 0..LEVELS).prop_map(|(event, level)| Step::SetPriority(event, level)),
        2 => end().prop_map(Step::Urgent),
        1 => Just(Step::Reinit),
        1 => Just(Step::Wake),
    ];
    match profile {
        Profile::Ours => prop_oneof![10 => common, 1 => more].boxed(),
        Profile::Libevent => common.boxed(),
    }
}

fn of_the_world() -> impl Strategy<Value = Step> {
    let shut = prop_oneof![3 => Just(Shut::Write), 1 => Just(Shut::Read), 1 => Just(Shut::Both)];
    prop_oneof![
        8 => (end(), 1u16..300).prop_map(|(end, bytes)| Step::Write(end, bytes)),
        2 => end().prop_map(Step::Fill),
        2 => (end(), 1u16..300).prop_map(|(end, bytes)| Step::Read(end, bytes)),
        6 => end().prop_map(Step::Drain),
        3 => (end(), shut).prop_map(|(end, shut)| Step::Shut(end, shut)),
        2 => end().prop_map(Step::Close),
        1 => end().prop_map(Step::Reset),
        3 => (0..SOURCES, kind()).prop_map(|(source, kind)| Step::Reopen(source, kind)),
    ]
}

fn of_an_event(profile: Profile) -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (event(), timeout()).prop_map(|(event, timeout)| Step::Add(event, timeout)),
        3 => event().prop_map(Step::Del),
        2 => event().prop_map(Step::Remove),
        4 => (event(), interest(profile)).prop_map(|(event, interest)| Step::Modify(event, interest)),
        3 => (event(), ready()).prop_map(|(event, ready)| Step::Activate(event, ready)),
        1 => event().prop_map(Step::RemoveTimer),
    ]
}

fn event() -> impl Strategy<Value = u8> {
    0..EVENTS
}

fn end() -> impl Strategy<Value = End> {
    0..ENDS
}

fn start(profile: Profile) -> impl Strategy<Value = Start> {
    let from = prop_oneof![
        12 => (end(), interest(profile)).prop_map(|(end, interest)| From::Io(end, interest)),
        2 => (0u8..2).prop_map(From::Signal),
        1 => Just(From::Timer),
    ];
    (from, prop::bool::weighted(0.6), prop::bool::weighted(0.2), 0..LEVELS, timeout(), body(profile)).prop_map(
        |(from, persist, once, level, timeout, body)| Start {
            from,
            persist: persist && !once,
            once,
            level,
            timeout,
            body,
        },
    )
}

fn body(profile: Profile) -> BoxedStrategy<Body> {
    let common = prop_oneof![8 => Just(Body::Nothing), 1 => Just(Body::Del), 2 => Just(Body::Add)];
    let more = prop_oneof![
        Just(Body::Remove),
        interest(profile).prop_map(Body::Modify),
        event().prop_map(Body::DelOther),
        event().prop_map(Body::RemoveOther),
        (event(), interest(profile)).prop_map(|(event, interest)| Body::ModifyOther(event, interest)),
        event().prop_map(Body::ActivateOther),
    ];
    match profile {
        Profile::Ours => prop_oneof![2 => common, 1 => more].boxed(),
        Profile::Libevent => common.boxed(),
    }
}

fn timeout() -> impl Strategy<Value = Timeout> {
    prop_oneof![20 => Just(Timeout::None), 8 => Just(Timeout::Soon), 3 => Just(Timeout::Later)]
}

fn ready() -> impl Strategy<Value = Ready> {
    prop_oneof![Just(Ready::READ), Just(Ready::WRITE), Just(Ready::READ | Ready::WRITE)]
}

fn interest(profile: Profile) -> BoxedStrategy<Interest> {
    let usual = prop_oneof![Just(Interest::READ), Just(Interest::WRITE), Just(Interest::READ | Interest::WRITE)];
    let known: &[Interest] = match profile {
        Profile::Ours => &[Interest::READ, Interest::WRITE, Interest::URGENT, Interest::CLOSED],
        Profile::Libevent => &[Interest::READ, Interest::WRITE, Interest::CLOSED],
    };
    let any = any::<u8>().prop_map(move |bits| {
        known.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, bit)| *bit).collect::<Interest>()
    });
    prop_oneof![3 => usual, 2 => any].boxed()
}
