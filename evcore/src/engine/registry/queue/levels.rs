//! The levels: a queue of ready events for each priority.

use super::super::slots::Slots;
use super::List;
use crate::engine::registry::budget;
use crate::storage::{Full, Storage, Table};

/// A list for each level, and a bit for each at which an event waits, so that nobody looks through those at which none does.
///
/// The bit of the level that is being served may outlast its last event: [`Levels::settle`] sees to that, when another one
/// is chosen.
pub(super) struct Levels<S: Storage> {
    lists: S::Table<List<S::Index>>,
    busy: [u32; WORDS],
    busy_levels: u32,
}

const WORD: u32 = u32::BITS.ilog2();
const WORDS: usize = 256 >> WORD;

impl<S: Storage> Levels<S> {
    pub(super) const fn new() -> Self {
        Self { lists: S::Table::EMPTY, busy: [0; WORDS], busy_levels: 0 }
    }

    /// How many there are; none before the first event.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.lists.len()
    }

    /// Sets how many there are, at none of which an event waits. Refused when the storage has no room for them.
    pub(super) fn set_len(&mut self, wanted: usize) -> Result<(), Full> {
        while self.lists.len() > wanted {
            self.lists.pop();
        }
        self.lists.reserve(wanted.saturating_sub(self.lists.len()))?;
        while self.lists.len() < wanted {
            self.lists.push(List::EMPTY);
        }
        Ok(())
    }

    #[inline(always)]
    pub(super) fn get(&self, level: u8) -> Option<&List<S::Index>> {
        self.lists.as_slice().get(usize::from(level))
    }

    /// A list, to take the first event off.
    #[inline(always)]
    pub(super) fn get_mut(&mut self, level: u8) -> Option<&mut List<S::Index>> {
        self.lists.as_mut_slice().get_mut(usize::from(level))
    }

    /// Puts an event at the end of a level.
    #[inline(always)]
    pub(super) fn append<T>(&mut self, slots: &mut Slots<T, S>, level: u8, index: S::Index) {
        let is_first = self.get_mut(level).is_some_and(|list| list.append(slots, index));
        // Where there is one level, its bit stays set.
        if is_first && !self.is_marked(level) {
            self.mark(level, true);
        }
    }

    /// Takes an event out of a level.
    pub(super) fn unlink<T>(&mut self, slots: &mut Slots<T, S>, level: u8, index: S::Index) {
        if let Some(list) = self.get_mut(level) {
            list.unlink(slots, index);
        }
        self.settle(level);
    }

    /// Sets the bit of a level right from which events have been taken.
    #[inline]
    pub(super) fn settle(&mut self, level: u8) {
        if self.is_marked(level) && self.get(level).is_some_and(List::is_empty) {
            self.mark(level, false);
        }
    }

    #[inline]
    fn is_marked(&self, level: u8) -> bool {
        self.busy.get(usize::from(level) >> WORD).is_some_and(|word| word & Self::bit(level) != 0)
    }

    /// Sets or clears the bit of a level; it was the other way.
    #[inline(never)]
    fn mark(&mut self, level: u8, is_busy: bool) {
        if let Some(word) = self.busy.get_mut(usize::from(level) >> WORD) {
            *word ^= Self::bit(level);
            // One more, or one less: the sum wraps.
            self.busy_levels = self.busy_levels.wrapping_add(if is_busy { 1 } else { u32::MAX });
        }
    }

    const fn bit(level: u8) -> u32 {
        1 << (level & 31)
    }

    #[cfg(any(test, feature = "check"))]
    pub(super) fn iter(&self) -> impl Iterator<Item = (u8, &List<S::Index>)> {
        (0..=u8::MAX).zip(self.lists.as_slice())
    }

    /// Whether the bits are right but for that of one level, which may be served.
    #[cfg(any(test, feature = "check"))]
    pub(super) fn check(&self, served: u8) -> bool {
        let is_busy = |level: u8| {
            self.busy
                .get(usize::from(level) >> WORD)
                .is_some_and(|word| word >> (u32::from(level) % u32::BITS) & 1 == 1)
        };
        let agrees = |(level, list): (u8, &List<S::Index>)| {
            is_busy(level) != list.is_empty() || (level == served && list.is_empty())
        };
        let count: u32 = self.busy.iter().map(|word| word.count_ones()).sum();
        self.iter().all(agrees) && count == self.busy_levels
    }
}

impl<S: Storage> budget::Levels for Levels<S> {
    fn first_busy(&self, from: u8) -> Option<u8> {
        let (start, mut mask) = (usize::from(from) >> WORD, u32::MAX << (u32::from(from) % u32::BITS));
        for (place, word) in (0u32..).zip(&self.busy).skip(start) {
            let bits = word & mask;
            if bits != 0 {
                return u8::try_from(place << WORD | bits.trailing_zeros()).ok();
            }
            mask = u32::MAX;
        }
        None
    }

    fn busy_after(&self, level: u8) -> u32 {
        let (place, bits) = (usize::from(level) >> WORD, u32::from(level) % u32::BITS);
        // More urgent ones that wait have had their share: as a rule there is none.
        let mut until = self.busy.get(place).map_or(0, |word| (word & (2u32 << bits).wrapping_sub(1)).count_ones());
        for word in self.busy.iter().take(place).filter(|word| **word != 0) {
            until = until.wrapping_add(word.count_ones());
        }
        self.busy_levels.wrapping_sub(until)
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::super::super::budget::Levels as _;
    use super::super::super::state::State;
    use super::*;
    use crate::storage::Growable;

    /// All 255 levels, and an event at each of these.
    fn busy_at(busy: &[u8]) -> Levels<Growable> {
        let (mut levels, mut slots) = (Levels::new(), Slots::new());
        levels.set_len(255).unwrap();
        for level in busy {
            slots.reserve().unwrap();
            let (index, _) = slots.create(State::default(), *level, 0, ());
            levels.append(&mut slots, *level, index);
        }
        levels
    }

    #[test]
    fn the_busy_levels_are_found_and_counted() {
        let all: Vec<u8> = (0..255).collect();
        let every_31st: Vec<u8> = (0..255).step_by(31).collect();
        for busy in [&[][..], &[0], &[254], &[31, 32], &[0, 63, 64, 254], &every_31st, &all] {
            let levels = busy_at(busy);
            for level in 0..255 {
                assert_eq!(levels.first_busy(level), busy.iter().copied().find(|busy| *busy >= level));
                let after = busy.iter().filter(|busy| **busy > level).count();
                assert_eq!(levels.busy_after(level), u32::try_from(after).unwrap(), "{busy:?} after {level}");
            }
            assert!(levels.check(255));
        }
    }
}
