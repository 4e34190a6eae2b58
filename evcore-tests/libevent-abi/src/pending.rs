//! Pending events, from `event_add` to `event_del`, and activation of events, pending or not.

use core::ffi::{c_int, c_short};

use crate::abi::{closure, ev, list, timeval};
use crate::base::{self, Base};
use crate::debug;
use crate::event::without_base;
use crate::from_c::{BaseRef, Ev, Lent, Out, export};
use crate::signals;
use crate::time;
use crate::to_c;

/// Whether `event_del` waits for a callback that runs in another thread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blocking {
    No,
    Yes,
    /// Waits, unless the event has EV_FINALIZE.
    Usual,
    /// Does not wait, and also deletes an event that is being finalized.
    EvenIfFinalizing,
}

impl Base {
    /// `event_add`. The lock is held.
    pub(crate) fn add(&self, event: Ev, timeout: Option<timeval>) -> c_int {
        if is_unusual(event) && !self.may_add(event, timeout.is_some()) {
            return -1;
        }
        let is_new_signal = event.is_for(ev::SIGNAL) && !event.has(list::INSERTED);
        if !self.begin(event, timeout) {
            return -1;
        }
        if is_new_signal {
            self.signals.set(self.signals.get() + 1);
            signals::own(self);
        }
        debug::note_added(event, true);
        0
    }

    /// Makes the event pending. Returns whether that succeeded.
    #[inline(always)]
    fn begin(&self, event: Ev, timeout: Option<timeval>) -> bool {
        let flags = event.flags();
        let new = if event.is_for(ev::IO | ev::SIGNAL) { list::INSERTED & !flags } else { 0 };
        let Some(timeout) = timeout else {
            let begins = new == 0 || self.attach(event, None);
            if begins {
                self.insert(event, new);
            }
            return begins;
        };
        if !self.attach(event, Some((self.now(), time::duration(timeout)))) {
            return false;
        }
        self.insert(event, new | list::TIMEOUT);
        if event.closure() == closure::PERSIST {
            event.set_period(timeout);
        }
        true
    }

    /// The checks of `event_add` for signals, active events and debug mode. Returns whether it may continue.
    #[inline(never)]
    fn may_add(&self, event: Ev, is_timed: bool) -> bool {
        debug::assert_setup(event, "event_add");
        if event.has(list::FINALIZING) {
            return false;
        }
        if event.is_for(ev::SIGNAL) {
            self.wait_for(event.cb());
            if !signals::is_valid(event.fd()) {
                to_c::set_errno(libc::EINVAL);
                return false;
            }
        }
        if is_timed && event.has(list::ACTIVE) && event.res() & ev::TIMEOUT != 0 {
            if event.is_for(ev::SIGNAL) {
                event.end_calls();
            }
            self.dequeue(event.cb());
        }
        !(debug::is_on() && event.is_for(ev::IO) && !event.has(list::INSERTED) && self.mixes_edge(event))
    }

    /// Whether the event and others of its fd differ in EV_ET. If the backend supports that, evcore refuses the mix;
    /// otherwise libevent refuses it in debug mode.
    #[cold]
    fn mixes_edge(&self, event: Ev) -> bool {
        let core = self.core();
        core.iter().filter_map(|(_, other)| *other).any(|other| {
            let is_same = other.fd() == event.fd() && other.has(list::INSERTED) && !other.is_for(ev::SIGNAL);
            is_same && (other.events() ^ event.events()) & ev::ET != 0
        })
    }

    /// `event_del`. The lock is held.
    pub(crate) fn del(&self, event: Ev, blocking: Blocking) -> c_int {
        if event.has(list::FINALIZING) && blocking != Blocking::EvenIfFinalizing {
            return 0;
        }
        if event.is_for(ev::SIGNAL) {
            self.note_no_signal(event);
        }
        if event.has(list::QUEUED) {
            self.dequeue(event.cb());
        }
        self.end(event);
        debug::note_added(event, false);
        let waits = match blocking {
            Blocking::Yes => true,
            Blocking::Usual => !event.is_for(ev::FINALIZE),
            Blocking::No | Blocking::EvenIfFinalizing => false,
        };
        if waits {
            self.wait_for(event.cb());
        }
        0
    }

    /// The event is no longer pending.
    #[inline(always)]
    pub(crate) fn end(&self, event: Ev) {
        self.take_out(event, list::INSERTED | list::TIMEOUT);
        // Even if it no longer waits for anything: evcore may watch its fd until the next turn.
        self.detach(event);
    }

    /// Removes the event from its signal, and ends further calls of its callback if one is under way.
    #[inline(never)]
    pub(crate) fn note_no_signal(&self, event: Ev) {
        event.end_calls();
        if event.has(list::INSERTED) {
            self.signals.set(self.signals.get() - 1);
        }
    }

