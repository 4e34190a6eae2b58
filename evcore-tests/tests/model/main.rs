//! The model test: random programs on a base and on a plain reference, which must agree after each step.

mod call;
mod known;
mod op;
mod plan;
mod reference;
mod regressions;
mod replay;
mod stage;

use std::cell::Cell;

use evcore::{Fixed, Growable, Storage, WakeFlag};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use call::Step;
use op::Program;
use plan::Plan;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

fn failure(steps: &[Step], difference: &replay::Difference) -> String {
    let mut text = String::new();
    for (at, step) in steps.iter().enumerate().take(difference.at + 1) {
        text += &format!("{at:4} {:?} -> {:?}\n", step.call, step.outcome);
    }
    format!("{text}at step {}: {}", difference.at, difference.what)
}

fn compare<S: Storage>(program: &Program, capacity: Option<usize>, flag: &'static WakeFlag) -> Result<usize, String> {
    let steps = Plan::of(program, capacity);
    match replay::replay::<S>(&steps, flag) {
        Ok(()) => Ok(steps.len()),
        Err(difference) => Err(failure(&steps, &difference)),
    }
}

fn random_programs<S: Storage>(name: &str, capacity: Option<usize>, flag: &'static WakeFlag) {
    let (wanted, seed) = (number("EVCORE_MODEL_OPS", 20_000), number("EVCORE_MODEL_SEED", 1));
    let (done, strategy) = (Cell::new(0), op::program());
    let mut told = 0;
    for batch in 0u64.. {
        if done.get() >= wanted {
            break;
        }
        if done.get() - told >= 100_000 {
            told = done.get();
            eprintln!("{name}: {told} operations, seed {seed}");
        }
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&batch.to_le_bytes());
        let config = Config { cases: 20, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
        let outcome = runner.run(&strategy, |program| {
            let steps = compare::<S>(&program, capacity, flag).map_err(TestCaseError::fail)?;
            done.set(done.get() + steps as u64);
            Ok(())
        });
        match outcome {
            Ok(()) => {}
            Err(TestError::Fail(reason, program)) => panic!("seed {seed}, batch {batch}, {program:?}\n{reason}"),
            Err(TestError::Abort(reason)) => panic!("seed {seed}, batch {batch}: {reason}"),
        }
    }
    eprintln!("{name}: {} operations without a difference, seed {seed}", done.get());
}

macro_rules! storages {
    ($($name:ident: $storage:ty, $capacity:expr;)*) => { $(
        #[test]
        fn $name() {
            static FLAG: WakeFlag = WakeFlag::new();
            random_programs::<$storage>(stringify!($name), $capacity, &FLAG);
        }
    )* };
}

storages! {
    fixed_1: Fixed<1>, Some(1);
    fixed_2: Fixed<2>, Some(2);
    fixed_3: Fixed<3>, Some(3);
    fixed_8: Fixed<8>, Some(8);
    growable: Growable, None;
}
