//! A turn of the loop.

use super::registry::{Expired, Life, Moment};
use super::{Effect, Engine, Phase, Requests};
use crate::backend::EventOp;
use crate::base::{End, Turn};
use crate::event::EventId;
use crate::limits::Bounds;
use crate::ready::Ready;
use crate::storage::{Held, Part, Storage};
use crate::time::{Instant, Sleep, Wait};

#[derive(Clone, Copy)]
pub(crate) enum Step<I> {
    /// The first event of its queue, not taken yet.
    First,
    /// This event, already taken, with its number of occurrences.
    Taken(I, Ready, u32),
    Done,
}

impl<B: EventOp, S: Storage, T> Engine<B, S, T> {
    /// Waits, and queues what is due.
    #[inline(always)]
    pub(crate) fn poll(&mut self, sleep: Sleep) -> Result<Turn, B::Error> {
        let mut failed = None;
        match self.poll_or_note(sleep, &mut failed) {
            Some(turn) => Ok(turn),
            // There is an error.
            None => failed.map_or(Ok(Turn::Running), Err),
        }
    }

    /// As [`Engine::poll`], with the error in `failed`, so that the result fits a register.
    // One call a turn. Inlined into the caller's loop, it would take the registers of the hand-outs.
    #[inline(never)]
    fn poll_or_note(&mut self, sleep: Sleep, failed: &mut Option<B::Error>) -> Option<Turn> {
        let outcome = self.backend.check_awake().and_then(|()| self.turn(sleep, sleep));
        outcome.map_err(|error| *failed = Some(error)).ok()
    }

    /// A turn whose caller requested `wanted`, and which still has to wait for `sleep`.
    // Part of each turn.
    #[inline(always)]
    pub(super) fn turn(&mut self, sleep: Sleep, wanted: Sleep) -> Result<Turn, B::Error> {
        let closed = self.close_turn();
        if let Some(end) = self.end_of_loop(wanted) {
            return Ok(Turn::Ended(end));
        }
        if S::HAS_WATCHERS && closed == Phase::Prepare {
            // Kept until the wait is over: if it fails, the next call repeats this turn without prepare events, even if they
            // have been removed.
            self.phase = closed;
        } else if self.registry.has_any_watcher() && self.open_prepare() {
            return Ok(Turn::Prepare);
        }
        self.registry.admit_postponed();
        self.sync_backend();
        self.wait(sleep)?;
        if self.registry.first_deadline().is_some() || self.chores_at().is_some() {
            self.queue_due_timers();
        }
        if self.registry.has_any_watcher() {
            self.queue_checks();
        }
        self.open_turn();
        Ok(Turn::Running)
    }

    /// What the next hand-out does to its event, if nothing must be checked first.
    #[inline(always)]
    pub(crate) fn next_effect(&self) -> Effect {
        self.registry.next_effect()
    }

    /// Takes the next event and lends its data. If `restarts`, its timeout restarts at the end of this turn's
    /// hand-outs.
    #[inline(always)]
    pub(crate) fn hand_out_next(&mut self, restarts: bool) -> Option<(EventId, Ready, &mut T)> {
        self.registry.hand_out_next(restarts)
    }

