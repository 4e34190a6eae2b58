//! A periodic timer that does not drift: each period is counted from when the previous one was due, not from when it
//! was handled. The program chooses what happens to periods that are missed because a handler takes long.
//!
//! ```text
//! cargo run -p evplat-linux --example timers                        # ten periods of 100 ms
//! cargo run -p evplat-linux --example timers -- 20 10 skip 70       # the third takes 70 ms: one hand-out for all missed
//! cargo run -p evplat-linux --example timers -- 20 10 burst 70      # one hand-out for each missed one
//! cargo run -p evplat-linux --example timers -- 20 10 delay 70      # none; the next period begins at the hand-out
//! ```
//!
//! For each hand-out, prints how many periods it covers, when it was due, and how late it is, in microseconds.

mod cli;

use std::io::{self, Write};
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use evplat_linux::evcore::options::Missed;
use evplat_linux::{Epoll, Event, EventBase, Instant, Wait};
use lexopt::{Arg, Error, Parser, ValueExt};

struct Options {
    period: Duration,
    count: u32,
    missed: Missed,
    /// How long the third hand-out takes.
    stall: Duration,
}

const HELP: &str = "\
usage: timers [PERIOD_MS [COUNT [skip|burst|delay [STALL_MS]]]]

Runs a periodic timer, and prints for each hand-out how many periods it covers, when it was due and how late it is,
in microseconds.

  PERIOD_MS  the period in milliseconds (default: 100)
  COUNT      the number of periods (default: 10)
  skip       what happens to missed periods: skip (default): one hand-out covers all; burst: each is handed out;
             delay: none is, and the next period begins at the hand-out
  STALL_MS   how many milliseconds the third hand-out takes (default: 0)";

fn main() -> ExitCode {
    cli::run(HELP, parse, |options| run(&options))
}

fn parse(words: &mut Parser) -> Result<Options, Error> {
    let (mut period, mut count, mut missed, mut stall) = (None, None, None, None);
    while let Some(word) = words.next()? {
        match word {
            Arg::Value(word) if period.is_none() => period = Some(word.parse::<NonZeroU32>()?.get()),
            Arg::Value(word) if count.is_none() => count = Some(word.parse()?),
            Arg::Value(word) if missed.is_none() => missed = Some(word.parse_with(policy)?),
            Arg::Value(word) if stall.is_none() => stall = Some(word.parse()?),
            other => return Err(other.unexpected()),
        }
    }
    let millis = |number: Option<u32>, default: u32| Duration::from_millis(number.unwrap_or(default).into());
    Ok(Options {
        period: millis(period, 100),
        count: count.unwrap_or(10),
        missed: missed.unwrap_or(Missed::Skip),
        stall: millis(stall, 0),
    })
}

fn policy(name: &str) -> Result<Missed, &'static str> {
    match name {
        "skip" => Ok(Missed::Skip),
        "burst" => Ok(Missed::Burst),
        "delay" => Ok(Missed::Delay),
        _ => Err("neither skip nor burst nor delay"),
    }
}

fn run(options: &Options) -> io::Result<()> {
    let mut base = EventBase::new(Epoll::new()?);
    let timer = base.start(Event::timer().persist().missed(options.missed).timeout(options.period), ())?;
    let mut due = base.pending(timer).and_then(|pending| pending.deadline).unwrap_or(Instant::MAX);
    // The first period starts at the time of `start`.
    let start = Instant::from_nanos(due.as_nanos().saturating_sub(options.period.as_nanos() as u64));
    let (mut passed, mut hand_outs) = (0_u32, 0_u32);

    while passed < options.count {
        let Some(fired) = base.next_event(Wait::Forever)? else { break };
        let count = fired.count;
        (passed, hand_outs) = (passed.saturating_add(count), hand_outs.saturating_add(1));
        writeln!(
            io::stdout(),
            "count {count} due {} late {}",
            due.saturating_since(start).as_micros(),
            base.now().saturating_since(due).as_micros(),
        )?;
        // The timer already has its next deadline.
        if let Some(next) = base.pending(timer).and_then(|pending| pending.deadline) {
            due = next;
        }
        if hand_outs == 3 {
            thread::sleep(options.stall);
        }
    }
    writeln!(io::stdout(), "{passed} periods in {hand_outs} hand-outs, at most {:?} late", base.stats().lateness_max)
}
