//! Tests of the timer heap.

use super::*;
use crate::storage::{Fixed, Lean};
use std::vec::Vec;

/// Timers and what the states of their events say.
pub(super) struct Armed<S: Storage> {
    timers: Timers<S>,
    is_armed: Vec<bool>,
}

impl<S: Storage<Index = u16>> Armed<S> {
    pub(super) fn new(events: usize) -> Self {
        let mut timers = Timers::new();
        timers.reserve(events).unwrap();
        Self { timers, is_armed: std::vec![false; 2048] }
    }

    pub(super) fn set(&mut self, index: u16, deadline: Instant, interval: u64) {
        let was_live = core::mem::replace(&mut self.is_armed[usize::from(index)], true);
        self.timers.set(index, deadline, interval, was_live);
    }

    pub(super) fn arm(&mut self, index: u16, deadline: Instant) {
        let was_live = core::mem::replace(&mut self.is_armed[usize::from(index)], true);
        self.timers.arm(index, deadline, was_live);
    }

    pub(super) fn arm_after(&mut self, index: u16, now: Instant) {
        let was_live = core::mem::replace(&mut self.is_armed[usize::from(index)], true);
        self.timers.arm_after(index, now, was_live);
    }

    pub(super) fn cancel(&mut self, index: u16) {
        // As an event without a timer would not be.
        if core::mem::take(&mut self.is_armed[usize::from(index)]) {
            self.timers.cancel(index, |index| self.is_armed[usize::from(index)]);
        }
    }

    pub(super) fn next_armed(&self) -> Option<Instant> {
        self.timers.next_armed(|index| self.is_armed[usize::from(index)])
    }

    pub(super) fn next_to_wait_for(&mut self, most: u32) -> Option<Instant> {
        self.timers.next_to_wait_for(most, |index| self.is_armed[usize::from(index)])
    }

    pub(super) fn expire(&mut self, now: Instant, corrections: &mut u32) -> Expired<u16> {
        let expired = self.timers.expire(now, corrections, |index| self.is_armed[usize::from(index)]);
        if let Expired::Due(index, _) = expired {
            assert!(core::mem::take(&mut self.is_armed[usize::from(index)]), "{index} was cancelled");
        }
        expired
    }

    pub(super) fn check(&self) -> bool {
        let is_armed = |index| self.is_armed[usize::from(index)];
        let all = (0..2048).filter(|index| is_armed(*index)).all(|index| self.timers.has_entry(index));
        all && self.timers.check(is_armed)
    }

    fn len(&self) -> usize {
        self.is_armed.iter().filter(|is_armed| **is_armed).count()
    }
}

impl<S: Storage> core::ops::Deref for Armed<S> {
    type Target = Timers<S>;
    fn deref(&self) -> &Timers<S> {
        &self.timers
    }
}

impl<S: Storage> core::ops::DerefMut for Armed<S> {
    fn deref_mut(&mut self) -> &mut Timers<S> {
        &mut self.timers
    }
}

fn timers(events: usize) -> Armed<Fixed<256>> {
    Armed::new(events)
}

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn drain<S: Storage<Index = u16>>(timers: &mut Armed<S>, now: u64) -> Vec<u16> {
    let mut due = Vec::new();
    while let Expired::Due(index, _) = timers.expire(at(now), &mut 1_000_000) {
        due.push(index);
    }
    due
}

#[test]
fn equal_deadlines_come_in_the_order_they_were_armed() {
    fn come<S: Storage<Index = u16>>(seq: u32) {
        let mut timers = Armed::<S>::new(10);
        timers.seq = seq;
        for index in (0..10).rev() {
            timers.arm(index, at(7));
        }
        assert!(timers.check());
        assert_eq!(drain(&mut timers, 7), (0..10).rev().collect::<Vec<_>>());
    }
    for seq in [0, u32::MAX - 4] {
        come::<Fixed<256>>(seq);
        come::<Fixed<10>>(seq);
    }
}

#[test]
fn scanned_timers_that_nothing_is_due_of_are_not_looked_at() {
    let mut timers = Armed::<Fixed<16>>::new(16);
    for index in 0..16 {
        timers.arm(index, at(10 + u64::from(index)));
    }
    assert_eq!(timers.expire(at(10), &mut 0), Expired::Due(0, at(10)));
    // The bound is exact now.
    assert_eq!(timers.next(), Some(at(11)));
    timers.cancel(1);
    assert_eq!(timers.expire(at(11), &mut 0), Expired::None);
    assert_eq!(timers.next(), Some(at(12)));
    assert_eq!(timers.next_to_wait_for(0), Some(at(12)));
    timers.arm(3, Instant::MAX);
    assert!(timers.has_entry(3));
    assert_eq!(drain(&mut timers, u64::MAX).len(), 13, "never is never");
    assert_eq!((timers.next(), timers.next_armed()), (None, Some(Instant::MAX)));
}

#[test]
fn equal_deadlines_keep_their_order_over_the_wrap_of_the_sequence() {
    let mut timers = timers(10);
    timers.seq = u32::MAX - 4;
    for index in 0..10 {
        timers.arm(index, at(7));
    }
    assert!(timers.check());
    assert_eq!(drain(&mut timers, 7), (0..10).collect::<Vec<_>>());
}

#[test]
fn equal_deadlines_keep_their_order_while_less_than_half_of_the_sequence_lies_between() {
    for between in [1, 1_000, i32::MAX as u32] {
        let mut timers = timers(2);
        timers.arm(1, at(7));
        timers.seq = between;
        timers.arm(0, at(7));
        assert_eq!(drain(&mut timers, 7), [1, 0], "{between}");
    }
}

