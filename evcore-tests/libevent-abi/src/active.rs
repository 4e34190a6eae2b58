//! The queues of active callbacks: libevent's, for C's memory is in them, and callbacks of libevent's own objects that are no
//! events.

use core::ffi::{c_int, c_short};

use crate::abi::{closure, ev, list};
use crate::base::Base;
use crate::from_c::{Cb, Ev};

/// A queue of callbacks, linked through them: first in, first out.
#[derive(Clone, Copy, Default)]
pub(crate) struct Queue {
    first: Option<Cb>,
    last: Option<Cb>,
}

impl Queue {
    #[inline(always)]
    pub(crate) fn first(&self) -> Option<Cb> {
        self.first
    }

    #[inline(always)]
    fn push(&mut self, callback: Cb) {
        callback.set_next(None);
        callback.set_previous(self.last);
        match self.last.replace(callback) {
            Some(last) => last.set_next(Some(callback)),
            None => self.first = Some(callback),
        }
    }

    #[inline(always)]
    fn remove(&mut self, callback: Cb) {
        let (previous, next) = (callback.previous(), callback.next());
        match previous {
            Some(previous) => previous.set_next(next),
            None => self.first = next,
        }
        match next {
            Some(next) => next.set_previous(previous),
            None => self.last = previous,
        }
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Cb> {
        core::iter::successors(self.first, |callback| callback.next())
    }
}

/// How many callbacks that are no events join the queue in one turn before they wait for the next.
const DEFERRED_MAX: u32 = 32;

impl Base {
    #[inline(always)]
    fn enqueue(&self, callback: Cb) {
        callback.set_flags(callback.flags() | list::ACTIVE);
        self.note_queued(callback);
        let mut queues = self.queues.borrow_mut();
        // A priority that has gone meanwhile is the least urgent one that is left.
        let last = queues.len() - 1;
        let level = usize::from(callback.priority()).min(last);
        queues[level].push(callback);
    }

    #[inline(always)]
    fn note_queued(&self, callback: Cb) {
        if !callback.has(list::INTERNAL) {
            self.added.up();
        }
        self.active.up();
    }

    #[inline(always)]
    fn note_dequeued(&self, callback: Cb) {
        if !callback.has(list::INTERNAL) {
            self.added.down();
        }
        self.active.down();
    }

    /// Takes a callback out of the queue that it is in.
    #[inline(always)]
    pub(crate) fn dequeue(&self, callback: Cb) {
        let flags = callback.flags();
        if flags & list::ACTIVE != 0 {
            callback.set_flags(flags & !list::ACTIVE);
            self.note_dequeued(callback);
            let mut queues = self.queues.borrow_mut();
            let last = queues.len() - 1;
            let level = usize::from(callback.priority()).min(last);
            queues[level].remove(callback);
        } else if flags & list::LATER != 0 {
            callback.set_flags(flags & !list::LATER);
            self.note_dequeued(callback);
            self.later.borrow_mut().remove(callback);
        }
    }

    /// Queues an event, for these bits. `calls` is how often a signal's callback is called.
    #[inline]
    pub(crate) fn activate(&self, event: Ev, res: c_short, calls: c_short) {
        let flags = event.flags();
        if flags & list::FINALIZING != 0 {
            return;
        }
        if flags & list::ACTIVE != 0 {
            event.set_res(event.res() | res);
            return;
        }
        event.set_res(if flags & list::LATER != 0 { event.res() | res } else { res });
        if c_int::from(event.priority()) < self.level.get() {
            self.is_continued.set(true);
        }
        if event.is_for(ev::SIGNAL) {
            self.wait_for(event.cb());
            event.set_calls(calls, core::ptr::null_mut());
        }
        self.activate_callback(event.cb());
    }

    /// Queues a callback. Answers whether it was not queued before.
    #[inline(always)]
    pub(crate) fn activate_callback(&self, callback: Cb) -> bool {
        let flags = callback.flags();
        if flags & (list::FINALIZING | list::ACTIVE) != 0 {
            return false;
        }
        let was_later = flags & list::LATER != 0;
        if was_later {
            self.dequeue(callback);
        }
        self.enqueue(callback);
        self.wake();
        !was_later
    }

    /// Queues a callback for the next turn, which does not wait.
    pub(crate) fn activate_later(&self, callback: Cb) -> bool {
        if callback.has(list::FINALIZING | list::QUEUED) {
            return false;
        }
        callback.insert_flags(list::LATER);
        self.note_queued(callback);
        self.later.borrow_mut().push(callback);
        self.wake();
        true
    }

    /// What was put off to this turn joins its queue.
    #[inline(always)]
    pub(crate) fn admit_later(&self) {
        self.deferred.set(0);
        while let Some(callback) = self.first_later() {
            self.dequeue(callback);
            self.enqueue(callback);
            if callback.closure() == closure::SELF {
                self.deferred.set(self.deferred.get() + 1);
            }
        }
    }

    #[inline(always)]
    fn first_later(&self) -> Option<Cb> {
        self.later.borrow().first()
    }

    /// Queues a callback of libevent's own objects: in this turn, or in the next if this one has many.
    pub(crate) fn schedule(&self, callback: Cb) -> bool {
        if self.deferred.get() > DEFERRED_MAX {
            return self.activate_later(callback);
        }
        let is_new = self.activate_callback(callback);
        if is_new {
            self.deferred.set(self.deferred.get() + 1);
        }
        is_new
    }

    /// All that is queued, in the order in which it will run.
    pub(crate) fn queued(&self) -> Vec<Cb> {
        let queues = self.queues.borrow();
        let all = queues.iter().copied().chain([*self.later.borrow()]);
        all.flat_map(Queue::iter).collect()
    }
}
