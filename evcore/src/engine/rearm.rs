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
            if let Some(signum) = self.registry.disarm(index) {
                // Also what has come since the wait, which would be forgotten with the last event of the signal.
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
        let next = due.saturating_add_nanos(interval);
        if missed == Missed::Delay {
            self.registry.rearm(index, now.saturating_add_nanos(interval));
            self.registry.restart_later(index);
            return 1;
        }
        if missed == Missed::Burst || next > now {
            self.registry.rearm(index, next);
            return 1;
        }
        let (periods, rest) = div_rem(now.nanos_since(due), interval);
        self.registry.rearm(index, now.saturating_add_nanos(interval.saturating_sub(rest)));
        u32::try_from(periods.saturating_add(1)).unwrap_or(u32::MAX)
    }

    /// Removes the once event that was handed out.
    pub(super) fn remove_spent(&mut self) {
        if S::Once::IS_KEPT && self.requests.contains(Requests::SPENT) {
            self.requests.remove(Requests::SPENT);
            if let Some(index) = self.registry.current() {
                self.remove(index);
            }
        }
    }
}

/// Quotient and remainder by shifting and subtracting: small parts have no 64-bit division, and timers rarely miss
/// periods. `divisor` is not zero.
const fn div_rem(dividend: u64, divisor: u64) -> (u64, u64) {
    let (mut part, mut bit) = (divisor, 1u64);
    while part <= dividend >> 1 {
        part <<= 1;
        bit <<= 1;
    }
    let (mut quotient, mut rest) = (0u64, dividend);
    while bit != 0 {
        if part <= rest {
            rest = rest.wrapping_sub(part);
            quotient |= bit;
        }
        part >>= 1;
        bit >>= 1;
    }
    (quotient, rest)
}

#[cfg(test)]
mod tests {
    use super::div_rem;

    #[test]
    fn division_by_hand_is_division() {
        for dividend in [0, 1, 2, 3, 999, 1 << 40, u64::MAX - 1, u64::MAX] {
            for divisor in [1, 2, 3, 7, 1_000, 1 << 33, u64::MAX - 1, u64::MAX] {
                assert_eq!(
                    div_rem(dividend, divisor),
                    (dividend / divisor, dividend % divisor),
                    "{dividend}/{divisor}"
                );
            }
        }
    }
}