    /// Removes the event's timeout and period; it still waits for everything else.
    pub(crate) fn remove_timer(&self, event: Ev) -> c_int {
        debug::assert_setup(event, "event_remove_timer");
        if event.has(list::TIMEOUT) {
            self.take_out(event, list::TIMEOUT);
            if !event.is_for(ev::SIGNAL) {
                event.set_period(time::ZERO);
            }
            let mut core = self.core();
            if let Some(id) = Self::slot(&core, event) {
                let _ = core.clear_timeout(id);
            }
        }
        0
    }

    /// The time left until the event's timeout, in nanoseconds.
    pub(crate) fn remaining(&self, event: Ev) -> i128 {
        let core = self.core();
        let pending = Self::slot(&core, event).and_then(|id| core.pending(id));
        let remaining = pending.and_then(|pending| pending.remaining).unwrap_or_default();
        remaining.as_nanos().cast_signed()
    }
}

/// Whether `event_add` and `event_del` must check more than what the event waits for.
#[inline(always)]
fn is_unusual(event: Ev) -> bool {
    event.has(list::FINALIZING | list::QUEUED) || event.is_for(ev::SIGNAL) || debug::is_on()
}

#[inline(never)]
fn add(base: BaseRef, event: Ev, timeout: Option<timeval>) -> c_int {
    let _guard = base.guard();
    match is_unusual(event) {
        true => base.add(event, timeout),
        false => c_int::from(base.begin(event, timeout)) - 1,
    }
}

#[inline(never)]
fn del(event: Option<Ev>, blocking: Blocking) -> c_int {
    let Some(event) = event else { return -1 };
    let Some(base) = event.base() else { return without_base("event_del") };
    let _guard = base.guard();
    base.del(event, blocking)
}

export! {
    fn event_add(event: Option<Ev>, timeout: Option<Lent<timeval>>) -> c_int {
        let Some(event) = event else { return -1 };
        let Some(base) = event.base() else { return without_base("event_add") };
        let timeout = timeout.map(Lent::get);
        if base.has_lock() || is_unusual(event) {
            return add(base, event, timeout);
        }
        c_int::from(base.begin(event, timeout)) - 1
    }

    fn event_del(event: Option<Ev>) -> c_int {
        let Some(event) = event else { return -1 };
        let Some(base) = event.base() else { return without_base("event_del") };
        if base.has_lock() || is_unusual(event) {
            return del(Some(event), Blocking::Usual);
        }
        // No other thread runs its callback.
        base.end(event);
        0
    }

    fn event_del_block(event: Option<Ev>) -> c_int {
        del(event, Blocking::Yes)
    }

    fn event_del_noblock(event: Option<Ev>) -> c_int {
        del(event, Blocking::No)
    }

    fn event_remove_timer(event: Option<Ev>) -> c_int {
        let Some(event) = event else { return -1 };
        let Some(base) = event.base() else { return without_base("event_remove_timer") };
        let _guard = base.guard();
        base.remove_timer(event)
    }

    fn event_active(event: Option<Ev>, res: c_int, calls: c_short) {
        let Some(event) = event else { return };
        let Some(base) = event.base() else {
            without_base("event_active");
            return;
        };
        let _guard = base.guard();
        debug::assert_setup(event, "event_active");
        base.activate(event, res as c_short, calls);
    }

    fn event_pending(event: Option<Ev>, events: c_short, out: Option<Out<timeval>>) -> c_int {
        let Some(event) = event else { return 0 };
        let Some(base) = event.base() else {
            without_base("event_pending");
            return 0;
        };
        let _guard = base.guard();
        debug::assert_setup(event, "event_pending");
        let asked = events & (ev::TIMEOUT | ev::IO | ev::SIGNAL);
        let is_timed = event.has(list::TIMEOUT);
        if let Some(out) = out.filter(|_| is_timed && asked & ev::TIMEOUT != 0) {
            out.set(time::of_nanos(time::wall() + base.remaining(event)));
        }
        let mut found = 0;
        if event.has(list::INSERTED) {
            found |= event.events() & (ev::IO | ev::SIGNAL);
        }
        if event.has(list::QUEUED) {
            found |= event.res();
        }
        if is_timed {
            found |= ev::TIMEOUT;
        }
        c_int::from(found & asked)
    }

    fn event_base_active_by_fd(base: Option<BaseRef>, fd: c_int, events: c_short) {
        let Some(base) = base else { return };
        let _guard = base.guard();
        for event in base::attached(base) {
            if event.fd() != fd || event.is_for(ev::SIGNAL) {
                continue;
            }
            if events & ev::TIMEOUT != 0 {
                if event.has(list::TIMEOUT) {
                    base.activate(event, ev::TIMEOUT, 1);
                }
            } else if event.has(list::INSERTED) && event.events() & events & ev::IO != 0 {
                base.activate(event, event.events() & events & ev::IO, 1);
            }
        }
    }

    fn event_base_active_by_signal(base: Option<BaseRef>, signum: c_int) {
        let Some(base) = base else { return };
        let _guard = base.guard();
        for event in base::attached(base) {
            if event.fd() == signum && event.is_for(ev::SIGNAL) && event.has(list::INSERTED) {
                base.activate(event, ev::SIGNAL, 1);
            }
        }
    }
}
