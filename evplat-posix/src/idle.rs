//! When nothing has happened for a while.

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
}

impl Idle {
    /// How long to wait at first: `wait`, or until it is time to verify `count` descriptors.
    pub(crate) fn first_part(&mut self, wait: Sleep, count: usize, clock: Clock) -> Sleep {
        if count == 0 || wait == Sleep::None {
            return wait;
        }
        self.begin = clock.now();
        let end = self.begin.saturating_add(IDLE.saturating_sub(self.time));
        match wait {
            Sleep::Until(point) if point <= end => wait,
            _ => Sleep::Until(end),
        }
    }

    /// Whether it is time, and the rest of `wait` is to follow. `is_idle`: the first part has found nothing.
    pub(crate) fn is_over(&mut self, first: Sleep, wait: Sleep, is_idle: bool, clock: Clock) -> bool {
        let Sleep::Until(end) = first else { return false };
        if !is_idle {
            return false;
        }
        let now = clock.now();
        if first != wait && now >= end {
            self.time = Duration::ZERO;
            return true;
        }
        self.time = IDLE.min(self.time.saturating_add(now.saturating_since(self.begin)));
        false
    }
}
