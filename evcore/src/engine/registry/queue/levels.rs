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
    /// A bit for each word with a bit.
    words: u32,
    busy_levels: u32,
}

const WORD: u32 = u32::BITS.ilog2();
const WORDS: usize = 256 >> WORD;

impl<S: Storage> Levels<S> {
    pub(super) const fn new() -> Self {
        Self { lists: S::Table::EMPTY, busy: [0; WORDS], words: 0, busy_levels: 0 }
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
            self.mark(level);
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
        let is_empty = self.get(level).is_some_and(List::is_empty);
        let place = usize::from(level) >> WORD;
        if !is_empty || !self.is_marked(level) {
            return;
        }
        if let Some(word) = self.busy.get_mut(place) {
            *word &= !Self::bit(level);
            self.busy_levels = self.busy_levels.wrapping_sub(1);
            if *word == 0 {
                self.words &= !(1 << place);
            }
        }
    }

    #[inline]
    fn is_marked(&self, level: u8) -> bool {
        self.busy.get(usize::from(level) >> WORD).is_some_and(|word| word & Self::bit(level) != 0)
    }

    fn mark(&mut self, level: u8) {
        let place = usize::from(level) >> WORD;
        if let Some(word) = self.busy.get_mut(place) {
            *word |= Self::bit(level);
            self.busy_levels = self.busy_levels.wrapping_add(1);
            self.words |= 1 << place;
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
        let words = self.busy.iter().enumerate().filter(|(_, word)| **word != 0);
        let count: u32 = self.busy.iter().map(|word| word.count_ones()).sum();
        self.iter().all(agrees)
            && count == self.busy_levels
            && self.words == words.map(|(place, _)| 1 << place).sum::<u32>()
    }
}

impl<S: Storage> budget::Levels for Levels<S> {
    #[inline]
    fn first_busy(&self, from: u8) -> Option<u8> {
        let mut place = u32::from(from) >> WORD;
        let word =
            |place: u32| usize::try_from(place).ok().and_then(|place| self.busy.get(place)).copied().unwrap_or(0);
        let mut bits = word(place) & u32::MAX << (from & 31);
        if bits == 0 {
            place = (self.words & u32::MAX << 1 << place).trailing_zeros();
            bits = word(place);
        }
        if bits == 0 { None } else { u8::try_from(place << WORD | bits.trailing_zeros()).ok() }
    }

    #[inline]
    fn busy(&self) -> u32 {
        self.busy_levels
    }

    fn busy_after(&self, level: u8) -> u32 {
        let place = usize::from(level) >> WORD;
        let behind = self.busy.get(place).map_or(0, |word| (word & u32::MAX << 1 << (level & 31)).count_ones());
        self.busy.iter().skip(place).skip(1).fold(behind, |behind, word| behind.wrapping_add(word.count_ones()))
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::super::super::budget::Levels as _;
    use super::super::super::state::State;
    use super::*;
    use crate::storage::Fixed;

    /// All 255 levels, and an event at each of these.
    fn busy_at(busy: &[u8]) -> Levels<Fixed<255>> {
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
