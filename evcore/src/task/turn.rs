//! The executor's turns: hand-outs and polls.

use alloc::rc::Rc;
use core::task::Poll;

use super::Executor;
use super::base::{Data, Item, Ours};
use super::join::{Run, catch};
use super::shared::{Core, Ending};
use crate::backend::EventOp;
use crate::base::{EventBase, Fired, Turn};
use crate::error::Error;
use crate::event::EventId;
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
        self.ended = None;
        let core = &*self.core;
        let settled = core.base()?;
        let wait = match wait {
            Wait::None => Wait::Until(Instant::ZERO),
            Wait::For(time) => Wait::Until(settled.now()?.saturating_add(time)),
            wait => wait,
        };
        drop(settled);
        let mut is_over = false;
        loop {
            let mut cell = self.base.try_borrow_mut().map_err(|_| Error::Reentered)?;
            let base = cell.as_mut().ok_or(Error::Ended)?;
            core.take_woken(|task| base.activate(task, Ready::empty()).is_ok());
            match Self::hand_out(base, core.current.turn.get()) {
                Some(Next::Task(task)) => {
                    drop(cell);
                    let ending = Ending { core, head: task.head() };
                    match task.run(&core.current) {
                        Poll::Pending => core::mem::forget(ending),
                        Poll::Ready(()) => {
                            drop(ending);
                            // Maybe the last reference, with an output whose destructor may panic.
                            let _ = catch(move || drop(task));
                        }
                    }
                }
                None if is_over => return Ok(None),
                None => match self.wait(base, wait).map_err(Error::Backend)? {
                    Turn::Ended(end) => {
                        self.ended = Some(end);
                        return Ok(None);
                    }
                    Turn::Prepare => {}
                    Turn::Running => is_over = matches!(wait, Wait::Until(point) if point <= base.now()),
                },
                next => return Ok(next),
            }
        }
    }

    /// Waits for the next turn, unless a task was woken.
    fn wait(&self, base: &mut EventBase<B, S, Item<T>>, mut wait: Wait) -> Result<Turn, B::Error> {
        let Core { current, inbox, .. } = &*self.core;
        self.core.settle(|event| drop(base.remove(event)));
        current.turn.set(current.turn.get().wrapping_add(1));
        if wait == Wait::Forever && inbox.can_wake() && self.core.tasks() > 0 {
            // The base does not know what other threads will do.
            wait = Wait::Until(Instant::MAX);
        }
        let sleeps = base.counts().active == 0 && inbox.prepare_sleep();
        let turn = base.poll(if sleeps { wait } else { Wait::None });
        inbox.awake();
        turn
    }

    /// Processes hand-outs until a task is to be polled or an event is the program's own.
    #[inline]
    fn hand_out(base: &mut EventBase<B, S, Item<T>>, turn: u32) -> Option<Next> {
        loop {
            let Fired { id, ready, count, data } = base.next_active()?;
            let event = match &data.0 {
                Data::Own(_) => return Some(Next::Own(Fired { id, ready, count, data: () })),
                Data::Ours(Ours::Task { .. }) => Some(id),
                Data::Ours(Ours::Leaf(leaf)) => {
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
                    reader.or(writer)
                }
            };
            if let Some(next) = event.and_then(|event| Self::pick(base, event, turn)) {
                return Some(next);
            }
        }
    }

    /// The task of an event, if it is to be polled in this turn. One that has ended has no event.
    #[inline]
    fn pick(base: &mut EventBase<B, S, Item<T>>, event: EventId, turn: u32) -> Option<Next> {
        let Data::Ours(Ours::Task { polled, task }) = &mut base.get_mut(event)?.0 else { return None };
        if polled.replace(turn) == Some(turn) {
            let _ = base.again(event);
            return None;
        }
        Some(task.as_ref().map_or(Next::Root, |task| Next::Task(Rc::clone(task))))
    }
}
