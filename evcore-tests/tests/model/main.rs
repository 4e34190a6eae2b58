//! The model test: runs random programs on a base and on a simple reference, which must agree after each step.
//!
//! ```text
//!   op ──────────▶ plan ──────────────────▶ replay
//!   a random       runs the program         runs the same steps on a base, and compares
//!   program        on the reference         each result and the base's visible state
//! ```
//!
//! Operations are done outside and inside handlers: each event has a small program of its own, which runs whenever it
//! is handed out. The base's backend is `Stage`: `Manual`, which can also fail.
//!
//! - `EVCORE_MODEL_OPS`: the number of operations on each storage, by default 10,000.
//! - `EVCORE_MODEL_SEED`: the seed of the random programs, by default 1.
//! - `EVCORE_MODEL_SHRINK`: if 0, a failing program is not shrunk, which takes a while.

mod call;
mod op;
mod plan;
mod reference;
mod regressions;
mod replay;
mod shrink;
mod stage;

use std::cell::Cell;

use evcore::backend::WakeFlag;
use evcore::storage::Complete;
use evcore::{Fixed, Growable};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use op::Program;
use plan::Plan;

/// The number of programs drawn from one state of the random generator.
const BATCH: u32 = 20;
/// The number of operations between progress messages of a long run.
const PROGRESS: usize = 100_000;

macro_rules! storages {
    ($($name:ident: $storage:ty, $capacity:expr;)*) => { $(
        #[test]
        fn $name() {
            static FLAG: WakeFlag = WakeFlag::new();
            let search = Search { name: stringify!($name), capacity: $capacity, flag: &FLAG };
            // Nested programs are drawn by nested functions, whose frames are large without optimisation.
            let thread = std::thread::Builder::new().stack_size(64 << 20);
            let search = thread.spawn(move || search.run::<$storage>()).unwrap();
            search.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    )* };
}

storages! {
    fixed_1: Fixed<1>, Some(1);
    fixed_2: Fixed<2>, Some(2);
    fixed_3: Fixed<3>, Some(3);
    fixed_8: Fixed<8>, Some(8);
    fixed_17: Fixed<17>, Some(17);
    growable: Growable, None;
}

/// A search for a program on which base and reference differ.
struct Search {
    name: &'static str,
    capacity: Option<usize>,
    flag: &'static WakeFlag,
}

impl Search {
    fn run<S: Complete>(&self) {
        let (wanted, seed) = (number("EVCORE_MODEL_OPS", 10_000), number("EVCORE_MODEL_SEED", 1));
        let (mut done, mut shown) = (0, 0);
        for batch in 0.. {
            if done >= wanted {
                break;
            }
            if done - shown >= PROGRESS {
                shown = done;
                eprintln!("{}: {done} operations, seed {seed}", self.name);
            }
            done += self.run_batch::<S>(seed, batch);
        }
        eprintln!("{}: {done} operations without a difference, seed {seed}", self.name);
    }

    /// Runs a batch. Returns the number of operations.
    fn run_batch<S: Complete>(&self, seed: usize, batch: u64) -> usize {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&(seed as u64).to_le_bytes());
        bytes[8..16].copy_from_slice(&batch.to_le_bytes());
        let is_shortened = number("EVCORE_MODEL_SHRINK", 1) != 0;
        let max_shrink_iters = if is_shortened { 20_000 } else { 0 };
        let config = Config { cases: BATCH, failure_persistence: None, max_shrink_iters, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
        let done = Cell::new(0);
        let outcome = runner.run(&op::program(), |program| {
            done.set(done.get() + self.compare::<S>(&program).map_err(TestCaseError::fail)?);
            Ok(())
        });
        match outcome {
            Ok(()) => done.get(),
            Err(TestError::Fail(_, mut program)) => {
                if is_shortened {
                    program = shrink::shortest(program, |program| self.fails::<S>(program));
                }
                let why = self.compare::<S>(&program).err().unwrap_or_default();
                panic!("{}: a difference, seed {seed}, batch {batch}\n{program:?}\n{why}", self.name);
            }
            Err(TestError::Abort(reason)) => panic!("seed {seed}, batch {batch}: {reason}"),
        }
    }

    /// Runs a program on both. Returns its number of steps, or prints them up to the difference.
    fn compare<S: Complete>(&self, program: &Program) -> Result<usize, String> {
        let steps = Plan::of(program, self.capacity);
        let Err(difference) = replay::replay::<S>(&steps, self.flag) else { return Ok(steps.len()) };
        let shown = steps.iter().enumerate().take(difference.at + 1);
        let shown: String = shown.map(|(at, step)| format!("{at:4} {:?} -> {:?}\n", step.call, step.outcome)).collect();
        Err(format!("{shown}at step {}: {}", difference.at, difference.what))
    }

    /// Whether the program fails. A panic is a failure, too.
    fn fails<S: Complete>(&self, program: &Program) -> bool {
        let compare = std::panic::AssertUnwindSafe(|| self.compare::<S>(program).is_err());
        std::panic::catch_unwind(compare).unwrap_or(true)
    }
}

fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}
