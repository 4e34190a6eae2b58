//! Programs of the model test, drawn from bytes: one byte for an operation's kind, and a few for its arguments.
//!
//! The model test draws them from random numbers, with strategies that split the stream of numbers at each choice. A
//! fuzzer changes a byte and expects a part of the program to change, so here choices use the bytes in sequence.

use std::num::NonZeroU32;
use std::time::Duration;

use evcore::backend::Features;
use evcore::options::{Fairness, Limits, Missed};
use evcore::{Interest, Mode, Ready};

use crate::bytes::Bytes;
use crate::reference::{fd, signum};
use crate::script::model::op::{From, New, Op, Program, Wait, When, Who};
use crate::stage::readiness;

/// The number of operations in a program, outside handlers.
const LENGTH: usize = 80;
/// The number of operations in a handler, and the maximum depth of nested handlers.
const BODY: usize = 4;
const DEPTH: usize = 2;

pub(crate) fn program(bytes: &mut Bytes<'_>) -> Program {
    let (priorities, settings) = (1 + bytes.byte() % 4, bytes.byte());
    let begins_at = [0, 0, 1 << 52, u64::MAX - 1_000][usize::from(settings & 3)];
    let looks = [1, 1, 5, 1_000][usize::from(settings >> 3 & 3)];
    let lacks = match settings >> 5 {
        4 => Features::EDGE,
        5 => Features::CLOSED,
        6 => Features::URGENT,
        7 => Features::SIGNALS,
        _ => Features::empty(),
    };
    let features = Features::all() - lacks;
    let mut ops = Vec::new();
    while let (Some(kind), true) = (bytes.next(), ops.len() < LENGTH) {
        ops.push(op(kind, bytes, DEPTH));
    }
    Program { priorities, begins_at, without: 0, features, looks, ops }
}

fn body(bytes: &mut Bytes<'_>, depth: usize) -> Vec<Op> {
    // Three of four events have an empty handler.
    let drawn = bytes.byte();
    if depth == 0 || drawn & 3 != 0 {
        return Vec::new();
    }
    (0..usize::from(drawn >> 2) % (BODY + 1)).map(|_| op(bytes.byte(), bytes, depth - 1)).collect()
}

/// Frequent operations have several numbers.
fn op(kind: u8, bytes: &mut Bytes<'_>, depth: usize) -> Op {
    match kind % 80 {
        0..=5 => Op::Create(new(bytes, depth)),
        6..=17 => {
            let new = new(bytes, depth);
            Op::Start { new: New { timeout: timeout(bytes), ..new }, short: bytes.bool() }
        }
        18 => {
            let (once, persist) = (bytes.byte(), bytes.byte());
            Op::Readers { once, persist, urgent: once >> 3, more: persist >> 3, body: body(bytes, depth) }
        }
        19 => {
            let (count, delay, bounds) = (2 + bytes.byte() % 12, delay(bytes), u32::from(bytes.byte()));
            Op::Crowd { count, delay, hand_outs: bounds % 13, timers: bounds / 13 % 13, body: body(bytes, depth) }
        }
        20..=36 => of_an_event(bytes),
        37..=52 => of_the_loop(bytes),
        53..=69 => of_the_world(bytes),
        _ => of_the_base(bytes),
    }
}

fn new(bytes: &mut Bytes<'_>, depth: usize) -> New {
    let (from, flags) = (from(bytes), bytes.byte());
    New {
        from,
        persist: flags & 1 != 0,
        once: flags & 6 == 6,
        background: flags & 24 == 24,
        priority: match flags >> 5 {
            0..=3 => None,
            _ if flags == u8::MAX => Some(flags),
            drawn => Some(drawn & 3),
        },
        missed: [Missed::Skip, Missed::Burst, Missed::Delay][bytes.below(3)],
        timeout: None,
        body: body(bytes, depth),
    }
}

fn from(bytes: &mut Bytes<'_>) -> From {
    match bytes.byte() % 16 {
        0..=5 => From::Io(fd(bytes.byte()), interest(bytes)),
        6..=8 => From::Signal(signum(bytes.byte())),
        14 => From::Prepare,
        15 => From::Check,
        13 => From::Wake,
        _ => From::Timer,
    }
}

fn of_an_event(bytes: &mut Bytes<'_>) -> Op {
    let (kind, who) = (bytes.byte(), who(bytes));
    match kind {
        240..=244 => return Op::Restart(who),
        245..=249 => return Op::Deregister(who),
        250.. => return Op::ActivateCounted(who, u32::from(bytes.byte() % 4)),
        _ => {}
    }
    match kind % 16 {
        0..=2 => Op::Add(who, timeout(bytes)),
        3 => Op::AddAnew(who, timeout(bytes)),
        4 => Op::AddAt(who, when(bytes)),
        5 | 6 => Op::Modify(who, interest(bytes)),
        7 => Op::ReplaceFd(who, fd(bytes.byte())),
        8 => Op::PauseFor(who, delay(bytes)),
        9 => Op::ClearTimeout(who),
        10 | 11 => Op::Activate(who, ready(bytes)),
        12 => Op::Again(who),
        13 => Op::Del(who),
        14 => Op::Remove(who),
        _ => Op::SetPriority(who, if bytes.byte() == 255 { 255 } else { bytes.byte() % 4 }),
    }
}

