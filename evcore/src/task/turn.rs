//! The executor's turns: hand-outs and polls.

use alloc::rc::Rc;

use super::Executor;
use super::base::{Data, Item, Ours};
use super::join::{Run, Step, catch};
use crate::backend::EventOp;
use crate::base::{EventBase, Fired, Turn};
use crate::error::Error;
use crate::ready::Ready;
use crate::storage::Storage;
use crate::time::{Instant, Wait};

/// What the executor continues with.
pub(super) enum Next {
    /// A task to poll: [`Executor::next`] does it.
    Task(Rc<dyn Run>),
    /// The future of [`Executor::run`] is to be polled.
    Root,
    /// An event of the program.
    Own(Fired),
}

impl<B: EventOp, S: Storage, T> Executor<B, S, T> {
    /// Polls tasks until the root is to be polled or an event is the program's own, through turns and waits.
    pub(super) fn next(&mut self, wait: Wait) -> Result<Option<Next>, Error<B::Error>> {
        let core = &*self.core;
        let wait = match wait {
            Wait::For(time) => Wait::Until(core.base()?.now()?.saturating_add(time)),
            wait => wait,
        };
        let mut has_waited = false;
        loop {
            core.settle();
            let mut cell = self.base.try_borrow_mut().map_err(|_| Error::Reentered)?;
            let base = cell.as_mut().ok_or(Error::Ended)?;
            core.take_woken(|event| {
                let task = base.get(event).and_then(Item::task);
                let was_polled = task.is_some_and(|task| task.head().was_polled(&core.current));
                let _ = if was_polled { base.again(event) } else { base.activate(event, Ready::empty()) };
            });
            match Self::hand_out(base, core.current.turn.get()) {
                Some(Next::Task(task)) => {
                    drop(cell);
                    match task.run(&core.current) {
                        Step::Waits => {}
                        Step::Ended => {
                            core.vacate(task.head());
                            // Maybe the last reference, with an output whose destructor may panic.
                            let _ = catch(move || drop(task));
                        }
                        // For the next turn.
                        Step::Early => task.head().waker.wake_by_ref(),
                        Step::Root => return Ok(Some(Next::Root)),
                    }
                    continue;
                }
                Some(next) => return Ok(Some(next)),
                None => {}
            }
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
        self.core.current.begin_turn();
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
    #[inline]
    fn hand_out(base: &mut EventBase<B, S, Item<T>>, turn: u32) -> Option<Next> {
        loop {
            let Fired { id, ready, count, data } = base.next_active()?;
            let leaf = match &data.0 {
                Data::Ours(Ours::Leaf(leaf)) => leaf,
                Data::Ours(Ours::Task(task)) => return Some(Next::Task(Rc::clone(task))),
                Data::Own(_) => return Some(Next::Own(Fired { id, ready, count, data: () })),
                Data::Ours(Ours::Nothing) => continue,
            };
            let ([reader, writer], unclaimed) = leaf.note(ready, count, turn);
            if !unclaimed.is_empty() {
                let interest = leaf.interest();
                // Waiting for less is not refused.
                let _ = base.modify(id, interest);
                if unclaimed.is_timeout() {
                    // It would repeat with each period; the next wait sets another.
                    let _ = base.clear_timeout(id);
                }
            }
            // One is polled at once, another when its own event is handed out.
            if let (Some(_), Some(other)) = (reader, writer.filter(|_| writer != reader)) {
                let _ = base.activate(other, Ready::empty());
            }
            // A task that has ended has no event.
            if let Some(task) = reader.or(writer).and_then(|event| base.get(event)?.task()) {
                return Some(Next::Task(Rc::clone(task)));
            }
        }
    }
}
