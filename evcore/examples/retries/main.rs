//! How to test a client with retries, back-off and a circuit breaker: the client is async, and runs here in virtual time against a
//! network that a seed decides. Whenever every task waits, time jumps to the next deadline, so an hour of failures takes a
//! fraction of a millisecond, and the same seed gives the same hour, to the nanosecond.
//!
//! ```text
//! cargo run --release -p evcore --features async --example retries -- 7         one hour
//! cargo run --release -p evcore --features async --example retries -- 7 10000   10,000 hours, from seed 7 on
//! ```
//!
//! The client itself is in `client.rs`. On Linux the same file runs on epoll and sockets: `evplat-linux/tests/tasks`.

use core::cell::{Cell, RefCell};
use core::future::pending;
use core::time::Duration;
use std::io::{self, Write};
use std::process::ExitCode;
use std::rc::Rc;

use evcore::backend::{Manual, ManualError};
use evcore::task::{Executor, Handle, Item};
use evcore::{EventBase, Growable, Instant};
use lexopt::{Arg, Error, Parser, ValueExt};

#[path = "../cli/mod.rs"]
mod cli;
mod client;

use client::{ATTEMPTS, Client, FAILURES, Failed, LIMIT, Network, REST, Random, Refused};

const HOUR: Duration = Duration::from_secs(3_600);
type Clock = Handle<u32, ManualError>;

/// A server that goes down now and then, and a way to it that is slow or loses what it carries.
struct World {
    clock: Clock,
    random: Random,
    is_up: Rc<Cell<bool>>,
    /// When it was called, and whether it answered.
    calls: Rc<RefCell<Vec<(Instant, bool)>>>,
}

impl Network for World {
    async fn call(&self, request: u32) -> Result<u32, Refused> {
        let now = self.clock.now().map_err(|_| Refused)?;
        let fate = self.random.next() % 100;
        let is_answered = self.is_up.get() && fate < 90;
        self.calls.borrow_mut().push((now, is_answered));
        match fate {
            // Lost: nobody will ever answer.
            95.. => pending().await,
            _ => self.clock.sleep(self.random.below(Duration::from_millis(800))).await.map_err(|_| Refused)?,
        }
        if is_answered { Ok(request + 1) } else { Err(Refused) }
    }
}

/// What an hour has brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Outcome {
    answered: u32,
    refused: u32,
    timed_out: u32,
    open: u32,
    calls: usize,
}

/// An hour, as the seed decides, with a request each half minute. Panics where the client does not keep what it promises.
fn hour(seed: u64) -> Outcome {
    let base: EventBase<Manual, Growable, Item<()>> = EventBase::new(Manual::new());
    let mut executor = Executor::local(base);
    let clock = executor.handle();
    let (is_up, calls) = (Rc::new(Cell::new(true)), Rc::new(RefCell::new(Vec::new())));
    let outages = {
        let (clock, is_up, random) = (clock.clone(), is_up.clone(), Random(Cell::new(!seed)));
        async move {
            loop {
                clock.sleep(random.below(Duration::from_secs(1_200))).await.unwrap();
                is_up.set(!is_up.get());
            }
        }
    };
    clock.spawn(outages).unwrap().detach();
    let world = World { clock: clock.clone(), random: Random(Cell::new(seed)), is_up, calls: calls.clone() };
    let client = Client::new(world, clock.clone(), seed.rotate_left(32));
    let mut outcome = Outcome::default();
    let requests = async {
        let end = Instant::ZERO + HOUR;
        for request in 0.. {
            let begin = clock.now()?;
            if begin >= end {
                break;
            }
            let before = calls.borrow().len();
            let answer = client.request(request).await?;
            let attempts = calls.borrow().len() - before;
            assert!(attempts <= ATTEMPTS as usize, "seed {seed}: {attempts} attempts");
            match answer {
                Ok(answer) => {
                    assert_eq!(answer, request + 1, "seed {seed}");
                    outcome.answered += 1;
                }
                Err(Failed::Refused) => outcome.refused += 1,
                Err(Failed::TimedOut) => outcome.timed_out += 1,
                Err(Failed::Open) => outcome.open += 1,
            }
            let took = clock.now()?.saturating_since(begin);
            assert!(took <= (LIMIT + Duration::from_secs(1)) * ATTEMPTS, "seed {seed}: a request took {took:?}");
            clock.sleep_until(begin + Duration::from_secs(30)).await?;
        }
        Ok::<(), evcore::Error<ManualError>>(())
    };
    executor.block_on(requests).unwrap().unwrap();
    let calls = calls.borrow();
    // So many failures in a row, and then the server is left alone.
    for window in calls.windows(FAILURES as usize + 1) {
        let (last, failures) = window.split_last().unwrap();
        if failures.iter().all(|(_, is_answered)| !is_answered) {
            let rest = last.0.saturating_since(failures.last().unwrap().0);
            assert!(rest >= REST, "seed {seed}: called {rest:?} after {FAILURES} failures");
        }
    }
    Outcome { calls: calls.len(), ..outcome }
}

const HELP: &str = "\
usage: retries [SEED [HOURS]]

Runs a client with retries against a network that fails, in virtual time, and prints what became of its requests.

  SEED   a number; equal seeds give the same hour (default: 7)
  HOURS  one for each seed from that one on (default: one hour, and its details)";

fn main() -> ExitCode {
    cli::run(HELP, parse, |(seed, hours)| run(seed, hours))
}

fn parse(words: &mut Parser) -> Result<(u64, Option<u64>), Error> {
    let (mut seed, mut hours) = (None, None);
    while let Some(word) = words.next()? {
        match word {
            Arg::Value(word) if seed.is_none() => seed = Some(word.parse()?),
            Arg::Value(word) if hours.is_none() => hours = Some(word.parse()?),
            other => return Err(other.unexpected()),
        }
    }
    Ok((seed.unwrap_or(7), hours))
}

fn run(seed: u64, hours: Option<u64>) -> io::Result<()> {
    let begin = std::time::Instant::now();
    let Some(hours) = hours else { return writeln!(io::stdout(), "{:?}", hour(seed)) };
    let answered: u32 = (0..hours).map(|number| hour(seed.wrapping_add(number)).answered).sum();
    let rate = hours as f64 / begin.elapsed().as_secs_f64();
    writeln!(io::stdout(), "{hours} hours, {answered} requests answered, {rate:.0} hours a second")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_hour() {
        assert_eq!(hour(7), hour(7));
        assert_ne!(hour(7), hour(8));
    }

    #[test]
    fn client_keeps_its_promises_on_many_schedules() {
        let hours: Vec<_> = (0..200).map(hour).collect();
        // Each way to end a request is met somewhere, or the schedules are too kind.
        let any = |of: fn(&Outcome) -> u32| assert!(hours.iter().any(|hour| of(hour) > 0));
        any(|hour| hour.answered);
        any(|hour| hour.refused);
        any(|hour| hour.timed_out);
        any(|hour| hour.open);
    }
}
