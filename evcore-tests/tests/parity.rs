//! What libevent's own tests check and no other test here does, on `Manual`: without a system, in virtual time.
//!
//! `docs/parity.md` names the libevent tests that each of these corresponds to.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Duration;

use evcore::backend::{EventOp, FdInfos, Features, Manual, ManualError, Modified, Sink, Sleep, Token};
use evcore::options::{Fairness, Limits};
use evcore::{End, Error, Event, EventBase, EventId, Growable, Instant, Interest, Mode, Ready, Wait};

type Base<T> = EventBase<Manual, Growable, T>;

fn base<T>() -> Base<T> {
    EventBase::new(Manual::new())
}

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Runs one turn without waiting. Returns the data of its hand-outs.
fn turn<T: Copy>(base: &mut Base<T>) -> Vec<T> {
    assert!(base.poll(Wait::None).unwrap().is_running());
    let mut handed_out = Vec::new();
    while let Some(fired) = base.next_active() {
        handed_out.push(*fired.data);
    }
    handed_out
}

#[test]
fn what_was_put_off_and_is_activated_comes_once_with_both_bits() {
    let mut base = base();
    let first = base.create(Event::user(), "first").unwrap();
    let put_off = base.create(Event::user(), "put off").unwrap();
    base.activate(first, Ready::READ).unwrap();
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!(base.next_active().map(|fired| *fired.data), Some("first"));
    base.again(put_off).unwrap();
    base.activate(put_off, Ready::READ).unwrap();
    let mut found = Vec::new();
    for _ in 0..3 {
        while let Some(fired) = base.next_active() {
            found.push((*fired.data, fired.ready));
        }
        assert!(base.poll(Wait::None).unwrap().is_running());
    }
    assert_eq!(found, [("put off", Ready::READ | Ready::AGAIN)]);
}

#[test]
fn what_was_put_off_and_is_removed_does_not_come() {
    let mut base = base();
    let events = ["deleted", "removed", "kept"].map(|name| base.create(Event::user(), name).unwrap());
    for event in events {
        base.again(event).unwrap();
    }
    base.del(events[0]).unwrap();
    assert_eq!(base.remove(events[1]), Some("removed"));
    assert!(base.check());
    assert_eq!(turn(&mut base), ["kept"]);
    base.again(events[2]).unwrap();
    drop(base);
}

#[test]
fn a_once_event_that_never_comes_is_dropped_with_its_base() {
    let data = Rc::new(());
    let mut base = base();
    base.start(Event::timer().once().timeout(Duration::from_secs(10)), Rc::clone(&data)).unwrap();
    base.loop_exit_after(ms(75));
    let end = base.run(Mode::empty(), |_, _| panic!("it came"));
    assert_eq!((end, Rc::strong_count(&data)), (Ok(End::Exit), 2));
    drop(base);
    assert_eq!(Rc::strong_count(&data), 1);
}

/// In libevent, a lock stayed held after it.
#[test]
fn b5_a_once_event_that_is_refused_leaves_a_base_that_works() {
    let mut base = base();
    base.backend_mut().refuse(1);
    let rejected = base.start(Event::io(3, Interest::READ).once(), "refused").unwrap_err();
    assert_eq!((rejected.error, rejected.data), (Error::Backend(ManualError::Refused), "refused"));
    assert_eq!(base.counts().events, 0);
    base.start(Event::io(3, Interest::READ).once(), "taken").unwrap();
    base.backend_mut().set_ready(3, Ready::READ);
    assert_eq!(turn(&mut base), ["taken"]);
    assert!(base.check());
}

/// How a loop ends, and after how many waits, in each mode: without events, with an active one, and with one that is
/// due later.
#[test]
fn each_mode_ends_as_it_should_and_waits_no_more_than_it_must() {
    let (once, nonblock, go_on) = (Mode::ONCE, Mode::NONBLOCK, Mode::NO_EXIT_ON_EMPTY);
    let (empty, done, not_ready) = (End::Empty, End::Once, End::NotReady);
    let expected = [
        (Mode::empty(), [(empty, 0), (empty, 1), (empty, 1)]),
        (once, [(empty, 0), (done, 1), (done, 1)]),
        (nonblock, [(empty, 0), (done, 1), (not_ready, 1)]),
        (once | nonblock, [(empty, 0), (done, 1), (not_ready, 1)]),
        (nonblock | go_on, [(not_ready, 1), (done, 1), (not_ready, 1)]),
        (once | nonblock | go_on, [(not_ready, 1), (done, 1), (not_ready, 1)]),
    ];
    for (mode, expected) in expected {
        for (state, expected) in expected.into_iter().enumerate() {
            let mut base = base();
            if state > 0 {
                let event = base.start(Event::timer().timeout(Duration::from_secs(1)), ()).unwrap();
                if state == 1 {
                    base.del(event).unwrap();
                    base.activate(event, Ready::READ).unwrap();
                }
            }
            let end = base.run(mode, |_, _| {}).unwrap();
            assert_eq!((end, base.stats().waits), expected, "{mode:?}, state {state}");
        }
    }
}

