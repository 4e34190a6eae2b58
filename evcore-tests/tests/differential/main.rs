//! The differential test: random scripts of what is done to real descriptors, on epoll, poll and select, and on libevent.
//!
//! ```text
//!   script ──▶ world    pipes, socket pairs, connections: the same descriptors for all
//!      │         │ what poll(2) says of each end by itself
//!      ▼         ▼
//!    lane ×3 ─ model    a base on each backend: what each event gets in each turn must be what
//!      │                the model says, but for the known differences
//!      ▼
//!   libevent            the same script in a C program, on its own epoll, poll and select
//! ```
//!
//! - `EVCORE_DIFFERENTIAL_OPS`: how many steps to do, 10,000 without it; as many again against libevent.
//! - `EVCORE_DIFFERENTIAL_SEED`: what the random scripts are made from, 1 without it.
//! - `EVCORE_DIFFERENTIAL_BATCH`: which batch of scripts to begin with: to see a difference again, the one that it names.
//!
//! Time passes when a script says so, on all bases at once and in libevent, too: no difference comes from a slow machine.
//! Against libevent it needs a C compiler and libevent's headers; when there are none it says so, and does the rest.

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
/// How many scripts are drawn from one state of the random numbers.
const BATCH: u32 = 20;
/// After how many steps a long run tells how far it is.
const PROGRESS: u64 = 20_000;
/// How often a script is run again that proves nothing, because something was under way in the system.
const ATTEMPTS: usize = 5;
/// How long it may take to shorten a script on which someone differs, in milliseconds.
const PATIENCE: u32 = 120_000;

/// The signals are the process's, and so are the numbers of the descriptors.
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

/// A search for a script on which someone differs.
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

    /// Runs a script until it proves something.
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

/// Says something also when the test passes.
fn tell(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn number(name: &str, otherwise: u64) -> u64 {
    let value = std::env::var(format!("EVCORE_DIFFERENTIAL_{name}")).ok();
    value.and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}
