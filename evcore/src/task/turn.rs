//! The executor's turns: hand-outs and polls.

use super::join::catch;
use super::leaf::Waiter;
use super::shared::{Core, Data, Ours, Slot};
use super::{Executor, Item};
use crate::backend::EventOp;
use crate::base::{EventBase, Fired, Turn};
use crate::error::Error;
use crate::ready::Ready;
use crate::storage::Storage;
use crate::time::{Instant, Wait};

/// What comes next.
pub(super) enum Next {
    /// A task to poll.
    Task(u32),
    /// An event of the program's own.
    Own(Fired),
}

impl<B: EventOp, S: Storage, T> Executor<B, S, T> {
    fn run_task(&self, index: u32) {
        let Some(slot) = self.core.slot(index) else { return };
        let Some(task) = slot.task.take() else { return };
        let place = Place { core: &self.core, slot: &slot };
        if self.core.poll_as(&slot, |context| task.run(context)) {
            drop(place);
            // Maybe the last reference, with an output whose destructor may panic.
            let _ = catch(move || drop(task));
        } else {
            slot.task.set(Some(task));
            core::mem::forget(place);
        }
    }

    /// Polls tasks until `root` is to be polled or an event is the program's own, through turns and waits.
    pub(super) fn next(&mut self, wait: Wait, root: Option<u32>) -> Result<Option<Next>, Error<B::Error>> {
        let mut bound = None;
        let mut has_waited = false;
        loop {
            self.core.end_doomed();
            let mut cell = self.base.try_borrow_mut().map_err(|_| Error::Reentered)?;
            let base = cell.as_mut().ok_or(Error::Ended)?;
            let polled = self.core.polled.take();
            if !self.core.inbox.is_empty() {
                // A task's event exists. One that was polled for another event still has its own in this turn: what
                // wakes itself continues in the next.
                self.core.woken().for_each(|task| match Some(task) == polled {
                    true => drop(base.again(task)),
                    false => drop(base.activate(task, Ready::empty())),
                });
            }
            match hand_out(base) {
                Some(Next::Task(index)) if Some(index) != root => {
                    drop(cell);
                    self.run_task(index);
                    continue;
                }
                Some(next) => return Ok(Some(next)),
                None => {}
            }
            let wait = *bound.get_or_insert_with(|| match wait {
                Wait::For(time) => Wait::Until(base.now().saturating_add(time)),
                wait => wait,
            });
            let is_over = wait == Wait::None || matches!(wait, Wait::Until(point) if point <= base.now());
            if has_waited && is_over {
                self.ended = None;
                return Ok(None);
            }
            match self.wait(base, wait).map_err(Error::Backend)? {
                Turn::Ended(end) => {
                    self.ended = Some(end);
                    return Ok(None);
                }
                turn => has_waited = turn == Turn::Running,
            }
        }
    }

    /// Waits for the next turn, unless a task was woken.
    fn wait(&self, base: &mut EventBase<B, S, Item<T>>, mut wait: Wait) -> Result<Turn, B::Error> {
        let inbox = &self.core.inbox;
        if wait == Wait::Forever && inbox.can_wake() && self.core.alive.get() > 0 {
            // The base does not know what other threads will do.
            wait = Wait::Until(Instant::MAX);
        }
        if base.counts().active > 0 || wait == Wait::None || !inbox.prepare_sleep() {
            return base.poll(if inbox.is_empty() { wait } else { Wait::None });
        }
        let turn = base.poll(wait);
        inbox.awake();
        turn
    }
}

/// Processes hand-outs until a task is to be polled or an event is the program's own.
fn hand_out<B: EventOp, S: Storage, T>(base: &mut EventBase<B, S, Item<T>>) -> Option<Next> {
    while let Some(Fired { id, ready, count, data }) = base.next_active() {
        match &mut data.0 {
            Data::Own(_) => return Some(Next::Own(Fired { id, ready, count, data: () })),
            Data::Ours(Ours::Task(index)) => return Some(Next::Task(*index)),
            Data::Ours(Ours::Leaf(leaf)) => {
                let (waiters, less) = leaf.note(ready, count);
                let is_idle = leaf.is_idle(ready, waiters);
                // Waiting for less is not refused.
                let _ = less.map(|interest| base.modify(id, interest));
                if is_idle {
                    // It would repeat with each period; the next wait sets another.
                    let _ = base.clear_timeout(id);
                }
                let mut next = None;
                for waiter in waiters {
                    match waiter {
                        // Polled at once: the event stands for the task's own.
                        Waiter::Task(_, index) if next.is_none_or(|next| next == index) => next = Some(index),
                        // A task that has ended has no event.
                        Waiter::Task(task, _) => drop(base.activate(task, Ready::empty())),
                        Waiter::Other | Waiter::Nobody => {}
                    }
                }
                if let Some(index) = next {
                    return Some(Next::Task(index));
                }
            }
        }
    }
    None
}

/// A task's place, freed when the task ends or a panic passes through.
pub(super) struct Place<'a, F, E> {
    pub(super) core: &'a Core<F, E>,
    pub(super) slot: &'a Slot,
}

impl<F, E> Drop for Place<'_, F, E> {
    fn drop(&mut self) {
        // Left by a panic in a poll.
        self.core.current.set(None);
        self.core.vacate(self.slot);
    }
}
