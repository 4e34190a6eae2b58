//! The sleep, with an interrupt at each point of it.

use core::cell::Cell;
use core::time::Duration;
use std::boxed::Box;

use super::{Board, Flags, Line, Lines};
use crate::backend::EventOp;
use crate::{Error, Event, EventBase, Fixed, Instant, Interest, Wait};

/// A part in virtual time, with one line whose interrupt is raised at the requested step, a call of the board. In
/// `masked` it is held back until that ends.
struct Part {
    flags: Flags<1>,
    now: Cell<u64>,
    alarm: Cell<Instant>,
    steps: Cell<u32>,
    raised_at: Option<u32>,
    /// Whether the interrupt sets a flag of this program.
    is_ours: bool,
    is_masked: Cell<bool>,
    is_pending: Cell<bool>,
    waits: Cell<u32>,
    /// How often the alarm goes off early.
    early: Cell<u32>,
    /// Nanoseconds of a clock step.
    tick: Cell<u64>,
    /// The step of the first wait with nothing pending.
    slept_at: Cell<Option<u32>>,
}

impl Part {
    fn new(raised_at: Option<u32>, is_ours: bool) -> &'static Self {
        Box::leak(Box::new(Self {
            flags: Flags::new(),
            now: Cell::new(0),
            alarm: Cell::new(Instant::MAX),
            steps: Cell::new(0),
            raised_at,
            is_ours,
            is_masked: Cell::new(false),
            is_pending: Cell::new(false),
            waits: Cell::new(0),
            early: Cell::new(0),
            tick: Cell::new(1),
            slept_at: Cell::new(None),
        }))
    }

    fn step(&self) {
        self.steps.set(self.steps.get() + 1);
        if self.raised_at == Some(self.steps.get()) {
            self.is_pending.set(true);
        }
        self.serve();
    }

    fn serve(&self) {
        if !self.is_masked.get() && self.is_pending.take() && self.is_ours {
            self.flags.set_readable(LINE);
        }
    }
}

impl Board<1> for &'static Part {
    fn flags(&self) -> &'static Flags<1> {
        &self.flags
    }

    fn now(&self) -> Instant {
        self.step();
        Instant::from_nanos(self.now.get() / self.tick.get() * self.tick.get())
    }

    fn set_alarm(&self, at: Instant) {
        self.step();
        self.alarm.set(at);
    }

    fn wait_for_interrupt(&self) {
        self.step();
        assert!(self.is_masked.get(), "an interrupt before this would be missed");
        self.waits.set(self.waits.get() + 1);
        assert!(self.waits.get() < 100, "it waits for nothing again and again");
        if self.is_pending.get() {
            return;
        }
        self.slept_at.set(self.slept_at.get().or(Some(self.steps.get())));
        let alarm = self.alarm.get();
        if alarm == Instant::MAX {
            // Only a much later interrupt would end this.
            self.is_pending.set(true);
            return;
        }
        let alarm = match self.early.get() {
            0 => alarm.as_nanos(),
            left => {
                self.early.set(left - 1);
                (self.now.get() + alarm.as_nanos()) / 2
            }
        };
        self.now.set(self.now.get().max(alarm.next_multiple_of(self.tick.get())));
    }

    fn masked<R>(&self, work: impl FnOnce() -> R) -> R {
        self.step();
        self.is_masked.set(true);
        let answer = work();
        self.is_masked.set(false);
        self.serve();
        answer
    }
}

type Base = EventBase<Lines<&'static Part, 1>, Fixed<4>, &'static str>;

const LINE: Line<1> = Line::new(0).unwrap();
const LIMIT: Duration = Duration::from_secs(1);

fn base(part: &'static Part) -> Base {
    let mut base = EventBase::new(Lines::new(part));
    base.insert(LINE, Interest::READ, "line").unwrap();
    base.insert_timer(LIMIT, "timer").unwrap();
    base
}

/// What comes first, and when.
fn first(base: &mut Base, part: &Part) -> (&'static str, u64) {
    let event = base.next_event(Wait::Forever).unwrap().unwrap();
    (*event.data, part.now.get())
}

#[test]
fn sleep_ends_by_an_interrupt_at_any_step_of_it() {
    let part = Part::new(None, true);
    assert_eq!(first(&mut base(part), part), ("timer", 1_000_000_000));
    let last = part.slept_at.get().unwrap();
    assert!(last >= 4, "there are no steps to try");
    for step in 1..=last {
        let part = Part::new(Some(step), true);
        assert_eq!(first(&mut base(part), part), ("line", 0), "the interrupt of step {step} is missed");
    }
}

#[test]
fn sleep_without_an_end_ends_by_an_interrupt_at_any_step_of_it() {
    let sleep = |raised_at| {
        let part = Part::new(raised_at, true);
        let mut base: Base = EventBase::new(Lines::new(part));
        base.insert(LINE, Interest::READ, "line").unwrap();
        assert_eq!(first(&mut base, part).0, "line");
        part.slept_at.get()
    };
    let last = sleep(None).unwrap();
    assert!(last >= 4, "there are no steps to try");
    for step in 1..=last {
        assert_eq!(sleep(Some(step)), None, "the interrupt of step {step} is missed");
    }
}

