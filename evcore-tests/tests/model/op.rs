//! Random programs as they are drawn: operations that choose their events only when they run.

use std::num::NonZeroU32;
use std::time::Duration;

use evcore::backend::Features;
use evcore::options::{Fairness, Limits, Missed};
use evcore::{Interest, Mode, Ready};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::reference::{fd, signum};
use crate::stage::readiness;

/// A base's initial settings, and the operations on it.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) priorities: u8,
    pub(crate) begins_at: u64,
    /// The kinds of operations that this program omits, as a bit mask, so that programs differ systematically.
    pub(crate) without: u16,
    pub(crate) features: Features,
    /// The number of steps between full comparisons.
    pub(crate) looks: usize,
    pub(crate) ops: Vec<Op>,
}

/// Chooses one of the events that exist when the operation runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who {
    /// The event being handed out, if there is one.
    Me,
    Existing(u8),
    /// An event that watches an fd, if there is one.
    ExistingIo(u8),
    /// Any event that has ever existed.
    Ever(u8),
    Nobody(u64),
}

/// A point in time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    In(u64),
    Ago(u64),
    /// This many nanoseconds after the first deadline; before it, if negative.
    Deadline(i8),
    At(u64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum From {
    Io(u32, Interest),
    Signal(i32),
    Timer,
    Prepare,
    Check,
    Wake,
}

#[derive(Clone, Debug)]
pub(crate) struct New {
    pub(crate) from: From,
    pub(crate) persist: bool,
    pub(crate) once: bool,
    pub(crate) background: bool,
    /// Reduced to one of the existing priorities, unless it is 255.
    pub(crate) priority: Option<u8>,
    pub(crate) missed: Missed,
    pub(crate) timeout: Option<u64>,
    /// The operations at each of its hand-outs.
    pub(crate) body: Vec<Op>,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Create(New),
    Start {
        new: New,
        short: bool,
    },
    /// An event on each fd, all of them ready. The bits, lowest first: whether it is one-shot, whether it is
    /// persistent, whether it has the most urgent priority, whether more is reported than it waits for.
    Readers {
        once: u8,
        persist: u8,
        urgent: u8,
        more: u8,
        body: Vec<Op>,
    },
    /// Many timers at once, three of four with the most urgent priority, all with the same body; and limits on
    /// hand-outs and timers.
    Crowd {
        count: u8,
        delay: u64,
        hand_outs: u32,
        timers: u32,
        body: Vec<Op>,
    },
    Add(Who, Option<u64>),
    /// `del`, then `add`.
    AddAnew(Who, Option<u64>),
    AddAt(Who, When),
    Modify(Who, Interest),
    ReplaceFd(Who, u32),
    PauseFor(Who, u64),
    ClearTimeout(Who),
    Restart(Who),
    Deregister(Who),
    Activate(Who, Ready),
    Again(Who),
    ActivateFd(u32, Ready),
    ActivateSignal(i32, u32),
    ActivateCounted(Who, u32),
    Del(Who),
    Remove(Who),
    SetPriority(Who, u8),
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
    /// A wait, and all hand-outs of its turn.
    Turn(Wait),
    Poll(Wait),
    /// This many turns without waiting and without hand-outs.
    Polls(u8),
    Next,
    NextEvent(Wait),
    Run(Mode),
    SetReady(u32, Ready),
    Raise(i32, u8),
    Wake,
    Advance(When),
    SetBack(u64),
    /// The backend refuses this many registrations; all of them during the next operation.
    Refuse(u8),
    /// The backend refuses this many registrations temporarily.
    RefuseForNow(u8),
    SetBatch(usize),
    FailWait,
    FailReinit,
    Replace(u8),
    Fail(u32),
    Report(u32, Ready),
    ReportFd(u32, Ready),
    /// This many times.
    ReportStale(Ready, u8),
    Rebuild,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Wait {
    None,
    For(u64),
    Until(When),
    Forever,
}

impl Op {
    /// The kind of an operation, as a bit of [`Program::without`].
    pub(crate) fn kind(&self) -> u16 {
        let kind = match self {
            Self::Create(new) | Self::Start { new, .. } => match new.from {
                From::Io(..) => 0,
                From::Signal(_) => 1,
                From::Timer => 2,
                From::Prepare | From::Check | From::Wake => 3,
            },
            Self::Modify(..) | Self::ReplaceFd(..) => 4,
            Self::PauseFor(..) => 5,
            Self::Again(_) | Self::ActivateFd(..) | Self::ActivateSignal(..) | Self::ActivateCounted(..) => 6,
            Self::SetPriority(..) | Self::SetPriorities(_) => 7,
            Self::SetLimits(_) | Self::SetFairness(_) => 8,
            Self::SetSlack(_) | Self::SetBack(_) => 9,
            Self::LoopExit | Self::LoopExitAfter(_) | Self::LoopBreak | Self::LoopContinue => 10,
            Self::Run(_) => 11,
            Self::Refuse(_) | Self::RefuseForNow(_) | Self::Reinit | Self::FailReinit | Self::FailWait => 12,
            Self::Replace(_)
            | Self::Fail(_)
            | Self::Report(..)
            | Self::ReportFd(..)
            | Self::ReportStale(..)
            | Self::Rebuild => 13,
            Self::Poll(_) | Self::Polls(_) | Self::Next | Self::NextEvent(_) => 14,
            Self::SetBatch(_) | Self::Wake => 15,
            _ => return 0,
        };
        1 << kind
    }
}

/// The number of operations in a program, outside handlers.
const LENGTH: std::ops::RangeInclusive<usize> = 1..=80;

pub(crate) fn program() -> impl Strategy<Value = Program> {
    let begins_at = prop_oneof![6 => Just(0), 1 => Just(1 << 52), 1 => Just(u64::MAX - 1_000)];
    let without = prop_oneof![Just(0), (any::<u16>(), any::<u16>()).prop_map(|(a, b)| a & b)];
    let innermost = op(Just(Vec::new()).boxed());
    let inner = op(vec(innermost, 0..=4).boxed());
    let ops = vec(op(vec(inner, 0..=4).boxed()), LENGTH);
    let priorities = prop_oneof![1 => Just(1), 2 => 1u8..=4];
    let features = prop_oneof![3 => Just(Features::all()), 1 => any::<u16>().prop_map(Features::from_bits_truncate)];
    let looks = prop_oneof![Just(1), Just(5), Just(1_000)];
    (priorities, begins_at, without, features, looks, ops).prop_map(
        |(priorities, begins_at, without, features, looks, ops)| Program {
            priorities,
            begins_at,
            without,
            features,
            looks,
            ops,
        },
    )
}

fn op(body: BoxedStrategy<Vec<Op>>) -> BoxedStrategy<Op> {
    let new = new(body.clone()).boxed();
    prop_oneof![
        6 => new.clone().prop_map(Op::Create),
        2 => (any::<[u8; 4]>(), body.clone())
            .prop_map(|([once, persist, urgent, more], body)| Op::Readers { once, persist, urgent, more, body }),
        1 => (2u8..14, delay(), 0u32..13, prop_oneof![Just(0), 1u32..13], body)
            .prop_map(|(count, delay, hand_outs, timers, body)| Op::Crowd { count, delay, hand_outs, timers, body }),
        16 => (new, any::<bool>()).prop_map(|(new, short)| Op::Start { new, short }),
        24 => of_an_event(),
        20 => of_the_loop(),
        10 => of_the_world(),
        6 => of_the_base(),
    ]
    .boxed()
}

fn new(body: BoxedStrategy<Vec<Op>>) -> impl Strategy<Value = New> {
    let from = prop_oneof![
        6 => (fds(), interest()).prop_map(|(fd, interest)| From::Io(fd, interest)),
        3 => signals().prop_map(From::Signal),
        5 => Just(From::Timer),
        1 => Just(From::Prepare),
        1 => Just(From::Check),
        1 => Just(From::Wake),
    ];
    let priority = prop_oneof![8 => Just(None), 12 => (0u8..4).prop_map(Some), 1 => Just(Some(255))];
    let missed = prop_oneof![Just(Missed::Skip), Just(Missed::Burst), Just(Missed::Delay)];
    let options = (any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    (from, options, priority, missed, timeout(), body).prop_map(
        |(from, (persist, once, background), priority, missed, timeout, body)| New {
            from,
            persist,
            once,
            background,
            priority,
            missed,
            timeout,
            body,
        },
    )
}

fn of_an_event() -> impl Strategy<Value = Op> {
    prop_oneof![
        5 => (who(), timeout()).prop_map(|(who, timeout)| Op::Add(who, timeout)),
        2 => (who(), timeout()).prop_map(|(who, timeout)| Op::AddAnew(who, timeout)),
        1 => (who(), when()).prop_map(|(who, when)| Op::AddAt(who, when)),
        3 => (who_io(), interest()).prop_map(|(who, interest)| Op::Modify(who, interest)),
        2 => (who_io(), fds()).prop_map(|(who, fd)| Op::ReplaceFd(who, fd)),
        2 => (who_io(), delay()).prop_map(|(who, delay)| Op::PauseFor(who, delay)),
        1 => who().prop_map(Op::ClearTimeout),
        2 => who().prop_map(Op::Restart),
        2 => who_io().prop_map(Op::Deregister),
        1 => (who(), 0u32..4).prop_map(|(who, count)| Op::ActivateCounted(who, count)),
        4 => (who(), ready()).prop_map(|(who, ready)| Op::Activate(who, ready)),
        2 => who().prop_map(Op::Again),
        2 => who().prop_map(Op::Del),
        3 => who().prop_map(Op::Remove),
        2 => (who(), prop_oneof![9 => 0u8..4, 1 => Just(255)]).prop_map(|(who, level)| Op::SetPriority(who, level)),
    ]
}

fn of_the_loop() -> impl Strategy<Value = Op> {
    prop_oneof![
        18 => wait().prop_map(Op::Turn),
        2 => wait().prop_map(Op::Poll),
        // The base keeps the ends of 128 turns.
        1 => (124u8..130).prop_map(Op::Polls),
        4 => Just(Op::Next),
        6 => wait().prop_map(Op::NextEvent),
        3 => (0u8..8).prop_map(|bits| Op::Run(Mode::from_bits_truncate(bits))),
        1 => Just(Op::LoopExit),
        1 => delay().prop_map(Op::LoopExitAfter),
        1 => Just(Op::LoopBreak),
        1 => Just(Op::LoopContinue),
    ]
}

fn of_the_world() -> impl Strategy<Value = Op> {
    prop_oneof![
        10 => (fds(), prop_oneof![Just(Ready::READ), Just(Ready::WRITE)]).prop_map(|(fd, ready)| Op::SetReady(fd, ready)),
        6 => (fds(), any::<u8>(), any::<u8>()).prop_map(|(fd, a, b)| Op::SetReady(fd, readiness(a & b))),
        4 => (signals(), 1u8..4).prop_map(|(signum, times)| Op::Raise(signum, times)),
        2 => Just(Op::Wake),
        6 => when().prop_map(Op::Advance),
        1 => (1u64..100).prop_map(Op::SetBack),
        2 => prop_oneof![1u8..3, Just(u8::MAX)].prop_map(Op::Refuse),
        2 => (1u8..4).prop_map(Op::RefuseForNow),
        1 => (0usize..3).prop_map(Op::SetBatch),
        1 => Just(Op::FailWait),
        1 => Just(Op::FailReinit),
        1 => (1u8..3).prop_map(Op::Replace),
        1 => fds().prop_map(Op::Fail),
        // A report has at least one bit.
        1 => (fds(), any::<u8>()).prop_map(|(fd, bits)| Op::ReportFd(fd, readiness(bits | 1))),
        2 => (fds(), any::<u8>(), any::<u8>()).prop_map(|(fd, a, b)| Op::Report(fd, readiness((a & b) | 1))),
        1 => (any::<u8>(), prop_oneof![3 => Just(1), 1 => 1u8..20])
            .prop_map(|(bits, times)| Op::ReportStale(readiness(bits | 1), times)),
        1 => Just(Op::Rebuild),
    ]
}

fn of_the_base() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (fds(), ready()).prop_map(|(fd, ready)| Op::ActivateFd(fd, ready)),
        3 => (signals(), 0u32..3).prop_map(|(signum, count)| Op::ActivateSignal(signum, count)),
        2 => (0u8..6).prop_map(Op::SetPriorities),
        3 => limits().prop_map(Op::SetLimits),
        1 => any::<bool>().prop_map(|fair| Op::SetFairness(if fair { Fairness::Fair } else { Fairness::Strict })),
        1 => prop_oneof![Just(0), 1u64..30].prop_map(Op::SetSlack),
        1 => Just(Op::ClearMaxCounts),
        1 => Just(Op::Now),
        1 => Just(Op::UpdateNow),
        2 => Just(Op::Reinit),
    ]
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![
        6 => Just(Who::Me),
        12 => any::<u8>().prop_map(Who::Existing),
        2 => any::<u8>().prop_map(Who::Ever),
        // Slots and generations that no program reaches.
        1 => (0u64..3, 1u64..100).prop_map(|(slot, generation)| Who::Nobody((u64::from(u32::MAX) - generation) << 32 | slot)),
        1 => (1u64..4, 1_000_000u64..).prop_map(|(generation, slot)| Who::Nobody(generation << 32 | slot & 0xffff_ffff)),
    ]
}

fn who_io() -> impl Strategy<Value = Who> {
    prop_oneof![1 => who(), 5 => any::<u8>().prop_map(Who::ExistingIo)]
}

fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        4 => delay().prop_map(When::In),
        1 => (0u64..20).prop_map(When::Ago),
        6 => (-1i8..=1).prop_map(When::Deadline),
        1 => prop_oneof![Just(0), Just(u64::MAX), Just(u64::MAX - 1)].prop_map(When::At),
    ]
}

