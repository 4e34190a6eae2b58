//! The worst case of each heap operation, as docs/embedded.md states it, counted over bad sequences.

use std::vec::Vec;

use super::tests::Armed;
use super::*;
use crate::bounds::{levels, sizes};
use crate::steps::{self, Steps};
use crate::storage::{Fixed, Storage};

fn at(nanos: usize) -> Instant {
    Instant::from_nanos(nanos as u64)
}

/// Deadlines of `n` timers: rising, falling, equal, the last of the heap before all but one branch, and mixed.
fn sequences(n: usize) -> Vec<Vec<usize>> {
    let branch = |place: usize| {
        let mut top = place;
        while top > 4 {
            top = (top - 1) / 4;
        }
        top
    };
    let last = branch(n - 1);
    [
        (0..n).collect::<Vec<_>>(),
        (0..n).rev().collect(),
        (0..n).map(|_| 7).collect(),
        (0..n).map(|place| if place == 0 || branch(place) == last { place } else { place + 2 * n }).collect(),
        (0..n).map(|place| place.wrapping_mul(2_654_435_761) >> 7 & 0xffff).collect(),
    ]
    .into()
}

/// The timers, and the levels of the worst arming.
fn armed<const N: usize>(deadlines: &[usize]) -> (Armed<Fixed<N>>, usize) {
    let (mut timers, mut worst) = (Armed::<Fixed<N>>::new(0), 0);
    for (place, deadline) in deadlines.iter().enumerate() {
        let index = u16::try_from(place).unwrap();
        timers.reserve(place + 1).unwrap();
        let steps = steps::of(|| timers.arm(index, at(*deadline)));
        assert_in_ways(&steps, 1, place + 1);
        worst = worst.max(steps.levels.get());
    }
    assert!(timers.check());
    (timers, worst)
}

/// At most `ways` passes through the heap: at each level one entry is moved and compared, with its parent or its
/// siblings.
#[track_caller]
fn assert_in_ways(steps: &Steps, ways: usize, n: usize) {
    assert!(steps.levels.get() <= ways * levels(n), "{ways} ways, {n} timers: {steps:?}");
    assert!(steps.comparisons.get() <= 3 * ways * levels(n), "{ways} ways, {n} timers: {steps:?}");
}

#[test]
fn arming_and_cancelling_take_a_step_for_each_level() {
    fn test<const N: usize>() {
        let mut worst = 0;
        for deadlines in sequences(N) {
            let (mut timers, armed) = armed::<N>(&deadlines);
            worst = worst.max(armed);
            for index in 0..u16::try_from(N).unwrap() {
                // At most two entries are removed, each down a branch and up again.
                let cancelled = steps::of(|| timers.cancel(index));
                assert_in_ways(&cancelled, 4, N);
                assert!(timers.check());
            }
            for (index, deadline) in (0u16..).zip(&deadlines) {
                assert_in_ways(&steps::of(|| timers.arm(index, at(*deadline))), 1, N);
            }
            assert!(timers.check());
        }
        if <Fixed<N> as Storage>::IS_SCANNED {
            return assert_eq!(worst, 0, "{N} timers are in no heap");
        }
        // Some path must be as long as the heap is deep.
        let depth = core::iter::successors(Some(N - 1), |place| (*place > 0).then(|| (*place - 1) / 4)).count();
        assert_eq!(worst, depth, "{N} timers");
    }
    sizes!(test);
}

/// Also for timers that were cancelled and armed again.
#[test]
fn cancelling_looks_up_few_timers() {
    fn test<const N: usize>() {
        let (mut timers, _) = armed::<N>(&(0..N).collect::<Vec<_>>());
        let all = || 0..u16::try_from(N).unwrap();
        for index in all() {
            timers.cancel(index);
            timers.arm(index, at(1 << 30));
        }
        for index in all() {
            let steps = steps::of(|| timers.cancel(index));
            assert!(steps.links.get() <= 8 * (levels(N) + 1), "{N} timers: {steps:?}");
        }
        assert!(timers.check());
    }
    sizes!(test);
}

#[test]
fn moving_a_timer_later_leaves_the_heap_alone_and_earlier_takes_a_step_for_each_level() {
    fn test<const N: usize>() {
        for deadlines in sequences(N) {
            let (mut timers, _) = armed::<N>(&deadlines);
            for index in 0..u16::try_from(N).unwrap() {
                let later = steps::of(|| {
                    timers.arm(index, at(1 << 40));
                    timers.arm_after(index, at(1 << 41));
                });
                assert_eq!((later.levels.get(), later.comparisons.get()), (0, 0));
                assert!(later.links.get() <= 8, "{later:?}");
                assert_in_ways(&steps::of(|| timers.arm(index, at(0))), 1, N);
            }
        }
    }
    sizes!(test);
}

#[test]
fn an_entry_is_put_right_once_however_often_its_timer_was_moved_later() {
    fn test<const N: usize>() {
        for deadlines in sequences(N) {
            let (mut timers, _) = armed::<N>(&deadlines);
            for later in 1..=5 {
                for (index, deadline) in (0..u16::try_from(N).unwrap()).zip(&deadlines).rev() {
                    timers.arm(index, at(deadline + later));
                }
            }
            let (mut corrections, mut due) = (u32::MAX, 0);
            let steps = steps::of(|| {
                while let Expired::Due(..) = timers.expire(Instant::from_nanos(1 << 40), &mut corrections) {
                    due += 1;
                }
            });
            assert_eq!(due, N);
            // Each is corrected, and each at the top sweeps sixteen more.
            assert!(usize::try_from(u32::MAX - corrections).unwrap() <= N + N / 16 + 17);
            assert!(steps.levels.get() <= 4 * N * levels(N), "{N} timers: {steps:?}");
        }
    }
    sizes!(test);
}
