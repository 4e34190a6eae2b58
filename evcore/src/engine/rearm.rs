//! What a hand-out does to its event.

use super::registry::{Options, State};
use super::{Engine, Requests};
use crate::backend::EventOp;
use crate::event::Missed;
use crate::ready::Ready;
use crate::storage::{On, Part, Storage};

impl<B: EventOp, S: Storage, T> Engine<B, S, T> {
    /// Prepares an event for its handler. Returns the reason of the hand-out and its number of occurrences.
    pub(super) fn rearm(&mut self, index: S::Index, mut ready: Ready) -> (Ready, u32) {
        let state = self.registry.state(index);
        let mut count = 1;
        if state.has(Options::ONCE) {
            self.requests.insert(Requests::SPENT);
            self.registry.interrupt();
        }
        let mut signals = match state.has(Options::UNUSUAL) {
            true => self.registry.take_signal_count(index),
            false => 0,
        };
        if state.has(Options::ONE_SHOT) {
            if !S::IS_SCANNED && ready.contains(Ready::TIMEOUT) && state.is_timed() && !self.registry.is_armed(index) {
                self.registry.end_timeout(index);
            }
            let is_done = !S::IS_SMALL && self.registry.disarm_alone(index);
            if let Some(signum) = if is_done { None } else { self.registry.disarm(index) } {
                // Arrivals since the wait count too: deregistering the signal would lose them.
                let late = self.backend.signals().map_or(0, |signals| signals.del(signum));
                signals = signals.saturating_add(late);
                ready.set(Ready::SIGNAL, ready.contains(Ready::SIGNAL) || late > 0);
            }
        } else if state.is_timed() {
            count = self.rearm_timeout(index, state, ready);
        }
        (ready, if ready.contains(Ready::SIGNAL) { signals.max(1) } else { count })
    }

    /// Restarts a persistent event's timeout: in phase if it was due, else at the end of this turn's hand-outs.
    fn rearm_timeout(&mut self, index: S::Index, state: State<On<B, S>>, ready: Ready) -> u32 {
        if ready.contains(Ready::TIMEOUT) && !self.registry.is_armed(index) {
            return self.next_period(index, state.missed());
        }
        self.registry.restart_later(index);
        1
    }

    /// Arms a due persistent timer for its next period. Returns how many periods have passed.
    fn next_period(&mut self, index: S::Index, missed: Missed) -> u32 {
        let now = self.turn_now();
        let (due, interval) = self.registry.period(index);
        if interval == 0 {
            // Zero is no period, as in libevent: it would be due in every turn.
            self.registry.end_timeout(index);
            return 1;
        }
        let late = now.as_nanos().checked_sub(due.as_nanos());
        let (from, span, missed_periods) = match (missed, late) {
            (Missed::Delay, _) => (now, interval, 0),
            (Missed::Skip, Some(late)) if late >= interval => {
                let (periods, rest) = div_rem(late, interval);
                (now, interval.saturating_sub(rest), periods)
            }
            _ => (due, interval, 0),
        };
        self.registry.rearm(index, from.saturating_add_nanos(span));
        if missed == Missed::Delay {
            self.registry.restart_later(index);
        }
        u32::try_from(missed_periods.saturating_add(1)).unwrap_or(u32::MAX)
    }

    /// Removes the once event that was handed out.
    #[inline]
    pub(super) fn remove_spent(&mut self) {
        if S::Once::IS_KEPT && self.requests.contains(Requests::SPENT) {
            self.remove_current();
        }
    }

    // Out of line: most events are handed out more than once.
    #[cold]
    fn remove_current(&mut self) {
        self.requests.remove(Requests::SPENT);
        if let Some(index) = self.registry.current() {
            self.remove(index);
        }
    }
}

/// Quotient and remainder of a time. `divisor` is not zero.
#[cfg(target_pointer_width = "64")]
const fn div_rem(dividend: u64, divisor: u64) -> (u64, u64) {
    match (dividend.checked_div(divisor), dividend.checked_rem(divisor)) {
        (Some(quotient), Some(rest)) => (quotient, rest),
        _ => (0, 0),
    }
}
#[cfg(not(target_pointer_width = "64"))]
use shift_and_subtract as div_rem;

/// The same, where 64 bits are not divided by an instruction: a bit at a time, which is little code. Only a timer that has missed
/// a period needs it.
#[cfg(any(test, not(target_pointer_width = "64")))]
const fn shift_and_subtract(dividend: u64, divisor: u64) -> (u64, u64) {
    // The quotient's bits move in from the right while the dividend's move out to the left, into the rest.
    let (mut quotient, mut rest, mut left) = (dividend, 0u64, u64::BITS);
    while left > 0 {
        let is_beyond = rest >> 63 != 0;
        rest = rest << 1 | quotient >> 63;
        quotient <<= 1;
        if is_beyond || rest >= divisor {
            rest = rest.wrapping_sub(divisor);
            quotient |= 1;
        }
        left = left.wrapping_sub(1);
    }
    (quotient, rest)
}

#[cfg(test)]
mod tests {
    use super::{div_rem, shift_and_subtract};

    #[test]
    fn division_by_hand_is_division() {
        for dividend in [0, 1, 2, 3, 999, 1 << 40, u64::MAX - 1, u64::MAX] {
            for divisor in [1, 2, 3, 7, 1_000, 1 << 33, u64::MAX - 1, u64::MAX] {
                let right = (dividend / divisor, dividend % divisor);
                assert_eq!(div_rem(dividend, divisor), right, "{dividend}/{divisor}");
                assert_eq!(shift_and_subtract(dividend, divisor), right, "{dividend}/{divisor}");
            }
        }
    }
}
