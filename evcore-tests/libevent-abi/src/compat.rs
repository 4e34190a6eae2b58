//! The functions of libevent 1.4, which use one global base: `event_init`, `event_set`, `event_dispatch`.

use core::ffi::{CStr, c_char, c_int, c_short, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::abi::{EventFn, timeval};
use crate::base::Base;
use crate::config;
use crate::event;
use crate::from_c::{BaseRef, Ev, Lent, export, export_static};
use crate::list;
use crate::log;
use crate::once;
use crate::turn;

export_static! {
    event_global_current_base_: AtomicPtr<Base> = AtomicPtr::new(null_mut());
}

/// The base of the 1.4 functions.
pub(crate) fn current() -> Option<BaseRef> {
    BaseRef::of_ptr(event_global_current_base_.load(Ordering::Acquire))
}

pub(crate) fn set_current(base: Option<BaseRef>) {
    event_global_current_base_.store(base.map_or(null_mut(), BaseRef::as_ptr), Ordering::Release);
}

const VERSION: &CStr = c"2.1.12-stable";

export! {
    fn event_init() -> *mut Base {
        match BaseRef::of_ptr(config::event_base_new()) {
            Some(base) => {
                set_current(Some(base));
                base.as_ptr()
            }
            None => log::die(1, "event_init: Unable to construct event_base"),
        }
    }

    fn event_dispatch() -> c_int {
        turn::run_current(0)
    }

    fn event_loop(mode: c_int) -> c_int {
        turn::run_current(mode)
    }

    fn event_loopexit(delay: Option<Lent<timeval>>) -> c_int {
        turn::event_base_loopexit(current(), delay)
    }

    fn event_loopbreak() -> c_int {
        turn::event_base_loopbreak(current())
    }

    fn event_once(
        fd: c_int,
        events: c_short,
        function: Option<EventFn>,
        arg: *mut c_void,
        delay: Option<Lent<timeval>>,
    ) -> c_int {
        once::event_base_once(current(), fd, events, function, arg, delay)
    }

    fn event_get_method() -> *const c_char {
        list::event_base_get_method(current())
    }

    fn event_priority_init(count: c_int) -> c_int {
        config::event_base_priority_init(current(), count)
    }

    fn event_set(event: Option<Ev>, fd: c_int, events: c_short, function: *const c_void, arg: *mut c_void) {
        let base = current().map_or(null_mut(), BaseRef::as_ptr);
        if event::event_assign(event, base, fd, events, function, arg) < 0 {
            log::die(log::ABORT, "event_set: the event cannot be");
        }
    }

    fn event_get_version() -> *const c_char {
        VERSION.as_ptr()
    }

    fn event_get_version_number() -> u32 {
        0x0201_0c00
    }
}
