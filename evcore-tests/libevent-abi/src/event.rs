//! An event's memory and its contents: `event_assign`, `event_new`, `event_free`, `event_get_*`.

use core::ffi::{c_int, c_short, c_void};
use core::ptr::null_mut;

use crate::abi::{Callback, Calls, Event, EventFn, Period, closure, ev, list};
use crate::base::Base;
use crate::compat;
use crate::debug;
use crate::from_c::{BaseRef, Ev, Out, export};
use crate::log;
use crate::memory;
use crate::pending::event_del;
use crate::time;
use crate::to_c;

fn assign(event: Ev, base: *mut Base, fd: c_int, events: c_short, function: *const c_void, arg: *mut c_void) -> c_int {
    let arg = if arg == event_self_cbarg() { event.memory() } else { arg };
    if events & ev::SIGNAL == 0 {
        debug::assert_nonblocking(fd);
    }
    debug::assert_not_added(event, "event_assign");
    let (closure, period) = if events & ev::SIGNAL != 0 {
        if events & ev::IO != 0 {
            log::warn("event_assign: EV_SIGNAL is not compatible with EV_READ, EV_WRITE or EV_CLOSED");
            return -1;
        }
        (closure::SIGNAL, Period { calls: Calls { left: 0, counter: null_mut() } })
    } else {
        let closure = if events & ev::PERSIST != 0 { closure::PERSIST } else { closure::EVENT };
        (closure, Period { time: time::ZERO })
    };
    let priority = BaseRef::of_ptr(base).map_or(0, |base| base.middle());
    event.reset(Event {
        callback: Callback { next: None, previous: None, flags: list::INIT, priority, closure, function, arg },
        id: 0,
        spare: 0,
        fd,
        base,
        attached_for: 0,
        unused: 0,
        period,
        events,
        res: 0,
        deadline: time::ZERO,
    });
    debug::note_setup(event);
    0
}

impl Base {
    fn middle(&self) -> u8 {
        self.levels.get() / 2
    }
}

#[cold]
pub(crate) fn without_base(caller: &str) -> c_int {
    log::warn(&format!("{caller}: event has no event_base set."));
    -1
}

/// The sentinel of `event_self_cbarg`.
static SELF: u8 = 0;

export! {
    fn event_self_cbarg() -> *mut c_void {
        (&raw const SELF).cast_mut().cast()
    }

    fn event_assign(
        event: Option<Ev>,
        base: *mut Base,
        fd: c_int,
        events: c_short,
        function: *const c_void,
        arg: *mut c_void,
    ) -> c_int {
        let Some(event) = event else { return -1 };
        let base = if base.is_null() { compat::current().map_or(null_mut(), BaseRef::as_ptr) } else { base };
        assign(event, base, fd, events, function, arg)
    }

    fn event_new(
        base: *mut Base,
        fd: c_int,
        events: c_short,
        function: *const c_void,
        arg: *mut c_void,
    ) -> *mut c_void {
        let Some(memory) = memory::allocate(size_of::<Event>()) else { return null_mut() };
        let event = Ev::of_memory(memory);
        if event_assign(Some(event), base, fd, events, function, arg) < 0 {
            to_c::free_event(event);
            return null_mut();
        }
        memory.as_ptr()
    }

    fn event_free(event: Option<Ev>) {
        let Some(event) = event else { return };
        event_del(Some(event));
        debug::note_teardown(event);
        to_c::free_event(event);
    }

    fn event_base_set(base: Option<BaseRef>, event: Option<Ev>) -> c_int {
        let (Some(base), Some(event)) = (base, event) else { return -1 };
        if event.flags() != list::INIT {
            return -1;
        }
        debug::assert_setup(event, "event_base_set");
        event.set_raw_base(base.as_ptr());
        // An evcore event that another base has parked for it is not this base's.
        event.set_id(0);
        event.set_priority(base.middle());
        0
    }

    fn event_initialized(event: Option<Ev>) -> c_int {
        c_int::from(event.is_some_and(|event| event.has(list::INIT)))
    }

    fn event_priority_set(event: Option<Ev>, priority: c_int) -> c_int {
        let Some(event) = event else { return -1 };
        debug::assert_setup(event, "event_priority_set");
        let levels = event.base().map_or(0, |base| base.levels.get());
        match u8::try_from(priority) {
            Ok(level) if level < levels && !event.has(list::ACTIVE) => {
                event.set_priority(level);
                0
            }
            _ => -1,
        }
    }

    fn event_get_fd(event: Option<Ev>) -> c_int {
        let Some(event) = event else { return -1 };
        debug::assert_setup(event, "event_get_fd");
        event.fd()
    }

    fn event_get_base(event: Option<Ev>) -> *mut Base {
        event.map_or(null_mut(), Ev::raw_base)
    }

    fn event_get_events(event: Option<Ev>) -> c_short {
        event.map_or(0, Ev::events)
    }

    fn event_get_callback(event: Option<Ev>) -> Option<EventFn> {
        event.and_then(Ev::function)
    }

    fn event_get_callback_arg(event: Option<Ev>) -> *mut c_void {
        event.map_or(null_mut(), Ev::arg)
    }

    fn event_get_priority(event: Option<Ev>) -> c_int {
        event.map_or(-1, |event| c_int::from(event.priority()))
    }

    fn event_get_assignment(
        event: Option<Ev>,
        base: Option<Out<*mut Base>>,
        fd: Option<Out<c_int>>,
        events: Option<Out<c_short>>,
        function: Option<Out<Option<EventFn>>>,
        arg: Option<Out<*mut c_void>>,
    ) {
        let Some(event) = event else { return };
        debug::assert_setup(event, "event_get_assignment");
        if let Some(out) = base {
            out.set(event.raw_base());
        }
        if let Some(out) = fd {
            out.set(event.fd());
        }
        if let Some(out) = events {
            out.set(event.events());
        }
        if let Some(out) = function {
            out.set(event.function());
        }
        if let Some(out) = arg {
            out.set(event.arg());
        }
    }

    fn event_get_struct_event_size() -> usize {
        size_of::<Event>()
    }
}
