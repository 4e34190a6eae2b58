//! A queue for each priority.

use core::num::NonZero;

use super::super::slots::Slots;
use super::List;
use crate::engine::registry::budget;
use crate::storage::{Full, Groups, Storage, Table};

/// A list for each level; and, where there are several, a bit for each with an active event, so that empty ones are skipped.
///
/// ```text
///   lists   [ level 0, level 1, level 2 … ]
///   groups  [ a bit for each of levels 0 to 7, of 8 to 15 … ]
///   busy    a bit for each group in which one is set
/// ```
///
/// The bit of the served level may outlast its last event, until [`Levels::settle`] when another level is chosen.
pub(super) struct Levels<S: Storage> {
    lists: S::Levels<List<S::Index>>,
    groups: S::Groups,
    busy: u32,
}

/// 2^3 levels share a bit: 32 groups for 256 levels.
const GROUP: u32 = 3;

impl<S: Storage> Levels<S> {
    pub(super) const fn new() -> Self {
        Self { lists: S::Levels::EMPTY, groups: S::Groups::EMPTY, busy: 0 }
    }

    /// The number of levels; none before the first event.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.lists.len()
    }

    /// Sets the number of empty levels, if the storage has room.
    pub(super) fn set_len(&mut self, wanted: usize) -> Result<(), Full> {
        // The bit of the level served last may be left.
        (self.busy, self.groups) = (0, S::Groups::EMPTY);
        while self.lists.len() > wanted {
            self.lists.pop();
        }
        self.lists.reserve(wanted.saturating_sub(self.lists.len()))?;
        while self.lists.len() < wanted {
            self.lists.push(List::EMPTY);
        }
        Ok(())
    }

    fn place(level: u8) -> usize {
        if S::HAS_LEVELS { level.into() } else { 0 }
    }

    #[inline(always)]
    pub(super) fn get(&self, level: u8) -> Option<&List<S::Index>> {
        self.lists.as_slice().get(Self::place(level))
    }

    /// A list, for taking its first event.
    #[inline(always)]
    pub(super) fn get_mut(&mut self, level: u8) -> Option<&mut List<S::Index>> {
        self.lists.as_mut_slice().get_mut(Self::place(level))
    }

    #[inline(always)]
    pub(super) fn append<T>(&mut self, slots: &mut Slots<T, S>, level: u8, index: S::Index) {
        let is_first = self.get_mut(level).is_some_and(|list| list.append(slots, index));
        if is_first && self.has_bits() {
            let (group, bit) = Self::bit(level);
            self.busy |= 1 << group;
            if let Some(levels) = self.groups.as_mut().get_mut(usize::from(group)) {
                *levels |= bit;
            }
        }
    }

    /// With one level, its list says whether it is empty.
    #[inline(always)]
    fn has_bits(&self) -> bool {
        S::HAS_LEVELS && self.lists.len() > 1
    }

    /// The group of a level, and its bit there.
    #[inline(always)]
    const fn bit(level: u8) -> (u8, u8) {
        (level >> GROUP, 1 << (level & 7))
    }

    /// The bits of a group.
    #[inline(always)]
    fn levels_of(&self, group: u32) -> u8 {
        let group = usize::try_from(group).unwrap_or(usize::MAX);
        self.groups.as_ref().get(group).copied().unwrap_or(0)
    }

    /// The busy groups from that of a level on, and the bits of the first of them from this level on.
    #[inline]
    fn busy_from(&self, level: u8) -> Option<(NonZero<u32>, u8)> {
        let (group, bit) = Self::bit(level);
        let groups = self.busy & u32::MAX << group;
        let levels = self.levels_of(group.into()) & bit.wrapping_neg();
        if levels > 0 {
            return NonZero::new(groups).map(|groups| (groups, levels));
        }
        let groups = NonZero::new(groups & !(1 << group))?;
        Some((groups, self.levels_of(groups.trailing_zeros())))
    }

    pub(super) fn unlink<T>(&mut self, slots: &mut Slots<T, S>, level: u8, index: S::Index) {
        if let Some(list) = self.get_mut(level) {
            list.unlink(slots, index);
        }
        self.settle(level);
    }

    /// Corrects the bit of a level from which events were taken.
    pub(super) fn settle(&mut self, level: u8) {
        if !self.has_bits() || !self.get(level).is_some_and(List::is_empty) {
            return;
        }
        let (group, bit) = Self::bit(level);
        let Some(levels) = self.groups.as_mut().get_mut(usize::from(group)) else { return };
        *levels &= !bit;
        if *levels == 0 {
            self.busy &= !(1 << group);
        }
    }

    #[cfg(any(test, feature = "check"))]
    pub(super) fn iter(&self) -> impl Iterator<Item = (u8, &List<S::Index>)> {
        (0..=u8::MAX).zip(self.lists.as_slice())
    }

    /// Whether the bits are correct, except that of the served level.
    #[cfg(any(test, feature = "check"))]
    pub(super) fn check(&self, served: u8) -> bool {
        let are_groups_right = (0..32).all(|group| (self.busy >> group & 1 == 1) == (self.levels_of(group) != 0));
        let mut levels = self.iter().map(|(level, list)| {
            let (group, bit) = Self::bit(level);
            let is_marked = self.levels_of(group.into()) & bit != 0;
            is_marked != list.is_empty() || is_marked && level == served
        });
        !self.has_bits() || are_groups_right && levels.all(|is_right| is_right)
    }
}

impl<S: Storage> budget::Levels for Levels<S> {
    #[inline]
    fn first_busy(&self, from: u8) -> Option<(u8, bool)> {
        if !self.has_bits() {
            return self.get(0).filter(|list| from == 0 && !list.is_empty()).map(|_| (0, true));
        }
        let mut groups = NonZero::new(self.busy)?;
        let mut levels = self.levels_of(groups.trailing_zeros());
        if from > 0 {
            (groups, levels) = self.busy_from(from)?;
        }
        let is_last = levels & levels.wrapping_sub(1) == 0 && groups.is_power_of_two();
        let level = groups.trailing_zeros() << GROUP | levels.trailing_zeros();
        u8::try_from(level).ok().map(|level| (level, is_last))
    }

    fn busy_after(&self, level: u8) -> u32 {
        if !S::HAS_LEVELS {
            return 0;
        }
        let after = self.lists.as_slice().iter().skip(usize::from(level).saturating_add(1));
        after.filter(|list| !list.is_empty()).fold(0, |busy, _| busy.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::super::super::budget::Levels as _;
    use super::super::super::state::State;
    use super::*;
    use crate::storage::Fixed;

    /// 255 levels, with an event at each of these.
    fn busy_at(busy: &[u8]) -> Levels<Fixed<255>> {
        let (mut levels, mut slots) = (Levels::new(), Slots::new());
        levels.set_len(255).unwrap();
        slots.reserve_all(busy.len()).unwrap();
        for level in busy {
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
                let first = busy.iter().copied().find(|busy| *busy >= level);
                let is_last = first == busy.last().copied();
                assert_eq!(levels.first_busy(level), first.map(|first| (first, is_last)));
                let after = busy.iter().filter(|busy| **busy > level).count();
                assert_eq!(levels.busy_after(level), u32::try_from(after).unwrap(), "{busy:?} after {level}");
            }
            assert!(levels.check(255));
        }
    }
}
