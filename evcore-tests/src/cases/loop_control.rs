//! How a loop runs, and for which reasons it ends.

use core::time::Duration;

use evcore::storage::Storage;
use evcore::{End, Error, Event, Instant, Interest, Mode, Ready, Turn, Wait};

use crate::{Fixture, Proof, World};

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

type Run<F> = Result<End, Error<<<F as Fixture>::Backend as evcore::backend::EventOp>::Error>>;

#[track_caller]
fn end<F: Fixture>(run: Run<F>) -> End {
    match run {
        Ok(end) => end,
        Err(error) => panic!("the backend does not wait: {error}"),
    }
}

/// A loop without events ends at once.
pub fn empty_run_returns_none<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    for mode in [Mode::empty(), Mode::ONCE, Mode::NONBLOCK] {
        assert_eq!(end::<F>(world.base.run(mode, |_, _| {})), End::Empty, "{mode:?}");
    }
    assert!(matches!(world.base.poll(Wait::Forever), Ok(Turn::Ended(End::Empty))));
    Proof::Shown
}

/// With `NO_EXIT_ON_EMPTY` a loop without events continues until it is woken and ended.
pub fn no_exit_on_empty_waits<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let begin = world.now();
    let event = world.timer(ms(5), 1);
    world.base.loop_exit_after(ms(20));
    let mut handed_out = 0;
    let ended = world.base.run(Mode::NO_EXIT_ON_EMPTY, |base, _| {
        handed_out += 1;
        base.remove(event);
    });
    assert_eq!((end::<F>(ended), handed_out), (End::Exit, 1));
    assert!(world.now() >= begin.saturating_add(ms(20)));
    Proof::Shown
}

/// A loop runs until its last event is no longer pending.
pub fn runs_until_nothing_is_pending<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    for number in 1..=3 {
        world.timer(ms(number), 1);
    }
    let mut handed_out = 0;
    let ended = world.base.run(Mode::empty(), |_, occurrence| {
        handed_out += 1;
        assert_eq!(occurrence.ready, Ready::TIMEOUT);
    });
    assert_eq!((end::<F>(ended), handed_out), (End::Empty, 3));
    Proof::Shown
}

/// Break ends the loop at once: other active events stay active, and are handed out when the loop runs again.
pub fn break_now<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    for number in 0..3 {
        world.timer(Duration::ZERO, number);
    }
    let mut handed_out = 0;
    let ended = world.base.run(Mode::empty(), |base, _| {
        handed_out += 1;
        base.loop_break();
    });
    assert_eq!((end::<F>(ended), handed_out), (End::Break, 1));
    let ended = world.base.run(Mode::empty(), |_, _| handed_out += 1);
    assert_eq!((end::<F>(ended), handed_out), (End::Empty, 3));
    Proof::Shown
}

/// Exit ends the loop after the turn: active events are still handed out.
pub fn exit_after_class<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let mut source = world.source();
    world.watch(&source, Interest::READ, 1);
    world.watch(&source, Interest::READ, 2);
    world.feed(&mut source);
    let mut handed_out = 0;
    let ended = world.base.run(Mode::empty(), |base, _| {
        handed_out += 1;
        base.loop_exit();
    });
    assert_eq!((end::<F>(ended), handed_out), (End::Exit, 2));
    Proof::Shown
}

/// Break and exit requested before the loop runs end it before it begins, once.
pub fn end_requested_in_advance<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    world.timer(Duration::ZERO, 1);
    world.base.loop_exit();
    assert_eq!(end::<F>(world.base.run(Mode::empty(), |_, _| panic!("handed out"))), End::Exit);
    world.base.loop_break();
    assert_eq!(end::<F>(world.base.run(Mode::empty(), |_, _| panic!("handed out"))), End::Break);
    assert_eq!(end::<F>(world.base.run(Mode::empty(), |_, _| {})), End::Empty);
    Proof::Shown
}

/// Exit after a delay ends a loop whose events never end, but not early; the earliest of several delays counts.
pub fn exit_in_20ms<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    world.timer(Duration::from_secs(86_400), 1);
    let begin = world.now();
    world.base.loop_exit_after(Duration::from_secs(3_600));
    world.base.loop_exit_after(ms(20));
    world.base.loop_exit_after(ms(900));
    assert_eq!(end::<F>(world.base.run(Mode::empty(), |_, _| {})), End::Exit);
    let took = world.now().saturating_since(begin);
    assert!(took >= ms(20) && took <= ms(20) + World::<F, S>::grace(crate::BUSY), "{took:?}");
    Proof::Shown
}

/// Continue ends the turn; the next turn hands out the rest without waiting.
pub fn continue_rescans<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    for number in 0..3 {
        world.timer(Duration::ZERO, number);
    }
    let seen = world.wait_with(|world, _, _| world.base.loop_continue());
    assert_eq!(seen.order(), [0]);
    let before = world.now();
    assert_eq!(world.turn(Wait::Until(before.saturating_add(crate::PATIENCE)), |_, _, _| {}).order(), [1, 2]);
    assert!(world.now().saturating_since(before) <= World::<F, S>::grace(crate::BUSY));
    Proof::Shown
}

/// A handler cannot run its own loop: the call is refused, and the outer loop continues.
pub fn reentrant_run_refused<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    world.timer(Duration::ZERO, 1);
    world.timer(Duration::ZERO, 2);
    let mut handed_out = 0;
    let ended = world.base.run(Mode::empty(), |base, _| {
        handed_out += 1;
        assert!(matches!(base.run(Mode::empty(), |_, _| panic!("handed out inside")), Err(Error::Reentered)));
    });
    assert_eq!((end::<F>(ended), handed_out), (End::Empty, 2));
    Proof::Shown
}

