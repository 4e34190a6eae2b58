//! Tests of the ready queues.

use std::vec::Vec;

use super::super::State;
use super::super::budget::Levels as _;
use super::*;
use crate::storage::Fixed;

struct Queues {
    queue: Queue<Fixed<16>>,
    slots: Slots<(), Fixed<16>>,
}

fn queues(events: u16, levels: u8) -> Queues {
    let (mut queue, mut slots) = (Queue::new(), Slots::new());
    queue.begin().unwrap();
    queue.set_levels(levels).unwrap();
    slots.reserve_all(events.into()).unwrap();
    for _ in 0..events {
        slots.create(State::default(), 0, 0, ());
    }
    Queues { queue, slots }
}

impl Queues {
    fn push(&mut self, index: u16, ready: Ready) {
        self.queue.push(&mut self.slots, index, ready);
    }

    fn cancel(&mut self, index: u16) {
        self.queue.cancel(&mut self.slots, index);
    }

    fn ready(&self, index: u16) -> Option<Ready> {
        Queue::ready(&self.slots, index)
    }

    fn check(&self) -> bool {
        self.queue.check(&self.slots)
    }

    fn drain(&mut self) -> Vec<(u16, Ready)> {
        self.queue.open_turn(&Bounds::DEFAULT);
        let next = || {
            self.queue.choose_level();
            self.queue.pop(&mut self.slots)
        };
        let drained = core::iter::from_fn(next).collect();
        assert!(self.check());
        drained
    }

    fn order(&mut self) -> Vec<u16> {
        self.drain().into_iter().map(|(index, _)| index).collect()
    }
}

#[test]
fn a_level_is_first_in_first_out() {
    let mut queues = queues(4, 1);
    for index in [2, 0, 3] {
        queues.push(index, Ready::READ);
    }
    queues.push(0, Ready::WRITE);
    assert_eq!(queues.ready(0), Some(Ready::READ | Ready::WRITE));
    assert!(queues.check());
    assert_eq!(queues.order(), [2, 0, 3]);
}

#[test]
fn cancelled_from_head_middle_tail_and_after_a_pop() {
    for gone in 1..5 {
        let mut queues = queues(5, 1);
        for index in 0..5 {
            queues.push(index, Ready::READ);
        }
        assert_eq!(queues.queue.pop(&mut queues.slots), None, "no turn has begun");
        queues.queue.open_turn(&Bounds::DEFAULT);
        assert_eq!(queues.queue.pop(&mut queues.slots), Some((0, Ready::READ)));
        queues.cancel(gone);
        assert!(queues.check(), "{gone}");
        let left: Vec<u16> = (1..5).filter(|index| *index != gone).collect();
        assert_eq!(queues.order(), left);
    }
}

#[test]
fn cancelled_and_activated_again_goes_to_the_end() {
    let mut queues = queues(3, 1);
    for index in 0..3 {
        queues.push(index, Ready::READ);
    }
    queues.cancel(0);
    queues.push(0, Ready::WRITE);
    assert_eq!(queues.drain(), [(1, Ready::READ), (2, Ready::READ), (0, Ready::WRITE)]);
}

#[test]
fn what_is_postponed_comes_in_the_next_turn_and_in_order() {
    let mut queues = queues(3, 1);
    queues.queue.postpone(&mut queues.slots, 2, Ready::AGAIN);
    queues.queue.postpone(&mut queues.slots, 1, Ready::AGAIN);
    queues.push(0, Ready::READ);
    assert_eq!(queues.order(), [0]);
    assert_eq!(queues.queue.len(), 2);
    queues.cancel(2);
    queues.queue.admit_postponed(&mut queues.slots);
    assert!(queues.check());
    assert_eq!(queues.order(), [1]);
}

#[test]
fn watchers_come_first_and_count_as_handed_out() {
    let mut queues = queues(2, 1);
    queues.push(0, Ready::READ);
    queues.queue.push_front(&mut queues.slots, 1);
    queues.queue.open_turn(&Bounds::DEFAULT);
    assert_eq!(queues.queue.pop_front(&mut queues.slots), Some((1, Ready::empty())));
    assert_eq!(queues.queue.pop_front(&mut queues.slots), None);
    queues.queue.choose_level();
    assert_eq!(queues.queue.pop(&mut queues.slots), Some((0, Ready::READ)));
    assert_eq!(queues.queue.close_turn(), 2);
}

#[test]
fn a_level_change_moves_a_queued_event() {
    let mut queues = queues(3, 2);
    queues.push(0, Ready::READ);
    queues.push(1, Ready::READ);
    queues.queue.set_level(&mut queues.slots, 0, 1);
    let levels = &queues.queue.levels;
    assert_eq!((levels.first_busy(0), levels.busy_after(0)), (Some((0, false)), 1));
    assert!(queues.check());
    assert_eq!(queues.order(), [1, 0]);
}

/// The level that was served last may be gone.
#[test]
fn another_number_of_levels_leaves_no_marks() {
    let mut queues = queues(1, 8);
    queues.queue.set_levels(16).unwrap();
    queues.queue.set_level(&mut queues.slots, 0, 12);
    queues.push(0, Ready::READ);
    assert_eq!(queues.order(), [0]);
    queues.queue.set_level(&mut queues.slots, 0, 1);
    queues.queue.set_levels(8).unwrap();
    queues.queue.open_turn(&Bounds::DEFAULT);
    assert!(queues.check());
    queues.push(0, Ready::READ);
    assert_eq!(queues.order(), [0]);
}

#[test]
fn retracting_the_last_bit_takes_the_event_out() {
    let mut queues = queues(1, 1);
    queues.push(0, Ready::READ | Ready::TIMEOUT);
    queues.queue.retract(&mut queues.slots, 0, Ready::TIMEOUT);
    assert_eq!(queues.ready(0), Some(Ready::READ));
    queues.queue.retract(&mut queues.slots, 0, Ready::READ);
    assert_eq!(queues.ready(0), None);
    assert!(queues.check());
}

#[test]
fn the_check_notices_what_the_queues_and_the_nodes_disagree_about() {
    let damages: [fn(&mut Queues); 6] = [
        |queues| queues.slots.node_mut(1).unwrap().place = Place::Front,
        |queues| queues.slots.node_mut(1).unwrap().level = 1,
        |queues| queues.slots.node_mut(1).unwrap().prev = 2,
        |queues| queues.slots.node_mut(3).unwrap().ready = Ready::READ,
        |queues| queues.slots.node_mut(3).unwrap().place = Place::Level,
        |queues| queues.queue.len = 2,
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        let mut queues = queues(4, 2);
        for index in 0..3 {
            queues.push(index, Ready::READ);
        }
        assert!(queues.check());
        damage(&mut queues);
        assert!(!queues.check(), "damage {number}");
    }
}
