//! libevent's structures and constants, as in its public headers. `c/layout.c` compares them with the headers.

use core::ffi::{c_int, c_short, c_ulong, c_void};
use core::mem::{align_of, offset_of, size_of};

use crate::from_c::{Cb, Ev};

pub(crate) use libc::timeval;

/// The callback of an event.
pub type EventFn = extern "C" fn(c_int, c_short, *mut c_void);
/// The callback of a deferred callback.
pub type SelfFn = extern "C" fn(Cb, *mut c_void);
/// The finalizer of an event, called when nothing uses the event any more.
pub type FinalizeFn = extern "C" fn(Ev, *mut c_void);

/// `struct event_callback`: an entry in a queue of active events.
///
/// Our queue uses the two links of libevent's queue. `flags` and `priority` are as in libevent.
#[repr(C)]
#[derive(Debug)]
pub struct Callback {
    pub(crate) next: Option<Cb>,
    pub(crate) previous: Option<Cb>,
    pub(crate) flags: c_short,
    pub(crate) priority: u8,
    pub(crate) closure: u8,
    pub(crate) function: *const c_void,
    pub(crate) arg: *mut c_void,
}

/// `struct event`.
///
/// Instead of libevent's heap index it has the id of the evcore event, and instead of the links between events of an
/// fd, what the evcore event waits for.
#[repr(C)]
#[derive(Debug)]
pub struct Event {
    pub(crate) callback: Callback,
    /// `ev_timeout_pos`: the id of the evcore event for this one, or 0.
    pub(crate) id: u64,
    /// Whether evcore has handed the event out since it was added.
    pub(crate) spare: u64,
    pub(crate) fd: c_int,
    pub(crate) base: *mut crate::base::Base,
    /// `ev_io_next`, `ev_signal_next`: what the evcore event waits for.
    pub(crate) attached_for: u64,
    pub(crate) unused: u64,
    /// `ev_io.ev_timeout`, the period of a persistent event; or `ev_signal`.
    pub(crate) period: Period,
    pub(crate) events: c_short,
    pub(crate) res: c_short,
    /// Its last deadline, by the monotonic clock.
    pub(crate) deadline: timeval,
}

/// The period of a persistent event, or the calls of a signal event.
#[repr(C)]
#[derive(Clone, Copy)]
pub union Period {
    pub(crate) time: timeval,
    pub(crate) calls: Calls,
}

impl core::fmt::Debug for Period {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Period")
    }
}

/// How many calls of a signal event's callback are left.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Calls {
    pub(crate) left: c_short,
    /// The counter of the call under way.
    pub(crate) counter: *mut c_short,
}

/// `struct evthread_lock_callbacks`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LockFns {
    pub(crate) version: c_int,
    pub(crate) kinds: u32,
    pub(crate) alloc: Option<extern "C" fn(u32) -> *mut c_void>,
    pub(crate) free: Option<extern "C" fn(*mut c_void, u32)>,
    pub(crate) lock: Option<extern "C" fn(u32, *mut c_void) -> c_int>,
    pub(crate) unlock: Option<extern "C" fn(u32, *mut c_void) -> c_int>,
}

/// `struct evthread_condition_callbacks`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CondFns {
    pub(crate) version: c_int,
    pub(crate) alloc: Option<extern "C" fn(u32) -> *mut c_void>,
    pub(crate) free: Option<extern "C" fn(*mut c_void)>,
    pub(crate) signal: Option<extern "C" fn(*mut c_void, c_int) -> c_int>,
    pub(crate) wait: Option<extern "C" fn(*mut c_void, *mut c_void, *const timeval) -> c_int>,
}

impl LockFns {
    /// A value that identifies the functions, for comparison.
    pub(crate) fn key(self) -> (c_int, u32, [usize; 4]) {
        let Self { version, kinds, alloc, free, lock, unlock } = self;
        let alloc = alloc.map_or(0, |function| function as usize);
        let free = free.map_or(0, |function| function as usize);
        let lock = lock.map_or(0, |function| function as usize);
        let unlock = unlock.map_or(0, |function| function as usize);
        (version, kinds, [alloc, free, lock, unlock])
    }
}

impl CondFns {
    pub(crate) fn key(self) -> (c_int, [usize; 4]) {
        let Self { version, alloc, free, signal, wait } = self;
        let alloc = alloc.map_or(0, |function| function as usize);
        let free = free.map_or(0, |function| function as usize);
        let signal = signal.map_or(0, |function| function as usize);
        let wait = wait.map_or(0, |function| function as usize);
        (version, [alloc, free, signal, wait])
    }
}

/// Returns a thread's identifier.
pub type IdFn = extern "C" fn() -> c_ulong;

const _: () = {
    assert!(size_of::<Callback>() == 40 && size_of::<Event>() == 128);
    assert!(offset_of!(Callback, flags) == 16 && offset_of!(Callback, function) == 24);
    assert!(offset_of!(Event, fd) == 56 && offset_of!(Event, base) == 64 && offset_of!(Event, period) == 88);
    assert!(offset_of!(Event, events) == 104 && offset_of!(Event, deadline) == 112);
    assert!(align_of::<Event>() == 8);
};

/// `EV_*`.
pub(crate) mod ev {
    use core::ffi::c_short;
    pub(crate) const TIMEOUT: c_short = 0x01;
    pub(crate) const READ: c_short = 0x02;
    pub(crate) const WRITE: c_short = 0x04;
    pub(crate) const SIGNAL: c_short = 0x08;
    pub(crate) const PERSIST: c_short = 0x10;
    pub(crate) const ET: c_short = 0x20;
    pub(crate) const FINALIZE: c_short = 0x40;
    pub(crate) const CLOSED: c_short = 0x80;
    pub(crate) const IO: c_short = READ | WRITE | CLOSED;
}

/// `EVLIST_*`: the state of an event.
pub(crate) mod list {
    use core::ffi::c_short;
    pub(crate) const TIMEOUT: c_short = 0x01;
    pub(crate) const INSERTED: c_short = 0x02;
    pub(crate) const ACTIVE: c_short = 0x08;
    pub(crate) const LATER: c_short = 0x20;
    pub(crate) const FINALIZING: c_short = 0x40;
    pub(crate) const INIT: c_short = 0x80;
    pub(crate) const QUEUED: c_short = ACTIVE | LATER;
}

/// The kinds of callbacks: libevent's numbers.
pub(crate) mod closure {
    pub(crate) const EVENT: u8 = 0;
    pub(crate) const SIGNAL: u8 = 1;
    pub(crate) const PERSIST: u8 = 2;
    pub(crate) const SELF: u8 = 3;
    pub(crate) const FINALIZE: u8 = 4;
    pub(crate) const EVENT_FINALIZE: u8 = 5;
    pub(crate) const EVENT_FINALIZE_FREE: u8 = 6;
}

/// `EVLOOP_*`.
pub(crate) mod run {
    use core::ffi::c_int;
    pub(crate) const ONCE: c_int = 1;
    pub(crate) const NONBLOCK: c_int = 2;
    pub(crate) const NO_EXIT_ON_EMPTY: c_int = 4;
}

/// `EVENT_BASE_FLAG_*`.
pub(crate) mod flag {
    use core::ffi::c_int;
    pub(crate) const NOLOCK: c_int = 1;
    pub(crate) const IGNORE_ENV: c_int = 2;
    pub(crate) const NO_CACHE_TIME: c_int = 8;
}
