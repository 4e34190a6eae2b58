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

/// A backend that could not be rebuilt is not rebuilt before each wait.
#[test]
fn a_rebuild_that_failed_is_not_requested_again_before_its_time() {
    let mut tables = Registry::<u32, (), u8, On<Manual, Fixed<4>>>::new();
    tables.request_rebuild();
    assert!(tables.is_rebuild_due());
    tables.postpone_rebuild();
    tables.request_rebuild();
    assert!(!tables.is_rebuild_due());
    tables.list_refused();
    assert!(tables.is_rebuild_due());
}

#[cfg(feature = "alloc")]
mod fast_paths {
    use super::*;
    use crate::engine::turn::Step;
    use crate::storage::Growable;
    use crate::time::Sleep;

    type Tables = Engine<Manual, On<Manual, Growable>, u8>;

    fn created(event: &Event<u32>) -> (Tables, u32) {
        let mut engine = Tables::new(Manual::new());
        let id = engine.create(event, 0).unwrap();
        let index = engine.resolve(id).unwrap();
        (engine, index)
    }

    #[test]
    fn an_event_alone_on_its_fd_is_changed_and_added_and_deleted_fast() {
        let (mut engine, index) = created(&Event::io(3, Interest::READ).persist());
        engine.add(index, None).unwrap();
        assert!(!engine.modify_alone(index, Interest::empty()));
        assert!(!engine.modify_alone(index, Interest::READ.union(Interest::CLOSED)), "a backend may not have it");
        assert!(engine.modify_alone(index, Interest::WRITE));
        assert!(engine.del_alone(index));
        assert_eq!(engine.add_alone(index), Alone::Joined);
        assert!(engine.registry.disarm_alone(index));
        assert_eq!(engine.add_alone(index), Alone::Joined);
        assert!(engine.registry.end_alone(index).is_some());
    }

    #[test]
    fn an_active_event_is_not_deleted_or_changed_fast() {
        let (mut engine, index) = created(&Event::io(3, Interest::READ).persist());
        engine.add(index, None).unwrap();
        engine.activate(index, Ready::READ);
        assert!(!engine.modify_alone(index, Interest::WRITE) && !engine.del_alone(index));
    }

    #[test]
    fn a_timer_is_started_and_stopped_fast() {
        let (mut engine, index) = created(&Event::timer());
        assert!(!engine.registry.stop_timer(index));
        for _ in 0..2 {
            assert!(engine.registry.start_timer(index, Instant::from_nanos(7), 7));
        }
        assert!(engine.registry.stop_timer(index) && !engine.registry.stop_timer(index));
    }

    #[test]
    fn a_large_fixed_storage_is_full_at_its_end() {
        let mut engine = Engine::<Manual, On<Manual, Fixed<70>>, u8>::new(Manual::new());
        for number in 0..70 {
            engine.create(&Event::timer(), number).unwrap();
            assert!(engine.check());
        }
        assert!(engine.create(&Event::timer(), 70).is_err());
        assert_eq!(engine.registry.counts().events, 70);
    }

    #[test]
    fn asking_for_room_makes_it_once() {
        let mut engine = Tables::new(Manual::new());
        for _ in 0..100 {
            assert!(engine.registry.make_room(&Event::user()).is_ok());
        }
        assert_eq!(engine.registry.restarts.room(), 4);
        for number in 0..100 {
            engine.create(&Event::timer(), number).unwrap();
            assert!(engine.check());
        }
        assert_eq!(engine.registry.restarts.room(), 128);
    }

    #[test]
    fn only_a_one_shot_timer_without_a_timeout_is_armed_fast() {
        let due = Instant::from_nanos(7);
        let (mut engine, index) = created(&Event::timer());
        assert!(engine.start_one_shot(index, due) && engine.start_one_shot(index, due));
        assert_eq!((engine.registry.pending, engine.registry.deadline(index, due)), (1, due));
        engine.activate(index, Ready::READ);
        assert!(!engine.start_one_shot(index, due));
        let own = Event::timer().timeout(core::time::Duration::from_secs(1));
        for event in [Event::timer().persist(), own, Event::io(3, Interest::READ)] {
            let (mut engine, index) = created(&event);
            assert!(!engine.start_one_shot(index, due) && engine.registry.pending == 0);
        }
        let (mut engine, index) = created(&Event::timer());
        let asleep = engine.begin_sleep(Sleep::Forever).unwrap();
        assert!(!engine.start_one_shot(index, due));
        assert!(engine.end_sleep(asleep.0, Sleep::None, false).is_ok() && engine.start_one_shot(index, due));
    }

    /// A sleeper must be woken first.
    #[test]
    fn nothing_is_fast_while_a_sleeper_is_out() {
        let (mut engine, index) = created(&Event::io(3, Interest::READ).persist());
        engine.add(index, None).unwrap();
        let asleep = engine.begin_sleep(Sleep::Forever).unwrap();
        assert!(!engine.modify_alone(index, Interest::WRITE) && !engine.del_alone(index));
        assert!(engine.end_sleep(asleep.0, Sleep::None, false).is_ok());
        assert!(engine.modify_alone(index, Interest::WRITE) && engine.del_alone(index));
        let asleep = engine.begin_sleep(Sleep::Forever).unwrap();
        assert_eq!(engine.add_alone(index), Alone::Not);
        assert!(engine.end_sleep(asleep.0, Sleep::None, false).is_ok());
        assert_eq!(engine.add_alone(index), Alone::Unregistered);
    }

    /// Nothing is looked for that there is not.
    #[test]
    fn a_base_with_an_idle_event_has_nothing_to_look_for() {
        let (mut engine, index) = created(&Event::io(3, Interest::READ).persist());
        let tables = &engine.registry;
        assert!(!tables.has_any_watcher() && !tables.has_front() && !tables.has_restarts());
        assert!(!tables.has_changes() && !tables.has_news());
        let node = tables.slots.node(index).unwrap();
        assert!(!node.is_active() && !node.is_expired());
        assert!(engine.end_if_done());
    }

    #[test]
    fn the_first_event_of_a_turn_is_left_in_its_queue() {
        let (mut engine, index) = created(&Event::io(3, Interest::READ).persist());
        engine.add(index, None).unwrap();
        engine.registry.queue.set_levels(2).unwrap();
        for _ in 0..2 {
            engine.activate(index, Ready::READ);
            assert!(engine.poll(Sleep::None).unwrap().is_running());
            assert!(!engine.end_if_done());
            assert!(matches!(engine.step(), Step::First));
            assert_eq!(engine.registry.queue.first(), Some(index));
            assert!(engine.hand_out_next(false).is_some());
            assert!(matches!(engine.step(), Step::Done));
        }
    }
}
