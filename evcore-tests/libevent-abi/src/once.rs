//! `event_base_once`: an event in our memory, which is freed after its callback.

use core::ffi::{c_int, c_short, c_void};
use core::ptr::{NonNull, null};

use crate::abi::{EventFn, ev, timeval};
use crate::base::Base;
use crate::debug;
use crate::event::event_new;
use crate::from_c::{BaseRef, Ev, Lent, export};
use crate::memory;
use crate::time;
use crate::to_c;

/// An event of `event_base_once` that has not been called yet.
#[derive(Clone, Copy)]
pub(crate) struct Once {
    call: NonNull<Call>,
}

/// The function to call.
struct Call {
    event: Ev,
    base: BaseRef,
    function: Option<EventFn>,
    arg: *mut c_void,
    /// Its index in the base's list.
    place: usize,
}

extern "C" fn call(fd: c_int, events: c_short, arg: *mut c_void) {
    let Some(call) = NonNull::new(arg.cast::<Call>()) else { return };
    let &mut Call { event, base, function, arg, .. } = memory::lend(call);
    if let Some(function) = function {
        function(fd, events, arg);
    }
    let guard = base.guard();
    base.forget_once(call);
    drop(guard);
    debug::note_teardown(event);
    to_c::free_event(event);
    memory::take(call);
}

impl Base {
    fn forget_once(&self, call: NonNull<Call>) {
        let mut once = self.once.borrow_mut();
        let place = memory::lend(call).place;
        once.swap_remove(place);
        if let Some(moved) = once.get(place) {
            memory::lend(moved.call).place = place;
        }
    }

    /// Events that were not called are freed with the base. They are no longer pending then.
    pub(crate) fn free_once(&self) {
        for Once { call } in self.once.take() {
            let event = memory::lend(call).event;
            debug::note_teardown(event);
            to_c::free_event(event);
            memory::take(call);
        }
    }
}

export! {
    fn event_base_once(
        base: Option<BaseRef>,
        fd: c_int,
        events: c_short,
        function: Option<EventFn>,
        arg: *mut c_void,
        delay: Option<Lent<timeval>>,
    ) -> c_int {
        let Some(base) = base else { return -1 };
        if events & (ev::SIGNAL | ev::PERSIST) != 0 {
            return -1;
        }
        let is_timer = events & (ev::TIMEOUT | ev::SIGNAL | ev::IO) == ev::TIMEOUT;
        let (fd, waits_for) = if is_timer { (-1, 0) } else { (fd, events & ev::IO) };
        if !is_timer && waits_for == 0 {
            return -1;
        }
        let memory = event_new(base.as_ptr(), fd, waits_for, null(), core::ptr::null_mut());
        let Some(event) = NonNull::new(memory).map(Ev::of_memory) else { return -1 };
        let Some(made) = memory::put(Call { event, base, function, arg, place: 0 }) else {
            to_c::free_event(event);
            return -1;
        };
        event.set_raw_function(call as *const c_void);
        event.set_arg(made.as_ptr().cast());
        let _guard = base.guard();
        let delay = delay.map(Lent::get);
        let outcome = if is_timer && delay.is_none_or(|delay| !time::is_set(delay)) {
            // Active at once, to keep the order.
            base.activate(event, ev::TIMEOUT, 1);
            0
        } else {
            base.add(event, delay)
        };
        if outcome != 0 {
            debug::note_teardown(event);
            to_c::free_event(event);
            memory::take(made);
            return outcome;
        }
        let mut once = base.once.borrow_mut();
        memory::lend(made).place = once.len();
        once.push(Once { call: made });
        0
    }
}
