//! Usual calls take their short paths. The long ones do the same, and look up more places of the tables.

use super::*;
use crate::steps;

type Large = EventBase<Silent, Fixed<65>, u32>;

fn large() -> Large {
    Large::new(Silent::new())
}

fn links<R>(work: impl FnOnce() -> R) -> usize {
    steps::of(work).links.get()
}

#[track_caller]
fn assert_at_most<const N: usize>(links: [usize; N], most: [usize; N]) {
    assert!(links.iter().zip(&most).all(|(links, most)| links <= most), "{links:?} look-ups, not {most:?}");
}

#[test]
fn changes_of_a_timer_look_up_few_places() {
    let mut base = large();
    let timer = base.create(Event::timer(), 0).unwrap();
    let delay = Some(Duration::from_secs(1));
    let changes = [
        links(|| base.add(timer, delay).unwrap()),
        links(|| base.add(timer, delay).unwrap()),
        links(|| base.add_at(timer, Instant::from_nanos(9)).unwrap()),
        links(|| base.del(timer).unwrap()),
    ];
    assert_at_most(changes, [7, 6, 9, 7]);
}

#[test]
fn changes_of_a_lone_event_look_up_few_places() {
    let mut base = large();
    let event = base.insert(3, Interest::READ, 0).unwrap();
    let idle = base.create(Event::io(4, Interest::READ), 0).unwrap();
    assert!(base.poll(Wait::None).unwrap().is_running());
    let changes = [
        links(|| base.modify(event, Interest::READ).unwrap()),
        links(|| base.modify(event, Interest::WRITE).unwrap()),
        links(|| base.poll(Wait::None).unwrap()),
        links(|| base.del(event).unwrap()),
        links(|| base.add(event, None).unwrap()),
        links(|| base.modify(idle, Interest::READ).unwrap()),
    ];
    assert_at_most(changes, [3, 4, 4, 5, 4, 5]);
}

#[test]
fn a_usual_backend_is_asked_nothing_more_before_a_change() {
    let mut base = large();
    let idle = base.create(Event::io(3, Interest::READ), 0).unwrap();
    let questions = base.backend().questions.get();
    base.modify(idle, Interest::WRITE).unwrap();
    assert_eq!(base.backend().questions.get(), questions);
}

/// Of an event without a timeout, then one with a timeout, then a one-shot one: each activated, with the first beside it.
#[test]
fn hand_outs_look_up_few_places() {
    let mut base = large();
    let event = base.insert(3, Interest::READ, 0).unwrap();
    let timed = base.start(Event::io(4, Interest::READ).persist().timeout(Duration::from_secs(1)), 0).unwrap();
    let one_shot = base.start(Event::io(5, Interest::READ), 0).unwrap();
    for (id, by_next_active, by_next_event) in
        [(event, [4, 0], [5, 0]), (timed, [4, 4], [5, 5]), (one_shot, [10, 4], [10, 5])]
    {
        let mut hand_out_both = |next: &dyn Fn(&mut Large) -> bool| {
            base.add(id, None).unwrap();
            base.activate(id, Ready::READ).unwrap();
            base.activate(event, Ready::READ).unwrap();
            assert!(base.poll(Wait::None).unwrap().is_running());
            let both = [links(|| next(&mut base)), links(|| next(&mut base))];
            assert!(base.next_active().is_none());
            both
        };
        assert_at_most(hand_out_both(&|base| base.next_active().is_some()), by_next_active);
        assert_at_most(hand_out_both(&|base| base.next_event(Wait::None).unwrap().is_some()), by_next_event);
    }
}
