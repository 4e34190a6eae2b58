//! The loop: `event_base_loop`, and what ends it.

use core::ffi::c_int;

use evcore::{End, Instant, Ready, Turn, Wait};

use crate::abi::{closure, ev, list, run, timeval};
use crate::base::{BREAK, Base, CONTINUE, Core, EXIT};
use crate::compat;
use crate::debug;
use crate::from_c::{BaseRef, Cb, Ev, Lent, export};
use crate::log;
use crate::once;
use crate::signals;
use crate::threads;
use crate::time;
use crate::to_c;

const READ: u16 = Ready::READ.bits();
const WRITE: u16 = Ready::WRITE.bits();
const _: () = assert!(READ << 1 == ev::READ.cast_unsigned() && WRITE == ev::WRITE.cast_unsigned());

/// `EV_*` for what evcore has found, limited to what the event asks for.
#[inline(always)]
fn events(event: Ev, ready: Ready, edge: i16, is_descriptor_gone: bool) -> i16 {
    let asked = event.events();
    let mut found = 0;
    if ready.is_readable() {
        found |= ev::READ;
    }
    if ready.is_writable() {
        found |= ev::WRITE;
    }
    if ready.is_closed() {
        found |= ev::CLOSED;
    }
    if is_descriptor_gone && ready.is_error() && found == 0 {
        // poll(2) reports a closed descriptor as invalid, which counts as both.
        found |= ev::READ | ev::WRITE;
    }
    if found != 0 {
        found |= edge;
    }
    found &= asked;
    if ready.is_timeout() {
        found |= ev::TIMEOUT;
    }
    if ready.is_signal() {
        found |= ev::SIGNAL;
    }
    found
}

impl Base {
    /// The loop. The lock is held.
    fn run(&self, mode: c_int) -> c_int {
        loop {
            let stops = self.stops.get() & !CONTINUE;
            self.stops.set(stops);
            if stops != 0 {
                return 0;
            }
            let is_anything_left = self.pending.get() > 0 || self.active.get() > 0 || self.virtuals.get() > 0;
            if mode & run::NO_EXIT_ON_EMPTY == 0 && !is_anything_left {
                return 1;
            }
            self.admit_later();
            self.clear_clock();
            if !self.prepare.is_empty() {
                self.prepare.call(self, mode & run::NONBLOCK != 0);
            }
            let waits = self.active.get() == 0 && mode & run::NONBLOCK == 0;
            if self.dispatch(waits).is_err() {
                return -1;
            }
            if !self.check.is_empty() {
                self.check.call(self, false);
            }
            if self.active.get() > 0 {
                let processed = self.process();
                if mode & run::ONCE != 0 && self.active.get() == 0 && processed != 0 {
                    return 0;
                }
            } else if mode & run::NONBLOCK != 0 {
                return 0;
            }
        }
    }

    /// Runs one turn of evcore: its hand-outs join the queues.
    #[inline]
    fn dispatch(&self, waits: bool) -> Result<(), ()> {
        let outcome = match waits {
            false => self.poll(Wait::None),
            true if self.lock.is_null() => self.poll(Wait::Forever),
            true => self.poll(Wait::None).and_then(|()| if self.active.get() > 0 { Ok(()) } else { self.sleep() }),
        };
        outcome.map_err(|error| log::warn(&format!("event_base_loop: {error}")))
    }

    #[inline(always)]
    fn poll(&self, wait: Wait) -> Result<(), evplat_linux::Error> {
        let mut core = self.core();
        match core.poll(wait) {
            Ok(Turn::Running) => {}
            Ok(turn) => poll_after(&mut core, turn)?,
            Err(error) => poll_again(&mut core, wait, error)?,
        }
        self.drain(core);
        Ok(())
    }

