//! Timeouts that restart at the end of a turn's hand-outs.

use crate::storage::{Endings, Full, Storage, Table};
use crate::time::Instant;

/// A connection that is busy in every turn restarts its timeout in every turn, and only the last restart matters. So
/// the end of each turn's hand-outs is stored, and the event stores its last turn: both give the deadline whenever it
/// is needed. It is written to the timer before timers expire, and before an end that is still needed would be
/// overwritten.
///
/// ```text
///   list   [ slot … ]                          of events whose timeout restarts or has restarted, each once
///   ends   [ when, next in the order … ]       of the last turns: 128 with Growable, none with Fixed, where timeouts restart
///                                              at once
/// ```
pub(super) struct Restarts<S: Storage> {
    list: S::Table<S::Index>,
    ends: S::Endings,
    /// How many timeouts restart in the turn whose hand-outs have not ended yet.
    open: u32,
}

impl<S: Storage> Restarts<S> {
    pub(super) const fn new() -> Self {
        Self { list: S::Table::EMPTY, ends: S::Endings::EMPTY, open: 0 }
    }

    pub(super) fn reserve(&mut self, events: usize) -> Result<(), Full> {
        self.list.reserve_all(events)
    }

    /// A timeout restarts in this turn; lists its slot if required.
    #[inline(always)]
    pub(super) fn note(&mut self, index: S::Index, is_to_be_listed: bool) {
        self.open = self.open.wrapping_add(1);
        if is_to_be_listed {
            self.list.push(index);
        }
    }

    /// The number of timeouts that restart at the end of this turn's hand-outs.
    #[inline]
    pub(super) fn open(&self) -> u32 {
        self.open
    }

    /// Whether restarts are not settled.
    #[inline]
    pub(super) fn has_ended(&self) -> bool {
        S::Endings::TURNS > 0 && self.list.len() > 0
    }

    /// The hand-outs of a turn have ended at `now`; its restarts are armed in order from `seq` on.
    pub(super) fn end(&mut self, turn: u32, now: Instant, seq: u32) {
        self.open = 0;
        if let Some(ending) = self.ends.of_turn(turn) {
            (ending.at, ending.seq) = (now.as_nanos(), seq);
        }
    }

    /// Whether the end of the turn after this one would take the place of one that may be needed.
    #[inline]
    pub(super) fn is_full(&self, turn: u32) -> bool {
        S::Endings::TURNS > 0 && turn == self.ends.full_at()
    }

    /// When the hand-outs of the event's last turn ended; `None` if that is the present turn, `current`.
    pub(super) fn ended_at(&self, turn: u32, current: u32) -> Option<Instant> {
        let has_ended = S::Endings::TURNS > 0 && (self.open == 0 || turn != current);
        has_ended.then(|| Instant::from_nanos(self.ends.at_end_of(turn)))
    }

    /// Without stored ends: restarts all listed timeouts at the end of their turn.
    pub(super) fn end_at_once(
        &mut self,
        mut is_restarting: impl FnMut(S::Index) -> bool,
        mut restart: impl FnMut(S::Index),
    ) {
        self.open = 0;
        for index in self.list.as_slice() {
            if is_restarting(*index) {
                restart(*index);
            }
        }
        self.list.clear();
    }

    /// Unlists all events. `turn_of` returns the turn of the hand-out that restarted an event's timeout; `restart` gets
    /// its time and its number in the order of arming. The next end is that of turn `next`.
    pub(super) fn settle(
        &mut self,
        next: u32,
        mut turn_of: impl FnMut(S::Index) -> Option<u32>,
        mut restart: impl FnMut(S::Index, Instant, u32),
    ) {
        for &index in self.list.as_slice() {
            let ending = turn_of(index).and_then(|turn| self.ends.of_turn(turn));
            if let Some(ending) = ending {
                restart(index, Instant::from_nanos(ending.at), ending.seq);
                ending.seq = ending.seq.wrapping_add(1);
            }
        }
        self.list.clear();
        self.ends.set_full_at(next.wrapping_add(S::Endings::TURNS).wrapping_sub(1));
    }

    #[cfg(any(test, feature = "check"))]
    pub(super) fn room(&self) -> usize {
        self.list.room()
    }

    #[cfg(any(test, feature = "check"))]
    pub(super) fn is_listed(&self, index: S::Index) -> bool {
        self.list.as_slice().contains(&index)
    }
}

#[cfg(test)]
#[cfg(feature = "alloc")]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::storage::{Fixed, Growable};

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    fn settled<S: Storage<Index = I>, I: crate::storage::Index>(
        restarts: &mut Restarts<S>,
        turns: &[(I, u32)],
    ) -> Vec<(I, u64, u32)> {
        let mut settled = Vec::new();
        let turn_of = |index| turns.iter().find(|(event, _)| *event == index).map(|(_, turn)| *turn);
        restarts.settle(100, turn_of, |index, at, seq| settled.push((index, at.as_nanos(), seq)));
        settled
    }

    #[test]
    fn each_event_restarts_at_the_end_of_the_turn_that_handed_it_out_last() {
        let mut restarts = Restarts::<Growable>::new();
        restarts.reserve(3).unwrap();
        for index in [2, 0, 1] {
            restarts.note(index, true);
        }
        assert_eq!((restarts.open(), restarts.ended_at(0, 0)), (3, None));
        restarts.end(0, at(10), 5);
        assert_eq!((restarts.open(), restarts.ended_at(0, 0)), (0, Some(at(10))));
        restarts.note(2, false);
        assert_eq!((restarts.ended_at(0, 1), restarts.ended_at(1, 1)), (Some(at(10)), None));
        restarts.end(1, at(20), 8);
        assert!(restarts.has_ended() && (0..3).all(|index| restarts.is_listed(index)));
        // Event 1 has got another timeout meanwhile.
        assert_eq!(settled(&mut restarts, &[(0, 0), (2, 1)]), [(2, 20, 8), (0, 10, 5)]);
        assert!(!restarts.has_ended() && !restarts.is_listed(0));
    }

    #[test]
    fn there_is_room_for_so_many_turns() {
        let mut growable = Restarts::<Growable>::new();
        growable.reserve(1).unwrap();
        assert!(growable.is_full(0), "all zeros");
        growable.settle(0, |_| None, |_, _, _| {});
        growable.note(0, true);
        for turn in 0..127 {
            growable.end(turn, at(turn.into()), 0);
            assert!(!growable.is_full(turn), "{turn}");
        }
        growable.end(127, at(127), 0);
        assert!(growable.is_full(127));
        assert_eq!((growable.ended_at(0, 128), growable.ended_at(127, 128)), (Some(at(0)), Some(at(127))));
        growable.settle(128, |_| None, |_, _, _| {});
        growable.note(0, true);
        assert!(!growable.is_full(128));
        let mut fixed = Restarts::<Fixed<4>>::new();
        fixed.note(0, true);
        assert!(!fixed.has_ended() && fixed.ended_at(0, 1).is_none(), "no end is kept");
        fixed.end_at_once(|_| true, |_| {});
        assert!(!fixed.is_full(0) && !fixed.is_listed(0), "all have restarted");
    }
}
