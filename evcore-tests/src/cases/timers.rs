//! Timers: never early, no later than necessary, in order, in phase.

use core::num::NonZeroU32;
use core::time::Duration;

use evcore::options::{Limits, Missed};
use evcore::storage::Storage;
use evcore::{Event, Instant, Interest, Ready, Wait};

use crate::{Fixture, Proof, World};

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// How late a timer may be if time is real, since machines that run tests are busy. [`some_timer_is_on_time`] checks
/// that one timer of many is on time.
fn grace<F: Fixture, S: Storage>() -> Duration {
    World::<F, S>::grace(crate::BUSY)
}

/// No timer is handed out before its deadline, whatever fraction of a millisecond that is.
pub fn timer_not_early<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let micros = [1, 13, 250, 999, 1_000, 1_001, 1_500, 2_003, 3_999, 5_000, 7_777, 10_001];
    let mut latest = Duration::ZERO;
    for round in 0..3 {
        for micros in micros {
            let delay = Duration::from_nanos(micros * 1_000 + round);
            let due = world.now().saturating_add(delay);
            world.timer(delay, 1);
            assert_eq!(world.wait().of(1), Ready::TIMEOUT);
            assert!(world.now() >= due, "{delay:?} came early");
            latest = latest.max(world.now().saturating_since(due));
            let only = world.base.iter().next().map(|(event, _)| event);
            assert!(only.and_then(|event| world.base.remove(event)).is_some());
        }
    }
    assert!(latest <= grace::<F, S>(), "late by {latest:?}");
    Proof::Shown
}

/// Many timers are each on time, in the order of their deadlines.
pub fn order_by_deadline<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let begin = world.now();
    for number in [5, 2, 7, 0, 3, 6, 1, 4] {
        let event = world.create(Event::timer(), number);
        assert!(world.base.add_at(event, begin.saturating_add(ms(u64::from(number) * 2))).is_ok());
    }
    let mut order: heapless::Vec<u32, 8> = heapless::Vec::new();
    while order.len() < 8 {
        let seen = world.wait_with(|world, _, number| {
            assert!(world.base.now() >= begin.saturating_add(ms(u64::from(number) * 2)), "{number} came early");
        });
        assert!(!seen.is_empty(), "only {order:?} came");
        order.extend(seen.order().iter().copied());
    }
    assert_eq!(order[..], [0, 1, 2, 3, 4, 5, 6, 7]);
    Proof::Shown
}

/// If nothing else happens, a timer costs at most two waits, however long it is, and is handed out soon after its
/// deadline.
pub fn timer_late_bound<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    for delay in [Duration::from_micros(10_500), ms(21), ms(1), Duration::from_micros(50), Duration::from_nanos(1)] {
        let before = world.stats().waits;
        world.timer(delay, 1);
        assert_eq!(world.wait().of(1), Ready::TIMEOUT);
        assert!(world.stats().waits - before <= 2, "{delay:?}: {} waits", world.stats().waits - before);
        assert!(world.stats().lateness <= grace::<F, S>(), "{:?} late", world.stats().lateness);
        let only = world.base.iter().next().map(|(event, _)| event);
        only.and_then(|event| world.base.remove(event));
    }
    Proof::Shown
}

/// A loop waits only for armed timers: those that were cancelled or moved later do not wake it.
pub fn cancelled_and_moved_timers_wake_once<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    // If the machine stalls for 25 ms, timers are handed out together, but that does not happen each time.
    for _ in 0..20 {
        if is_woken_once(&mut world) {
            return Proof::Shown;
        }
        assert!(!F::IS_VIRTUAL, "timers that are apart came together");
        loop {
            let first = world.base.iter().next().map(|(id, _)| id);
            let Some(id) = first else { break };
            world.base.remove(id);
        }
    }
    panic!("timers that are apart came together each time");
}

