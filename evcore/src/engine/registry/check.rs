//! Verifies that the tables agree.

use super::{Kind, Life, Registry, Timing};
use crate::backend::Descriptor;
use crate::ready::Ready;
use crate::storage::Storage;

impl<F: Descriptor, D: Default, T, S: Storage> Registry<F, D, T, S> {
    /// Walks every table; returns whether all agree, counts included.
    pub(in crate::engine) fn check(&self) -> bool {
        let count = |is_counted: fn(&super::State<S>) -> bool| {
            let states = self.slots.indices().map(|index| self.state(index));
            u32::try_from(states.filter(|state| state.is_pending()).filter(is_counted).count()).ok()
        };
        self.slots.room() <= self.timers.room().min(self.restarts.room())
            && self.queue.check(&self.slots)
            && self.timers.check(|index| self.slots.has_timer(index))
            && self.fds.check()
            && count(|_| true) == Some(self.pending)
            && count(|state| state.has(super::Options::BACKGROUND)) == Some(self.background)
            && self.slots.indices().all(|index| self.agrees(index))
            && self.restarts_agree()
    }

    fn agrees(&self, index: S::Index) -> bool {
        let state = self.state(index);
        let is_queued = self.ready(index).is_some_and(|ready| ready.contains(Ready::TIMEOUT));
        let is_armed = self.is_armed(index);
        let is_paused = state.life() == Life::Paused;
        let timer_agrees = match state.timing() {
            Timing::Armed => !is_paused && (is_armed || is_queued),
            Timing::Restarting => !is_paused && is_armed,
            // If registered: one that is over.
            Timing::Suspended => is_armed == is_paused && (state.life() != Life::Registered || state.keeps_timeout()),
            Timing::None => is_armed == is_paused,
        };
        let is_watching =
            state.kind() == Kind::Io && state.life() == Life::Registered && !self.interest(index).is_empty();
        timer_agrees && self.fds.is_linked(index) == is_watching
    }

    /// Each event whose timeout restarts, or has and is not settled, is listed.
    fn restarts_agree(&self) -> bool {
        let waiting = self.slots.indices().filter(|index| self.state(*index).timing() == Timing::Restarting);
        waiting.into_iter().all(|index| self.restarts.is_listed(index))
    }
}