    /// Waits without the lock.
    fn sleep(&self) -> Result<(), evplat_linux::Error> {
        let mut asleep = self.core().begin_sleep(Wait::Until(Instant::MAX))?;
        self.is_asleep.set(true);
        self.unlock();
        asleep.sleep();
        self.lock();
        self.is_asleep.set(false);
        let mut core = self.core();
        match core.end_sleep(asleep) {
            Ok(_) => {}
            Err(evplat_linux::Error::Forked | evplat_linux::Error::NotAsleep) => core.reinit()?,
            Err(error) => return Err(error),
        }
        self.drain(core);
        Ok(())
    }

    /// Queues evcore's hand-outs of this turn.
    #[inline(always)]
    fn drain(&self, mut core: core::cell::RefMut<'_, Core>) {
        let mut count = 0;
        while let Some(fired) = core.next_active() {
            let (id, ready, occurrences) = (fired.id, fired.ready, fired.count);
            let Some(event) = *fired.data else {
                // The timer of an event that was deleted, or the event that ends a sleep.
                let _ = core.del(id);
                continue;
            };
            event.set_handed_out(true);
            let bits = ready.bits();
            if bits & !(READ | WRITE) == 0 {
                // The most frequent case: READ and WRITE have one bit each on both sides.
                let io = ((bits & READ) << 1 | bits & WRITE).cast_signed();
                let found = (io | self.edge) & event.events();
                if found & (ev::READ | ev::WRITE) != 0 {
                    count += self.enqueue_event(event, found);
                }
            } else {
                self.hand_over(&mut core, event, id, ready, occurrences, false);
            }
        }
        self.note_active(count);
    }

    /// Queues an event for a timeout, a signal or an error.
    #[inline(never)]
    pub(crate) fn hand_over(
        &self,
        core: &mut Core,
        event: Ev,
        id: evcore::EventId,
        ready: Ready,
        count: u32,
        was_owner: bool,
    ) {
        let mut found = events(event, ready, self.edge, self.edge == 0);
        if found & ev::TIMEOUT != 0 {
            self.take_out(event, list::TIMEOUT);
            if !event.is_for(ev::SIGNAL) {
                self.take_out(event, list::INSERTED);
            }
            if event.closure() == closure::EVENT {
                let _ = core.deregister(id);
            } else if count > 1 && event.closure() == closure::PERSIST {
                // Periods were missed: libevent starts the next one now.
                let now = core.now();
                let _ = core.add_from(id, now, time::duration(event.period()));
            }
        }
        let mut calls = 1;
        if found & ev::SIGNAL != 0 {
            calls = i16::try_from(count).unwrap_or(i16::MAX);
            if !was_owner && !signals::is_owner(self) {
                found &= !ev::SIGNAL;
            }
        }
        if found != 0 {
            self.activate(event, found, calls);
        }
    }

    /// Runs the callbacks of the most urgent priority that has any. Returns how many, or -1 if the loop must end.
    #[inline(always)]
    fn process(&self) -> c_int {
        if !self.is_plain.get() {
            return self.process_levels();
        }
        // Nothing can be more urgent, so `level` need not be set.
        if self.has_lock() { self.process_all::<true>() } else { self.process_all::<false>() }
    }

    /// Runs the callbacks of the only priority, without limits.
    #[inline(always)]
    fn process_all<const HAS_LOCK: bool>(&self) -> c_int {
        let mut count = 0;
        while let Some(callback) = self.dequeue_first(&self.queues[0]) {
            count += 1;
            self.call::<HAS_LOCK>(callback);
            if self.is_stopped() {
                return if self.is_broken() { -1 } else { count };
            }
        }
        count
    }

    #[inline(never)]
    fn process_levels(&self) -> c_int {
        let until = self.max_interval.map(|interval| self.update_clock() + interval);
        let mut count = 0;
        for level in 0..self.levels_max.get() {
            if self.queues[usize::from(level)].first().is_none() {
                continue;
            }
            let number = c_int::from(level);
            self.level.set(number);
            count = match number < self.limit_from {
                true => self.process_level(level, c_int::MAX, None),
                false => self.process_level(level, self.max_callbacks, until),
            };
            if count != 0 {
                break;
            }
        }
        self.level.set(-1);
        count
    }

