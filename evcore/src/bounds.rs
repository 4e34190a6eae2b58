//! The worst case of each operation, as docs/embedded.md states it, counted over bad sequences.

use core::cell::Cell;
use core::time::Duration;
use std::vec::Vec;

use crate::backend::{EventOp, FdInfos, Features, Modified, Sink, Token};
use crate::base::EventBase;
use crate::event::{Event, EventId};
use crate::limits::Limits;
use crate::manual::ManualError;
use crate::ready::{Interest, Ready};
use crate::steps::{self, Steps};
use crate::storage::{Fixed, Storage};
use crate::time::{Instant, Sleep, Wait};

/// Rows that an operation may look up besides those of its bound.
const FEW: usize = 32;

/// Runs a test with each N = 2^k - 1, 2^k, 2^k + 1.
macro_rules! sizes {
    ($test:ident: $($n:literal)*) => { $( $test::<$n>(); )* };
    ($test:ident) => { sizes!($test: 1 2 3 4 5 7 8 9 15 16 17 31 32 33 63 64 65 127 128 129 255 256 257 511 512 513 1023 1024 1025) };
}

pub(crate) use sizes;

pub(crate) fn levels(n: usize) -> usize {
    let mut levels = 1;
    while 1 << (2 * (levels - 1)) < n {
        levels += 1;
    }
    levels
}

pub(crate) struct Silent {
    pub(crate) now: Instant,
    pub(crate) features: Features,
    pub(crate) is_usable: bool,
    pub(crate) can_wait: bool,
    /// How many times `usable` was called.
    pub(crate) questions: Cell<u32>,
}

impl Silent {
    pub(crate) fn new() -> Self {
        Self {
            now: Instant::ZERO,
            features: Features::empty(),
            is_usable: true,
            can_wait: true,
            questions: Cell::new(0),
        }
    }
}

impl EventOp for Silent {
    type Fd = u32;
    type FdInfo = ();
    type Error = ManualError;

