//! When nothing has happened for a while.

use core::mem;
use core::time::Duration;

use evcore::Instant;
use evcore::backend::Sleep;

use crate::clock::Clock;

/// After so long without a report the numbers of all descriptors are verified.
const IDLE: Duration = Duration::from_millis(100);

/// How long nothing was found, altogether, since that was last done.
///
/// A number that has come to stand for another file is noticed when it is reported; this is for one that is not.
#[derive(Default)]
pub(crate) struct Idle {
    time: Duration,
    /// When the wait that is under way began.
    begin: Instant,
    /// That is a sleeper's, and the look at its end is still to come.
    is_asleep: bool,
    /// It was cut short for that.
    is_cut: bool,
    /// All were verified at the end of the last sleep, which was cut short.
    is_rested: bool,
}

impl Idle {
    /// How long to wait at first: `wait`, or until it is time to verify `count` descriptors.
    pub(crate) fn first_part(&mut self, wait: Sleep, count: usize, clock: Clock) -> Sleep {
        if count == 0 || wait == Sleep::None {
            return wait;
        }
        (self.begin, self.is_asleep) = (clock.now(), false);
        let end = self.begin.saturating_add(IDLE.saturating_sub(self.time));
        match wait {
            Sleep::Until(point) if point <= end => wait,
            _ => Sleep::Until(end),
        }
    }

    /// How long a sleeper is to wait: as above, but what follows directly on a sleep that ended for that is the rest of it.
    pub(crate) fn begin_sleep(&mut self, sleep: Sleep, count: usize, clock: Clock) -> Sleep {
        let first = self.first_part(sleep, count, clock);
        self.is_asleep = count > 0 && sleep != Sleep::None;
        let part = if mem::take(&mut self.is_rested) { sleep } else { first };
        self.is_cut = part != sleep;
        part
    }

    /// Whether it is time, and the rest of `wait` is to follow. `is_idle`: the first part, or the look after a sleep, has found
    /// nothing.
    pub(crate) fn is_over(&mut self, first: Sleep, wait: Sleep, is_idle: bool, clock: Clock) -> bool {
        let was_asleep = first == Sleep::None && mem::take(&mut self.is_asleep);
        if !is_idle || !was_asleep && !matches!(first, Sleep::Until(_)) {
            return false;
        }
        self.time = self.time.saturating_add(clock.now().saturating_since(self.begin)).min(IDLE);
        let is_time = self.time == IDLE && (was_asleep || first != wait);
        if is_time {
            self.time = Duration::ZERO;
            self.is_rested = was_asleep && self.is_cut;
        }
        is_time
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const CLOCK: Clock = Clock::Monotonic;

    /// One look after the other, and between two of them at least so long.
    #[test]
    fn all_are_verified_once_in_each_hundred_milliseconds_without_a_report() {
        let mut idle = Idle::default();
        for _ in 0..2 {
            let begin = CLOCK.now();
            let mut first = idle.first_part(Sleep::Forever, 1, CLOCK);
            assert!(matches!(first, Sleep::Until(end) if end >= begin.saturating_add(IDLE)));
            // However late this is, it is not too early.
            while !idle.is_over(first, Sleep::Forever, true, CLOCK) {
                first = idle.first_part(Sleep::Forever, 1, CLOCK);
                thread::sleep(IDLE / 4);
            }
            assert!(CLOCK.now() >= begin.saturating_add(IDLE), "too early");
        }
    }

    #[test]
    fn wait_that_finds_something_or_watches_nothing_keeps_its_length() {
        let mut idle = Idle::default();
        for wait in [Sleep::None, Sleep::Forever, Sleep::Until(Instant::MAX)] {
            assert_eq!((idle.first_part(wait, 0, CLOCK), idle.begin_sleep(wait, 0, CLOCK)), (wait, wait));
            assert!(!idle.is_over(wait, wait, true, CLOCK));
        }
        let first = idle.first_part(Sleep::Forever, 1, CLOCK);
        thread::sleep(IDLE);
        assert!(!idle.is_over(first, Sleep::Forever, false, CLOCK));
    }

    /// The look that follows on a sleep verifies, and the next sleep is as long as asked, once.
    #[test]
    fn a_sleep_ends_once_for_it() {
        let mut idle = Idle::default();
        for _ in 0..2 {
            assert_ne!(idle.begin_sleep(Sleep::Forever, 1, CLOCK), Sleep::Forever);
            thread::sleep(IDLE);
            assert!(idle.is_over(Sleep::None, Sleep::None, true, CLOCK));
            assert!(!idle.is_over(Sleep::None, Sleep::None, true, CLOCK), "no sleep was before this look");
            assert_eq!(idle.begin_sleep(Sleep::Forever, 1, CLOCK), Sleep::Forever);
            let _ = idle.first_part(Sleep::Forever, 1, CLOCK);
            assert!(!idle.is_over(Sleep::None, Sleep::None, true, CLOCK), "a wait was between the sleep and this look");
        }
    }

    /// A sleep that has found nothing, for as long as it takes until numbers are verified.
    fn sleep(idle: &mut Idle) -> Sleep {
        let until = idle.begin_sleep(Sleep::Forever, 1, Clock::Monotonic);
        idle.time = IDLE;
        assert!(idle.is_over(Sleep::None, Sleep::None, true, Clock::Monotonic));
        until
    }

    /// What ends the rest of a sleep is a timer, or someone else; files may be replaced then as at any time.
    #[test]
    fn a_sleep_after_the_rest_of_one_is_not_without_an_end() {
        let mut idle = Idle::default();
        for _ in 0..3 {
            assert_ne!(sleep(&mut idle), Sleep::Forever, "numbers are to be verified");
            assert_eq!(sleep(&mut idle), Sleep::Forever, "the rest");
        }
    }
}