/// Whether each timer was handed out in a turn of its own. None was early.
fn is_woken_once<F: Fixture, S: Storage>(world: &mut World<F, S>) -> bool {
    let timers = [1, 2, 3, 4, 5, 6].map(|number| world.timer(ms(number.into()), number));
    world.timer(ms(25), 7);
    let (cancelled, moved) = timers.split_at(3);
    for timer in moved {
        assert!(world.base.add(*timer, Some(ms(50))).is_ok());
    }
    for timer in cancelled {
        assert!(world.base.del(*timer).is_ok());
    }
    let before = world.stats().waits;
    let seen = world.wait();
    assert_eq!(seen.order().first(), Some(&7));
    let waits = world.stats().waits - before;
    assert!(waits <= 2, "{waits} waits");
    // One of them is armed again, before the others.
    assert!(world.base.add(cancelled[1], Some(ms(5))).is_ok());
    let rest = world.wait_for(&[2, 4, 5, 6]);
    seen.order() == [7] && rest.order() == [2, 4, 5, 6]
}

/// A zero delay is legal: the timer is handed out in the next turn, not in the one whose handler armed it.
pub fn zero_delay_fires_next_iteration<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let timer = world.timer(Duration::ZERO, 1);
    for _ in 0..5 {
        let seen = world.wait_with(|world, id, _| assert!(world.base.add(id, Some(Duration::ZERO)).is_ok()));
        assert_eq!(seen.order(), [1]);
    }
    assert!(world.base.del(timer).is_ok());
    assert!(world.look().is_empty());
    Proof::Shown
}

/// Timers with equal deadlines are handed out in the order in which they were armed.
pub fn equal_deadline_fifo<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let due = world.now().saturating_add(ms(2));
    let order = [3, 1, 4, 0, 5, 2];
    let events = [0, 1, 2, 3, 4, 5].map(|number| world.create(Event::timer(), number));
    for number in order {
        assert!(world.base.add_at(events[number], due).is_ok());
    }
    let seen = world.wait();
    assert!(seen.order().iter().copied().eq(order.map(|number| number as u32)), "{seen:?}");
    Proof::Shown
}

/// A timer that is re-armed for later is not handed out at its first deadline.
pub fn rearm_moves_later<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let event = world.timer(ms(2), 1);
    let due = world.now().saturating_add(ms(12));
    assert!(world.base.add_at(event, due).is_ok());
    assert_eq!(world.wait().of(1), Ready::TIMEOUT);
    assert!(world.now() >= due);
    Proof::Shown
}

/// A timer that is re-armed for earlier does not wait for its first deadline.
pub fn rearm_moves_earlier<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let event = world.timer(Duration::from_secs(3_600), 1);
    assert!(world.base.add(event, Some(ms(2))).is_ok());
    assert_eq!(world.wait().of(1), Ready::TIMEOUT);
    assert!(world.look().is_empty());
    Proof::Shown
}

/// Adding a pending event without a timeout does not change its timeout.
pub fn add_without_timeout_keeps_it<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let source = world.source();
    let fd = world.fd(&source);
    let event = world.start(Event::io(fd, Interest::READ).persist().timeout(ms(3)), 1);
    let before = world.base.pending(event).and_then(|pending| pending.deadline);
    assert!(world.base.add(event, None).is_ok());
    assert_eq!(world.base.pending(event).and_then(|pending| pending.deadline), before);
    assert_eq!(world.wait().of(1), Ready::TIMEOUT);
    Proof::Shown
}