/// Two timers without delay re-arm themselves until one has been handed out three times, at different distances in
/// priority.
#[test]
fn less_urgent_endless_timer_starves_only_when_strict() {
    let counts = |priorities: u8, fairness| {
        let mut base = base::<usize>();
        base.set_priorities(priorities).unwrap();
        base.set_fairness(fairness);
        for (number, priority) in [(0, 0), (1, priorities - 1)] {
            base.start(Event::timer().priority(priority).timeout(Duration::ZERO), number).unwrap();
        }
        let mut counts = [0; 2];
        let end = base.run(Mode::empty(), |base, event| {
            let count = &mut counts[*base.get(event.id).unwrap()];
            *count += 1;
            if *count == 3 {
                base.loop_exit();
            } else {
                base.add(event.id, Some(Duration::ZERO)).unwrap();
            }
        });
        assert_eq!(end, Ok(End::Exit));
        counts
    };
    assert_eq!([1, 2, 3].map(|levels| counts(levels, Fairness::Strict)), [[3, 3], [3, 0], [3, 0]]);
    assert_eq!([1, 2, 3].map(|levels| counts(levels, Fairness::Fair)), [[3, 3]; 3]);
}

/// Endless work, a millisecond each: a timer waits at most for the work that one turn may do.
#[test]
fn a_flood_of_activations_delays_a_timer_by_a_turn_at_most() {
    const TURN: u32 = 16;
    let mut base = base();
    base.set_limits(Limits { hand_outs: NonZeroU32::new(TURN), ..Limits::DEFAULT });
    let flood: Vec<EventId> = (0..8).map(|_| base.create(Event::user(), ()).unwrap()).collect();
    for event in &flood {
        base.activate(*event, Ready::READ).unwrap();
    }
    let timer = base.create(Event::timer().persist(), ()).unwrap();
    base.add(timer, Some(Duration::from_secs(1))).unwrap();
    let mut handed_out = 0;
    let end = base.run(Mode::empty(), |base, event| {
        if event.id != timer {
            base.backend_mut().advance(ms(1));
            return base.activate(event.id, Ready::READ).unwrap();
        }
        handed_out += 1;
        let late = base.stats().lateness_max;
        assert!(late <= ms(u64::from(2 * TURN)), "{late:?}");
        if handed_out == 5 {
            base.loop_break();
        }
    });
    assert_eq!(end, Ok(End::Break));
}

/// Each handler deletes and arms others at random, until 200,000 hand-outs.
#[test]
fn twenty_thousand_timers_come_in_a_storm_of_changes() {
    const TIMERS: usize = 20_000;
    let mut base = base();
    let mut random = 1u64;
    let mut draw = move |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let timers: Vec<EventId> =
        (0..TIMERS).map(|_| base.start(Event::timer().timeout(ms(draw(50))), Instant::ZERO).unwrap()).collect();
    for timer in &timers {
        let due = base.pending(*timer).unwrap().deadline.unwrap();
        *base.get_mut(*timer).unwrap() = due;
    }
    let (mut handed_out, mut last) = (0, Instant::ZERO);
    let end = base.run(Mode::empty(), |base, event| {
        let due = base.get(event.id).copied().unwrap();
        assert!(due <= base.now(), "early");
        assert!(due >= last, "out of order");
        last = due;
        handed_out += 1;
        for _ in 0..if handed_out < 200_000 { 10 } else { 0 } {
            let other = timers[draw(TIMERS as u64) as usize];
            if draw(2) == 0 {
                base.del(other).unwrap();
            } else {
                base.add(other, Some(ms(1 + draw(50)))).unwrap();
                let due = base.pending(other).unwrap().deadline.unwrap();
                *base.get_mut(other).unwrap() = due;
            }
        }
    });
    assert_eq!(end, Ok(End::Empty));
    assert!(handed_out >= TIMERS, "{handed_out}");
    assert!(base.check());
}