/// Once: the loop waits for events, hands them out, and ends.
pub fn once_runs_one_pass<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    world.start(Event::timer().persist().timeout(ms(3)), 1);
    let begin = world.now();
    let mut handed_out = 0;
    let ended = world.base.run(Mode::ONCE, |_, _| handed_out += 1);
    assert_eq!((end::<F>(ended), handed_out), (End::Once, 1));
    assert!(world.now() >= begin.saturating_add(ms(3)));
    Proof::Shown
}

/// Non-blocking: the loop hands out what is ready and ends, even if nothing is ready or events never end.
pub fn nonblock_returns<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let timer = world.timer(Duration::from_secs(3_600), 1);
    assert_eq!(end::<F>(world.base.run(Mode::NONBLOCK, |_, _| {})), End::NotReady);
    let mut handed_out = 0;
    let ended = world.base.run(Mode::NONBLOCK, |_, _| handed_out += 1);
    assert_eq!((end::<F>(ended), handed_out), (End::NotReady, 0));
    assert!(world.base.activate(timer, Ready::READ).is_ok());
    let ended = world.base.run(Mode::NONBLOCK, |base, occurrence| {
        handed_out += 1;
        assert!(handed_out < 3, "a loop that does not block runs for ever");
        assert!(base.activate(occurrence.id, Ready::READ).is_ok());
    });
    assert_eq!((end::<F>(ended), handed_out), (End::Once, 1));
    Proof::Shown
}

/// Modes can be combined: a non-blocking loop ends, even with `NO_EXIT_ON_EMPTY`.
pub fn modes_combine<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let modes = Mode::NONBLOCK | Mode::NO_EXIT_ON_EMPTY;
    assert_eq!(end::<F>(world.base.run(modes, |_, _| {})), End::NotReady);
    world.timer(Duration::ZERO, 1);
    world.pass(ms(1));
    assert_eq!(end::<F>(world.base.run(modes | Mode::ONCE, |_, _| {})), End::Once);
    world.timer(ms(1), 2);
    assert_eq!(end::<F>(world.base.run(Mode::ONCE | Mode::NO_EXIT_ON_EMPTY, |_, _| {})), End::Once);
    Proof::Shown
}

/// Background events do not keep a loop running, and are handed out while it runs.
pub fn background_does_not_keep_alive<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let source = world.source();
    let fd = world.fd(&source);
    let tick = world.start(Event::timer().persist().background().timeout(ms(2)), 1);
    world.start(Event::io(fd, Interest::READ).persist().background(), 2);
    assert!(world.base.is_empty());
    assert_eq!(end::<F>(world.base.run(Mode::empty(), |_, _| {})), End::Empty);
    world.timer(ms(11), 3);
    let mut ticks = 0;
    let ended =
        world.base.run(Mode::empty(), |_, occurrence| ticks += u32::from(occurrence.id == tick) * occurrence.count);
    assert_eq!(end::<F>(ended), End::Empty);
    assert!(ticks >= 5, "{ticks}");
    Proof::Shown
}

/// A wait with an end does not end the loop when nothing is pending, and takes no longer than requested.
pub fn bounded_poll_comes_back<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    let begin = world.now();
    let until = begin.saturating_add(ms(10));
    while world.now() < until {
        assert!(matches!(world.base.poll(Wait::Until(until)), Ok(Turn::Running)));
        assert!(world.base.next_active().is_none());
    }
    assert!(world.now() <= until.saturating_add(World::<F, S>::grace(crate::BUSY)));
    assert!(matches!(world.base.poll(Wait::Until(Instant::ZERO)), Ok(Turn::Running)));
    Proof::Shown
}

/// An event whose handler ends the loop may be removed in the same handler.
pub fn break_after_removing_itself<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    world.start(Event::timer().once().timeout(Duration::ZERO), 1);
    let ended = world.base.run(Mode::empty(), |base, occurrence| {
        base.loop_break();
        assert_eq!(base.remove(occurrence.id), Some(1));
    });
    assert_eq!(end::<F>(ended), End::Break);
    assert_eq!(world.base.counts().events, 0);
    Proof::Shown
}

/// After a handler panics, where panics can be caught, the loop still works.
pub fn callback_panic_leaves_loop_usable<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    world.timer(Duration::ZERO, 1);
    let World { base, fixture } = &mut world;
    let panicked = fixture.catch(&mut || {
        let _ = base.run(Mode::empty(), |_, _| panic!("this panic is part of the test"));
    });
    if panicked.is_none() {
        return world.without("way to catch a panic");
    }
    assert_eq!(panicked, Some(true));
    world.check();
    world.timer(Duration::ZERO, 2);
    let mut handed_out = 0;
    let ended = world.base.run(Mode::empty(), |_, _| handed_out += 1);
    assert_eq!((end::<F>(ended), handed_out), (End::Empty, 1));
    Proof::Shown
}

/// After a break nothing is handed out, including the watchers of the wait, until the loop runs again.
pub fn nothing_comes_after_a_break<F: Fixture, S: Storage>(fixture: F) -> Proof {
    let mut world = World::<F, S>::new(fixture);
    world.start(Event::check(), 1);
    world.start(Event::check(), 2);
    let user = world.create(Event::user(), 3);
    assert!(world.base.activate(user, Ready::READ).is_ok());
    let seen = world.turn(Wait::None, |world, _, _| world.base.loop_break());
    assert_eq!(seen.order(), [1]);
    assert!(world.base.next_active().is_none());
    assert!(matches!(world.base.poll(Wait::None), Ok(Turn::Ended(End::Break))));
    assert!(world.base.next_active().is_none());
    assert_eq!(world.look().times(3), 1, "what a break left queued made a turn of its own");
    Proof::Shown
}
