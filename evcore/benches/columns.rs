//! What each part of the core costs, through the public API and on `Manual`, which makes no system calls.
//!
//! ```text
//! cargo bench -p evcore --features alloc                 all of them
//! cargo bench -p evcore --features alloc -- timers       one group
//! ```
//!
//! An item is one operation; `Items` tells how many there are a second. For comparisons with other loops see
//! `docs/benchmarks`.

use core::time::Duration;
use std::collections::VecDeque;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use evcore::backend::Manual;
use evcore::storage::Storage;
use evcore::{Event, EventBase, EventId, Fixed, Growable, Interest, Ready, Wait};

type Base<S> = EventBase<Manual, S, u32>;

/// As many events as a small part has, and as `Manual` has fds.
const FEW: usize = 64;

fn main() {
    divan::main();
}

fn base<S: Storage>() -> Base<S> {
    EventBase::new(Manual::new())
}

/// Events from descriptions, idle.
fn create<S: Storage>(base: &mut Base<S>, count: usize, describe: impl Fn(usize) -> Event<u32>) -> Vec<EventId> {
    (0..count).map(|place| base.create(describe(place), 0).unwrap()).collect()
}

/// A turn: how much was handed out.
fn turn<S: Storage>(base: &mut Base<S>) -> usize {
    let mut count = 0;
    if base.poll(Wait::None).unwrap().is_running() {
        while let Some(fired) = base.next_active() {
            *fired.data = fired.data.wrapping_add(1);
            count += 1;
        }
    }
    count
}

/// The fd map: a pass over all fds, and the turn that tells the backend.
#[divan::bench_group]
mod fds {
    use super::*;

    fn watching<S: Storage>() -> (Base<S>, Vec<EventId>) {
        let mut base = base();
        let ids = create(&mut base, FEW, |fd| Event::io(fd as u32, Interest::READ).persist());
        ids.iter().for_each(|id| base.add(*id, None).unwrap());
        turn(&mut base);
        (base, ids)
    }

    fn pass<S: Storage>(bencher: Bencher<'_, '_>, change: impl Fn(&mut Base<S>, EventId)) {
        let (mut base, ids) = watching::<S>();
        bencher.counter(ItemsCount::new(FEW)).bench_local(|| {
            ids.iter().for_each(|id| change(&mut base, *id));
            turn(&mut base)
        });
    }

    #[divan::bench(types = [Fixed<FEW>, Growable])]
    fn del_and_add<S: Storage>(bencher: Bencher<'_, '_>) {
        pass::<S>(bencher, |base, id| {
            base.del(id).unwrap();
            base.add(id, None).unwrap();
        });
    }

    #[divan::bench(types = [Fixed<FEW>, Growable])]
    fn toggle<S: Storage>(bencher: Bencher<'_, '_>) {
        pass::<S>(bencher, |base, id| {
            base.modify(id, Interest::READ | Interest::WRITE).unwrap();
            base.modify(id, Interest::READ).unwrap();
        });
    }

    /// The interest is another one after each pass.
    #[divan::bench(types = [Fixed<FEW>, Growable])]
    fn modify<S: Storage>(bencher: Bencher<'_, '_>) {
        let (mut base, ids) = watching::<S>();
        let mut interest = Interest::READ;
        bencher.counter(ItemsCount::new(FEW)).bench_local(|| {
            interest = interest.symmetric_difference(Interest::WRITE);
            ids.iter().for_each(|id| base.modify(*id, interest).unwrap());
            turn(&mut base)
        });
    }

    /// All are ready in each turn.
    #[divan::bench(types = [Fixed<FEW>, Growable])]
    fn hand_out<S: Storage>(bencher: Bencher<'_, '_>) {
        let (mut base, _) = watching::<S>();
        (0..FEW as u32).for_each(|fd| assert!(base.backend_mut().set_ready(fd, Ready::READ)));
        assert_eq!(turn(&mut base), FEW);
        bencher.counter(ItemsCount::new(FEW)).bench_local(|| turn(&mut base));
    }
}

/// The timer heap. An item is a timer of the base; `cancel` is of every second one, and costs twice what is printed.
#[divan::bench_group(sample_size = 1)]
mod timers {
    use super::*;

    const SIZES: [usize; 3] = [1_000, 100_000, 1_000_000];