/// Adding a pending event with a timeout withdraws a timeout that has expired and is queued; other queued bits stay.
pub fn add_takes_back_a_queued_timeout<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let due = world.now().saturating_add(ms(1));
    let source = world.source();
    let fd = world.fd(&source);
    let first = world.create(Event::timer(), 1);
    let pure = world.create(Event::timer(), 2);
    let mixed = world.create(Event::io(fd, Interest::WRITE).persist(), 3);
    for event in [first, pure, mixed] {
        assert!(world.base.add_at(event, due).is_ok());
    }
    world.pass(ms(2));
    let hour = Some(Duration::from_secs(3_600));
    let mut armed = false;
    let seen = world.wait_with(|world, _, _| {
        if !core::mem::replace(&mut armed, true) {
            for event in [first, pure, mixed] {
                assert!(world.base.add(event, hour).is_ok());
            }
        }
    });
    // A turn hands out readiness before timeouts, so the third is first.
    assert_eq!(seen.order(), [3], "{seen:?}");
    assert!(seen.of(3).contains(Ready::WRITE));
    for event in [first, pure, mixed] {
        assert!(world.base.pending(event).is_some_and(|pending| pending.remaining > Some(Duration::from_secs(3_000))));
    }
    Proof::Shown
}

/// Removing the timeout of an event does not affect its fd; a timer then waits for nothing, and a queued timeout is
/// withdrawn.
pub fn remove_timer_keeps_io<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let fd = world.fd(&source);
    let event = world.start(Event::io(fd, Interest::READ).persist().timeout(ms(1)), 1);
    let timer = world.timer(ms(1), 2);
    assert!(world.base.clear_timeout(event).is_ok());
    assert!(world.base.clear_timeout(timer).is_ok());
    world.pass(ms(2));
    assert!(world.look().is_empty());
    world.feed(&mut source);
    assert_eq!(world.wait().order(), [1]);
    world.drain(&mut source);
    world.pass(ms(2));
    assert!(world.look().is_empty(), "the timeout came back");
    assert!(world.base.activate(event, Ready::TIMEOUT | Ready::READ).is_ok());
    assert!(world.base.clear_timeout(event).is_ok());
    assert_eq!(world.wait().of(1), Ready::READ);
    Proof::Shown
}

/// A timeout and readiness found in one turn are one hand-out with both bits.
pub fn timeout_and_read_together<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let fd = world.fd(&source);
    world.start(Event::io(fd, Interest::READ).timeout(ms(1)), 1);
    world.feed(&mut source);
    world.pass(ms(2));
    let seen = world.wait();
    assert_eq!((seen.len(), seen.of(1)), (1, Ready::READ | Ready::TIMEOUT));
    world.pass(ms(2));
    assert!(world.look().is_empty());
    Proof::Shown
}

/// A timeout that expires while its event is active for another reason is not lost.
pub fn activate_plus_timeout_not_lost<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let source = world.source();
    let fd = world.fd(&source);
    let event = world.start(Event::io(fd, Interest::READ).timeout(ms(1)), 1);
    assert!(world.base.activate(event, Ready::READ).is_ok());
    world.pass(ms(2));
    let seen = world.wait();
    assert_eq!((seen.len(), seen.of(1)), (1, Ready::READ | Ready::TIMEOUT));
    Proof::Shown
}

/// B4: adding an event with a timeout while it is active for its timeout keeps its fd registered.
pub fn b4_added_while_active_by_timeout_keeps_its_fd<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let (mut source, other) = (world.source(), world.source());
    let fd = world.fd(&source);
    let event = world.start(Event::io(fd, Interest::READ).timeout(ms(1)), 1);
    world.watch(&other, Interest::WRITE, 2);
    world.pass(ms(2));
    let mut is_first = true;
    let seen = world.wait_with(|world, _, number| {
        assert_eq!(number, 2);
        if core::mem::take(&mut is_first) {
            // It is now queued for its timeout.
            assert!(world.base.add(event, Some(Duration::from_secs(3_600))).is_ok());
        }
    });
    assert_eq!(seen.times(1), 0);
    world.feed(&mut source);
    assert_eq!(world.wait_for(&[1]).of(1), Ready::READ);
    Proof::Shown
}

