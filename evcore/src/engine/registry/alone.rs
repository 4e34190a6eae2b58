//! The fast path of an event that is alone on its fd and has no timeout.
//!
//! Each method returns whether it applies to the event; if not, nothing has changed.

use super::{Alone, Change, Life, Registry};
use crate::backend::Descriptor;
use crate::ready::Interest;
use crate::storage::Storage;

impl<F: Descriptor, D: Default, T, S: Storage> Registry<F, D, T, S> {
    /// Makes an event pending on a registered fd.
    #[inline(always)]
    pub(in crate::engine) fn add_alone(&mut self, index: S::Index) -> Alone {
        let Some(state) = self.slots.state_mut(index) else { return Alone::Not };
        let idle = *state;
        let joined = if idle.is_bare_io(Life::Idle) { self.fds.join_alone(index) } else { Alone::Not };
        if joined == Alone::Joined {
            *state = idle.with_life(Life::Registered);
            self.count_alone();
        }
        joined
    }

    /// The fd of an event that was [`Alone::Unregistered`] is registered, and the event in its list.
    #[inline]
    pub(in crate::engine) fn registered_alone(&mut self, index: S::Index) {
        if let Some(state) = self.slots.state_mut(index) {
            *state = state.with_life(Life::Registered);
        }
        self.count_alone();
    }

    #[inline(always)]
    fn count_alone(&mut self) {
        self.pending = self.pending.wrapping_add(1);
        let pending = self.pending;
        self.count(|stats| {
            if pending > stats.max.pending {
                stats.max.pending = pending;
            }
        });
    }

    /// Makes an event wait for nothing. An activation stays.
    #[inline(always)]
    pub(in crate::engine) fn disarm_alone(&mut self, index: S::Index) -> bool {
        let Some(state) = self.slots.state_mut(index) else { return false };
        let registered = *state;
        if !registered.is_bare_io(Life::Registered) || !self.fds.leave_alone(index) {
            return false;
        }
        *state = registered.with_life(Life::Idle);
        self.pending = self.pending.wrapping_sub(1);
        true
    }

    /// As [`Registry::disarm_alone`]. Returns the registration of its fd, which no event wants any more.
    #[inline(always)]
    pub(in crate::engine) fn end_alone(&mut self, index: S::Index) -> Option<Change<F>> {
        let state = self.slots.state_mut(index)?;
        let registered = *state;
        if !registered.is_bare_io(Life::Registered) {
            return None;
        }
        let ended = self.fds.end_alone(index)?;
        *state = registered.with_life(Life::Idle);
        self.pending = self.pending.wrapping_sub(1);
        Some(ended)
    }

    /// As [`Registry::disarm_alone`], of one that is not active.
    #[inline(always)]
    pub(in crate::engine) fn del_alone(&mut self, index: S::Index) -> bool {
        !self.is_queued(index) && self.disarm_alone(index)
    }

    /// Changes the interest of an event that is not active.
    #[inline(always)]
    pub(in crate::engine) fn change_alone(&mut self, index: S::Index, interest: Interest) -> bool {
        !self.is_queued(index) && self.fds.change_alone(index, interest)
    }

    #[inline(always)]
    fn is_queued(&self, index: S::Index) -> bool {
        self.slots.node(index).is_none_or(super::queue::Node::is_active)
    }
}
