//! What an event takes of memory, and what the check of the tables notices.

use super::*;
use crate::backend::Manual;
use crate::engine::{Engine, Timeout};
use crate::storage::{Fixed, On};
use crate::{Event, Instant, Interest};

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
        ("restarts", of_an_event!(Restarts)),
        ("queue", of_an_event!(Queue)),
    ];
    for (table, bytes) in tables {
        std::println!("{table:<9} {bytes:>3}");
    }
    let all = of_an_event!(Registry u8, (), u8);
    std::println!("{:<9} {all:>3}", "together");
    assert_eq!(tables.iter().map(|(_, bytes)| bytes).sum::<usize>(), all);
}

#[test]
fn the_check_notices_tables_that_disagree() {
    type Tables = Registry<u32, (), u8, On<Manual, Fixed<4>>>;
    let damages: [fn(&mut Tables); 8] = [
        |tables| tables.pending = 1,
        |tables| tables.background = 1,
        |tables| tables.timers.cancel(1, |_| false),
        |tables| tables.set_state(1, tables.state(1).with_timing(Timing::Restarting)),
        |tables| tables.set_state(1, tables.state(1).with_timing(Timing::Suspended)),
        |tables| {
            tables.restart_later(1);
            tables.timers.cancel(1, |_| false);
        },
        |tables| tables.set_state(0, tables.state(0).with_timing(Timing::Armed)),
        |tables| {
            tables.set_state(0, tables.state(0).with_life(Life::Idle));
            tables.pending = 1;
        },
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        let mut engine = Engine::<Manual, Fixed<4>, u8>::new(Manual::new());
        let second = Timeout { deadline: Instant::from_nanos(1_000_000_000), interval: 0 };
        for (event, timeout) in [(Event::io(3, Interest::READ), None), (Event::timer(), Some(second))] {
            let id = engine.create(&event, 0).unwrap();
            let index = engine.resolve(id).unwrap();
            engine.add(index, timeout).unwrap();
        }
        assert!(engine.check());
        damage(&mut engine.registry);
        assert!(!engine.check(), "damage {number}");
    }
}
