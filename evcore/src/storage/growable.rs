//! Storage that grows, in an allocator's memory.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{FdIndex, Full, Index, Storage, Table};

/// Room for as many events as there is memory for.
///
/// Only creating an event allocates, and says [`Error::Full`](crate::Error::Full) when the allocator refuses. Events are
/// numbered in 32 bits. Tables do not shrink; the fd map does.
#[derive(Clone, Copy, Debug)]
pub struct Growable;

impl Storage for Growable {
    type Index = u32;
    type Table<E> = Vec<E>;
    type FdIndex = Pages;
}

impl<E> Table<E> for Vec<E> {
    const EMPTY: Self = Self::new();

    #[inline]
    fn as_slice(&self) -> &[E] {
        self
    }

    #[inline]
    fn as_mut_slice(&mut self) -> &mut [E] {
        self
    }

    fn reserve(&mut self, more: usize) -> Result<(), Full> {
        self.try_reserve(more).map_err(|_| Full)
    }

    fn push(&mut self, element: E) {
        push_reserved(self, element);
    }

    fn pop(&mut self) -> Option<E> {
        Vec::pop(self)
    }

    fn clear(&mut self) {
        Vec::clear(self);
    }
}

/// Appends into room that has been reserved. With the comparison, the compiler sees that nothing has to grow here, which
/// could only abort.
fn push_reserved<E>(list: &mut Vec<E>, element: E) {
    if list.len() < list.capacity() {
        list.push(element);
    }
}

const PAGE: usize = 64;

/// Rows by fd number, in pages of 64 numbers. A page is there while an event exists on one of its numbers, so memory
/// follows the fds watched: at most a page for each, and 8 bytes for each 64 numbers below the largest.
#[derive(Debug)]
pub struct Pages {
    directory: Vec<Option<Box<[Page; 1]>>>,
}

#[derive(Debug)]
struct Page {
    rows: [u32; PAGE],
    /// How many calls of `reserve` it answers for.
    users: u32,
}

impl Page {
    fn boxed() -> Result<Box<[Self; 1]>, Full> {
        // By way of a vector, because only that can be asked for memory without aborting.
        let mut page = Vec::new();
        page.try_reserve_exact(1).map_err(|_| Full)?;
        push_reserved(&mut page, Self { rows: [u32::NIL; PAGE], users: 0 });
        // As above: what is as long as its memory is not moved.
        if page.capacity() == page.len() { page.try_into().map_err(|_| Full) } else { Err(Full) }
    }
}

impl Pages {
    #[expect(clippy::as_conversions, reason = "u32 fits usize wherever there is an allocator")]
    const fn place(number: u32) -> (usize, usize) {
        (number as usize >> 6, number as usize & (PAGE - 1))
    }

    fn page_mut(&mut self, number: u32) -> Option<&mut Page> {
        let [page] = self.directory.get_mut(Self::place(number).0)?.as_deref_mut()?;
        Some(page)
    }
}

impl FdIndex<u32> for Pages {
    const EMPTY: Self = Self { directory: Vec::new() };

    fn reserve(&mut self, number: u32) -> Result<(), Full> {
        let (place, _) = Self::place(number);
        if self.directory.len() <= place {
            let more = place.saturating_sub(self.directory.len()).saturating_add(1);
            self.directory.try_reserve(more).map_err(|_| Full)?;
            for _ in 0..more {
                #[cfg(test)]
                crate::steps::count(|steps| &steps.pages);
                push_reserved(&mut self.directory, None);
            }
        }
        let entry = self.directory.get_mut(place).ok_or(Full)?;
        let [page] = match entry {
            Some(page) => &mut **page,
            None => &mut **entry.insert(Page::boxed()?),
        };
        page.users = page.users.saturating_add(1);
        Ok(())
    }

    fn set(&mut self, number: u32, row: u32) {
        if let Some(entry) = self.page_mut(number).and_then(|page| page.rows.get_mut(Self::place(number).1)) {
            *entry = row;
        }
    }

    fn release(&mut self, number: u32) {
        let Some(page) = self.page_mut(number) else { return };
        page.users = page.users.saturating_sub(1);
        if page.users == 0 {
            if let Some(entry) = self.directory.get_mut(Self::place(number).0) {
                *entry = None;
            }
            while let Some(None) = self.directory.last() {
                #[cfg(test)]
                crate::steps::count(|steps| &steps.pages);
                self.directory.pop();
            }
            if self.directory.is_empty() {
                self.directory = Vec::new();
            }
        }
    }

    fn find(&self, number: u32, _: impl Iterator<Item = Option<u32>>) -> Option<u32> {
        #[cfg(test)]
        crate::steps::count(|steps| &steps.probes);
        let (place, offset) = Self::place(number);
        let [page] = self.directory.get(place)?.as_deref()?;
        page.rows.get(offset).copied().filter(|row| !row.is_nil())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(pages: &Pages, number: u32) -> Option<u32> {
        pages.find(number, core::iter::empty())
    }

    #[test]
    fn a_high_number_costs_its_page_and_the_directory() {
        let mut pages = Pages::EMPTY;
        pages.reserve(100_000).unwrap();
        pages.set(100_000, 3);
        assert_eq!(find(&pages, 100_000), Some(3));
        assert_eq!(pages.directory.len(), 100_000 / 64 + 1);
        assert_eq!(size_of_val(&pages.directory[0]), size_of::<usize>());
        assert_eq!(pages.directory.iter().flatten().count(), 1);
    }

    #[test]
    fn pages_go_with_their_last_user() {
        let mut pages = Pages::EMPTY;
        for number in [1, 2, 700] {
            pages.reserve(number).unwrap();
            pages.set(number, number);
        }
        pages.set(700, u32::NIL);
        pages.release(700);
        assert_eq!(pages.directory.len(), 1);
        assert_eq!(find(&pages, 2), Some(2));
        assert_eq!(find(&pages, 700), None);
        pages.release(1);
        pages.release(2);
        assert_eq!(pages.directory.capacity(), 0);
    }

    #[test]
    fn unknown_numbers_are_nobody() {
        let mut pages = Pages::EMPTY;
        assert_eq!(find(&pages, u32::MAX), None);
        pages.set(9, 1);
        pages.release(9);
        assert_eq!(find(&pages, 9), None);
    }
}
