//! `event_finalize` and its variants, and freeing a base.

use core::ffi::{c_int, c_void};

use crate::abi::{FinalizeFn, SelfFn, closure, list};
use crate::base::{self, Base};
use crate::compat;
use crate::debug;
use crate::from_c::{BaseRef, Cb, Ev, export};
use crate::log;
use crate::pending::Blocking;
use crate::signals;
use crate::to_c;

impl Base {
    /// Stops waiting for the event, and queues its finalizer.
    fn finalize(&self, event: Ev, function: Option<FinalizeFn>, closure: u8) {
        self.del(event, Blocking::No);
        event.set_closure(closure);
        event.cb().set_event_finalizer(function.unwrap_or(nothing));
        self.activate(event, crate::abi::ev::FINALIZE, 1);
        event.insert_flags(list::FINALIZING);
    }

    /// The same for a callback that is not an event.
    fn finalize_callback(&self, callback: Cb, function: Option<SelfFn>) {
        match callback.event() {
            Some(event) => {
                self.del(event, Blocking::No);
            }
            None => self.dequeue(callback),
        }
        callback.set_closure(closure::FINALIZE);
        callback.set_self_function(function.unwrap_or(nothing_alone));
        self.activate_callback(callback);
        callback.insert_flags(list::FINALIZING);
    }

    /// Removes a callback from its queue, unless it is a finalizer.
    pub(crate) fn cancel_callback(&self, callback: Cb) {
        if callback.has(list::FINALIZING) {
            return;
        }
        match callback.event() {
            Some(event) => {
                self.del(event, Blocking::Usual);
            }
            None => self.dequeue(callback),
        }
    }

    /// Removes a callback from its queue because the base is freed; optionally calls its finalizer.
    fn cancel(&self, callback: Cb, runs_finalizers: bool) {
        let Some(event) = callback.event() else {
            self.dequeue(callback);
            if callback.closure() == closure::FINALIZE && runs_finalizers {
                (callback.self_function())(callback, callback.arg());
            }
            return;
        };
        if !event.has(list::FINALIZING) {
            self.del(event, Blocking::EvenIfFinalizing);
            return;
        }
        self.dequeue(callback);
        if runs_finalizers {
            let (function, arg, kind) = (callback.event_finalizer(), event.arg(), event.closure());
            debug::note_teardown(event);
            function(event, arg);
            if kind == closure::EVENT_FINALIZE_FREE {
                to_c::free_event(event);
            }
        }
    }
}

extern "C" fn nothing(_: Ev, _: *mut c_void) {}
extern "C" fn nothing_alone(_: Cb, _: *mut c_void) {}

fn free(base: Option<BaseRef>, runs_finalizers: bool) {
    let current = compat::current();
    let Some(base) = base.or(current) else {
        log::warn("event_base_free: no base to free");
        return;
    };
    if current == Some(base) {
        compat::set_current(None);
    }
    // First: another base that becomes the owner of signals accesses the previous one from another thread.
    signals::disown(&base);
    for event in base::attached(base) {
        base.del(event, Blocking::EvenIfFinalizing);
    }
    // A finalizer may queue more callbacks, and free queued ones.
    while let Some(callback) = base.first_queued() {
        base.cancel(callback, runs_finalizers);
    }
    base.free_once();
    base.prepare.free();
    base.check.free();
    // A finalizer may have added a signal event again.
    signals::disown(&base);
    to_c::free_base(base);
}

fn finalize(event: Option<Ev>, function: Option<FinalizeFn>, closure: u8) -> c_int {
    let Some(event) = event else { return -1 };
    let Some(base) = event.base() else {
        log::warn("event_finalize: event has no event_base set.");
        return -1;
    };
    let _guard = base.guard();
    base.finalize(event, function, closure);
    0
}

export! {
    fn event_base_free(base: Option<BaseRef>) {
        free(base, true);
    }

    fn event_base_free_nofinalize(base: Option<BaseRef>) {
        free(base, false);
    }

    fn event_finalize(_flags: u32, event: Option<Ev>, function: Option<FinalizeFn>) -> c_int {
        finalize(event, function, closure::EVENT_FINALIZE)
    }

    fn event_free_finalize(_flags: u32, event: Option<Ev>, function: Option<FinalizeFn>) -> c_int {
        finalize(event, function, closure::EVENT_FINALIZE_FREE)
    }

    fn event_callback_finalize_nolock_(
        base: Option<BaseRef>,
        _flags: u32,
        callback: Option<Cb>,
        function: Option<SelfFn>,
    ) {
        let (Some(base), Some(callback)) = (base.or_else(compat::current), callback) else { return };
        base.finalize_callback(callback, function);
    }

    fn event_callback_finalize_(base: Option<BaseRef>, _flags: u32, callback: Option<Cb>, function: Option<SelfFn>) {
        let (Some(base), Some(callback)) = (base.or_else(compat::current), callback) else { return };
        let _guard = base.guard();
        base.finalize_callback(callback, function);
    }

    /// Finalizes several callbacks; the finalizer is queued for the one that runs last.
    fn event_callback_finalize_many_(
        base: Option<BaseRef>,
        count: c_int,
        callbacks: *mut *mut c_void,
        function: Option<SelfFn>,
    ) -> c_int {
        let Some(base) = base.or_else(compat::current) else { return -1 };
        let count = usize::try_from(count).unwrap_or(0);
        let callbacks = crate::from_c::callbacks(callbacks, count);
        let _guard = base.guard();
        let current = base.current.get();
        // The current callback, if it is one of them, because it ends last; otherwise the first.
        let finalizing = callbacks.iter().copied().find(|callback| Some(*callback) == current);
        let finalizing = finalizing.or(callbacks.first().copied());
        for callback in callbacks.iter().copied() {
            if Some(callback) == finalizing {
                base.finalize_callback(callback, function);
            } else {
                base.cancel_callback(callback);
            }
        }
        0
    }
}