/// A hundred periods are a hundred deadlines without drift.
pub fn persist_interval_no_drift<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let (period, rounds) = (ms(1), if F::IS_VIRTUAL { 1_000 } else { 40 });
    let begin = world.now();
    let timer = world.start(Event::timer().persist().timeout(period), 1);
    let first = world.base.pending(timer).and_then(|pending| pending.deadline).unwrap_or_default();
    let mut periods = 0;
    while periods < rounds {
        let seen = world.wait_with(|world, id, _| {
            let next = world.base.pending(id).and_then(|pending| pending.deadline).unwrap_or_default();
            let phase = next.saturating_since(first).as_nanos() % period.as_nanos();
            assert_eq!(phase, 0, "out of phase");
        });
        assert!(!seen.is_empty());
        periods += seen.count(1);
        let due = begin.saturating_add(period * periods);
        assert!(world.now() >= due, "period {periods} came early");
    }
    assert!(world.now() <= begin.saturating_add(period * periods + period + grace::<F, S>()));
    Proof::Shown
}

/// Missed periods, policy skip: one hand-out covers all of them, and the next is in phase.
pub fn persist_after_jump_skips<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let timer = world.start(Event::timer().persist().timeout(ms(10)), 1);
    let first = world.base.pending(timer).and_then(|pending| pending.deadline).unwrap_or_default();
    world.pass(ms(35));
    let seen = world.wait();
    assert_eq!(seen.len(), 1);
    assert!(seen.count(1) >= 3, "{seen:?}");
    let next = world.base.pending(timer).and_then(|pending| pending.deadline).unwrap_or_default();
    assert_eq!(next, first.saturating_add(ms(10) * seen.count(1)));
    assert!(world.look().len() <= 1);
    Proof::Shown
}

/// Missed periods, policy burst: each is handed out, one per turn.
pub fn persist_after_jump_bursts<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    world.start(Event::timer().persist().missed(Missed::Burst).timeout(ms(20)), 1);
    world.pass(ms(65));
    for _ in 0..3 {
        let seen = world.look();
        assert_eq!((seen.len(), seen.count(1)), (1, 1), "{seen:?}");
    }
    if F::IS_VIRTUAL {
        assert!(world.look().is_empty());
    }
    Proof::Shown
}

/// Missed periods, policy delay: they are not handed out; the next period begins at the hand-out.
pub fn persist_after_jump_delays<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let timer = world.start(Event::timer().persist().missed(Missed::Delay).timeout(ms(20)), 1);
    world.pass(ms(65));
    let before = world.now();
    let seen = world.wait();
    assert_eq!((seen.len(), seen.count(1)), (1, 1));
    let next = world.base.pending(timer).and_then(|pending| pending.deadline).unwrap_or_default();
    assert!(next >= before.saturating_add(ms(20)), "{next:?} is less than a period after {before:?}");
    Proof::Shown
}

/// A persistent event's timeout is an idle timeout: each activity, of its fd or by `activate`, restarts it.
pub fn persist_io_resets_interval<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    let fd = world.fd(&source);
    let timeout = ms(60);
    let event = world.start(Event::io(fd, Interest::READ).persist().timeout(timeout), 1);
    for round in 0..4 {
        world.pass(timeout / 3);
        let before = world.now();
        if round == 2 {
            assert!(world.base.activate(event, Ready::WRITE).is_ok());
        } else {
            world.feed(&mut source);
        }
        let seen = world.wait();
        assert!(seen.times(1) == 1 && (!F::IS_VIRTUAL || !seen.of(1).contains(Ready::TIMEOUT)), "{seen:?}");
        world.drain(&mut source);
        let deadline = world.base.pending(event).and_then(|pending| pending.deadline).unwrap_or_default();
        // On a slow machine the timeout may have expired as well; the next one is then in phase.
        assert!(deadline >= before.saturating_add(timeout) || seen.of(1).contains(Ready::TIMEOUT));
    }
    let before = world.now();
    assert_eq!(world.wait().of(1), Ready::TIMEOUT);
    let waited = world.now().saturating_since(before);
    assert!(waited <= timeout + grace::<F, S>(), "{waited:?}");
    Proof::Shown
}

