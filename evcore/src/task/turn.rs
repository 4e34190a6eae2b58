//! The executor's turns: hand-outs and polls.

use alloc::rc::Rc;

use super::Executor;
use super::base::{Data, Item, Ours};
use super::join::{Task, catch};
use super::shared::Core;
use crate::backend::EventOp;
use crate::base::{EventBase, Fired, Turn};
use crate::error::Error;
use crate::event::EventId;
use crate::ready::Ready;
use crate::storage::Storage;
use crate::time::{Instant, Wait};

pub(super) enum Next {
    /// A task to poll.
    Task(EventId, Rc<Task>),
    /// An event of the program's own.
    Own(Fired),
}

impl<B: EventOp, S: Storage, T> Executor<B, S, T> {
    fn run_task(&self, event: EventId, task: Rc<Task>) {
        let place = Place { core: &self.core, event, task: &task };
        if self.core.poll_as(event, &task, |context| task.body.run(context, task.is_aborted.get())) {
            drop(place);
            // Maybe the last reference, with an output whose destructor may panic.
            let _ = catch(move || drop(task));
        } else {
            core::mem::forget(place);
        }
    }

    /// Polls tasks until `root` is to be polled or an event is the program's own, through turns and waits.
    pub(super) fn next(&mut self, wait: Wait, root: Option<EventId>) -> Result<Option<Next>, Error<B::Error>> {
        let mut bound = None;
        let mut has_waited = false;
        loop {
            if self.core.has_doomed() {
                // Lending the base ends them.
                drop(self.base());
            }
            let mut cell = self.base.try_borrow_mut().map_err(|_| Error::Reentered)?;
            let base = cell.as_mut().ok_or(Error::Ended)?;
            if !self.core.inbox.is_empty() {
                self.core.take_woken(|event| drop(self.go_on(base, event, false)));
            }
            match self.hand_out(base) {
                Some(Next::Task(event, task)) if Some(event) != root => {
                    drop(cell);
                    self.run_task(event, task);
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
        self.core.turn.set(self.core.turn.get().wrapping_add(1));
        if wait == Wait::Forever && inbox.can_wake() && self.core.tasks() > 0 {
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

    /// Processes hand-outs until a task is to be polled or an event is the program's own.
    fn hand_out(&self, base: &mut EventBase<B, S, Item<T>>) -> Option<Next> {
        while let Some(Fired { id, ready, count, data }) = base.next_active() {
            let next = match &data.0 {
                Data::Own(_) => return Some(Next::Own(Fired { id, ready, count, data: () })),
                Data::Ours(Ours::Leaf(leaf)) => {
                    let (waiters, unclaimed) = leaf.note(ready, count);
                    if !unclaimed.is_empty() || ready.is_error() {
                        let less = leaf.want_less(ready, unclaimed);
                        // Waiting for less is not refused.
                        let _ = less.map(|interest| base.modify(id, interest));
                        if unclaimed.is_timeout() {
                            // It would repeat with each period; the next wait sets another.
                            let _ = base.clear_timeout(id);
                        }
                    }
                    match waiters {
                        [None, None] => None,
                        [Some(task), None] | [None, Some(task)] => self.go_on(base, task, true),
                        [Some(reader), Some(writer)] => {
                            if writer != reader {
                                self.go_on(base, writer, false);
                            }
                            self.go_on(base, reader, true)
                        }
                    }
                }
                // Otherwise it was polled for what it waited for.
                Data::Ours(Ours::Task(task)) if task.is_due.get() => self.go_on(base, id, true),
                Data::Ours(Ours::Task(_) | Ours::Nothing) => None,
            };
            if next.is_some() {
                return next;
            }
        }
        None
    }

    /// A task can continue. Returns it if it is to be polled at once; a task is polled once in a turn.
    #[inline]
    fn go_on(&self, base: &mut EventBase<B, S, Item<T>>, event: EventId, at_once: bool) -> Option<Next> {
        // A task that has ended has no event.
        let task = base.get(event)?.task()?;
        task.is_due.set(true);
        if task.turn.get() == self.core.turn.get() {
            let _ = base.again(event);
        } else if at_once {
            return Some(Next::Task(event, Rc::clone(task)));
        } else {
            let _ = base.activate(event, Ready::empty());
        }
        None
    }
}

/// The place of the current task, until it ends or a panic passes through.
pub(super) struct Place<'a, F, E> {
    pub(super) core: &'a Core<F, E>,
    pub(super) event: EventId,
    pub(super) task: &'a Task,
}

impl<F, E> Drop for Place<'_, F, E> {
    fn drop(&mut self) {
        self.core.polls_nothing();
        self.task.body.panicked();
        self.core.vacate(self.event, self.task.index);
    }
}
