//! The model test's programs, drawn from bytes, on a base and on the reference.

use std::collections::BTreeSet;
use std::fmt::Debug;

use evcore::backend::WakeFlag;
use evcore::storage::Complete;
use evcore::{Fixed, Growable, Turn};

/// The model test's own files.
#[path = "../../tests/model"]
#[allow(dead_code, reason = "the model test draws its programs in another way, and looks at a difference longer")]
pub(crate) mod model {
    pub(crate) mod call;
    pub(crate) mod op;
    pub(crate) mod plan;
    pub(crate) mod reference;
    pub(crate) mod replay;
    pub(crate) mod stage;
}

use crate::bytes::Bytes;
use crate::draw;
use model::call::{Call, Outcome, Step};
use model::op::Program;
use model::plan::Plan;
use model::replay::replay;

static FLAG: WakeFlag = WakeFlag::new();

/// The first byte chooses the storage, the others are the program.
pub fn script(data: &[u8]) {
    let (capacity, program) = program_of(data);
    let steps = Plan::of(&program, capacity);
    match capacity {
        Some(1) => compare::<Fixed<1>>(&steps, capacity),
        Some(2) => compare::<Fixed<2>>(&steps, capacity),
        Some(3) => compare::<Fixed<3>>(&steps, capacity),
        Some(_) => compare::<Fixed<8>>(&steps, capacity),
        None => compare::<Growable>(&steps, capacity),
    }
}

/// The names of the calls in such a program, and of their results if those are unusual.
pub fn calls(data: &[u8]) -> BTreeSet<String> {
    let (capacity, program) = program_of(data);
    let mut names = BTreeSet::new();
    for Step { call, outcome, .. } in Plan::of(&program, capacity) {
        names.insert(match call {
            Call::World(world) => name(&world),
            call => name(&call),
        });
        match outcome {
            Outcome::Refused(error) | Outcome::Rejected(error, _) => names.insert(name(&error)),
            Outcome::Ended(end) | Outcome::Turn(Turn::Ended(end)) => names.insert(name(&end)),
            Outcome::Failed(_) => names.insert("Failed".into()),
            _ => false,
        };
    }
    names
}

/// A value's variant, as `Debug` writes it.
fn name(value: &impl Debug) -> String {
    format!("{value:?}").chars().take_while(|char| char.is_alphanumeric()).collect()
}

fn program_of(data: &[u8]) -> (Option<usize>, Program) {
    let mut bytes = Bytes::new(data);
    let capacity = [Some(1), Some(2), Some(3), Some(8), None][bytes.below(5)];
    (capacity, draw::program(&mut bytes))
}

fn compare<S: Complete>(steps: &[Step], capacity: Option<usize>) {
    if let Err(difference) = replay::<S>(steps, &FLAG) {
        for (at, step) in steps.iter().enumerate().take(difference.at + 1) {
            eprintln!("{at:4} {:?} -> {:?}", step.call, step.outcome);
        }
        panic!("at step {}, capacity {capacity:?}: {}", difference.at, difference.what);
    }
}
