//! The queues of active callbacks: libevent's, because the entries are in C's memory, and may be callbacks of
//! libevent's own objects that are not events.

use core::cell::Cell;
use core::ffi::{c_int, c_short};

use crate::abi::{closure, ev, list};
use crate::base::{Base, CONTINUE};
use crate::from_c::{Cb, Ev};

/// A queue of callbacks, linked through the entries: first in, first out.
pub(crate) struct Queue {
    first: Cell<Option<Cb>>,
    last: Cell<Option<Cb>>,
}

impl Queue {
    pub(crate) const fn new() -> Self {
        Self { first: Cell::new(None), last: Cell::new(None) }
    }

    #[inline(always)]
    pub(crate) fn first(&self) -> Option<Cb> {
        self.first.get()
    }

    #[inline(always)]
    fn push(&self, callback: Cb) {
        callback.set_next(None);
        let last = self.last.replace(Some(callback));
        callback.set_previous(last);
        match last {
            Some(last) => last.set_next(Some(callback)),
            None => self.first.set(Some(callback)),
        }
    }

    /// Removes the first.
    #[inline(always)]
    fn pop(&self, first: Cb) {
        let next = first.next();
        self.first.set(next);
        match next {
            Some(next) => next.set_previous(None),
            None => self.last.set(None),
        }
    }

    fn remove(&self, callback: Cb) {
        let (previous, next) = (callback.previous(), callback.next());
        match previous {
            Some(previous) => previous.set_next(next),
            None => self.first.set(next),
        }
        match next {
            Some(next) => next.set_previous(previous),
            None => self.last.set(previous),
        }
    }

    fn iter(&self) -> impl Iterator<Item = Cb> + use<> {
        core::iter::successors(self.first(), |callback| callback.next())
    }
}

/// How many callbacks that are not events may join the queue in one turn; further ones wait for the next.
const DEFERRED_MAX: u32 = 32;

impl Base {
    #[inline(always)]
    fn queue(&self, priority: u8) -> &Queue {
        &self.queues[usize::from(priority)]
    }

    #[inline(always)]
    fn enqueue(&self, callback: Cb) {
        callback.set_flags(callback.flags() | list::ACTIVE);
        self.note_active(1);
        self.queue(callback.priority()).push(callback);
    }

    /// Queues an event of an fd that evcore hands out, outside callbacks. Returns how many that adds to the queue.
    #[inline(always)]
    pub(crate) fn enqueue_event(&self, event: Ev, res: c_short) -> c_int {
        let flags = event.flags();
        if flags & (list::FINALIZING | list::QUEUED) != 0 {
            self.activate(event, res, 1);
            return 0;
        }
        event.set_flags(flags | list::ACTIVE);
        event.set_res(res);
        self.queue(event.priority()).push(event.cb());
        1
    }

    #[inline(always)]
    pub(crate) fn note_active(&self, count: c_int) {
        self.active.add(count);
        self.note_added_max();
    }

    /// Removes and returns the first callback of a queue.
    #[inline(always)]
    pub(crate) fn dequeue_first(&self, queue: &Queue) -> Option<Cb> {
        let callback = queue.first()?;
        callback.set_flags(callback.flags() & !list::ACTIVE);
        self.active.down();
        queue.pop(callback);
        Some(callback)
    }

    /// Removes a callback from its queue.
    #[inline(never)]
    pub(crate) fn dequeue(&self, callback: Cb) {
        let flags = callback.flags();
        if flags & list::ACTIVE != 0 {
            callback.set_flags(flags & !list::ACTIVE);
            self.active.down();
            self.queue(callback.priority()).remove(callback);
        } else if flags & list::LATER != 0 {
            callback.set_flags(flags & !list::LATER);
            self.active.down();
            self.later.remove(callback);
        }
    }

    /// Queues an event with these bits. `calls` is how many times a signal's callback is called.
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
            self.stop(CONTINUE);
        }
        if event.is_for(ev::SIGNAL) {
            self.wait_for(event.cb());
            event.set_calls(calls, core::ptr::null_mut());
        }
        self.activate_callback(event.cb());
    }

    /// Queues a callback. Returns whether it was not queued before.
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
        self.note_active(1);
        self.later.push(callback);
        self.wake();
        true
    }

    /// Moves callbacks that were deferred to this turn to their queues.
    #[inline(always)]
    pub(crate) fn admit_later(&self) {
        self.deferred.set(0);
        while let Some(callback) = self.later.first() {
            self.dequeue(callback);
            self.enqueue(callback);
            if callback.closure() == closure::SELF {
                self.deferred.set(self.deferred.get() + 1);
            }
        }
    }

    /// Queues a callback of libevent's own objects: for this turn, or for the next if this one already has many.
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

    fn all_queues(&self) -> impl Iterator<Item = &Queue> {
        self.queues.iter().chain([&self.later])
    }

    /// All queued callbacks, in the order in which they will run.
    pub(crate) fn queued(&self) -> Vec<Cb> {
        self.all_queues().flat_map(Queue::iter).collect()
    }

    pub(crate) fn first_queued(&self) -> Option<Cb> {
        self.all_queues().find_map(Queue::first)
    }
}
