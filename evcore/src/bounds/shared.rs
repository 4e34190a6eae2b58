//! Many events on one level-triggered descriptor, more than a turn hands out.

use core::num::NonZeroU32;
use std::vec;

use super::*;
use crate::Manual;

const READ: Interest = Interest::READ;

/// A base with events on descriptor 0, the numbers from 0 as data, which is ready to read; and a limit to each turn.
fn shared<const N: usize>(events: usize, hand_outs: u32) -> (EventBase<Manual, Fixed<N>, usize>, Vec<EventId>) {
    let mut base = EventBase::new(Manual::new());
    base.set_limits(Limits { hand_outs: NonZeroU32::new(hand_outs), ..Limits::DEFAULT });
    let ids = (0..events).map(|number| base.insert(0, READ, number).unwrap()).collect();
    base.backend_mut().set_ready(0, Ready::READ);
    (base, ids)
}

/// A turn; what it hands out.
fn handed_out<const N: usize>(base: &mut EventBase<Manual, Fixed<N>, usize>) -> Vec<(usize, Ready)> {
    assert!(base.poll(Wait::Poll).unwrap().is_running());
    let mut found = Vec::new();
    while let Some(fired) = base.next_active() {
        found.push((*fired.data, fired.ready));
    }
    found
}

#[test]
fn an_fd_of_k_events_costs_k_for_each_circle_of_hand_outs() {
    fn test<const N: usize>() {
        for hand_outs in [N.div_ceil(30), N.div_ceil(7), N] {
            let (mut base, _) = shared::<N>(N, u32::try_from(hand_outs).unwrap());
            let (mut turns, mut counts) = (0, [0u32; N]);
            let steps = steps::of(|| {
                while counts.iter().sum::<u32>() < 4 * u32::try_from(N).unwrap() {
                    handed_out(&mut base).into_iter().for_each(|(number, _)| counts[number] += 1);
                    turns += 1;
                }
            });
            // A circle may end with a short turn. Each event comes four times, but for the order inside of a turn.
            assert!(turns <= 4 * (N.div_ceil(hand_outs) + 1), "{N} events, {hand_outs} a turn: {turns}");
            assert!(counts.iter().all(|count| (3..=5).contains(count)), "{N} events, {hand_outs} a turn: {counts:?}");
            let work = turns * hand_outs;
            assert!(steps.links.get() <= 16 * work, "{N} events, {hand_outs} a turn: {work} hand-outs, {steps:?}");
        }
    }
    sizes!(test: 65 127 128 129 511 512 513 1023 1024 1025);
}

#[test]
fn what_is_new_reaches_all_events_in_the_middle_of_a_circle() {
    let (mut base, ids) = shared::<100>(100, 10);
    for id in &ids[50..] {
        base.modify(*id, READ | Interest::WRITE).unwrap();
    }
    assert_eq!(handed_out(&mut base).len(), 10);
    handed_out(&mut base);
    base.backend_mut().set_ready(0, Ready::READ | Ready::WRITE);
    for turn in 2..10 {
        let both = if turn < 5 { Ready::READ } else { Ready::READ | Ready::WRITE };
        assert!(handed_out(&mut base).into_iter().eq((10 * turn..10 * turn + 10).map(|number| (number, both))));
    }
    // An error is never left out.
    base.backend_mut().set_ready(0, Ready::READ | Ready::ERROR);
    assert!(base.poll(Wait::Poll).unwrap().is_running());
    assert!(base.pending(ids[99]).unwrap().active.is_some_and(|ready| ready.contains(Ready::ERROR)));
}

#[test]
fn an_event_that_joins_in_the_middle_of_a_circle_is_reported_by_the_next_wait() {
    let (mut base, ids) = shared::<101>(100, 10);
    for _ in 0..3 {
        handed_out(&mut base);
    }
    let joined = base.insert(0, READ, 100).unwrap();
    assert_eq!(base.pending(joined).unwrap().active, None);
    assert!(base.poll(Wait::Poll).unwrap().is_running());
    assert_eq!(base.pending(joined).unwrap().active, Some(Ready::READ));
    while base.next_active().is_some() {}
    // And one that waits for something else now.
    base.backend_mut().set_ready(0, Ready::READ | Ready::WRITE);
    base.modify(ids[0], Interest::WRITE).unwrap();
    assert!(base.poll(Wait::Poll).unwrap().is_running());
    assert_eq!(base.pending(ids[0]).unwrap().active, Some(Ready::WRITE));
}

#[test]
fn nothing_is_left_out_for_long_whatever_else_is_queued() {
    const SHARED: usize = 70;
    let (mut base, ids) = shared::<120>(SHARED, 10);
    for number in 1..51u32 {
        base.insert(number, READ, SHARED).unwrap();
        base.backend_mut().set_ready(number, Ready::READ);
    }
    let mut counts = vec![0; SHARED + 1];
    for _ in 0..1_000 {
        for (number, _) in handed_out(&mut base) {
            counts[number] += 1;
        }
        // The last one on the descriptor is always queued.
        base.activate(ids[SHARED - 1], Ready::READ).unwrap();
    }
    // 12 turns are a circle; 32 more when reports are left out as long as they may be.
    assert!(counts[..SHARED].iter().all(|count| *count >= 1_000 / (12 + 32)), "{counts:?}");
}

#[test]
fn priorities_have_every_report_passed_on() {
    let (mut base, ids) = shared::<100>(100, 10);
    base.set_priorities(2).unwrap();
    for (number, id) in ids.into_iter().enumerate() {
        base.set_priority(id, u8::from(number != 50)).unwrap();
    }
    for _ in 0..20 {
        assert!(handed_out(&mut base).iter().any(|(number, _)| *number == 50));
    }
}
