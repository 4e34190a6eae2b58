//! A 4-ary heap of deadlines and nothing else: the minimal cost of timers, without a loop.
//!
//! The deadline is in the heap's entry, so that a comparison stays in the heap. A deadline that is moved later is
//! only stored beside the timer; its entry is corrected when it reaches the top.

const ABSENT: u32 = u32::MAX;

#[derive(Default)]
pub(crate) struct Heap {
    entries: Vec<Entry>,
    timers: Vec<Timer>,
}

#[derive(Clone, Copy)]
struct Entry {
    deadline: u64,
    timer: u32,
}

struct Timer {
    deadline: u64,
    place: u32,
}

impl Heap {
    /// A new timer, not armed.
    pub(crate) fn create(&mut self) -> u32 {
        self.timers.push(Timer { deadline: 0, place: ABSENT });
        self.timers.len() as u32 - 1
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.timers.clear();
    }

    /// Arms a timer, or moves its deadline.
    #[inline]
    pub(crate) fn arm(&mut self, timer: u32, deadline: u64) {
        let slot = &mut self.timers[timer as usize];
        slot.deadline = deadline;
        let place = slot.place as usize;
        match self.entries.get(place) {
            None => {
                self.entries.push(Entry { deadline, timer });
                self.up(self.entries.len() - 1, Entry { deadline, timer });
            }
            Some(entry) if deadline < entry.deadline => self.up(place, Entry { deadline, timer }),
            Some(_) => {}
        }
    }

    #[inline]
    pub(crate) fn cancel(&mut self, timer: u32) {
        let place = std::mem::replace(&mut self.timers[timer as usize].place, ABSENT) as usize;
        let Some(last) = self.entries.pop() else { return };
        if place < self.entries.len() {
            match place.checked_sub(1).map(|above| self.entries[above / 4].deadline) {
                Some(parent) if last.deadline < parent => self.up(place, last),
                _ => self.down(place, last),
            }
        }
    }

    /// Removes the first due timer.
    pub(crate) fn pop(&mut self, now: u64) -> Option<u32> {
        loop {
            let first = *self.entries.first().filter(|first| first.deadline <= now)?;
            let deadline = self.timers[first.timer as usize].deadline;
            if deadline <= first.deadline {
                self.cancel(first.timer);
                return Some(first.timer);
            }
            self.down(0, Entry { deadline, ..first });
        }
    }

    /// When the first entry must be checked; its timer may be due later.
    #[inline]
    pub(crate) fn first(&self) -> Option<u64> {
        self.entries.first().map(|first| first.deadline)
    }

    #[inline]
    fn put(&mut self, place: usize, entry: Entry) {
        self.entries[place] = entry;
        self.timers[entry.timer as usize].place = place as u32;
    }

    fn up(&mut self, mut place: usize, entry: Entry) {
        while place > 0 {
            let above = (place - 1) / 4;
            if self.entries[above].deadline <= entry.deadline {
                break;
            }
            self.put(place, self.entries[above]);
            place = above;
        }
        self.put(place, entry);
    }

    fn down(&mut self, mut place: usize, entry: Entry) {
        loop {
            let first = 4 * place + 1;
            let children = first..(first + 4).min(self.entries.len());
            let Some(least) = children.min_by_key(|child| self.entries[*child].deadline) else { break };
            if entry.deadline <= self.entries[least].deadline {
                break;
            }
            self.put(place, self.entries[least]);
            place = least;
        }
        self.put(place, entry);
    }
}
