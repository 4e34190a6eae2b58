//! The differential test: random scripts of operations on real descriptors, on epoll, poll and select, and on
//! libevent.
//!
//! ```text
//!   script ──▶ world    pipes, socket pairs, connections: the same descriptors for all
//!      │         │ what poll(2) reports for each end alone
//!      ▼         ▼
//!    lane ×3 ─ model    a base on each backend: what each event gets in each turn must be what
//!      │                the model says, except for known differences
//!      ▼
//!   libevent            the same script in a C program, on its own epoll, poll and select
//! ```
//!
//! - `EVCORE_DIFFERENTIAL_OPS`: the number of steps, by default 10,000; the same number again against libevent.
//! - `EVCORE_DIFFERENTIAL_SEED`: the seed of the random scripts, by default 1.
//! - `EVCORE_DIFFERENTIAL_BATCH`: the first batch of scripts; to reproduce a difference, the batch that it names.
//!
//! Time advances when a script says so, on all bases and in libevent at once, so a slow machine causes no difference.
//! Comparing with libevent needs a C compiler and libevent's headers; without them the test says so, and does the
//! rest.

#![cfg(target_os = "linux")]

#[path = "../backends/backend.rs"]
#[allow(dead_code, reason = "shared with the test of the backends side by side")]
mod backend;
mod clock;
mod differences;
mod lane;
mod libevent;
mod model;
mod run;
mod script;
#[path = "../backends/sys.rs"]
#[allow(dead_code, reason = "shared with the test of the backends side by side")]
mod sys;
mod trace;
mod world;

use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use libevent::Libevent;
use run::Outcome;
use script::{Profile, Script, script};

const SIGNALS: [i32; 2] = [libc::SIGUSR1, libc::SIGUSR2];
/// The number of scripts drawn from one state of the random generator.
const BATCH: u32 = 20;
/// The number of steps between progress messages of a long run.
const PROGRESS: u64 = 20_000;
/// How often a script is repeated if it proves nothing, because the system had not finished something.
const ATTEMPTS: usize = 5;
/// How long shrinking a script with a difference may take, in milliseconds.
const PATIENCE: u32 = 120_000;

/// Signals and descriptor numbers belong to the process, so tests take this lock.
static PROCESS: Mutex<()> = Mutex::new(());

#[test]
fn three_backends_tell_the_same() {
    Search { profile: Profile::Ours, libevent: None }.run();
}

#[test]
fn libevent_tells_the_same() {
    match Libevent::build() {
        Ok(libevent) => Search { profile: Profile::Libevent, libevent: Some(libevent) }.run(),
        Err(why) => {
            tell(&format!("not compared with libevent: {why}"));
            Search { profile: Profile::Libevent, libevent: None }.run();
        }
    }
}

/// A search for a script with a difference.
struct Search {
    profile: Profile,
    libevent: Option<Libevent>,
}

#[derive(Default)]
struct Tally {
    scripts: u64,
    steps: u64,
    handed_out: u64,
    /// How many scripts proved nothing.
    unproven: u64,
}

impl Search {
    fn run(mut self) {
        let _alone = PROCESS.lock().unwrap_or_else(PoisonError::into_inner);
        lane::prepare();
        let (wanted, seed) = (number("OPS", 10_000), number("SEED", 1));
        let (mut tally, mut shown) = (Tally::default(), 0);
        for batch in number("BATCH", 0).. {
            if tally.steps >= wanted {
                break;
            }
            if tally.steps - shown >= PROGRESS {
                shown = tally.steps;
                tell(&format!("{:?}: {shown} steps, seed {seed}", self.profile));
            }
            self.run_batch(seed, batch, &mut tally);
            let Tally { scripts, unproven, .. } = tally;
            assert!(unproven * 10 <= scripts + 100, "{unproven} of {scripts} scripts proved nothing");
        }
        let Tally { scripts, steps, handed_out, unproven } = tally;
        tell(&format!(
            "{:?}: {steps} steps, {handed_out} hand-outs without a difference, seed {seed}; \
             {unproven} of {scripts} scripts proved nothing",
            self.profile
        ));
    }

    fn run_batch(&mut self, seed: u64, batch: u64, tally: &mut Tally) {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&batch.to_le_bytes());
        let config = Config {
            cases: BATCH,
            failure_persistence: None,
            max_shrink_iters: 3_000,
            max_shrink_time: PATIENCE,
            ..Config::default()
        };
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
        let profile = self.profile;
        let this = RefCell::new((self, tally));
        let outcome = runner.run(&script(profile), |script| {
            let (search, tally) = &mut *this.borrow_mut();
            search.compare(&script, tally).map_err(TestCaseError::fail)
        });
        if let Err(TestError::Fail(why, script)) = outcome {
            let Script { kinds, edges, strict, one_level, .. } = script;
            panic!(
                "{profile:?}: a difference; to see it again:\n  \
                 EVCORE_DIFFERENTIAL_SEED={seed} EVCORE_DIFFERENTIAL_BATCH={batch} \
                 cargo test -p evcore-tests --test differential\n\
                 {kinds:?}, edges {edges:#b}, strict {strict}, one level {one_level}\n{why}"
            );
        }
    }

    /// Runs a script until the result proves something.
    fn compare(&mut self, script: &Script, tally: &mut Tally) -> Result<(), String> {
        tally.scripts += 1;
        tally.steps += script.steps.len() as u64;
        for _ in 0..ATTEMPTS {
            match run::run(script, self.profile) {
                Outcome::Same(trace) => {
                    if self.libevent.as_mut().map_or(Ok(true), |libevent| libevent.compare(&trace))? {
                        tally.handed_out += trace.handed_out() as u64;
                        return Ok(());
                    }
                }
                Outcome::Differs(why) => return Err(why),
                Outcome::Blurred => {}
            }
        }
        tally.unproven += 1;
        Ok(())
    }
}

/// Prints a line even if the test passes.
fn tell(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn number(name: &str, otherwise: u64) -> u64 {
    let value = std::env::var(format!("EVCORE_DIFFERENTIAL_{name}")).ok();
    value.and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}
