//! Decides when an idle loop verifies its descriptors.

use core::mem;
use core::time::Duration;

use evcore::Instant;
use evcore::backend::Sleep;

use crate::clock::Clock;

/// After this much time without a report, the numbers of all descriptors are verified.
const IDLE: Duration = Duration::from_millis(100);

/// How long waits have found nothing, in total, since the last verification.
///
/// If a descriptor's number was reused, its reports reveal that. This is for descriptors that report nothing.
#[derive(Default)]
pub(crate) struct Idle {
    time: Duration,
    /// When the current wait began.
    begin: Instant,
    /// The current wait is a sleeper's, and the scan after it is still to come.
    is_asleep: bool,
    /// The sleep was shortened to verify descriptors.
    is_cut: bool,
    /// All descriptors were verified after the last sleep, which had been shortened for that.
    is_rested: bool,
}

impl Idle {
    /// How long to wait first: `wait`, or until it is time to verify `count` descriptors.
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

    /// How long a sleeper waits: like `first_part`, but a sleep directly after a shortened one gets its full length.
    pub(crate) fn begin_sleep(&mut self, sleep: Sleep, count: usize, clock: Clock) -> Sleep {
        let first = self.first_part(sleep, count, clock);
        self.is_asleep = count > 0 && sleep != Sleep::None;
        let part = if mem::take(&mut self.is_rested) { sleep } else { first };
        self.is_cut = part != sleep;
        part
    }

    /// Whether it is time to verify; the rest of `wait` follows after that. `is_idle`: the first part, or the scan
    /// after a sleep, found nothing.
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

    /// Verifies repeatedly, each time after at least `IDLE`.
    #[test]
    fn all_are_verified_once_in_each_hundred_milliseconds_without_a_report() {
        let mut idle = Idle::default();
        for _ in 0..2 {
            let begin = CLOCK.now();
            let mut first = idle.first_part(Sleep::Forever, 1, CLOCK);
            assert!(matches!(first, Sleep::Until(end) if end >= begin.saturating_add(IDLE)));
            // However late this happens, it must not be early.
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

    /// The scan after a shortened sleep verifies, and the next sleep, once, is as long as requested.
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

    /// A sleep that finds nothing until it is time to verify.
    fn sleep(idle: &mut Idle) -> Sleep {
        let until = idle.begin_sleep(Sleep::Forever, 1, Clock::Monotonic);
        idle.time = IDLE;
        assert!(idle.is_over(Sleep::None, Sleep::None, true, Clock::Monotonic));
        until
    }

    /// A timer or a wake ended the full-length sleep. Files may be replaced during the next one, so it is shortened
    /// again.
    #[test]
    fn a_sleep_after_the_rest_of_one_is_not_without_an_end() {
        let mut idle = Idle::default();
        for _ in 0..3 {
            assert_ne!(sleep(&mut idle), Sleep::Forever, "numbers are to be verified");
            assert_eq!(sleep(&mut idle), Sleep::Forever, "the rest");
        }
    }
}
