//! Tests of the signal map against a naive list, and of its costs.

use std::vec::Vec;

use super::*;
use crate::bounds::sizes;
use crate::steps;
use crate::storage::Fixed;

fn watching<S: Storage>(signums: impl IntoIterator<Item = Signum>) -> Signals<S> {
    let mut signals = Signals::<S>::new();
    for (event, signum) in signums.into_iter().enumerate() {
        let event = Index::new(event);
        signals.reserve(event).unwrap();
        signals.create(event, signum);
        signals.set_pending(event, true);
    }
    signals
}

fn reported<S: Storage>(signals: &mut Signals<S>, signum: Signum) -> Vec<S::Index> {
    let mut found = Vec::new();
    signals.report(signum, 1, |event| found.push(event));
    found
}

#[test]
fn a_signal_reaches_its_pending_events_in_order_with_its_count() {
    let mut signals = watching::<Fixed<4>>([10, 12, 10, 10]);
    signals.set_pending(3, false);
    let mut found = Vec::new();
    signals.report(10, u32::MAX, |event| found.push(event));
    signals.report(10, 7, |_| {});
    assert_eq!(found, [0, 2]);
    assert_eq!((signals.take_count(0), signals.take_count(0)), (u32::MAX - 1, 0));
    signals.remove(0);
    assert!(signals.is_watched(10));
    signals.set_pending(2, false);
    assert!(!signals.is_watched(10));
    assert_eq!((signals.signum(3), signals.signum(0), signals.take_count(3)), (Some(10), None, 0));
}

#[test]
fn an_event_that_is_on_no_signal_has_none() {
    let mut signals = Signals::<Fixed<4>>::new();
    signals.reserve(2).unwrap();
    signals.create(2, 10);
    for event in [0, 1, 3, u16::MAX] {
        signals.set_pending(event, true);
        signals.remove(event);
        assert_eq!((signals.signum(event), signals.take_count(event)), (None, 0));
    }
    assert!(!signals.is_watched(10));
}

/// The map as a list in the order of creation.
#[derive(Default)]
struct Naive(Vec<(u16, Signum, bool)>);

impl Naive {
    fn pending(&self, signum: Signum) -> Vec<u16> {
        self.0.iter().filter(|(_, on, pending)| *on == signum && *pending).map(|(event, ..)| *event).collect()
    }
}

#[test]
fn random_operations_leave_what_a_naive_list_has() {
    const EVENTS: u16 = 9;
    let (mut signals, mut naive) = (Signals::<Fixed<9>>::new(), Naive::default());
    let mut random = 1u32;
    let mut draw = |below: u16| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        u16::try_from((random >> 16) % u32::from(below)).unwrap()
    };
    for _ in 0..50_000 {
        let (event, signum) = (draw(EVENTS), Signum::from(draw(4)) - 1);
        match (naive.0.iter().position(|(other, ..)| *other == event), draw(3)) {
            (None, _) => {
                signals.reserve(event).unwrap();
                signals.create(event, signum);
                naive.0.push((event, signum, false));
            }
            (Some(at), 0) => {
                signals.remove(event);
                naive.0.remove(at);
            }
            (Some(at), choice) => {
                signals.set_pending(event, choice == 1);
                naive.0[at].2 = choice == 1;
            }
        }
        for signum in -1..4 {
            assert_eq!(signals.is_watched(signum), !naive.pending(signum).is_empty());
            assert_eq!(reported(&mut signals, signum), naive.pending(signum));
        }
        let known = naive.0.iter().find(|(other, ..)| *other == event).map(|(_, signum, _)| *signum);
        assert_eq!(signals.signum(event), known);
    }
}

/// Rows that an operation looks up for each event or signal.
const FEW: usize = 8;

#[test]
fn a_signal_of_k_events_costs_k_in_all() {
    fn test<const N: usize>() {
        // Not looked at: another signal's events, in front.
        let other = N / 2;
        let mut signals = watching::<Fixed<N>>((0..N).map(|event| Signum::from(event >= other)));
        let delivered = steps::of(|| {
            for event in reported(&mut signals, 1) {
                assert_eq!(signals.take_count(event), 1);
                // A one-shot event is taken out and added again.
                signals.set_pending(event, false);
                assert_eq!(signals.signum(event), Some(1));
                signals.is_watched(1);
                signals.set_pending(event, true);
            }
        });
        assert!(delivered.links.get() <= 3 * FEW * (N - other), "{N} events: {delivered:?}");
    }
    sizes!(test);
}

#[test]
fn creating_and_removing_take_a_step_for_each_signal() {
    fn test<const N: usize>() {
        for different in [1, 2, 64] {
            let signum = |event: usize| Signum::try_from(event % different).unwrap();
            let mut signals = Signals::<Fixed<N>>::new();
            for event in 0..N {
                let index = Index::new(event);
                let created = steps::of(|| {
                    signals.reserve(index).unwrap();
                    signals.create(index, signum(event));
                    signals.set_pending(index, true);
                });
                assert!(created.links.get() <= FEW * (different + 1), "{event} of {N}: {created:?}");
            }
            for event in (0..N).step_by(2).chain((1..N).step_by(2).rev()) {
                let removed = steps::of(|| signals.remove(Index::new(event)));
                assert!(removed.links.get() <= FEW * (different + 1), "{event} of {N}: {removed:?}");
            }
        }
    }
    sizes!(test);
}
