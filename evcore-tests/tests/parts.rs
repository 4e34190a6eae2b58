//! The suite on storages that leave parts out: what is present works as with everything, to the letter.

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

/// What a case shows, or what it fails with.
fn outcome(case: fn(ByHand) -> Proof) -> Result<Proof, String> {
    panic::catch_unwind(|| case(ByHand::new())).map_err(|failed| match failed.downcast::<String>() {
        Ok(text) => *text,
        Err(failed) => failed.downcast::<&str>().map_or_else(|_| String::new(), |text| text.to_string()),
    })
}

/// Runs each case that applies to a storage, and has what the others need refused properly. Answers how many have shown what
/// they are named for.
///
/// A case that does not apply must fail where it is run all the same, so that none is left out for nothing. (One for which this
/// fixture lacks a power ends before that can be seen.)
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

/// Cases that do not apply panic, which nobody needs to read: so this has a process of its own.
#[test]
fn what_is_present_works_without_the_rest() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let shown = panic::catch_unwind(|| {
        [
            prove::<Fixed<64, 0>>(),
            // Events on fds have places of their own here, which are looked for.
            prove::<Fixed<64, 63, 1>>(),
            // And here there is one event on each fd.
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