    fn name(&self) -> &'static str {
        "silent"
    }
    fn features(&self) -> Features {
        self.features
    }
    fn now(&self) -> Instant {
        self.now
    }
    fn usable(&self) -> Result<(), ManualError> {
        self.questions.set(self.questions.get() + 1);
        if self.is_usable { Ok(()) } else { Err(ManualError::Refused) }
    }
    fn is_usual(&self) -> bool {
        self.is_usable
    }
    fn add(&mut self, _: u32, _: Token, _: Interest, _: &mut impl FdInfos<()>) -> Result<(), Self::Error> {
        Ok(())
    }
    fn modify(
        &mut self,
        _: u32,
        _: Token,
        _: Interest,
        _: Interest,
        _: &mut impl FdInfos<()>,
    ) -> Result<Modified, Self::Error> {
        Ok(Modified::Kept)
    }
    fn del(&mut self, _: u32, _: Token, _: Interest, _: &mut impl FdInfos<()>) {}
    fn dispatch(&mut self, _: Sleep, _: &mut impl Sink<u32>) -> Result<(), Self::Error> {
        if self.can_wait { Ok(()) } else { Err(ManualError::Refused) }
    }
    fn reinit(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

type Base<S> = EventBase<Silent, S, u8>;

fn base<S: Storage>() -> Base<S> {
    EventBase::new(Silent::new())
}

fn turn<S: Storage>(base: &mut Base<S>) {
    assert!(base.poll(Wait::None).unwrap().is_running());
    while base.next_active().is_some() {}
}

#[test]
fn a_turn_puts_no_more_timers_right_or_aside_than_its_limits_say() {
    fn test<const N: usize>() {
        for limit in [1, 3, N] {
            let mut base = base::<Fixed<N>>();
            let timers = core::num::NonZeroU32::new(u32::try_from(limit).unwrap());
            base.set_limits(Limits { timers, ..Limits::DEFAULT });
            let ids: Vec<EventId> = (0..N).map(|_| base.insert_timer(Duration::from_nanos(1), 0).unwrap()).collect();
            // Every entry is stale, and due before and after its correction.
            for (delay, id) in (2u64..).zip(ids.iter().rev()) {
                base.add(*id, Some(Duration::from_nanos(delay))).unwrap();
            }
            base.backend_mut().now = Instant::from_nanos(1 << 40);
            let mut turns = 0;
            while base.counts().pending > 0 {
                let steps = steps::of(|| turn(&mut base));
                // Down and up again, each time.
                let most = 2 * (2 * limit + 1) * levels(N);
                assert!(steps.levels.get() <= most, "{N} timers, {limit} a turn: {steps:?}");
                turns += 1;
                // A turn that is cut short has corrected two at the top; another has handed out its maximum.
                assert!(turns <= N.div_ceil(2) + N.div_ceil(limit) + 1, "{N} timers, {limit} a turn");
            }
        }
    }
    sizes!(test);
}

/// One event for each of `n` descriptors, or all on one, registered by a turn.
fn watching<S: Storage>(n: usize, shared: bool) -> (Base<S>, Vec<EventId>) {
    let mut base = base::<S>();
    let ids = (0..u32::try_from(n).unwrap())
        .map(|number| base.insert(if shared { 0 } else { number }, Interest::READ, 0).unwrap())
        .collect();
    turn(&mut base);
    (base, ids)
}

#[track_caller]
fn assert_few(steps: &Steps) {
    assert_eq!((steps.probes.get(), steps.moves.get(), steps.rehashed.get()), (0, 0, 0), "{steps:?}");
    assert!(steps.links.get() <= FEW, "{steps:?}");
}

fn io_add_del_and_modify_take_few_steps<S: Storage>(n: usize) {
    for shared in [false, true] {
        let (mut base, ids) = watching::<S>(n, shared);
        for id in ids.iter().rev().chain(&ids) {
            assert_few(&steps::of(|| base.del(*id).unwrap()));
            assert_few(&steps::of(|| base.add(*id, None).unwrap()));
            assert_few(&steps::of(|| base.modify(*id, Interest::READ | Interest::WRITE).unwrap()));
        }
    }
}

fn activation_takes_few_steps<S: Storage>(n: usize) {
    let (mut base, ids) = watching::<S>(n, false);
    assert!(base.poll(Wait::None).unwrap().is_running());
    for id in &ids {
        assert_few(&steps::of(|| base.activate(*id, Ready::READ).unwrap()));
        assert_few(&steps::of(|| base.activate(*id, Ready::WRITE).unwrap()));
    }
    // From the middle of the queue, and its head.
    for id in ids.iter().skip(1).step_by(2) {
        assert_few(&steps::of(|| base.del(*id).unwrap()));
    }
    for _ in &ids {
        assert_few(&steps::of(|| {
            base.next_active();
        }));
    }
}

#[test]
fn io_and_activation_take_few_steps_in_fixed_storage() {
    fn test<const N: usize>() {
        io_add_del_and_modify_take_few_steps::<Fixed<N>>(N);
        activation_takes_few_steps::<Fixed<N>>(N);
    }
    sizes!(test);
}

/// Strides of `n` numbers, which must not fall into few buckets.
fn strides(n: usize) -> [u32; 6] {
    [1, 2, 7, u32::try_from(n).unwrap(), 1_024, 65_536]
}

/// Creates `n` events, a stride apart. Returns the rows looked at: in total, and for the worst.
fn probes_of_creating<S: Storage>(base: &mut Base<S>, n: usize, stride: u32) -> (usize, usize) {
    let (mut all, mut worst) = (0, 0);
    for i in 0..u32::try_from(n).unwrap() {
        let event = Event::io(i.wrapping_mul(stride), Interest::READ);
        let created = steps::of(|| base.create(event, 0).unwrap());
        assert!(created.links.get() - created.probes.get() - 3 * created.rehashed.get() <= FEW, "{created:?}");
        all += created.probes.get();
        worst = worst.max(created.probes.get());
    }
    (all, worst)
}

#[test]
fn creating_probes_few_rows_or_each_once_in_fixed_storage() {
    fn test<const N: usize>() {
        for stride in strides(N) {
            let mut base = base::<Fixed<N>>();
            let (all, worst) = probes_of_creating(&mut base, N, stride);
            if N <= 64 {
                assert_eq!(worst, N - 1);
            } else {
                assert!(all <= 2 * N && worst <= 8, "{N} rows, stride {stride}: {all} probes, {worst} at most");
            }
            assert!(base.create(Event::io(u32::MAX, Interest::READ), 0).is_err());
        }
    }
    sizes!(test);
}

fn removing_takes_few_steps_whatever_has_changed<S: Storage>(n: usize) {
    // Nothing has changed since the wait.
    let (mut base, ids) = watching::<S>(n, false);
    for id in &ids {
        let removed = steps::of(|| base.remove(*id));
        assert!(removed.links.get() <= FEW && removed.probes.get() <= 8, "{removed:?}");
    }
    // All have, and the first changed goes first.
    let (mut base, ids) = watching::<S>(n, false);
    for id in &ids {
        base.modify(*id, Interest::WRITE).unwrap();
    }
    for id in &ids {
        let removed = steps::of(|| base.remove(*id));
        assert!(removed.links.get() <= FEW && removed.probes.get() <= 8, "{n} changed: {removed:?}");
    }
}

#[test]
fn removing_takes_few_steps_whatever_has_changed_in_fixed_storage() {
    fn test<const N: usize>() {
        removing_takes_few_steps_whatever_has_changed::<Fixed<N>>(N);
    }
    sizes!(test);
}

#[test]
fn creating_and_removing_what_waits_for_no_line_takes_few_steps() {
    fn test<const N: usize>() {
        let mut base = base::<Fixed<N>>();
        let mut ids = Vec::new();
        for event in [Event::timer, Event::user].into_iter().cycle().take(N) {
            assert_few(&steps::of(|| ids.push(base.create(event(), 0).unwrap())));
        }
        for id in ids {
            assert_few(&steps::of(|| base.remove(id)));
        }
    }
    sizes!(test);
}

#[test]
fn the_later_watchers_move_up() {
    fn test<const N: usize>() {
        let mut base = base::<Fixed<N>>();
        let ids: Vec<EventId> = (0..N).map(|_| base.create(Event::prepare(), 0).unwrap()).collect();
        for (left, id) in (1..=N).rev().zip(ids) {
            assert!(steps::of(|| base.remove(id)).moves.get() <= left);
        }
    }
    sizes!(test);
}

#[cfg(feature = "alloc")]
mod growable {
    use super::*;
    use crate::storage::Growable;

    const SIZES: [usize; 9] = [1, 2, 3, 63, 64, 65, 1_023, 1_024, 1_025];

    #[test]
    fn io_and_activation_take_few_steps() {
        for n in SIZES {
            io_add_del_and_modify_take_few_steps::<Growable>(n);
            activation_takes_few_steps::<Growable>(n);
            removing_takes_few_steps_whatever_has_changed::<Growable>(n);
        }
    }

    #[test]
    fn creating_probes_few_rows_and_rehashes_each_twice_at_most() {
        for n in SIZES {
            for stride in strides(n) {
                let mut base = base::<Growable>();
                let (all, worst) = probes_of_creating(&mut base, n, stride);
                assert!(all <= 2 * n && worst <= 8, "{n} rows, stride {stride}: {all} probes, {worst} at most");
            }
            let rehashed = steps::of(|| watching::<Growable>(n, false)).rehashed.get();
            assert!(rehashed <= 2 * n, "{n} rows: {rehashed}");
        }
    }

    #[test]
    fn a_lone_high_number_costs_what_a_low_one_does() {
        let cost = |number| {
            let mut base = base::<Growable>();
            // The first event allocates the tables.
            let first = base.create(Event::io(number, Interest::READ), 0).unwrap();
            base.remove(first);
            let steps = steps::of(|| {
                let id = base.create(Event::io(number, Interest::READ), 0).unwrap();
                base.remove(id)
            });
            (steps.links.get(), steps.probes.get(), steps.rehashed.get())
        };
        for number in [63, 64, 19_900, 1_000_000, u32::MAX] {
            assert_eq!(cost(number), cost(0), "{number}");
        }
    }
}
