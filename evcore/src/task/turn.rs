//! The executor's turns: what the base hands out, and who is polled for it.

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

/// What is handed out.
pub(super) enum Next {
    /// A task is to be polled.
    Task(u32),
    /// An event is the program's own.
    Own(Fired),
}

impl<B: EventOp, S: Storage, T> Executor<B, S, T> {
    fn run_task(&self, index: u32) {
        let Some(slot) = self.core.slot(index) else { return };
        let Some(task) = slot.task.take() else { return };
        let place = Place { core: &self.core, slot: &slot };
        if self.core.poll_as(&slot, |context| task.run(context)) {
            drop(place);
            // The last reference, if nobody waits: with it goes an output, whose destructor may panic.
            let _ = catch(move || drop(task));
        } else {
            slot.task.set(Some(task));
            core::mem::forget(place);
        }
    }

    /// Polls tasks until `root` is to be polled or an event is the program's own, through turns and waits if need be.
    pub(super) fn next(&mut self, wait: Wait, root: Option<u32>) -> Result<Option<Next>, Error<B::Error>> {
        let mut bound = None;
        let mut has_waited = false;
        loop {
            self.core.end_doomed();
            let mut cell = self.base.try_borrow_mut().map_err(|_| Error::Reentered)?;
            let base = cell.as_mut().ok_or(Error::Ended)?;
            let polled = self.core.polled.take();
            if !self.core.inbox.is_empty() {
                // The event of a task cannot be gone. One that was polled for another event has its own left in this turn: what
                // wakes itself goes on in the next one.
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
            // What other threads will do does not show on the base.
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

/// Takes note of what this turn hands out, until a task is to be polled or an event is the program's own.
fn hand_out<B: EventOp, S: Storage, T>(base: &mut EventBase<B, S, Item<T>>) -> Option<Next> {
    while let Some(Fired { id, ready, count, data }) = base.next_active() {
        match &mut data.0 {
            Data::Own(_) => return Some(Next::Own(Fired { id, ready, count, data: () })),
            Data::Ours(Ours::Task(index)) => return Some(Next::Task(*index)),
            Data::Ours(Ours::Leaf(leaf)) => {
                let (waiters, less) = leaf.note(ready, count);
                let is_idle = leaf.is_idle(ready, waiters);
                // To wait for less is not refused.
                let _ = less.map(|interest| base.modify(id, interest));
                if is_idle {
                    // It would come again after each period. The next wait begins another one.
                    let _ = base.clear_timeout(id);
                }
                let mut next = None;
                for waiter in waiters {
                    match waiter {
                        // Polled at once: for its task the event is as good as the task's own.
                        Waiter::Task(_, index) if next.is_none_or(|next| next == index) => next = Some(index),
                        // A task that has ended has no event, and needs no wake.
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

/// A task's place, until the task has ended or a panic passes through.
pub(super) struct Place<'a, F, E> {
    pub(super) core: &'a Core<F, E>,
    pub(super) slot: &'a Slot,
}

impl<F, E> Drop for Place<'_, F, E> {
    fn drop(&mut self) {
        // A panic in a poll has left it.
        self.core.current.set(None);
        self.core.vacate(self.slot);
    }
}