    fn process_level(&self, level: u8, max: c_int, until: Option<Instant>) -> c_int {
        let mut count = 0;
        while let Some(callback) = self.dequeue_first(&self.queues[usize::from(level)]) {
            count += 1;
            self.call::<true>(callback);
            if self.is_stopped() {
                return if self.is_broken() { -1 } else { count };
            }
            if count >= max || until.is_some_and(|until| self.update_clock() >= until) {
                break;
            }
        }
        count
    }

    /// Calls a callback without the lock. If `HAS_LOCK` is false, the compiler removes the locking.
    #[inline(always)]
    fn call<const HAS_LOCK: bool>(&self, callback: Cb) {
        match (callback.closure(), callback.as_event()) {
            (closure::PERSIST, event) => {
                self.current.set(Some(callback));
                self.begin_period(event);
                self.call_event::<HAS_LOCK>(event);
            }
            (closure::EVENT, event) => {
                // Before the callback, which may close its descriptor, or free it.
                self.end(event);
                debug::note_added(event, false);
                self.current.set(Some(callback));
                self.call_event::<HAS_LOCK>(event);
            }
            _ => match callback.event() {
                Some(event) => self.call_rare(event),
                None => self.call_alone(callback),
            },
        }
        self.current.set(None);
        if HAS_LOCK {
            self.tell_waiters();
        }
    }

    #[inline(always)]
    fn call_event<const HAS_LOCK: bool>(&self, event: Ev) {
        let (function, fd, res, arg) = (event.function(), event.fd(), event.res(), event.arg());
        if HAS_LOCK {
            self.unlock();
        }
        if let Some(function) = function {
            function(fd, res, arg);
        }
        if HAS_LOCK {
            self.lock();
        }
    }

    /// Starts the period of a persistent event.
    #[inline(always)]
    fn begin_period(&self, event: Ev) {
        let period = event.period();
        if !time::is_set(period) {
            return;
        }
        if event.is_handed_out() {
            // evcore has started it.
            event.set_handed_out(false);
            let inserted = if event.is_for(ev::IO) { list::INSERTED } else { 0 };
            self.insert(event, list::TIMEOUT | inserted);
        } else {
            self.add(event, Some(period));
        }
    }

    #[inline(never)]
    fn call_rare(&self, event: Ev) {
        match event.closure() {
            closure::SIGNAL => self.call_signal(event),
            kind => {
                let (function, arg) = (event.cb().event_finalizer(), event.arg());
                self.unlock();
                debug::note_teardown(event);
                function(event, arg);
                if kind == closure::EVENT_FINALIZE_FREE {
                    to_c::free_event(event);
                }
                self.lock();
            }
        }
    }

    /// Calls a signal's callback once for each arrival.
    fn call_signal(&self, event: Ev) {
        if !event.is_for(ev::PERSIST) {
            self.note_no_signal(event);
            self.end(event);
            debug::note_added(event, false);
        }
        self.current.set(Some(event.cb()));
        // `event_del` of this event in its own callback sets it to 0. While it is not 0, the event is not freed.
        let left = core::cell::Cell::new(event.calls().left);
        while left.get() > 0 {
            left.set(left.get() - 1);
            let counter = if left.get() > 0 { left.as_ptr() } else { core::ptr::null_mut() };
            event.set_calls(left.get(), counter);
            self.call_event::<true>(event);
            if self.is_broken() && left.get() > 0 {
                event.set_calls(left.replace(0), core::ptr::null_mut());
            }
        }
    }

