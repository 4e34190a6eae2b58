//! A periodic timer that does not drift: each period is counted from when the one before was due, not from when it was
//! handled. What is to become of periods that were missed, because a handler took long, is a choice.
//!
//! ```text
//! cargo run -p evplat-linux --example timers                        # ten periods of 100 ms
//! cargo run -p evplat-linux --example timers -- 20 10 skip 70       # the third takes 70 ms: one hand-out for all missed
//! cargo run -p evplat-linux --example timers -- 20 10 burst 70      # each missed one is made up for
//! cargo run -p evplat-linux --example timers -- 20 10 delay 70      # none is, the next begins at the hand-out
//! ```
//!
//! Prints for each hand-out how many periods it stands for, when it was due, and how late it is, in microseconds.

use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use evplat_linux::evcore::options::Missed;
use evplat_linux::{Epoll, Event, EventBase, Instant, Wait};

struct Options {
    period: Duration,
    count: u32,
    missed: Missed,
    /// How long the third hand-out takes.
    stall: Duration,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some(options) = parse(&words) else {
        eprintln!("usage: timers [PERIOD_MS [COUNT [skip|burst|delay [STALL_MS]]]]");
        return ExitCode::from(2);
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("timers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(words: &[String]) -> Option<Options> {
    let number = |at: usize, default: u32| words.get(at).map_or(Some(default), |word| word.parse().ok());
    let missed = match words.get(2).map(String::as_str) {
        None | Some("skip") => Missed::Skip,
        Some("burst") => Missed::Burst,
        Some("delay") => Missed::Delay,
        Some(_) => return None,
    };
    let period = Duration::from_millis(number(0, 100)?.max(1).into());
    let stall = Duration::from_millis(number(3, 0)?.into());
    Some(Options { period, count: number(1, 10)?, missed, stall })
}

fn run(options: &Options) -> io::Result<()> {
    let mut base = EventBase::new(Epoll::new()?);
    let timer = base.start(Event::timer().persist().missed(options.missed).timeout(options.period), ())?;
    let mut due = base.pending(timer).and_then(|pending| pending.deadline).unwrap_or(Instant::MAX);
    // Where the first period begins: where the clock stood in `start`.
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
        // The timer has its next deadline already.
        if let Some(next) = base.pending(timer).and_then(|pending| pending.deadline) {
            due = next;
        }
        if hand_outs == 3 {
            thread::sleep(options.stall);
        }
    }
    writeln!(io::stdout(), "{passed} periods in {hand_outs} hand-outs, at most {:?} late", base.stats().lateness_max)
}