/// Delays beyond the end of time are legal, and never expire.
pub fn huge_delays_never_fire<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let huge = [Duration::MAX, Duration::from_nanos(u64::MAX), Duration::from_secs(u64::MAX)];
    for delay in huge {
        let event = world.timer(delay, 1);
        assert!(world.base.pending(event).is_some_and(|pending| pending.remaining.is_some()));
        assert!(world.look().is_empty(), "{delay:?} came");
    }
    let never = world.create(Event::timer(), 2);
    assert!(world.base.add_at(never, Instant::MAX).is_ok());
    let persistent = world.start(Event::timer().persist().timeout(Duration::MAX), 3);
    world.pass(ms(1));
    world.timer(ms(1), 4);
    assert_eq!(world.wait().order(), [4]);
    assert!(world.base.add(persistent, Some(ms(1))).is_ok());
    assert_eq!(world.wait().order(), [3]);
    Proof::Shown
}

/// Timers shorter than a millisecond cost at most two waits each, and are never early.
pub fn sub_millisecond_no_spin<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let timer = world.create(Event::timer(), 1);
    for round in 1..=20 {
        let before = world.stats().waits;
        let due = world.now().saturating_add(Duration::from_micros(37 * round));
        assert!(world.base.add_at(timer, due).is_ok());
        assert_eq!(world.wait().of(1), Ready::TIMEOUT);
        assert!(world.now() >= due);
        assert!(world.stats().waits - before <= 2, "{} waits", world.stats().waits - before);
    }
    Proof::Shown
}

/// As many timers as there is room for, all due at once, are all handed out, in order.
pub fn ten_thousand_same_deadline<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let due = world.now().saturating_add(ms(1));
    let mut count = 0;
    while count < 10_000 {
        let Ok(event) = world.base.create(Event::timer(), count) else { break };
        assert!(world.base.add_at(event, due).is_ok());
        count += 1;
    }
    world.pass(ms(2));
    let mut next = 0;
    while next < count {
        let before = next;
        assert!(world.base.poll(Wait::None).is_ok());
        while let Some(fired) = world.base.next_active() {
            assert_eq!(*fired.data, next);
            next += 1;
        }
        assert!(next > before && next - before <= 1_024, "{} in a turn", next - before);
    }
    world.check();
    Proof::Shown
}

/// A timer's handler may cancel itself, and another timer that is due in the same turn.
pub fn timer_cancel_in_timer_callback<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let first = world.start(Event::timer().persist().timeout(ms(1)), 1);
    let second = world.start(Event::timer().persist().timeout(ms(1)), 2);
    world.pass(ms(2));
    let seen = world.wait_with(|world, _, _| {
        assert!(world.base.del(first).is_ok());
        assert!(world.base.del(second).is_ok());
    });
    assert_eq!(seen.order(), [1]);
    world.pass(ms(5));
    assert!(world.look().is_empty());
    assert!(world.base.is_empty());
    Proof::Shown
}

/// B1: a handler that takes long does not delay the next timer by its duration: the clock is read before the wait is
/// computed.
pub fn b1_timer_not_late_by_the_handlers_time<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let (work, delay) = (ms(30), ms(40));
    let user = world.create(Event::user(), 1);
    let timer = world.create(Event::timer(), 2);
    let mut least = Duration::MAX;
    // A busy machine delays some of them, but not each.
    for _ in 0..100 {
        assert!(world.base.activate(user, Ready::READ).is_ok());
        let due = world.now().saturating_add(delay);
        assert!(world.base.add_at(timer, due).is_ok());
        assert_eq!(world.wait_with(|world, _, _| world.pass(work)).order(), [1]);
        assert_eq!(world.wait().of(2), Ready::TIMEOUT);
        assert!(world.now() >= due);
        least = least.min(world.now().saturating_since(due));
        if least <= World::<F, S>::grace(ms(20)) {
            return Proof::Shown;
        }
    }
    panic!("late by {least:?} at least");
}