    /// Calls a callback that is not an event.
    #[inline(never)]
    fn call_alone(&self, callback: Cb) {
        let is_finalizer = callback.closure() == closure::FINALIZE;
        if !is_finalizer {
            self.current.set(Some(callback));
        }
        let (function, arg) = (callback.self_function(), callback.arg());
        self.unlock();
        function(callback, arg);
        self.lock();
    }
}

/// evcore had a reason not to wait.
#[cold]
fn poll_after(core: &mut Core, turn: Turn) -> Result<(), evplat_linux::Error> {
    if turn == Turn::Ended(End::Empty) {
        // evcore has nothing to wait for, but the program may have: an event without a descriptor, another thread.
        let _ = core.poll(Wait::Until(Instant::MAX))?;
    }
    Ok(())
}

#[cold]
fn poll_again(core: &mut Core, wait: Wait, error: evplat_linux::Error) -> Result<(), evplat_linux::Error> {
    if error != evplat_linux::Error::Forked {
        return Err(error);
    }
    // libevent lets a child continue without `event_reinit`.
    core.reinit()?;
    let turn = core.poll(wait)?;
    poll_after(core, turn)
}

fn end(base: Option<BaseRef>, how: fn(&Base)) -> c_int {
    let Some(base) = base else { return -1 };
    let _guard = base.guard();
    how(&base);
    base.wake();
    0
}

export! {
    fn event_base_loop(base: Option<BaseRef>, mode: c_int) -> c_int {
        let Some(base) = base else { return -1 };
        let _guard = base.guard();
        if base.is_running.replace(true) {
            log::warn("event_base_loop: reentrant invocation.  Only one event_base_loop can run on each event_base at once.");
            return -1;
        }
        if base.signals.get() > 0 {
            signals::own(&base);
        }
        if threads::has_threads() {
            base.owner.set(threads::this_thread());
        }
        base.stops.set(0);
        let answer = base.run(mode);
        base.clear_clock();
        base.is_running.set(false);
        answer
    }

    fn event_base_dispatch(base: Option<BaseRef>) -> c_int {
        event_base_loop(base, 0)
    }

    fn event_base_loopexit(base: Option<BaseRef>, delay: Option<Lent<timeval>>) -> c_int {
        let Some(base) = base else { return -1 };
        once::event_base_once(Some(base), -1, ev::TIMEOUT, Some(exit_loop), base.as_ptr().cast(), delay)
    }

    fn event_base_loopbreak(base: Option<BaseRef>) -> c_int {
        end(base, |base| base.stop(BREAK))
    }

    fn event_base_loopcontinue(base: Option<BaseRef>) -> c_int {
        end(base, |base| base.stop(CONTINUE))
    }

    fn event_base_got_exit(base: Option<BaseRef>) -> c_int {
        c_int::from(base.is_some_and(|base| base.stops.get() & EXIT != 0))
    }

    fn event_base_got_break(base: Option<BaseRef>) -> c_int {
        c_int::from(base.is_some_and(|base| base.is_broken()))
    }

    fn event_base_get_running_event(base: Option<BaseRef>) -> Option<Ev> {
        let base = base?;
        let _guard = base.guard();
        if !base.is_own_thread() {
            return None;
        }
        base.current.get()?.event()
    }

    fn event_reinit(base: Option<BaseRef>) -> c_int {
        let Some(base) = base else { return -1 };
        let _guard = base.guard();
        let outcome = base.core().reinit();
        if outcome.is_ok() && base.signals.get() > 0 {
            signals::own(&base);
        }
        if outcome.is_ok() { 0 } else { -1 }
    }
}

/// The callback that `event_base_loopexit` schedules.
pub(crate) extern "C" fn exit_loop(_: c_int, _: i16, base: *mut core::ffi::c_void) {
    if let Some(base) = BaseRef::of_ptr(base.cast()) {
        base.stop(EXIT);
    }
}

// For the 1.4 functions.
pub(crate) fn run_current(mode: c_int) -> c_int {
    event_base_loop(compat::current(), mode)
}