fn of_the_loop(bytes: &mut Bytes<'_>) -> Op {
    let kind = bytes.byte();
    if kind >= 240 {
        return Op::NextEvent(wait(bytes));
    }
    match kind % 24 {
        0..=13 => Op::Turn(wait(bytes)),
        14 => Op::Poll(wait(bytes)),
        15..=17 => Op::Next,
        18 | 19 => Op::Run(Mode::from_bits_truncate(bytes.byte() % 8)),
        20 => Op::LoopExit,
        21 => Op::LoopExitAfter(delay(bytes)),
        22 => Op::LoopBreak,
        _ => Op::LoopContinue,
    }
}

fn of_the_world(bytes: &mut Bytes<'_>) -> Op {
    match bytes.byte() % 24 {
        0..=6 => Op::SetReady(fd(bytes.byte()), readiness(bytes.byte())),
        7 | 8 => Op::Raise(signum(bytes.byte()), 1 + bytes.byte() % 3),
        9 => Op::Wake,
        10..=12 => Op::Advance(when(bytes)),
        13 => Op::SetBack(1 + u64::from(bytes.byte() % 99)),
        14 => Op::Refuse([1, 2, u8::MAX][bytes.below(3)]),
        15 => Op::SetBatch(bytes.below(3)),
        16 => Op::FailWait,
        17 => Op::FailReinit,
        18 => Op::Replace(1 + bytes.byte() % 2),
        19 => Op::Fail(fd(bytes.byte())),
        // A report has at least one bit.
        20 => Op::ReportFd(fd(bytes.byte()), readiness(bytes.byte() | 1)),
        21 => Op::Report(fd(bytes.byte()), readiness(bytes.byte() | 1)),
        22 => {
            let drawn = bytes.byte();
            Op::ReportStale(readiness(drawn | 1), [1, 1, 1, 17][usize::from(drawn >> 6)])
        }
        _ => Op::Rebuild,
    }
}

fn of_the_base(bytes: &mut Bytes<'_>) -> Op {
    match bytes.byte() % 10 {
        0 => Op::ActivateFd(fd(bytes.byte()), ready(bytes)),
        1 => Op::ActivateSignal(signum(bytes.byte()), 1),
        2 => Op::SetPriorities(bytes.byte() % 6),
        3 | 4 => Op::SetLimits(limits(bytes)),
        5 => Op::SetFairness(if bytes.bool() { Fairness::Fair } else { Fairness::Strict }),
        6 => Op::SetSlack(u64::from(bytes.byte() % 30)),
        7 => Op::ClearMaxCounts,
        8 => [Op::Now, Op::UpdateNow][bytes.below(2)].clone(),
        _ => Op::Reinit,
    }
}

fn who(bytes: &mut Bytes<'_>) -> Who {
    let (kind, at) = (bytes.byte() % 16, bytes.byte());
    match kind {
        0..=4 => Who::Me,
        5..=9 => Who::Existing(at),
        10..=12 => Who::ExistingIo(at),
        13 | 14 => Who::Ever(at),
        // A slot or a generation that no program reaches.
        _ if at & 1 == 0 => Who::Nobody((u64::from(u32::MAX) - 1 - u64::from(at)) << 32 | u64::from(at % 3)),
        _ => Who::Nobody(u64::from(at % 4) << 32 | (1_000_000 + u64::from(at))),
    }
}

fn when(bytes: &mut Bytes<'_>) -> When {
    match bytes.byte() % 12 {
        0..=3 => When::In(delay(bytes)),
        4 => When::Ago(u64::from(bytes.byte() % 20)),
        5 => When::At([0, u64::MAX, u64::MAX - 1][bytes.below(3)]),
        _ => When::Deadline([-1, 0, 1][bytes.below(3)]),
    }
}

fn wait(bytes: &mut Bytes<'_>) -> Wait {
    match bytes.byte() % 4 {
        0 => Wait::None,
        1 => Wait::Until(when(bytes)),
        _ => Wait::Forever,
    }
}

fn timeout(bytes: &mut Bytes<'_>) -> Option<u64> {
    if bytes.byte() % 5 < 2 { None } else { Some(delay(bytes)) }
}

/// Few different values, so that some deadlines are equal.
fn delay(bytes: &mut Bytes<'_>) -> u64 {
    match bytes.byte() {
        drawn @ 0..=199 => u64::from(drawn % 4),
        drawn @ 200..=229 => u64::from(drawn % 3) * 10,
        drawn @ 230..=249 => u64::from(drawn),
        drawn => u64::MAX - u64::from(drawn % 3),
    }
}

fn interest(bytes: &mut Bytes<'_>) -> Interest {
    let bits = bytes.byte();
    let all = [Interest::READ, Interest::WRITE, Interest::URGENT, Interest::CLOSED];
    let some: Interest =
        all.into_iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, bit)| bit).collect();
    if bits >> 5 == 7 { some | Interest::EDGE } else { some }
}

fn ready(bytes: &mut Bytes<'_>) -> Ready {
    match bytes.byte() % 8 {
        0 => Ready::empty(),
        1..=3 => Ready::READ,
        4 => Ready::TIMEOUT,
        5 => Ready::SIGNAL,
        _ => Ready::from_bits_retain(u16::from_le_bytes([bytes.byte(), bytes.byte()])),
    }
}

fn limits(bytes: &mut Bytes<'_>) -> Limits {
    let mut bound = || NonZeroU32::new(u32::from(bytes.byte() % 13));
    let (hand_outs, timers) = (bound(), bound());
    let interval = bytes.bool().then(|| Duration::from_nanos(delay(bytes)));
    Limits { hand_outs, timers, interval, from_priority: bytes.byte() % 4 }
}
