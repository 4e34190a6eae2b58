//! The suite on storages that leave parts out: the remaining parts work exactly as in a complete storage.

use std::panic;

use evcore::storage::{Lean, Storage};
use evcore_tests::{ByHand, Fixed, NAMES, Needs, Proof};

/// A case, by its name.
type Case = (&'static str, fn(ByHand) -> Proof);

macro_rules! table {
    ($($topic:ident: $($case:ident)*;)*) => {
        fn cases<S: Storage>() -> Vec<Case> {
            vec![$($((stringify!($case), evcore_tests::$topic::$case::<ByHand, S> as fn(ByHand) -> Proof)),*),*]
        }
    };
}
evcore_tests::for_each_case! { table! }

/// What a case shows, or its failure.
fn outcome(case: fn(ByHand) -> Proof) -> Result<Proof, String> {
    panic::catch_unwind(|| case(ByHand::new())).map_err(|failed| match failed.downcast::<String>() {
        Ok(text) => *text,
        Err(failed) => failed.downcast::<&str>().map_or_else(|_| String::new(), |text| text.to_string()),
    })
}

/// Runs each case that applies to a storage, and checks that the parts that other cases need are refused. Returns how
/// many cases were shown.
///
/// If a case does not apply, running it anyway must fail, so that none is excluded without need. (A case that this
/// fixture cannot run ends before that shows.)
fn prove<S: Storage>() -> usize {
    let (mut shown, mut failed) = (0, Vec::new());
    for (name, case) in cases::<S>() {
        let outcome = outcome(case);
        match Needs::missing::<S>(name) {
            None => match outcome {
                Ok(proof) => shown += usize::from(proof == Proof::Shown),
                Err(text) => failed.push((name, text)),
            },
            Some(missing) => {
                assert_eq!(missing.refused::<_, S>(ByHand::new()), Proof::LeftOut(missing));
                if !matches!(outcome, Err(_) | Ok(Proof::Absent(_))) {
                    failed.push((name, format!("passes, so it does not need {missing:?}")));
                }
            }
        }
    }
    assert_eq!(failed, []);
    shown
}

/// Cases that do not apply panic; in a process of its own, these messages can be suppressed.
#[test]
fn what_is_present_works_without_the_rest() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let shown = panic::catch_unwind(|| {
        [
            prove::<Fixed<64, 0>>(),
            // Here events on fds have tables of their own, which are searched.
            prove::<Fixed<64, 63, 1>>(),
            // Here there is one event on each fd.
            prove::<Fixed<64, 63, 1, Lean>>(),
            prove::<Fixed<64, 0, 1, Lean>>(),
        ]
    });
    panic::set_hook(print);
    match shown {
        Ok(shown) => assert!(shown.iter().all(|shown| *shown > 40 && *shown < NAMES.len()), "{shown:?}"),
        Err(failed) => match failed.downcast::<String>() {
            Ok(text) => panic!("{text}"),
            Err(failed) => panic::resume_unwind(failed),
        },
    }
}