/// All events that there is room for are handed out.
#[test]
fn one_event_of_an_fd_too_many_is_refused_with_its_data() {
    const MOST: usize = 65_535;
    let mut base = base();
    let events: Vec<EventId> = (0..MOST).map(|number| base.insert(3, Interest::READ, number).unwrap()).collect();
    let rejected = base.insert(3, Interest::READ, MOST).unwrap_err();
    assert_eq!((rejected.error, rejected.data), (Error::Full, MOST));
    base.insert(4, Interest::READ, MOST).unwrap();
    assert_eq!(base.remove(events[7]), Some(7));
    let replaced = base.insert(3, Interest::READ, 7).unwrap();

    base.backend_mut().set_ready(3, Ready::READ);
    let (mut times, mut handed_out) = (vec![0; MOST], turn(&mut base));
    base.backend_mut().set_ready(3, Ready::empty());
    while base.counts().active > 0 {
        handed_out.extend(turn(&mut base));
    }
    handed_out.into_iter().for_each(|number| times[number] += 1);
    assert!(times.iter().all(|times| *times == 1));
    for event in events.into_iter().chain([replaced]) {
        base.remove(event);
    }
    assert_eq!((base.counts().events, base.backend().watched(3)), (1, None));
    assert!(base.check());
}

#[test]
fn a_prepare_watcher_sees_how_long_the_wait_will_be() {
    let mut base = base();
    let prepare = base.start(Event::prepare(), ()).unwrap();
    let left = |base: &mut Base<()>| {
        assert!(base.poll(Wait::None).unwrap().is_running());
        assert!(base.next_active().is_some_and(|fired| fired.id == prepare));
        let now = base.now();
        let left = base.next_deadline().map(|deadline| deadline.saturating_since(now));
        while base.next_active().is_some() {}
        assert!(base.poll(Wait::None).unwrap().is_running());
        while base.next_active().is_some() {}
        left
    };
    assert_eq!(left(&mut base), None);
    base.insert_timer(Duration::from_secs(1), ()).unwrap();
    assert_eq!(left(&mut base), Some(Duration::from_secs(1)));
}

/// `Manual`, counting how many times its clock is read.
struct Counting {
    inner: Manual,
    reads: Cell<u32>,
}

impl EventOp for Counting {
    type Fd = u32;
    type FdInfo = ();
    type Error = ManualError;

    fn name(&self) -> &'static str {
        "counting"
    }

    fn features(&self) -> Features {
        self.inner.features()
    }

    fn now(&self) -> Instant {
        self.reads.set(self.reads.get() + 1);
        self.inner.now()
    }

    fn add(
        &mut self,
        fd: u32,
        token: Token,
        interest: Interest,
        infos: &mut impl FdInfos<()>,
    ) -> Result<(), ManualError> {
        EventOp::add(&mut self.inner, fd, token, interest, infos)
    }

    fn modify(
        &mut self,
        fd: u32,
        token: Token,
        old: Interest,
        new: Interest,
        infos: &mut impl FdInfos<()>,
    ) -> Result<Modified, ManualError> {
        self.inner.modify(fd, token, old, new, infos)
    }

    fn del(&mut self, fd: u32, token: Token, old: Interest, infos: &mut impl FdInfos<()>) {
        EventOp::del(&mut self.inner, fd, token, old, infos);
    }

    fn dispatch(&mut self, sleep: Sleep, sink: &mut impl Sink<u32>) -> Result<(), ManualError> {
        self.inner.dispatch(sleep, sink)
    }
}

#[test]
fn b19_turn_reads_the_clock_once() {
    let backend = Counting { inner: Manual::new(), reads: Cell::new(0) };
    let mut base: EventBase<Counting, Growable, ()> = EventBase::new(backend);
    for fd in 0..50 {
        base.insert(fd, Interest::READ, ()).unwrap();
        base.insert_interval(ms(1), ()).unwrap();
        base.backend_mut().inner.set_ready(fd, Ready::READ);
    }
    for _ in 0..10 {
        base.backend_mut().inner.advance(ms(1));
        let before = base.backend().reads.get();
        assert!(base.poll(Wait::None).unwrap().is_running());
        let (mut handed_out, mut now) = (0, None);
        while base.next_active().is_some() {
            handed_out += 1;
            assert_eq!(base.now(), *now.get_or_insert(base.now()));
        }
        assert_eq!((handed_out, base.backend().reads.get() - before), (100, 1));
    }
}