#[test]
fn sleep_goes_on_after_an_interrupt_of_others_at_any_step_of_it() {
    let part = Part::new(None, true);
    first(&mut base(part), part);
    for step in 1..=part.steps.get() {
        let part = Part::new(Some(step), false);
        assert_eq!(first(&mut base(part), part), ("timer", 1_000_000_000), "step {step}");
    }
}

#[test]
fn sleep_goes_on_after_an_alarm_that_came_early() {
    let part = Part::new(None, true);
    part.early.set(3);
    let mut base = base(part);
    assert_eq!(first(&mut base, part), ("timer", 1_000_000_000));
    assert_eq!((part.waits.get(), base.stats().turns), (4, 1), "the loop is not disturbed");
}

#[test]
fn line_is_ready_until_its_flag_is_taken() {
    let part = Part::new(None, true);
    let mut base = base(part);
    part.flags.set_readable(LINE);
    for _ in 0..3 {
        assert_eq!(first(&mut base, part), ("line", 0));
    }
    assert!(part.flags.take_readable(LINE));
    assert_eq!(first(&mut base, part), ("timer", 1_000_000_000));
}

#[test]
fn line_with_room_that_nobody_waits_for_is_slept_over() {
    let part = Part::new(None, true);
    let mut base = base(part);
    part.flags.set_writable(LINE);
    assert_eq!(first(&mut base, part), ("timer", 1_000_000_000));
    assert_eq!(part.waits.get(), 1);
}

/// The core asks whether it is usable, and wakes its sleeper, before each change.
#[test]
fn backend_that_does_not_say_so_is_not_usual() {
    assert!(!Lines::new(Part::new(None, true)).is_usual());
}

#[test]
fn line_that_nobody_waits_for_any_more_is_slept_over() {
    let part = Part::new(None, true);
    let mut base: Base = EventBase::new(Lines::new(part));
    let line = base.insert(LINE, Interest::READ, "line").unwrap();
    base.insert_timer(LIMIT, "timer").unwrap();
    assert_eq!(base.deregister(line), Ok(()));
    part.flags.set_readable(LINE);
    assert_eq!(first(&mut base, part), ("timer", 1_000_000_000));
    assert_eq!((part.waits.get(), base.stats().turns), (1, 1));
}

#[test]
fn line_that_was_deleted_before_a_reinit_is_slept_over() {
    let part = Part::new(None, true);
    let mut base: Base = EventBase::new(Lines::new(part));
    let line = base.insert(LINE, Interest::READ, "line").unwrap();
    base.insert_timer(LIMIT, "timer").unwrap();
    assert_eq!(base.del(line), Ok(()));
    assert_eq!(base.reinit(), Ok(()));
    part.flags.set_readable(LINE);
    assert_eq!(first(&mut base, part), ("timer", 1_000_000_000));
    assert_eq!((part.waits.get(), base.stats().turns), (1, 1));
}

#[test]
fn line_that_is_ready_ends_a_wait_without_a_sleep_and_wakes_nobody() {
    let part = Part::new(None, true);
    let mut base: Base = EventBase::new(Lines::new(part));
    base.insert(LINE, Interest::READ, "line").unwrap();
    base.insert_wake("wake").unwrap();
    part.flags.set_readable(LINE);
    for _ in 0..2 {
        assert_eq!((first(&mut base, part), part.waits.get()), (("line", 0), 0));
    }
    assert!(part.flags.take_readable(LINE));
    part.flags.wake();
    assert_eq!((first(&mut base, part), part.waits.get()), (("wake", 0), 0));
}

#[test]
fn interrupt_that_ends_a_sleep_is_reported_by_the_same_wait() {
    let part = Part::new(Some(4), true);
    let mut base = base(part);
    assert_eq!(first(&mut base, part), ("line", 0));
    assert_eq!(base.stats().turns, 1);
    assert_eq!(base.backend().name(), "lines");
}

#[test]
fn delay_takes_its_time_whatever_comes() {
    let part = Part::new(Some(2), true);
    part.flags.set_readable(LINE);
    part.delay(LIMIT);
    assert_eq!(part.now.get(), 1_000_000_001, "a step of the clock, and the time");
    assert!(part.flags.is_readable(LINE), "it is left for the loop");
}

/// Almost all of the current millisecond may have passed.
#[test]
fn delay_is_not_short_by_what_has_passed_of_a_tick() {
    for begin in [0, 1, 500_000, 999_999] {
        let part = Part::new(None, true);
        part.now.set(begin);
        part.tick.set(1_000_000);
        part.delay(Duration::from_millis(2));
        let took = part.now.get() - begin;
        assert!((2_000_000..=3_000_000).contains(&took), "{took} ns from {begin}");
    }
    let part = Part::new(None, true);
    part.delay(Duration::ZERO);
    assert_eq!((part.now.get(), part.waits.get()), (0, 0));
}

#[test]
fn signal_is_refused_when_it_is_created() {
    let part = Part::new(None, false);
    let mut base = base(part);
    let rejected = base.create(Event::signal(2), "signal").unwrap_err();
    assert!(matches!(rejected.error, Error::Unsupported), "{rejected}");
    assert_eq!(rejected.data, "signal");
    let rejected = base.insert_signal(2, "signal").unwrap_err();
    assert!(matches!(rejected.error, Error::Unsupported), "{rejected}");
    assert_eq!(base.counts().events, 2);
    assert!(base.check());
}
