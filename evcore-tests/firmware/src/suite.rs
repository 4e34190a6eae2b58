//! The conformance suite on the board, with its own backend. Cases that need an operating system say so.

mod fixture;

use core::fmt::Write;
use core::time::Duration;

use evcore::{EventBase, Fixed, Wait};
use evcore_tests::{NAMES, Needs, Proof};

use crate::board::{Chip, Lines};
use crate::report::{self, Report};
use crate::{board, later, sys};
pub use fixture::OnBoard;

/// The capacity of the cases' storage: as much as the largest of them needs, or as fits into memory.
#[cfg(not(board = "microbit"))]
const EVENTS: usize = 49;
#[cfg(board = "microbit")]
const EVENTS: usize = 12;

#[cfg(not(any(feature = "no-fds", feature = "one-level", feature = "leanest")))]
pub type Storage = Fixed<EVENTS>;
#[cfg(feature = "no-fds")]
pub type Storage = Fixed<EVENTS, 0>;
#[cfg(feature = "one-level")]
pub type Storage = Fixed<EVENTS, EVENTS, 1>;
#[cfg(feature = "leanest")]
pub type Storage = Fixed<EVENTS, 0, 1, evcore::storage::Lean>;

/// A case of this image. The image does not contain the code of cases of other parts of the suite, or of cases that
/// the storage does not support.
pub enum Case {
    OfAnotherPart,
    Lacks(&'static str, Needs),
    Applies(&'static str, fn(OnBoard) -> Proof),
}

/// A program with the cases of some topics. All cases together do not fit into the chips' memory.
#[macro_export]
macro_rules! suite {
    ($($topic:literal)*) => {
        #[firmware::entry]
        fn main() -> ! {
            firmware::suite::run(&CASES)
        }
        evcore_tests::for_each_case! { firmware::suite_table! ([$($topic),*]) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! suite_table {
    ($topics:tt $($topic:ident: $($case:ident)*;)*) => {
        // Called through pointers, so that each case has its own stack frame; the stack is small.
        static CASES: [firmware::suite::Case; evcore_tests::NAMES.len()] = [$($(
            if !evcore_tests::contains(&$topics, stringify!($topic)) {
                firmware::suite::Case::OfAnotherPart
            } else if let Some(needs) = evcore_tests::Needs::missing::<firmware::suite::Storage>(stringify!($case)) {
                firmware::suite::Case::Lacks(stringify!($case), needs)
            } else {
                let case = evcore_tests::$topic::$case::<firmware::suite::OnBoard, firmware::suite::Storage>;
                firmware::suite::Case::Applies(stringify!($case), case)
            },
        )*)*];
    };
}

/// Runs the cases, prints the name of each before it runs, and counts the results.
pub fn run(cases: &[Case]) -> ! {
    sys::paint_stack();
    board::init();
    later::init();
    report::line(board::NAME);
    let mut total = Total::default();
    for case in cases {
        let (Case::Lacks(name, _) | Case::Applies(name, _)) = case else { continue };
        report::text(name);
        report::text(": ");
        let proof = match case {
            Case::OfAnotherPart => continue,
            Case::Lacks(_, needs) => needs.refused::<OnBoard, Storage>(OnBoard::new()),
            Case::Applies(_, case) => case(OnBoard::new()),
        };
        later::finish();
        if sys::unused_stack() == 0 {
            report::line("FAILED: the stack has grown into the variables");
            sys::exit(1)
        }
        total.count(proof);
    }
    if !is_woken_at_any_time() {
        report::line("FAILED: a wake was missed");
        sys::exit(1)
    }
    report::line("no wake is missed");
    total.say();
    sys::exit(0)
}

/// Whether a wake ends a sleep, even if it comes between the last check of the flag and the sleep: it comes a little
/// later each time.
fn is_woken_at_any_time() -> bool {
    let mut base: EventBase<Lines, Fixed<1>, ()> = EventBase::new(Lines::new(Chip));
    if base.insert_wake(()).is_err() {
        return false;
    }
    (0..60_000).step_by(100).all(|nanos| {
        later::wake(Duration::from_nanos(nanos));
        let begin = base.now();
        let is_woken = matches!(base.next_event(Wait::For(Duration::from_secs(1))), Ok(Some(_)));
        is_woken && base.now().saturating_since(begin) < Duration::from_millis(500)
    })
}

#[derive(Default)]
struct Total {
    shown: u32,
    refused: u32,
    without: u32,
}

impl Total {
    fn count(&mut self, proof: Proof) {
        let (count, mark) = match proof {
            Proof::Shown => (&mut self.shown, ""),
            Proof::Refused(_) | Proof::LeftOut(_) => (&mut self.refused, ""),
            Proof::Absent(_) => (&mut self.without, "without POWER: "),
        };
        *count += 1;
        let _ = writeln!(Report, "{mark}{proof}");
    }

    fn say(&self) {
        let Self { shown, refused, without } = self;
        let (cases, of) = (shown + refused + without, NAMES.len());
        report::number(sys::unused_stack() as u32, " bytes of the stack were never used");
        let _ = write!(Report, "{cases} cases of {of}: {shown} shown, {refused} refused, ");
        let _ = writeln!(Report, "{without} without POWER");
    }
}