/// The next deadline can be queried: never later than the true one, `None` without timers.
pub fn next_deadline_is_known<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    assert_eq!(world.base.next_deadline(), None);
    let begin = world.now();
    let timer = world.timer(ms(50), 1);
    let due = world.base.pending(timer).and_then(|pending| pending.deadline);
    assert_eq!(world.base.next_deadline(), due);
    assert!(due >= Some(begin.saturating_add(ms(50))));
    assert!(world.base.add(timer, Some(ms(100))).is_ok());
    let later = world.base.pending(timer).and_then(|pending| pending.deadline);
    assert!(world.base.next_deadline() <= later && world.base.next_deadline() >= due);
    // Cancelled timers do not count.
    let last = world.timer(ms(200), 2);
    let due = world.base.pending(last).and_then(|pending| pending.deadline);
    assert!(world.base.del(timer).is_ok());
    assert_eq!(world.base.next_deadline(), due);
    assert!(world.base.del(last).is_ok());
    assert_eq!(world.base.next_deadline(), None);
    Proof::Shown
}

/// A deadline in the past is due at once.
pub fn past_deadline_is_due<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    world.pass(ms(2));
    let event = world.create(Event::timer(), 1);
    assert!(world.base.add_at(event, Instant::ZERO).is_ok());
    assert_eq!(world.look().of(1), Ready::TIMEOUT);
    Proof::Shown
}

/// With slack, timers that are due close together share one wake-up; none is early, none later than its slack allows.
pub fn slack_shares_a_wake_up<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    world.base.set_slack(ms(10));
    let begin = world.now();
    for number in 0..6 {
        let event = world.create(Event::timer(), number);
        assert!(world.base.add_at(event, begin.saturating_add(ms(2) * (number + 1))).is_ok());
    }
    let before = world.stats().waits;
    let seen = world.wait();
    assert_eq!(seen.len(), 6, "{seen:?}");
    assert_eq!(world.stats().waits - before, 1);
    assert!(world.now() >= begin.saturating_add(ms(12)));
    assert!(world.stats().lateness_max <= ms(10) + grace::<F, S>());
    Proof::Shown
}

/// Many timers do not starve readiness: a limit on the timers taken per turn lets the loop check for it.
pub fn timers_do_not_starve_io<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    world.set_limits(Limits { timers: NonZeroU32::new(2), ..Limits::DEFAULT });
    let mut source = world.source();
    world.watch(&source, Interest::READ, 100);
    for number in 0..6 {
        world.timer(Duration::ZERO, number);
    }
    world.pass(Duration::from_nanos(1));
    world.feed(&mut source);
    for turn in 0..3 {
        let seen = world.look();
        assert_eq!((seen.len(), seen.times(100)), (3, 1), "turn {turn}: {seen:?}");
    }
    Proof::Shown
}

/// A timer is not later than the machine makes it: of many, one is handed out within three milliseconds of its
/// deadline. With virtual time, each is exact to the nanosecond.
pub fn some_timer_is_on_time<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let timer = world.create(Event::timer(), 1);
    let bound = World::<F, S>::grace(ms(3));
    for round in 0..300u64 {
        let due = world.now().saturating_add(Duration::from_micros(1_100 + round % 7 * 130));
        assert!(world.base.add_at(timer, due).is_ok());
        assert_eq!(world.wait().of(1), Ready::TIMEOUT);
        let late = world.now().saturating_since(due);
        if late <= bound {
            return Proof::Shown;
        }
        assert!(!F::IS_VIRTUAL, "late by {late:?}");
    }
    panic!("three hundred timers were each late by more than {bound:?}");
}

/// Timers are on time beside sources that are always ready.
pub fn timer_comes_beside_ready_sources<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.feed(&mut source);
    world.watch(&source, Interest::READ | Interest::WRITE, 1);
    for _ in 0..4 {
        assert_eq!(world.look().order(), [1]);
        world.timer(ms(2), 2);
        world.pass(ms(2));
        let seen = world.look();
        assert_eq!((seen.of(1), seen.of(2)), (Ready::READ | Ready::WRITE, Ready::TIMEOUT));
    }
    Proof::Shown
}
