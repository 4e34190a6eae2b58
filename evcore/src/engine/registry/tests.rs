//! What an event takes of memory.

use super::*;
use crate::storage::Fixed;

/// What an event takes in each table of fixed storage. `cargo test -p evcore --lib bytes -- --nocapture` prints it.
#[test]
fn bytes_of_an_event() {
    macro_rules! of_an_event {
        ($table:ident $($of:ty),*) => {
            (size_of::<$table<$($of,)* Fixed<128>>>() - size_of::<$table<$($of,)* Fixed<64>>>()) / 64
        };
    }
    let tables = [
        ("slots", of_an_event!(Slots u8)),
        ("fds", of_an_event!(Fds u8, ())),
        ("signals", of_an_event!(Signals)),
        ("watchers", of_an_event!(Watchers)),
        ("timers", of_an_event!(Timers)),
        ("queue", of_an_event!(Queue)),
    ];
    for (table, bytes) in tables {
        std::println!("{table:<9} {bytes:>3}");
    }
    let all = of_an_event!(Registry u8, (), u8);
    std::println!("{:<9} {all:>3}", "together");
    assert_eq!(tables.iter().map(|(_, bytes)| bytes).sum::<usize>(), all);
}
