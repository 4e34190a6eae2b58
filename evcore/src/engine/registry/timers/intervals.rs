//! The intervals of timers: in their records, or in a table of their own.

use super::Timers;
use crate::storage::{Index, Interval, Storage, Table};

/// From 292 years on it is endless.
const ENDLESS: u64 = u64::MAX >> 1;

impl<S: Storage> Timers<S> {
    const ARE_APART: bool = <S::Intervals as Table<u64>>::CAPACITY > 0;

    /// In nanoseconds; zero without one.
    #[inline]
    pub(in crate::engine::registry) fn interval(&self, index: S::Index) -> u64 {
        if Self::ARE_APART {
            return self.intervals.at(index).copied().unwrap_or(0);
        }
        self.timers.at(index).map_or(0, |timer| timer.interval.nanos())
    }

    /// Stores an event's interval. Its slot may have an entry, of an earlier event.
    #[inline]
    pub(in crate::engine::registry) fn keep(&mut self, index: S::Index, interval: u64) {
        let interval = if interval >= ENDLESS { u64::MAX } else { interval };
        if Self::ARE_APART {
            if interval > 0 || self.intervals.len() > 0 {
                self.write_interval(index, interval);
            }
            return;
        }
        if S::IS_SCANNED {
            self.fill_scanned(index);
        } else {
            self.fill(index);
        }
        if let Some(timer) = self.timers.at_mut(index) {
            timer.interval = S::Interval::of(interval);
        }
    }

    #[inline(never)]
    fn write_interval(&mut self, index: S::Index, interval: u64) {
        while self.intervals.len() <= index.get() && interval > 0 {
            self.intervals.push(0);
        }
        if let Some(place) = self.intervals.at_mut(index) {
            *place = interval;
        }
    }
}
