//! Functions with a trailing underscore: not for programs, but libevent's own objects above the core call them.

use core::ffi::{c_int, c_short, c_void};

use crate::abi::{SelfFn, closure, timeval};
use crate::base::Base;
use crate::compat;
use crate::from_c::{BaseRef, Cb, Ev, Lent, export};
use crate::pending::Blocking;

fn base_or_current(base: Option<BaseRef>) -> Option<BaseRef> {
    base.or_else(compat::current)
}

export! {
    fn event_deferred_cb_init_(callback: Option<Cb>, priority: u8, function: Option<SelfFn>, arg: *mut c_void) {
        let Some(callback) = callback else { return };
        callback.clear();
        if let Some(function) = function {
            callback.set_self_function(function);
        }
        callback.set_arg(arg);
        callback.set_priority(priority);
        callback.set_closure(closure::SELF);
    }

    fn event_deferred_cb_set_priority_(callback: Option<Cb>, priority: u8) {
        if let Some(callback) = callback {
            callback.set_priority(priority);
        }
    }

    fn event_deferred_cb_schedule_(base: Option<BaseRef>, callback: Option<Cb>) -> c_int {
        let (Some(base), Some(callback)) = (base_or_current(base), callback) else { return 0 };
        let _guard = base.guard();
        c_int::from(base.schedule(callback))
    }

    fn event_deferred_cb_cancel_(base: Option<BaseRef>, callback: Option<Cb>) {
        event_callback_cancel_(base, callback);
    }

    fn event_callback_init_(base: Option<BaseRef>, callback: Option<Cb>) {
        let (Some(base), Some(callback)) = (base, callback) else { return };
        callback.clear();
        callback.set_priority(base.levels.get() - 1);
    }

    fn event_callback_activate_(base: Option<BaseRef>, callback: Option<Cb>) -> c_int {
        let (Some(base), Some(callback)) = (base, callback) else { return 0 };
        let _guard = base.guard();
        c_int::from(base.activate_callback(callback))
    }

    fn event_callback_activate_nolock_(base: Option<BaseRef>, callback: Option<Cb>) -> c_int {
        let (Some(base), Some(callback)) = (base, callback) else { return 0 };
        c_int::from(base.activate_callback(callback))
    }

    fn event_callback_activate_later_nolock_(base: Option<BaseRef>, callback: Option<Cb>) -> c_int {
        let (Some(base), Some(callback)) = (base, callback) else { return 0 };
        c_int::from(base.activate_later(callback))
    }

    fn event_callback_cancel_(base: Option<BaseRef>, callback: Option<Cb>) -> c_int {
        let (Some(base), Some(callback)) = (base_or_current(base), callback) else { return 0 };
        let _guard = base.guard();
        base.cancel_callback(callback);
        0
    }

    fn event_callback_cancel_nolock_(base: Option<BaseRef>, callback: Option<Cb>, _even_if: c_int) -> c_int {
        let (Some(base), Some(callback)) = (base, callback) else { return 0 };
        base.cancel_callback(callback);
        0
    }

    fn event_active_nolock_(event: Option<Ev>, res: c_int, calls: c_short) {
        if let Some((event, base)) = event.and_then(|event| Some((event, event.base()?))) {
            base.activate(event, res as c_short, calls);
        }
    }

    fn event_active_later_(event: Option<Ev>, res: c_int) {
        if let Some((event, base)) = event.and_then(|event| Some((event, event.base()?))) {
            let _guard = base.guard();
            base.event_later(event, res as c_short);
        }
    }

    fn event_active_later_nolock_(event: Option<Ev>, res: c_int) {
        if let Some((event, base)) = event.and_then(|event| Some((event, event.base()?))) {
            base.event_later(event, res as c_short);
        }
    }

    fn event_add_nolock_(event: Option<Ev>, timeout: Option<Lent<timeval>>, is_absolute: c_int) -> c_int {
        let Some((event, base)) = event.and_then(|event| Some((event, event.base()?))) else { return -1 };
        if is_absolute != 0 {
            return -1;
        }
        base.add(event, timeout.map(Lent::get))
    }

    fn event_del_nolock_(event: Option<Ev>, blocking: c_int) -> c_int {
        let Some((event, base)) = event.and_then(|event| Some((event, event.base()?))) else { return -1 };
        let blocking = match blocking {
            0 => Blocking::No,
            1 => Blocking::Yes,
            2 => Blocking::Usual,
            _ => Blocking::EvenIfFinalizing,
        };
        base.del(event, blocking)
    }

    fn event_remove_timer_nolock_(event: Option<Ev>) -> c_int {
        event.and_then(|event| Some((event, event.base()?))).map_or(-1, |(event, base)| base.remove_timer(event))
    }

    fn event_base_add_virtual_(base: Option<BaseRef>) {
        if let Some(base) = base {
            let _guard = base.guard();
            base.virtuals.up();
        }
    }

    fn event_base_del_virtual_(base: Option<BaseRef>) {
        if let Some(base) = base {
            let _guard = base.guard();
            base.virtuals.down();
            base.wake();
        }
    }

    fn event_base_assert_ok_(base: Option<BaseRef>) {
        if let Some(base) = base {
            let _guard = base.guard();
            base.assert_ok();
        }
    }

    fn event_base_assert_ok_nolock_(base: Option<BaseRef>) {
        if let Some(base) = base {
            base.assert_ok();
        }
    }

    fn event_base_start_iocp_(_base: Option<BaseRef>, _cpus: c_int) -> c_int {
        -1
    }

    fn event_base_stop_iocp_(_base: Option<BaseRef>) {}
}

impl Base {
    fn event_later(&self, event: Ev, res: c_short) {
        use crate::abi::list;
        if event.has(list::QUEUED) {
            event.set_res(event.res() | res);
            return;
        }
        event.set_res(res);
        self.activate_later(event.cb());
    }

    /// The counts agree with the queues, and each queued callback is marked as such.
    fn assert_ok(&self) {
        use crate::abi::list;
        let queued = self.queued();
        let is_ok = queued.len() == usize::try_from(self.active.get()).unwrap_or(usize::MAX)
            && queued.iter().all(|callback| callback.has(list::QUEUED));
        if !is_ok {
            crate::log::die(crate::log::ABORT, "the queues of active events are not as they are counted");
        }
    }
}