    /// Between 1 and 2 seconds, in no order.
    fn delay(place: usize) -> Duration {
        let mixed = (place as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 34;
        Duration::from_nanos(1_000_000_000 + mixed % 1_000_000_000)
    }

    fn armed<S: Storage>(count: usize) -> (Base<S>, Vec<EventId>) {
        let mut base = base();
        let ids = create(&mut base, count, |_| Event::timer());
        let now = base.now();
        for (place, id) in ids.iter().enumerate() {
            base.add_at(*id, now.saturating_add(delay(place))).unwrap();
        }
        (base, ids)
    }

    /// Each sample has a base of its own.
    fn run<S: Storage>(
        bencher: Bencher<'_, '_>,
        count: usize,
        input: fn(usize) -> (Base<S>, Vec<EventId>),
        operation: fn(&mut Base<S>, &[EventId]),
    ) {
        bencher.with_inputs(|| input(count)).counter(ItemsCount::new(count)).bench_local_refs(|(base, ids)| {
            operation(base, ids);
        });
    }

    fn idle<S: Storage>(count: usize) -> (Base<S>, Vec<EventId>) {
        let mut base = base();
        let ids = create(&mut base, count, |_| Event::timer());
        (base, ids)
    }

    fn add<S: Storage>(base: &mut Base<S>, ids: &[EventId]) {
        let now = base.now();
        for (place, id) in ids.iter().enumerate() {
            base.add_at(*id, now.saturating_add(delay(place))).unwrap();
        }
    }

    fn cancel<S: Storage>(base: &mut Base<S>, ids: &[EventId]) {
        ids.iter().step_by(2).for_each(|id| base.del(*id).unwrap());
    }

    /// To later than any other, as an idle timeout.
    fn later<S: Storage>(base: &mut Base<S>, ids: &[EventId]) {
        let now = base.now();
        for (place, id) in ids.iter().enumerate() {
            base.add_at(*id, now.saturating_add(Duration::from_nanos(2_000_000_000 + place as u64))).unwrap();
        }
    }

    /// To sooner: the heap has to move.
    fn sooner<S: Storage>(base: &mut Base<S>, ids: &[EventId]) {
        let now = base.now();
        for (place, id) in ids.iter().enumerate() {
            base.add_at(*id, now.saturating_add(delay(place) / 2)).unwrap();
        }
    }

    fn expire<S: Storage>(base: &mut Base<S>, ids: &[EventId]) {
        base.backend_mut().advance(Duration::from_secs(3));
        let mut left = ids.len();
        while left > 0 {
            let count = turn(base);
            assert_ne!(count, 0);
            left -= count;
        }
    }

    macro_rules! operations {
        ($($name:ident: $input:ident, $operation:ident;)*) => {$(
            mod $name {
                use super::*;

                #[divan::bench(args = SIZES, sample_count = 8)]
                fn growable(bencher: Bencher<'_, '_>, count: usize) {
                    run::<Growable>(bencher, count, $input, $operation);
                }

                #[divan::bench(args = [1_000], sample_count = 100)]
                fn fixed(bencher: Bencher<'_, '_>, count: usize) {
                    run::<Fixed<1_024>>(bencher, count, $input, $operation);
                }
            }
        )*};
    }

    operations! {
        insert: idle, add;
        cancel: armed, cancel;
        rearm_later: armed, later;
        rearm_sooner: armed, sooner;
        expire: armed, expire;
    }
}

/// The queues: every event is activated and handed out, at one priority and at eight.
#[divan::bench_group]
mod active {
    use super::*;

    fn activate<S: Storage>(bencher: Bencher<'_, '_>, priorities: u8) {
        let mut base = base::<S>();
        base.set_priorities(priorities).unwrap();
        let ids = create(&mut base, FEW, |place| Event::user().priority(place as u8 % priorities));
        bencher.counter(ItemsCount::new(FEW)).bench_local(|| {
            ids.iter().for_each(|id| base.activate(*id, Ready::READ).unwrap());
            turn(&mut base)
        });
    }

    #[divan::bench(types = [Fixed<FEW>, Growable])]
    fn one_priority<S: Storage>(bencher: Bencher<'_, '_>) {
        activate::<S>(bencher, 1);
    }

    #[divan::bench(types = [Fixed<FEW>, Growable])]
    fn eight_priorities<S: Storage>(bencher: Bencher<'_, '_>) {
        activate::<S>(bencher, 8);
    }

    /// An event's handler asks for another turn.
    #[divan::bench(types = [Fixed<FEW>, Growable])]
    fn again<S: Storage>(bencher: Bencher<'_, '_>) {
        let mut base = base::<S>();
        let ids = create(&mut base, FEW, |_| Event::user());
        bencher.counter(ItemsCount::new(FEW)).bench_local(|| {
            ids.iter().for_each(|id| base.again(*id).unwrap());
            turn(&mut base)
        });
    }
}

/// The signal map: eight signals with an event each, all of which arrive.
#[divan::bench_group]
mod signals {
    use super::*;

    #[divan::bench(types = [Fixed<FEW>, Growable])]
    fn arrive<S: Storage>(bencher: Bencher<'_, '_>) {
        let mut base = base::<S>();
        for signum in 1..9 {
            base.insert_signal(signum, 0).unwrap();
        }
        bencher.counter(ItemsCount::new(8_usize)).bench_local(|| {
            (1..9).for_each(|signum| base.backend_mut().raise(signum));
            turn(&mut base)
        });
    }
}

/// The slots.
#[divan::bench_group]
mod events {
    use super::*;

    /// The oldest of many events goes, a new one comes.
    #[divan::bench(types = [Fixed<FEW>, Growable])]
    fn create_and_remove<S: Storage>(bencher: Bencher<'_, '_>) {
        let mut base = base::<S>();
        let mut ids: VecDeque<_> = create(&mut base, FEW, |_| Event::user()).into();
        bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
            let removed = ids.pop_front().and_then(|id| base.remove(id));
            ids.push_back(base.create(Event::user(), 0).unwrap());
            removed
        });
    }

    #[divan::bench(types = [Fixed<FEW>, Growable])]
    fn get_mut<S: Storage>(bencher: Bencher<'_, '_>) {
        let mut base = base::<S>();
        let ids = create(&mut base, FEW, |_| Event::user());
        bencher.counter(ItemsCount::new(FEW)).bench_local(|| {
            for id in &ids {
                black_box(base.get_mut(*id));
            }
        });
    }
}