#[test]
fn a_deadline_moved_later_leaves_the_heap_alone_until_it_surfaces() {
    let mut timers = timers(3);
    for index in 0..3 {
        timers.arm(index, at(10 + u64::from(index)));
    }
    timers.arm(0, at(100));
    timers.arm(0, at(11));
    assert_eq!(timers.next(), Some(at(10)));
    assert_eq!(timers.expire(at(10), &mut 9), Expired::None);
    assert_eq!(timers.next(), Some(at(11)));
    assert!(timers.check());
    // Armed again for 11 after event 1.
    assert_eq!(drain(&mut timers, 50), [1, 0, 2]);
}

#[test]
fn a_timer_that_starts_again_for_an_earlier_point_comes_then() {
    let mut timers = timers(2);
    timers.set(0, at(100), 10);
    timers.set(1, at(50), 10);
    timers.arm_after(0, at(5));
    assert_eq!(timers.next(), Some(at(15)));
    assert_eq!(drain(&mut timers, 15), [0]);
}

#[test]
fn corrections_are_bounded() {
    let mut timers = timers(10);
    for index in 0..10 {
        timers.arm(index, at(1));
        timers.arm(index, at(1_000));
    }
    assert_eq!(timers.expire(at(5), &mut 3), Expired::Unfinished);
    assert_eq!(timers.expire(at(5), &mut 100), Expired::None);
    assert_eq!(timers.next(), Some(at(1_000)));
}

/// It counts, and one more correction may follow.
#[test]
fn a_correction_at_the_top_counts() {
    let mut timers = timers(10);
    for index in 0..10 {
        timers.arm(index, at(1));
        timers.arm(index, at(1_000));
    }
    assert_eq!(timers.expire(at(5), &mut 1), Expired::Unfinished);
    assert_eq!(timers.heap.iter().filter(|entry| entry.key == 1_000).count(), 2);
}

#[test]
fn looking_at_what_is_right_or_has_no_timer_costs_no_correction() {
    let mut timers = timers(200);
    for index in 180..200 {
        timers.arm(index, at(1));
        timers.arm(index, at(1_000));
    }
    timers.arm(0, at(2));
    assert_eq!(timers.expire(at(5), &mut 20), Expired::Due(0, at(2)));
    assert!(timers.check());
}

#[test]
fn timers_that_are_armed_again_do_not_fill_the_list_of_cancelled_ones() {
    let mut timers = timers(200);
    for index in 0..200 {
        timers.arm(index, at(10 + u64::from(index)));
    }
    for index in 0..100 {
        timers.cancel(index);
    }
    // But for one: without a cancelled timer the list would be empty.
    for index in 1..100 {
        timers.arm(index, at(1_000));
    }
    for index in 100..150 {
        timers.cancel(index);
    }
    assert!(timers.check());
    assert_eq!(timers.heap.len(), 199, "room was found, and no other entry removed");
    assert_eq!(timers.next_armed(), Some(at(11)));
}

#[test]
fn never_is_never() {
    let mut timers = timers(1);
    timers.arm(0, Instant::MAX);
    assert_eq!(timers.expire(Instant::MAX, &mut 9), Expired::None);
    assert!(timers.has_entry(0));
    timers.cancel(0);
    assert_eq!(timers.next(), None);
    assert!(!timers.has_entry(0));
}

#[test]
fn a_long_random_life_is_a_sorted_one() {
    lives_sorted::<Fixed<256>>(200);
    lives_sorted::<Fixed<16>>(16);
    lives_sorted::<Fixed<200, 0, 1, Lean>>(200);
}

fn lives_sorted<S: Storage<Index = u16>>(events: u16) {
    let mut timers = Armed::<S>::new(events.into());
    let mut deadlines = std::collections::BTreeMap::new();
    let mut random = 1u64;
    for step in 0..50_000u64 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (index, delay) = (u16::try_from((random >> 40) % u64::from(events)).unwrap(), (random >> 20) % 50);
        match random >> 60 {
            0..=9 => {
                timers.arm(index, at(step / 8 + delay));
                deadlines.retain(|_, event| *event != index);
                deadlines.insert((step / 8 + delay, step), index);
            }
            10..=12 => {
                timers.cancel(index);
                deadlines.retain(|_, event| *event != index);
            }
            _ => {
                let later = deadlines.split_off(&(step / 8 + 1, 0));
                let due: Vec<u16> = core::mem::replace(&mut deadlines, later).into_values().collect();
                assert_eq!(drain(&mut timers, step / 8), due);
            }
        }
        if step % 64 == 0 {
            assert!(timers.check());
            let first = deadlines.first_key_value().map(|((deadline, _), _)| at(*deadline));
            // Heap entries may have earlier deadlines.
            let is_right = |found| if S::IS_SCANNED { found == first } else { found <= first };
            assert!(is_right(timers.next_to_wait_for(u32::MAX)) && is_right(timers.next_armed()));
        }
        assert_eq!(timers.len(), deadlines.len());
    }
}

#[test]
fn a_restart_never_makes_a_timer_come_earlier() {
    let mut timers = timers(2);
    timers.set(0, at(5), 10);
    timers.set(1, at(50), 10);
    let first = timers.take_seqs(2);
    timers.restart(0, at(20), first + 1);
    timers.restart(1, at(20), first);
    assert_eq!(drain(&mut timers, 29), []);
    assert_eq!(drain(&mut timers, 30), [0]);
    assert_eq!(drain(&mut timers, 50), [1]);
}