fn wait() -> impl Strategy<Value = Wait> {
    prop_oneof![3 => Just(Wait::None), 1 => delay().prop_map(Wait::For), 3 => when().prop_map(Wait::Until), 6 => Just(Wait::Forever)]
}

fn timeout() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![2 => Just(None), 3 => delay().prop_map(Some)]
}

/// Few different values, so that some deadlines are equal.
fn delay() -> impl Strategy<Value = u64> {
    prop_oneof![
        2 => Just(0),
        4 => 1u64..4,
        4 => prop_oneof![Just(10), Just(20)],
        2 => 0u64..200,
        1 => (0u64..3).prop_map(|less| u64::MAX - less),
    ]
}

fn fds() -> impl Strategy<Value = u32> {
    prop_oneof![3 => 0u8..2, 1 => any::<u8>()].prop_map(fd)
}

fn signals() -> impl Strategy<Value = i32> {
    prop_oneof![3 => 0u8..1, 1 => any::<u8>()].prop_map(signum)
}

fn interest() -> impl Strategy<Value = Interest> {
    let usual = prop_oneof![Just(Interest::READ), Just(Interest::WRITE), Just(Interest::READ | Interest::WRITE)];
    let any = any::<u8>().prop_map(|bits| {
        let all = [Interest::READ, Interest::WRITE, Interest::URGENT, Interest::CLOSED];
        all.into_iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, bit)| bit).collect::<Interest>()
    });
    (prop_oneof![3 => usual, 2 => any], prop::bool::weighted(0.2))
        .prop_map(|(interest, edge)| if edge { interest | Interest::EDGE } else { interest })
}

fn ready() -> impl Strategy<Value = Ready> {
    prop_oneof![
        1 => Just(Ready::empty()),
        2 => Just(Ready::READ),
        1 => Just(Ready::TIMEOUT),
        1 => Just(Ready::SIGNAL),
        2 => any::<u16>().prop_map(Ready::from_bits_retain),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    let bound = || prop_oneof![2 => Just(None), 2 => (1u32..5).prop_map(NonZeroU32::new), 1 => (5u32..13).prop_map(NonZeroU32::new)];
    let interval = prop_oneof![3 => Just(None), 1 => delay().prop_map(|nanos| Some(Duration::from_nanos(nanos)))];
    (bound(), bound(), interval, 0u8..4).prop_map(|(hand_outs, timers, interval, from_priority)| Limits {
        hand_outs,
        timers,
        interval,
        from_priority,
    })
}