    /// Takes the next event, in the state that its handler sees. Returns its reason and number of occurrences.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<(S::Index, Ready, u32)> {
        self.remove_spent();
        let Some((index, ready)) = self.pop() else {
            self.end_hand_outs();
            return None;
        };
        let (ready, count) = self.rearm(index, ready);
        Some((index, ready, count))
    }

    /// Ends the hand-outs if all are done, as [`Engine::next`] would; returns whether they are.
    #[inline(always)]
    pub(crate) fn end_if_done(&mut self) -> bool {
        let is_done = !self.registry.is_active() && self.requests.is_empty();
        if is_done {
            self.end_hand_outs();
        }
        is_done
    }

    /// Finds what to hand out next. Takes it, unless handing out the first event is all there is to do.
    pub(crate) fn step(&mut self) -> Step<S::Index> {
        if S::IS_SMALL {
            return self.next().map_or(Step::Done, |(index, ready, count)| Step::Taken(index, ready, count));
        }
        if self.next_effect() == Effect::Unknown {
            if self.end_if_done() {
                return Step::Done;
            }
            self.choose_level();
        }
        match self.next_effect() {
            Effect::None | Effect::Restart => Step::First,
            Effect::More | Effect::Unknown => match self.next() {
                Some((index, ready, count)) => Step::Taken(index, ready, count),
                None => Step::Done,
            },
        }
    }

    /// The id and data of the event that [`Engine::next`] has taken.
    #[inline(always)]
    pub(crate) fn lend(&mut self, index: S::Index) -> Option<(EventId, &mut T)> {
        self.registry.hand_out(index)
    }

    /// Takes the next event. When the grant ends, checks requests, watchers, limits and levels.
    fn pop(&mut self) -> Option<(S::Index, Ready)> {
        if let Some(next) = self.registry.pop() {
            return Some(next);
        }
        if self.phase == Phase::Idle || self.requests.intersects(Requests::BREAK.union(Requests::CONTINUE)) {
            return None;
        }
        if let Some(watcher) = self.registry.pop_front() {
            return Some(watcher);
        }
        if self.phase == Phase::Prepare {
            return None;
        }
        if self.registry.is_time_limited() && self.is_turn_over() {
            self.registry.exhaust();
        }
        self.registry.choose_level();
        self.registry.pop()
    }

    /// Chooses the next level, when nothing else must be checked.
    #[inline(never)]
    pub(crate) fn choose_level(&mut self) {
        let is_usual = self.phase == Phase::Open
            && self.requests.is_empty()
            && !self.registry.has_front()
            && !self.registry.is_time_limited();
        if is_usual {
            self.registry.choose_level();
        }
    }

    // Around the hand-outs.

    /// Ends a loop with nothing left, unless another end was requested.
    pub(crate) fn end_if_empty(&mut self) -> bool {
        // Not while asleep: `poll` refuses then.
        let ends = self.is_empty() && !self.is_end_requested() && self.backend.check_awake().is_ok();
        if ends {
            self.close_turn();
        }
        ends
    }

    /// Ends the turn. Returns the phase it was in.
    pub(super) fn close_turn(&mut self) -> Phase {
        if !self.requests.is_empty() {
            self.remove_spent();
            self.requests.remove(Requests::CONTINUE);
        }
        self.end_hand_outs();
        self.registry.close_turn();
        self.is_clock_current.set(false);
        core::mem::replace(&mut self.phase, Phase::Idle)
    }

    /// Ends the hand-outs: timeouts that they restart count from now.
    #[inline]
    fn end_hand_outs(&mut self) {
        self.registry.end_hand_outs();
        if self.registry.has_restarts() {
            self.restart_timeouts();
        }
    }

    #[inline(never)]
    fn restart_timeouts(&mut self) {
        let now = self.fresh_now();
        // A later turn may not end at an earlier time, or its restart would shorten a timeout.
        self.clock.set(now);
        self.registry.restart_timeouts(now);
    }

    /// Why the loop ends, if it does. Takes the request.
    fn end_of_loop(&mut self, sleep: Sleep) -> Option<End> {
        if self.requests.is_empty() {
            return (sleep == Sleep::Forever && self.is_empty()).then_some(End::Empty);
        }
        // Only requests for the end are left here.
        let end = if self.requests.contains(Requests::BREAK) { End::Break } else { End::Exit };
        self.requests = Requests::empty();
        Some(end)
    }

    /// Queues the check events, and the wake events if they are due.
    fn queue_checks(&mut self) {
        self.registry.queue_watchers(Moment::Check);
        if self.registry.is_woken() {
            self.registry.queue_watchers(Moment::Wake);
        }
    }

    /// Begins a turn of prepare events, if there are any.
    fn open_prepare(&mut self) -> bool {
        let any = self.registry.queue_watchers(Moment::Prepare);
        if any {
            self.phase = Phase::Prepare;
        }
        any
    }

    pub(crate) fn is_prepare(&self) -> bool {
        self.phase == Phase::Prepare
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.registry.is_woken()
    }

    /// Begins to hand out what the wait has found.
    fn open_turn(&mut self) {
        self.registry.count(|stats| stats.turns = stats.turns.wrapping_add(1));
        let bounds = self.limits.get().map_or(&Bounds::DEFAULT, |limited| &limited.bounds);
        match S::Limits::IS_KEPT && bounds.is_special {
            true => self.open_limited_turn(),
            false => self.registry.open_turn(bounds),
        }
        self.registry.note_active();
        self.phase = Phase::Open;
    }

    /// With exempt levels or a time limit.
    #[inline(never)]
    fn open_limited_turn(&mut self) {
        let bounds = self.limits.get().map_or(&Bounds::DEFAULT, |limited| &limited.bounds);
        self.registry.open_levels(bounds);
        if let Some(interval) = self.bounds().interval {
            let until = self.fresh_now().saturating_add_nanos(interval.get());
            if let Some(limited) = self.limits.get_mut() {
                limited.until = until;
            }
        }
    }

    fn is_turn_over(&self) -> bool {
        self.limits.get().is_some_and(|limited| self.fresh_now() >= limited.until)
    }

    // The wait.

    /// Whether a wait is over that has found nothing, no end either.
    pub(crate) fn is_over(&self, sleep: Sleep) -> bool {
        match sleep {
            _ if self.is_end_requested() => false,
            Sleep::None => true,
            Sleep::Until(point) => point <= self.fresh_now(),
            Sleep::Forever => false,
        }
    }

    /// The maximum sleep of a wait that begins now.
    #[inline]
    pub(crate) fn sleep(&self, wait: Wait) -> Sleep {
        match wait {
            Wait::None => Sleep::None,
            Wait::For(time) => Sleep::Until(self.fresh_now().saturating_add(time)),
            Wait::Until(point) => Sleep::Until(point),
            Wait::Forever => Sleep::Forever,
        }
    }

    /// `sleep`, but until the first deadline at most.
    pub(super) fn shortened(&mut self, sleep: Sleep) -> Sleep {
        let mut first = match sleep {
            Sleep::None => return sleep,
            Sleep::Until(point) => point,
            Sleep::Forever => Instant::MAX,
        };
        let most = self.bounds().timers();
        // A postponed timer may end one wait early, which is cheaper than finding the true first.
        if let Some(deadline) = self.registry.first_deadline_to_wait_for(most) {
            first = first.min(deadline.saturating_add_nanos(self.slack));
        }
        if let Some(chores) = self.chores_at() {
            first = first.min(chores);
        }
        if first == Instant::MAX { Sleep::Forever } else { Sleep::Until(first) }
    }

    /// The maximum sleep of the next [`Engine::poll`].
    pub(crate) fn next_sleep(&self, sleep: Sleep) -> Sleep {
        let mut first = match sleep {
            Sleep::Forever if !self.is_empty() => Instant::MAX,
            Sleep::Until(point) => point,
            Sleep::None | Sleep::Forever => return Sleep::None,
        };
        let is_prepare_next = self.phase != Phase::Prepare && self.registry.has_watchers(Moment::Prepare);
        if self.registry.is_active() || self.is_end_requested() || is_prepare_next {
            return Sleep::None;
        }
        if let Some(deadline) = self.registry.first_armed_deadline() {
            first = first.min(deadline.saturating_add_nanos(self.slack));
        }
        // A requested end, or a retry.
        first = self.chores_at().map_or(first, |chores| first.min(chores));
        if first == Instant::MAX { Sleep::Forever } else { Sleep::Until(first) }
    }

    /// Waits, and queues what the backend reports. Does not sleep while something is active.
    #[inline(always)]
    fn wait(&mut self, sleep: Sleep) -> Result<(), B::Error> {
        self.registry.count(|stats| stats.waits = stats.waits.wrapping_add(1));
        if self.backend.look(&mut self.registry) {
            return Ok(());
        }
        let sleep = match sleep {
            _ if self.registry.is_active() => Sleep::None,
            _ => self.shortened(sleep),
        };
        self.backend.dispatch(sleep, &mut self.registry).inspect_err(|_| self.registry.note_active())
    }

    /// Moves due timers to their queues, in the order of their deadlines.
    fn queue_due_timers(&mut self) {
        let now = self.update_now();
        if self.chores_at().is_some_and(|chores| chores <= now) {
            self.do_chores(now);
        }
        if S::IS_SCANNED {
            // It finds out as fast that nothing is due.
            self.expire(now);
        } else if self.registry.first_deadline().is_some_and(|first| first <= now) {
            self.queue_due(now);
        }
    }

    #[cold]
    fn do_chores(&mut self, now: Instant) {
        if self.exit_at().is_some_and(|exit| exit <= now) {
            self.has_exit = false;
            self.requests.insert(Requests::EXIT);
        }
        if B::IS_SHARED && self.retry_at > Instant::ZERO && self.retry_at <= now {
            self.retry_at = Instant::ZERO;
            self.registry.list_refused();
        }
        self.note_chores();
    }

    // Out of line, so that a turn in which nothing is due does not pay for it.
    #[inline(never)]
    fn queue_due(&mut self, now: Instant) {
        self.expire(now);
    }

    #[inline(always)]
    fn expire(&mut self, now: Instant) {
        self.registry.begin_to_expire();
        let (mut left, mut corrections) = (self.bounds().timers(), self.bounds().timers());
        while left > 0 {
            let Expired::Due(index, due) = self.registry.expire(now, &mut corrections) else { return };
            left = left.wrapping_sub(1);
            if self.registry.state(index).life() == Life::Paused {
                self.resume(index, now);
            } else {
                self.registry.queue_expired(index, now.nanos_since(due));
            }
        }
    }
}
