//! A hash map from fd numbers to rows: chains through two tables of links, for buckets and for rows.

use super::{Index, Link};

/// Finds the row of a number, for which `holds` is true in its chain.
pub(super) fn find<I: Index>(
    buckets: &[Link<I>],
    next: &[Link<I>],
    number: u32,
    holds: impl Fn(I) -> bool,
) -> Option<I> {
    let mut at = follow(buckets, bucket(buckets.len(), number));
    // No chain is longer than all rows.
    for _ in next {
        if at.is_nil() {
            return None;
        }
        #[cfg(test)]
        crate::steps::count(|steps| &steps.probes);
        if holds(at) {
            return Some(at);
        }
        at = follow(next, at.get());
    }
    None
}

/// Puts a row, which is in no chain, at the front of its number's.
pub(super) fn insert<I: Index>(buckets: &mut [Link<I>], next: &mut [Link<I>], number: u32, row: I) {
    let bucket = bucket(buckets.len(), number);
    let (Some(first), Some(after)) = (buckets.get_mut(bucket), next.get_mut(row.get())) else { return };
    *after = core::mem::replace(first, Link::to(row));
}

pub(super) fn remove<I: Index>(buckets: &mut [Link<I>], next: &mut [Link<I>], number: u32, row: I) {
    let rest = follow(next, row.get());
    let Some(first) = buckets.get_mut(bucket(buckets.len(), number)) else { return };
    if first.place() == row {
        *first = Link::to(rest);
        return;
    }
    let mut before = first.place();
    for _ in 0..next.len() {
        #[cfg(test)]
        crate::steps::count(|steps| &steps.probes);
        let Some(link) = next.get_mut(before.get()) else { return };
        if link.place() == row {
            *link = Link::to(rest);
            return;
        }
        before = link.place();
    }
}

pub(super) fn follow<I: Index>(links: &[Link<I>], place: usize) -> I {
    links.get(place).map_or(I::NIL, |link| link.place())
}

/// Fibonacci hashing: the upper bits of the number times 2³² / φ. It scatters runs and strides, for any number of
/// buckets.
#[expect(clippy::as_conversions, reason = "less than the count of buckets")]
fn bucket(buckets: usize, number: u32) -> usize {
    let hash = number.wrapping_mul(0x9E37_79B9);
    ((u64::from(hash).wrapping_mul(buckets as u64)) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::vec;
    use std::vec::Vec;

    /// The map with room for `n` rows, beside a naive one.
    struct Pair {
        buckets: Vec<Link<u16>>,
        next: Vec<Link<u16>>,
        numbers: Vec<Option<u32>>,
        naive: BTreeMap<u32, u16>,
    }

    impl Pair {
        fn new(n: usize) -> Self {
            Self {
                buckets: vec![Link::NONE; n],
                next: vec![Link::NONE; n],
                numbers: vec![None; n],
                naive: BTreeMap::new(),
            }
        }

        fn find(&self, number: u32) -> Option<u16> {
            find(&self.buckets, &self.next, number, |row| self.numbers[usize::from(row)] == Some(number))
        }

        fn insert(&mut self, number: u32) {
            let Some(row) = self.numbers.iter().position(Option::is_none) else { return };
            self.numbers[row] = Some(number);
            let row = u16::try_from(row).unwrap();
            insert(&mut self.buckets, &mut self.next, number, row);
            self.naive.insert(number, row);
        }

        fn remove(&mut self, number: u32) {
            let row = self.naive.remove(&number).unwrap();
            self.numbers[usize::from(row)] = None;
            remove(&mut self.buckets, &mut self.next, number, row);
        }

        fn assert_same(&self, numbers: impl IntoIterator<Item = u32>) {
            for number in numbers {
                assert_eq!(self.find(number), self.naive.get(&number).copied(), "{number}");
            }
        }
    }

    #[test]
    fn random_insertions_and_removals_find_what_a_naive_map_finds() {
        let mut random = 1u32;
        for n in [1, 2, 3, 7, 64, 65, 100] {
            let mut pair = Pair::new(n);
            // A range with collisions, and often more numbers than rows.
            let range = u32::try_from(2 * n).unwrap();
            for _ in 0..200 * n {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let number = (random >> 8) % range;
                if pair.find(number).is_some() {
                    pair.remove(number)
                } else {
                    pair.insert(number)
                }
                pair.assert_same([number, number / 2, range - 1 - number]);
            }
            pair.assert_same(0..range);
        }
    }

    #[test]
    fn a_chain_stays_whole_whichever_of_it_goes() {
        // All in one bucket.
        for gone in 0..5 {
            let mut pair = Pair { buckets: vec![Link::NONE], ..Pair::new(5) };
            for number in 0..5 {
                pair.insert(number);
            }
            pair.remove(gone);
            pair.assert_same(0..6);
            pair.insert(100 + gone);
            pair.assert_same((0..6).chain(100..106));
        }
    }

    #[test]
    fn removing_what_is_not_there_changes_nothing() {
        let mut pair = Pair::new(2);
        pair.insert(7);
        remove(&mut pair.buckets, &mut pair.next, 7, 1);
        remove(&mut pair.buckets, &mut pair.next, 7, 2);
        pair.assert_same([7, 8]);
        insert(&mut [], &mut [], 7, 0u16);
        remove(&mut [], &mut [], 7, 0u16);
        assert_eq!(find::<u16>(&[], &[], 7, |_| true), None);
    }

    #[test]
    fn no_stride_of_numbers_makes_chains_long() {
        const N: usize = 1_024;
        let rows = u32::try_from(N).unwrap();
        for stride in [1, 2, 3, 7, 64, 100, 255, 256, 1_000, rows, rows + 1, 4_096, 65_536, 1 << 20] {
            let mut lengths = [0u32; N];
            for number in (0..rows).map(|i| i.wrapping_mul(stride)) {
                lengths[bucket(N, number)] += 1;
            }
            let probes: u32 = lengths.iter().map(|length| length * (length + 1) / 2).sum();
            assert!(probes <= 3 * rows, "a stride of {stride}: {probes} probes");
        }
    }
}
